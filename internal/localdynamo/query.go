package localdynamo

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// maxPage is how many bytes of items a Query or Scan reads before it stops.
const maxPage = 1 << 20

// search is a Query or Scan on its way: which entries of which bucket to read,
// in which order, and what to do with each.
type search struct {
	req *request
	parsed
	t        *table
	ix       *index // nil for the table itself
	keys     keySchema
	query    *expr.KeyQuery // nil for Scan
	low      []byte         // first stored key
	high     []byte         // first stored key beyond, nil for none
	fetch    bool           // a local index lacks wanted attributes: read the item
	backward bool
}

// page is what a search found: the answer, and how many bytes it read of the
// table or index, and of the table besides an index.
type page struct {
	searchAnswer
	size, fetched int
}

// searchItems is Query and Scan.
func searchItems(ctx context.Context, c *call, r *request) (any, error) {
	isQuery := c.op == "Query"
	p, err := r.parse(c.op, func() error { return r.checkSearch(isQuery) })
	if err != nil {
		return nil, err
	}
	s := &search{req: r, parsed: p}
	if s.t, err = c.table(*r.TableName); err != nil {
		return nil, err
	}
	if err := s.bind(); err != nil {
		return nil, err
	}
	var leading attr.Value
	if isQuery {
		leading = s.query.Hash
	}
	if err := c.allow(c.op, s.t, s.ix, leading); err != nil {
		return nil, err
	}
	var found page
	if !is(r.Select, "COUNT") {
		found.Items = []item{}
	}
	if err := c.engine.view(ctx, func(tx *bbolt.Tx) error { return s.run(tx, &found) }); err != nil {
		return nil, err
	}
	spent, units := c.spend(s.t), readUnits(found.size, r.ConsistentRead, 1)
	if s.ix == nil {
		spent.table += units
	} else {
		spent.index(s.ix, units)
		spent.table += readUnits(found.fetched, r.ConsistentRead, 0)
	}
	found.ConsumedCapacity = c.capacity(r.ReturnConsumedCapacity)
	return found.searchAnswer, nil
}

