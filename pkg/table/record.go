package table

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/guregu/dynamo/v2"
)

// Records as text: export, import and migration move items whose types they do
// not know. The form is DynamoDB JSON ("Low-level API" in the Developer Guide),
// canonical: names and the members of sets in order, so that equal items have
// equal bytes.

// AppendJSON appends the record in canonical DynamoDB JSON.
func (r Record) AppendJSON(b []byte) ([]byte, error) { return appendMap(b, r.item) }

func appendMap(b []byte, m map[string]types.AttributeValue) ([]byte, error) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, '{')
	var err error
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, name); err != nil {
			return nil, fmt.Errorf("attribute name: %w", err)
		}
		b = append(b, ':')
		if b, err = appendValue(b, m[name]); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v types.AttributeValue) ([]byte, error) {
	text := func(kind, s string) ([]byte, error) {
		b = append(append(append(b, `{"`...), kind...), `":`...)
		b, err := jsontext.AppendQuote(b, s)
		return append(b, '}'), err
	}
	list := func(kind string, of []string) ([]byte, error) {
		of = slices.Sorted(slices.Values(of))
		b = append(append(append(b, `{"`...), kind...), `":[`...)
		var err error
		for i, s := range of {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = jsontext.AppendQuote(b, s); err != nil {
				return nil, err
			}
		}
		return append(b, `]}`...), nil
	}
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return text("S", v.Value)
	case *types.AttributeValueMemberN:
		return text("N", v.Value)
	case *types.AttributeValueMemberB:
		return text("B", base64.StdEncoding.EncodeToString(v.Value))
	case *types.AttributeValueMemberBOOL:
		return fmt.Appendf(b, `{"BOOL":%t}`, v.Value), nil
	case *types.AttributeValueMemberNULL:
		return append(b, `{"NULL":true}`...), nil
	case *types.AttributeValueMemberSS:
		return list("SS", v.Value)
	case *types.AttributeValueMemberNS:
		return list("NS", v.Value)
	case *types.AttributeValueMemberBS:
		encoded := make([]string, len(v.Value))
		for i, x := range v.Value {
			encoded[i] = base64.StdEncoding.EncodeToString(x)
		}
		return list("BS", encoded)
	case *types.AttributeValueMemberM:
		b, err := appendMap(append(b, `{"M":`...), v.Value)
		return append(b, '}'), err
	case *types.AttributeValueMemberL:
		b = append(b, `{"L":[`...)
		var err error
		for i, x := range v.Value {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, x); err != nil {
				return nil, err
			}
		}
		return append(b, `]}`...), nil
	}
	return nil, fmt.Errorf("a value of kind %T is in no known form", v)
}

// ParseRecord reads what AppendJSON writes. The keys must be there and text.
func ParseRecord(raw []byte) (Record, error) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(raw, &m); err != nil {
		return Record{}, fmt.Errorf("item: %w", err)
	}
	item, err := parseMap(m, 0)
	if err != nil {
		return Record{}, err
	}
	r := Record{item}
	if k := r.Key(); k.PK == "" || k.SK == "" {
		return Record{}, errors.New("item: PK and SK must be text")
	}
	return r, nil
}

