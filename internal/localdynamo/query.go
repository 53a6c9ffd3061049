package localdynamo

import (
	"bytes"
	"hash/fnv"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

type readRequest struct {
	TableName                 string
	IndexName                 *string
	KeyConditionExpression    *string
	KeyConditions             map[string]keyCondition
	FilterExpression          *string
	ProjectionExpression      *string
	AttributesToGet           []string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues map[string]attr.Value
	ExclusiveStartKey         map[string]attr.Value
	ConsistentRead            bool
	ScanIndexForward          *bool
	Limit                     *int
	Select                    string
	Segment, TotalSegments    *int
	ReturnConsumedCapacity    string
}

type readAnswer struct {
	Items            []wireItem `json:",omitempty"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey wireItem      `json:",omitempty"`
	Consumed         *wireCapacity `json:"ConsumedCapacity,omitempty"`
}

// maxPage is how much a Query or Scan reads at once, before the filter.
const maxPage = 1 << 20

// span is the run of encoded keys that a read walks: low included, high not.
type span struct{ low, high []byte }

// after gives the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}

// spanOf gives the run that a key condition asks for.
func spanOf(q expr.KeyQuery) span {
	p := attr.EncodeKey(q.Hash)
	if q.Op == "" {
		return span{p, after(p)}
	}
	at := attr.AppendKey(bytes.Clone(p), q.Args[0])
	switch q.Op {
	case "=":
		return span{at, after(at)}
	case "<":
		return span{p, at}
	case "<=":
		return span{p, after(at)}
	case ">":
		return span{after(at), after(p)}
	case ">=":
		return span{at, after(p)}
	case "BETWEEN":
		return span{at, after(attr.AppendKey(bytes.Clone(p), q.Args[1]))}
	}
	begins := attr.AppendKeyPrefix(bytes.Clone(p), q.Args[0])
	return span{begins, after(begins)}
}

// reader is a Query or Scan that has passed all checks.
type reader struct {
	table   *tableMeta
	index   *indexMeta
	span    span
	start   []byte // walk on after this key; nil from the beginning
	reverse bool
	limit   int
	filter  *expr.Condition
	project func(attr.Item) attr.Item
	count   bool // Select COUNT
	strong  bool
	inPart  func(attr.Item) bool // Scan segments
	fetches bool                 // a local index is asked for attributes it does not hold
}

func (e *call) query(r *readRequest) (any, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.KeyConditionExpression == nil && len(r.KeyConditions) == 0 {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	params := &expr.Params{Names: r.ExpressionAttributeNames, Values: r.ExpressionAttributeValues}
	if err := params.Check(); err != nil {
		return nil, err
	}
	rd := &reader{}
	if err := r.parse(rd, params); err != nil {
		return nil, err
	}
	var kc *expr.KeyCondition
	if r.KeyConditionExpression != nil {
		var err error
		if kc, err = expr.ParseKeyCondition(*r.KeyConditionExpression, params); err != nil {
			return nil, err
		}
	}
	if err := params.CheckAllUsed(); err != nil {
		return nil, err
	}
	if err := e.bind(r, rd); err != nil {
		return nil, err
	}
	hash, rng := rd.keys()
	var q expr.KeyQuery
	var err error
	if kc != nil {
		q, err = kc.Bind(hash, rng)
	} else {
		q, err = bindLegacy(r.KeyConditions, hash, rng)
	}
	if err != nil {
		return nil, err
	}
	if rd.filter != nil {
		for _, p := range rd.filter.Paths() {
			if p[0].Name == hash.Name || rng.Name != "" && p[0].Name == rng.Name {
				return nil, invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", p[0].Name)
			}
		}
	}
	rd.span = spanOf(q)
	rd.reverse = r.ScanIndexForward != nil && !*r.ScanIndexForward
	if rd.start != nil {
		hv := r.ExclusiveStartKey[hash.Name]
		if !attr.Equal(hv, q.Hash) {
			return nil, invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
		at := rd.start
		if bytes.Compare(at, rd.span.low) < 0 || rd.span.high != nil && bytes.Compare(at, rd.span.high) >= 0 {
			return nil, invalid("The provided starting key does not match the range key predicate")
		}
	}
	return e.read(r, rd)
}

func (e *call) scan(r *readRequest) (any, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	switch {
	case r.Segment != nil && r.TotalSegments == nil:
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case r.Segment == nil && r.TotalSegments != nil:
		return nil, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case r.Segment != nil && *r.Segment >= *r.TotalSegments:
		return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", *r.Segment, *r.TotalSegments)
	}
	params := &expr.Params{Names: r.ExpressionAttributeNames, Values: r.ExpressionAttributeValues}
	if err := params.Check(); err != nil {
		return nil, err
	}
	rd := &reader{}
	if err := r.parse(rd, params); err != nil {
		return nil, err
	}
	if err := params.CheckAllUsed(); err != nil {
		return nil, err
	}
	if err := e.bind(r, rd); err != nil {
		return nil, err
	}
	if r.Segment != nil && *r.TotalSegments > 1 {
		segment, total := uint32(*r.Segment), uint32(*r.TotalSegments)
		hash, _ := rd.keys()
		rd.inPart = func(it attr.Item) bool {
			h := fnv.New32a()
			_, _ = h.Write(attr.EncodeKey(it[hash.Name])) // never fails
			return h.Sum32()%total == segment
		}
	}
	return e.read(r, rd)
}

// check refuses what needs no table to refuse.
func (r *readRequest) check() error {
	if err := checkTableName(r.TableName); err != nil {
		return err
	}
	if err := checkEnum("select", r.Select, "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES"); err != nil {
		return err
	}
	if err := checkEnum("returnConsumedCapacity", r.ReturnConsumedCapacity, "INDEXES, TOTAL, NONE"); err != nil {
		return err
	}
	if r.Limit != nil && *r.Limit < 1 {
		return tooSmall("limit", *r.Limit, 1)
	}
	if r.TotalSegments != nil && (*r.TotalSegments < 1 || *r.TotalSegments > 1000000) {
		if *r.TotalSegments < 1 {
			return tooSmall("totalSegments", *r.TotalSegments, 1)
		}
		return invalid("1 validation error detected: Value '%d' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to 1000000", *r.TotalSegments)
	}
	if r.Segment != nil && *r.Segment < 0 {
		return tooSmall("segment", *r.Segment, 0)
	}
	if err := checkPlaceholders(r.ExpressionAttributeNames, nil, r.FilterExpression, r.ProjectionExpression, r.KeyConditionExpression); err != nil {
		return err
	}
	if r.ExpressionAttributeValues != nil && r.FilterExpression == nil && r.KeyConditionExpression == nil {
		return invalid("ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null")
	}
	return checkValues(r.ExclusiveStartKey)
}

// parse reads the filter and the projection.
func (r *readRequest) parse(rd *reader, params *expr.Params) (err error) {
	if r.FilterExpression != nil {
		if rd.filter, err = expr.ParseCondition("FilterExpression", *r.FilterExpression, params); err != nil {
			return err
		}
	}
	rd.project = func(it attr.Item) attr.Item { return it }
	projects := r.ProjectionExpression != nil || len(r.AttributesToGet) > 0
	if r.ProjectionExpression != nil {
		p, err := expr.ParseProjection(*r.ProjectionExpression, params)
		if err != nil {
			return err
		}
		rd.project = p.Apply
	} else if len(r.AttributesToGet) > 0 {
		if rd.project, err = parseProjection(nil, r.AttributesToGet, nil); err != nil {
			return err
		}
	}
	switch r.Select {
	case "COUNT":
		rd.count = true
		fallthrough
	case "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES":
		if projects && r.ProjectionExpression != nil {
			return invalid("Cannot specify the ProjectionExpression when choosing to get %s", map[string]string{"COUNT": "only the Count", "ALL_ATTRIBUTES": "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES": "ALL_PROJECTED_ATTRIBUTES"}[r.Select])
		}
		if projects {
			return invalid("Cannot specify the AttributesToGet when choosing to get %s", map[string]string{"COUNT": "only the Count", "ALL_ATTRIBUTES": "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES": "ALL_PROJECTED_ATTRIBUTES"}[r.Select])
		}
	case "SPECIFIC_ATTRIBUTES":
		if !projects {
			return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
		}
	}
	if r.Select == "ALL_PROJECTED_ATTRIBUTES" && r.IndexName == nil {
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// bind finds the table and index and places the starting key.
func (e *call) bind(r *readRequest, rd *reader) error {
	t, err := e.table(r.TableName)
	if err != nil {
		return err
	}
	rd.table, rd.strong = t, r.ConsistentRead
	if r.Limit != nil {
		rd.limit = *r.Limit
	}
	if r.IndexName != nil {
		if rd.index = t.index(*r.IndexName); rd.index == nil {
			return invalid("The table does not have the specified index: %s", *r.IndexName)
		}
		if rd.strong && !rd.index.Local {
			return invalid("Consistent reads are not supported on global secondary indexes")
		}
		if r.Select == "ALL_ATTRIBUTES" && !rd.index.Local && rd.index.Projection.Type != "ALL" {
			return invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", rd.index.Name)
		}
		rd.fetches = rd.index.Local && (r.Select == "ALL_ATTRIBUTES" || r.ProjectionExpression != nil || len(r.AttributesToGet) > 0)
	}
	if r.ExclusiveStartKey == nil {
		return nil
	}
	keys := t.keys()
	if rd.index != nil {
		hash, rng := rd.keys()
		keys = slices.Concat(keysOf(hash, rng), keys)
	}
	names := map[string]bool{}
	for _, k := range keys {
		names[k.Name] = true
		v, ok := r.ExclusiveStartKey[k.Name]
		if !ok || v.Kind != k.Kind {
			return invalid("The provided starting key is invalid%s", map[bool]string{true: ": The provided key element does not match the schema", false: ""}[rd.index == nil])
		}
		rd.start = attr.AppendKey(rd.start, v)
	}
	if len(r.ExclusiveStartKey) != len(names) {
		return invalid("The provided starting key is invalid%s", map[bool]string{true: ": The provided key element does not match the schema", false: ""}[rd.index == nil])
	}
	return nil
}

// keys gives the key attributes that the walk is ordered by.
func (rd *reader) keys() (hash, rng expr.Key) {
	if rd.index != nil {
		return rd.index.Hash, rd.index.Range
	}
	return rd.table.Hash, rd.table.Range
}

// read walks the span and answers one page. Limit and size bound what is read,
// not what passes the filter.
func (e *call) read(r *readRequest, rd *reader) (any, error) {
	var out readAnswer
	size, fetched := 0, 0.0
	err := e.view(func(tx *bbolt.Tx) error {
		b := rd.table.bucket(tx)
		if rd.index != nil {
			b = rd.table.indexBucket(tx, rd.index)
		}
		c := b.Cursor()
		for k, v := rd.first(c); k != nil && rd.span.has(k, rd.reverse); k, v = rd.next(c) {
			whole, err := rd.item(tx, v)
			if err != nil {
				return err
			}
			if rd.inPart != nil && !rd.inPart(whole) {
				continue
			}
			it := whole
			if rd.index != nil {
				it = rd.index.project(rd.table, whole)
			}
			out.ScannedCount++
			size += attr.ItemSize(it)
			if rd.fetches && rd.index.Projection.Type != "ALL" {
				it = whole
				fetched += readUnits(attr.ItemSize(whole), rd.strong)
			}
			if rd.filter == nil || rd.filter.Eval(it) {
				out.Count++
				if !rd.count {
					out.Items = append(out.Items, wireItem(rd.project(it)))
				}
			}
			if out.ScannedCount == rd.limit || size >= maxPage {
				out.LastEvaluatedKey = wireItem(rd.table.keyItem(rd.index, whole))
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var c capacity
	n := readUnits(size, rd.strong)
	if rd.index != nil {
		c.addIndex(rd.index, n)
		c.table = fetched
	} else {
		c.table = n
	}
	e.spent(&c)
	out.Consumed = c.wire(r.TableName, r.ReturnConsumedCapacity)
	if rd.count {
		return struct {
			Count, ScannedCount int
			LastEvaluatedKey    wireItem      `json:",omitempty"`
			Consumed            *wireCapacity `json:"ConsumedCapacity,omitempty"`
		}{out.Count, out.ScannedCount, out.LastEvaluatedKey, out.Consumed}, nil
	}
	if out.Items == nil {
		out.Items = []wireItem{}
	}
	return struct {
		Items               []wireItem
		Count, ScannedCount int
		LastEvaluatedKey    wireItem      `json:",omitempty"`
		Consumed            *wireCapacity `json:"ConsumedCapacity,omitempty"`
	}{out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey, out.Consumed}, nil
}

// item reads what a walked entry stands for: the item itself, or for an index
// the item that its value names.
func (rd *reader) item(tx *bbolt.Tx, value []byte) (attr.Item, error) {
	if rd.index == nil {
		return attr.DecodeItem(value)
	}
	return rd.table.get(tx, value)
}

func (rd *reader) first(c *bbolt.Cursor) (k, v []byte) {
	if !rd.reverse {
		from := rd.span.low
		if rd.start != nil {
			from = append(bytes.Clone(rd.start), 0) // the first key after it
		}
		return c.Seek(from)
	}
	to := rd.span.high
	if rd.start != nil {
		to = rd.start
	}
	if to == nil {
		return c.Last()
	}
	if k, _ := c.Seek(to); k == nil {
		return c.Last()
	}
	return c.Prev()
}

func (rd *reader) next(c *bbolt.Cursor) (k, v []byte) {
	if rd.reverse {
		return c.Prev()
	}
	return c.Next()
}

// has reports whether the walk is still within the span.
func (s span) has(k []byte, reverse bool) bool {
	if reverse {
		return bytes.Compare(k, s.low) >= 0
	}
	return s.high == nil || bytes.Compare(k, s.high) < 0
}