// checkSearch checks the parameters that expressions do not depend on.
func (r *request) checkSearch(isQuery bool) error {
	switch {
	case isQuery && r.KeyConditionExpression == nil && len(r.KeyConditions) == 0:
		return invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	case r.TotalSegments != nil && r.Segment == nil:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case r.Segment != nil && r.TotalSegments == nil:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case r.Segment != nil && *r.Segment >= *r.TotalSegments:
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: "+
			"Segment: %d is not less than TotalSegments: %d", *r.Segment, *r.TotalSegments)
	}
	if err := checkValues(r.ExclusiveStartKey); err != nil {
		// AWS says what the value is part of for some errors only.
		for _, plain := range []string{"contains duplicates", "number set", "numeric value", "significant digits", "number with magnitude"} {
			if strings.Contains(err.Error(), plain) {
				return err
			}
		}
		return invalid("The provided starting key is invalid: %v", err)
	}
	projection := "ProjectionExpression"
	if r.AttributesToGet != nil {
		projection = "AttributesToGet"
	}
	projected := r.ProjectionExpression != nil || r.AttributesToGet != nil
	switch {
	case is(r.Select, "SPECIFIC_ATTRIBUTES") && !projected:
		return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case is(r.Select, "COUNT") && projected:
		return invalid("Cannot specify the %s when choosing to get only the Count", projection)
	case r.Select != nil && *r.Select != "SPECIFIC_ATTRIBUTES" && projected:
		return invalid("Cannot specify the %s when choosing to get %s", projection, *r.Select)
	case is(r.Select, "ALL_PROJECTED_ATTRIBUTES") && r.IndexName == nil:
		return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

// bind checks the search against the schema and sets its bounds.
func (s *search) bind() error {
	r := s.req
	s.keys = s.t.keys
	if r.IndexName != nil {
		if s.ix = s.t.index(*r.IndexName); s.ix == nil {
			return invalid("The table does not have the specified index: %s", *r.IndexName)
		}
		s.keys = s.ix.keys
		if s.ix.global && r.ConsistentRead {
			return invalid("Consistent reads are not supported on global secondary indexes")
		}
	}
	if s.key != nil {
		query, err := s.key.Bind(s.keys.hash, s.keys.rng)
		if err != nil {
			return err
		}
		s.query = &query
	}
	s.backward = r.ScanIndexForward != nil && !*r.ScanIndexForward
	if s.query != nil {
		s.queryBounds()
	} else {
		s.scanBounds()
	}
	if err := s.startKey(); err != nil {
		return err
	}
	if err := s.t.scalarKeys(s.paths); err != nil {
		return err
	}
	if err := s.checkFilter(); err != nil {
		return err
	}
	return s.checkProjected()
}

// checkFilter refuses filters of a query on the keys it asks for.
func (s *search) checkFilter() error {
	what := "Filter Expression"
	if s.req.FilterExpression == nil {
		what = "QueryFilter"
	}
	for _, path := range s.condition.Paths() {
		if s.query != nil && s.keys.has(path[0].Name) {
			return invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", what, path[0].Name)
		}
	}
	return s.t.scalarKeys(s.condition.Paths())
}

// checkProjected finds attributes that are wanted but not in the index: read
// from the table for a local index, refused for a global one.
func (s *search) checkProjected() error {
	if s.ix == nil || s.ix.all {
		return nil
	}
	if s.ix.global && is(s.req.Select, "ALL_ATTRIBUTES") {
		return invalidParam("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", s.ix.name)
	}
	s.fetch = !s.ix.global && is(s.req.Select, "ALL_ATTRIBUTES")
	for _, path := range s.paths {
		if s.ix.include[path[0].Name] {
			continue
		}
		if s.ix.global {
			return invalidParam("Global secondary index %s does not project %s", s.ix.name, path[0].Name)
		}
		s.fetch = true
	}
	return nil
}

// after returns the first key that does not begin with b, or nil.
func after(b []byte) []byte {
	end := bytes.Clone(b)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func (s *search) queryBounds() {
	base := prefix(s.query.Hash)
	at := func(i int) []byte { return attr.AppendKey(bytes.Clone(base), s.query.Args[i]) }
	s.low, s.high = base, after(base)
	switch s.query.Op {
	case "=":
		s.low = at(0)
		s.high = after(s.low)
	case "<":
		s.high = at(0)
	case "<=":
		s.high = after(at(0))
	case ">":
		s.low = after(at(0))
	case ">=":
		s.low = at(0)
	case "BETWEEN":
		s.low, s.high = at(0), after(at(1))
	case "begins_with":
		s.low = attr.AppendKeyPrefix(bytes.Clone(base), s.query.Args[0])
		s.high = after(s.low)
	}
}

// scanBounds cuts the range of the keys' hashes into segments.
func (s *search) scanBounds() {
	if s.req.Segment == nil {
		return
	}
	i, n := uint64(*s.req.Segment), uint64(*s.req.TotalSegments)
	s.low = binary.BigEndian.AppendUint32(nil, uint32(((i<<32)+n-1)/n))
	if i+1 < n {
		s.high = binary.BigEndian.AppendUint32(nil, uint32((((i+1)<<32)+n-1)/n))
	}
}

// startKey moves the bounds behind ExclusiveStartKey.
func (s *search) startKey() error {
	start := s.req.ExclusiveStartKey
	if start == nil {
		return nil
	}
	const bad = "The provided starting key is invalid"
	parts := s.t.keys.pick(start, attr.Item{})
	if s.ix != nil {
		parts = s.keys.pick(start, parts)
	}
	plainScan := s.query == nil && s.ix == nil
	if len(start) != len(parts) && !plainScan {
		return invalid(bad)
	}
	if !plainScan {
		for _, a := range s.keys.attributes() {
			if _, ok := start[a.Name]; !ok {
				return invalid(bad)
			}
		}
		if err := s.keys.checkAttributes(start); err != nil {
			return err
		}
	}
	if err := s.t.keys.checkAttributes(start); err != nil || len(start) != len(parts) {
		if err == nil {
			err = errKeySchema()
		}
		return invalid(bad+": %s", asAPI(err).message)
	}
	key := s.keys.encode(start)
	if s.query != nil {
		moved := maps.Clone(start)
		moved[s.keys.hash.Name] = s.query.Hash
		if !s.within(s.keys.encode(moved)) {
			return invalid("The provided starting key does not match the range key predicate")
		}
		if !attr.Equal(start[s.keys.hash.Name], s.query.Hash) {
			if s.query.Op != "" {
				return invalid("The query can return at most one row and cannot be restarted")
			}
			return invalid("The provided starting key is outside query boundaries based on provided conditions")
		}
	}
	if s.ix != nil {
		key = append(key, s.t.keys.encode(start)...)
	}
	if s.query == nil && !s.within(key) {
		return invalid("The provided Exclusive start key is not within the segment")
	}
	if s.backward {
		s.high = key
	} else {
		key = append(key, 0)
		s.low = key
	}
	return nil
}

// run reads one page.
func (s *search) run(tx *bbolt.Tx, found *page) error {
	root, bucket := open(tx, s.t)
	if bucket == nil {
		return errNoTable()
	}
	items := bucket
	if s.ix != nil {
		if bucket = root.Bucket(s.ix.bucket); bucket == nil {
			return invalid("The table does not have the specified index: %s", s.ix.name)
		}
	}
	cursor := bucket.Cursor()
	key, raw := s.first(cursor)
	var it attr.Item
	for key != nil && s.within(key) {
		if found.size >= maxPage || s.req.Limit != nil && found.ScannedCount >= *s.req.Limit {
			break
		}
		var err error
		if it, err = attr.DecodeItem(raw); err != nil {
			return err
		}
		found.ScannedCount++
		found.size += attr.ItemSize(it)
		if err := s.take(items, it, found); err != nil {
			return err
		}
		if s.backward {
			key, raw = cursor.Prev()
		} else {
			key, raw = cursor.Next()
		}
	}
	// A full page names its last item even when no other follows.
	if it != nil && (key != nil && s.within(key) || s.req.Limit != nil && found.ScannedCount >= *s.req.Limit) {
		last := s.t.keys.pick(it, attr.Item{})
		if s.ix != nil {
			last = s.keys.pick(it, last)
		}
		found.LastEvaluatedKey = item(last)
	}
	return nil
}

// take filters and projects one item into the page.
func (s *search) take(items *bbolt.Bucket, it attr.Item, found *page) error {
	if s.fetch {
		whole, err := attr.DecodeItem(items.Get(s.t.keys.encode(it)))
		if err != nil {
			return err
		}
		it = whole
		found.fetched += attr.ItemSize(it)
	}
	if !s.condition.Eval(it) {
		return nil
	}
	found.Count++
	if found.Items != nil {
		found.Items = append(found.Items, item(s.paths.Apply(it)))
	}
	return nil
}

func (s *search) first(c *bbolt.Cursor) (key, raw []byte) {
	if !s.backward {
		return c.Seek(s.low)
	}
	if s.high == nil {
		return c.Last()
	}
	if key, _ = c.Seek(s.high); key == nil {
		return c.Last()
	}
	return c.Prev()
}

func (s *search) within(key []byte) bool {
	return bytes.Compare(key, s.low) >= 0 && (s.high == nil || bytes.Compare(key, s.high) < 0)
}
