package table

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// ErrNotFound says that an item is not there. Services turn it into what it
// means to the caller.
var ErrNotFound = errors.New("item not found")

// Table is a handle on the one table. It is safe for concurrent use.
type Table struct {
	raw  *dynamodb.Client
	db   *dynamo.DB
	tab  dynamo.Table
	name string
}

// Options tune the client under a Table.
type Options struct {
	// Endpoint is the base URL of a DynamoDB other than AWS's; empty means AWS
	// or whatever the SDK configuration says.
	Endpoint string
	// Transport replaces the network, for the embedded engine.
	Transport http.RoundTripper
	// MaxAttempts bounds tries of one request, the first included; 0 means 10.
	// Conflicting transactions are retried too: they name no winner.
	MaxAttempts int
	// MaxBackoff bounds the pause between tries; 0 means 400 ms.
	MaxBackoff time.Duration
}

// New makes a handle on table name with the SDK configuration cfg. It makes no
// request.
func New(cfg aws.Config, name string, o Options) *Table {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 10
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 400 * time.Millisecond
	}
	raw := dynamodb.NewFromConfig(cfg, func(d *dynamodb.Options) {
		if o.Endpoint != "" {
			d.BaseEndpoint = aws.String(o.Endpoint)
		}
		if o.Transport != nil {
			d.HTTPClient = &http.Client{Transport: o.Transport}
			if o.Endpoint == "" {
				d.BaseEndpoint = aws.String("http://embedded.invalid")
			}
		}
		d.Retryer = newRetryer(o)
	})
	db := dynamo.NewFromIface(raw)
	return &Table{raw: raw, db: db, tab: db.Table(name), name: name}
}

// newRetryer retries what names no winner: throttling, 5xx, lost connections,
// and transactions cancelled by conflict alone. The SDK does not retry a
// cancelled transaction by itself. Its client-wide retry quota is off: under
// contention it would turn a conflict into a refusal.
func newRetryer(o Options) aws.Retryer {
	return retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = o.MaxAttempts
		s.MaxBackoff = o.MaxBackoff
		s.RateLimiter = ratelimit.None
		dynamo.RetryTxConflicts(s)
		s.Retryables = append(s.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			var conflict *types.TransactionConflictException
			if errors.As(err, &conflict) {
				return aws.TrueTernary
			}
			return aws.UnknownTernary
		}))
	})
}

// Name gives the table's name.
func (t *Table) Name() string { return t.name }

// Record is one item as it was read, not yet decoded.
type Record struct{ item dynamo.Item }

// Key gives the item's primary key.
func (r Record) Key() Key { return Key{stringOf(r.item["PK"]), stringOf(r.item["SK"])} }

// Decode fills out, a pointer to an item struct.
func (r Record) Decode(out any) error {
	if err := dynamo.UnmarshalItem(r.item, out); err != nil {
		return fmt.Errorf("decode item %s: %w", r.Key().SK, err)
	}
	return nil
}