func parseMap(m map[string]jsontext.Value, depth int) (map[string]types.AttributeValue, error) {
	if depth > 32 { // DynamoDB's bound
		return nil, errors.New("item: nested too deeply")
	}
	out := make(map[string]types.AttributeValue, len(m))
	for name, raw := range m {
		v, err := parseValue(raw, depth)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

func parseValue(raw jsontext.Value, depth int) (types.AttributeValue, error) {
	var v struct {
		S    *string                   `json:"S"`
		N    *string                   `json:"N"`
		B    *[]byte                   `json:"B"`
		BOOL *bool                     `json:"BOOL"`
		NULL *bool                     `json:"NULL"`
		SS   []string                  `json:"SS"`
		NS   []string                  `json:"NS"`
		BS   [][]byte                  `json:"BS"`
		M    map[string]jsontext.Value `json:"M"`
		L    *[]jsontext.Value         `json:"L"`
	}
	if err := json.Unmarshal(raw, &v, json.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	switch {
	case v.S != nil:
		return &types.AttributeValueMemberS{Value: *v.S}, nil
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}, nil
	case v.B != nil:
		return &types.AttributeValueMemberB{Value: *v.B}, nil
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}, nil
	case v.NULL != nil:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case v.SS != nil:
		return &types.AttributeValueMemberSS{Value: v.SS}, nil
	case v.NS != nil:
		return &types.AttributeValueMemberNS{Value: v.NS}, nil
	case v.BS != nil:
		return &types.AttributeValueMemberBS{Value: v.BS}, nil
	case v.M != nil:
		m, err := parseMap(v.M, depth+1)
		return &types.AttributeValueMemberM{Value: m}, err
	case v.L != nil:
		l := &types.AttributeValueMemberL{Value: []types.AttributeValue{}}
		if depth > 32 {
			return nil, errors.New("nested too deeply")
		}
		for _, x := range *v.L {
			e, err := parseValue(x, depth+1)
			if err != nil {
				return nil, err
			}
			l.Value = append(l.Value, e)
		}
		return l, nil
	}
	return nil, errors.New("a value without a kind")
}

// Text gives a text attribute, "" where there is none.
func (r Record) Text(name string) string { return stringOf(r.item[name]) }

// Expired reports whether the table may delete the record by now.
func (r Record) Expired(now time.Time) bool {
	var it struct {
		TTL int64 `dynamo:"ttl"`
	}
	return r.Decode(&it) == nil && it.TTL != 0 && it.TTL <= now.Unix()
}

// With gives the record with attributes taken away and others set to true; the
// record itself stays as it is.
func (r Record) With(truths []string, without ...string) Record {
	item := make(map[string]types.AttributeValue, len(r.item)+len(truths))
	for k, v := range r.item {
		if !slices.Contains(without, k) {
			item[k] = v
		}
	}
	for _, k := range truths {
		item[k] = &types.AttributeValueMemberBOOL{Value: true}
	}
	return Record{item}
}

// Item gives what a Put or Create writes; false for every other write.
func (w *Write) Item() (Record, bool, error) {
	if w.kind != putItem {
		return Record{}, false, nil
	}
	item, err := dynamo.MarshalItem(w.item)
	if err != nil {
		return Record{}, false, fmt.Errorf("encode item: %w", err)
	}
	return Record{item}, true, nil
}

// Differences gives, in order, the names of the attributes in which two records
// differ, save those to ignore.
func (r Record) Differences(other Record, ignore ...string) []string {
	names := map[string]bool{}
	for _, m := range []dynamo.Item{r.item, other.item} {
		for name := range m {
			names[name] = true
		}
	}
	var out []string
	for name := range names {
		if slices.Contains(ignore, name) {
			continue
		}
		a, has := r.item[name]
		b, had := other.item[name]
		if has && had {
			x, errX := appendValue(nil, a)
			y, errY := appendValue(nil, b)
			if errX == nil && errY == nil && string(x) == string(y) {
				continue
			}
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// MaxBatch is DynamoDB's bound on the writes of one batch.
const MaxBatch = 25

// PutAll writes records whole, replacing what is there, without conditions: for
// restoring a table. What DynamoDB leaves undone is sent again until all is done
// or ctx ends.
func (t *Table) PutAll(ctx context.Context, records []Record) error {
	for chunk := range slices.Chunk(records, MaxBatch) {
		requests := make([]types.WriteRequest, len(chunk))
		for i, r := range chunk {
			requests[i] = types.WriteRequest{PutRequest: &types.PutRequest{Item: r.item}}
		}
		left := map[string][]types.WriteRequest{t.name: requests}
		for pause := 50 * time.Millisecond; len(left) > 0; pause = min(2*pause, 5*time.Second) {
			out, err := t.raw.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: left})
			if err != nil {
				return storeError("batch write", err)
			}
			if left = out.UnprocessedItems; len(left) == 0 {
				break
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			}
		}
	}
	return nil
}

// ScanKind is Scan of the items whose keys are of one kind: the partition begins
// with pk and the sort key with sk; either may be empty. The whole table is read
// all the same, but only these items are sent.
func (t *Table) ScanKind(ctx context.Context, pk, sk string, after Position, visit func(records []Record, resume Position) error) error {
	return t.scan(ctx, kindFilter(pk, sk), after, visit)
}

// ScanHaving is ScanKind of the items with this text in an attribute.
func (t *Table) ScanHaving(ctx context.Context, pk, sk, attribute, text string, visit func([]Record) error) error {
	in := kindFilter(pk, sk)
	filter := "#attribute = :text"
	if in.FilterExpression != nil {
		filter += " AND " + *in.FilterExpression
	} else {
		in.ExpressionAttributeValues = map[string]types.AttributeValue{}
	}
	in.FilterExpression = &filter
	in.ExpressionAttributeNames = map[string]string{"#attribute": attribute}
	in.ExpressionAttributeValues[":text"] = &types.AttributeValueMemberS{Value: text}
	return t.scan(ctx, in, nil, func(records []Record, _ Position) error { return visit(records) })
}

// kindFilter asks for items of one kind.
func kindFilter(pk, sk string) *dynamodb.ScanInput {
	in := &dynamodb.ScanInput{}
	var conditions []string
	for _, part := range [][2]string{{"PK", pk}, {"SK", sk}} {
		if part[1] == "" {
			continue
		}
		if in.ExpressionAttributeValues == nil {
			in.ExpressionAttributeValues = map[string]types.AttributeValue{}
		}
		conditions = append(conditions, "begins_with("+part[0]+", :"+part[0]+")")
		in.ExpressionAttributeValues[":"+part[0]] = &types.AttributeValueMemberS{Value: part[1]}
	}
	if len(conditions) > 0 {
		filter := strings.Join(conditions, " AND ")
		in.FilterExpression = &filter
	}
	return in
}

// Drop deletes the table with everything in it.
func (t *Table) Drop(ctx context.Context) error {
	if _, err := t.raw.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &t.name}); err != nil {
		return storeError("delete table", err)
	}
	return nil
}