// Decode decodes a list of records of one type.
func Decode[T any](records []Record) ([]T, error) {
	out := make([]T, len(records))
	for i, r := range records {
		if err := r.Decode(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func stringOf(v types.AttributeValue) string {
	s, ok := v.(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}

// Consistency says how fresh a read must be.
type Consistency bool

// Strong reads see every acknowledged write; Eventual ones cost half.
const (
	Strong   Consistency = true
	Eventual Consistency = false
)

// Get reads one item into out. A missing item is ErrNotFound.
func (t *Table) Get(ctx context.Context, key Key, c Consistency, out any) error {
	err := t.tab.Get("PK", key.PK).Range("SK", dynamo.Equal, key.SK).Consistent(bool(c)).One(ctx, out)
	if errors.Is(err, dynamo.ErrNotFound) {
		return ErrNotFound
	}
	return storeError("get item", err)
}

// GetMany reads up to 100 items in one request and gives those that exist, by
// key. Keys that DynamoDB leaves unprocessed are asked for again.
func (t *Table) GetMany(ctx context.Context, keys []Key, c Consistency) (map[Key]Record, error) {
	if len(keys) == 0 {
		return map[Key]Record{}, nil
	}
	dk := make([]dynamo.Keyed, 0, len(keys))
	seen := make(map[Key]bool, len(keys))
	for _, k := range keys {
		if !seen[k] { // DynamoDB refuses duplicates
			seen[k] = true
			dk = append(dk, dynamo.Keys{k.PK, k.SK})
		}
	}
	var items []dynamo.Item
	err := t.tab.Batch("PK", "SK").Get(dk...).Consistent(bool(c)).All(ctx, &items)
	if err != nil && !errors.Is(err, dynamo.ErrNotFound) {
		return nil, storeError("batch get", err)
	}
	out := make(map[Key]Record, len(items))
	for _, it := range items {
		r := Record{it}
		out[r.Key()] = r
	}
	return out, nil
}

// Position is where a list goes on: the key attributes of its last item.
type Position map[string]string

// Query names a run of items in one partition of the table or of GSI1.
type Query struct {
	PK      string
	Index   bool   // read GSI1, eventually consistent
	Prefix  string // sort keys that begin so; empty means all
	From    string // with To: sort keys between, both included
	To      string
	Reverse bool // highest sort key first
	Limit   int  // at most so many; 0 means all
	After   Position
	Strong  Consistency
}

// Page is one page of a Query; Next is nil when there is no more.
type Page struct {
	Records []Record
	Next    Position
}

// Query reads a run of items in the order of their sort keys. With a limit it
// gives Next when more may follow.
func (t *Table) Query(ctx context.Context, q Query) (Page, error) {
	pk, sk := "PK", "SK"
	if q.Index {
		pk, sk = "GSI1PK", "GSI1SK"
	}
	dq := t.tab.Get(pk, q.PK)
	switch {
	case q.Prefix != "":
		dq.Range(sk, dynamo.BeginsWith, q.Prefix)
	case q.From != "" && q.To != "":
		dq.Range(sk, dynamo.Between, q.From, q.To)
	}
	if q.Index {
		dq.Index(IndexName)
	} else {
		dq.Consistent(bool(q.Strong))
	}
	if q.Reverse {
		dq.Order(dynamo.Descending)
	}
	if q.Limit > 0 {
		// SearchLimit, not Limit: nothing is filtered, so one request is one page.
		dq.SearchLimit(q.Limit).RequestLimit(1)
	}
	if q.After != nil {
		start := dynamo.PagingKey{}
		for k, v := range q.After {
			start[k] = &types.AttributeValueMemberS{Value: v}
		}
		dq.StartFrom(start)
	}
	var items []dynamo.Item
	last, err := dq.AllWithLastEvaluatedKey(ctx, &items)
	if err != nil && !errors.Is(err, dynamo.ErrNotFound) {
		return Page{}, storeError("query", err)
	}
	page := Page{Records: make([]Record, len(items))}
	for i, it := range items {
		page.Records[i] = Record{it}
	}
	if q.Limit > 0 && len(last) > 0 {
		page.Next = Position{}
		for k, v := range last {
			page.Next[k] = stringOf(v)
		}
	}
	return page, nil
}

// SignInRange is the run of a user's partition that a sign-in reads at once:
// credentials, auth state, profile and sessions.
func SignInRange(userID string) Query {
	return Query{PK: User(userID), From: PrefixCredential, To: endOfSessions, Strong: Strong}
}

// UserRange is the auth state and the profile.
func UserRange(userID string) Query {
	return Query{PK: User(userID), From: PrefixProfile, To: endOfProfile, Strong: Strong}
}

// Scan reads every item, page by page, for operators' commands only (export,
// migration, taking an import back): no request of a client may cause one.
// segment of segments are read; after is nil or where an earlier scan of the
// same segment stopped. visit gets each page and where to resume after it; its
// error stops the scan.
func (t *Table) Scan(ctx context.Context, segment, segments int32, after Position, visit func(records []Record, resume Position) error) error {
	in := &dynamodb.ScanInput{}
	if segments > 1 {
		in.Segment, in.TotalSegments = aws.Int32(segment), aws.Int32(segments)
	}
	return t.scan(ctx, in, after, visit)
}

func (t *Table) scan(ctx context.Context, in *dynamodb.ScanInput, after Position, visit func(records []Record, resume Position) error) error {
	in.TableName, in.ConsistentRead = aws.String(t.name), aws.Bool(true)
	for {
		if after != nil {
			in.ExclusiveStartKey = map[string]types.AttributeValue{}
			for k, v := range after {
				in.ExclusiveStartKey[k] = &types.AttributeValueMemberS{Value: v}
			}
		}
		out, err := t.raw.Scan(ctx, in)
		if err != nil {
			return storeError("scan", err)
		}
		records := make([]Record, len(out.Items))
		for i, it := range out.Items {
			records[i] = Record{it}
		}
		after = nil
		if len(out.LastEvaluatedKey) > 0 {
			after = Position{}
			for k, v := range out.LastEvaluatedKey {
				after[k] = stringOf(v)
			}
		}
		if err := visit(records, after); err != nil {
			return err
		}
		if after == nil {
			return nil
		}
	}
}

// storeError wraps an error of the store: what could not be decided becomes
// temporarily_unavailable (nothing is let through), the rest stays internal.
func storeError(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	var invalid interface{ ErrorCode() string }
	if errors.As(err, &invalid) {
		switch invalid.ErrorCode() {
		case "ValidationException", "ResourceNotFoundException", "AccessDeniedException", "SerializationException":
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	return fault.Wrap(fault.CodeUnavailable, fmt.Errorf("%s: %w", doing, err))
}
