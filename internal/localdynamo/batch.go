package localdynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Limits of the batch operations.
const (
	maxBatchGet   = 100
	maxBatchWrite = 25
	maxBatchSize  = 16 << 20
)

type batchWriteRequest struct {
	RequestItems                map[string][]writeRequest
	ReturnConsumedCapacity      *string
	ReturnItemCollectionMetrics *string
}

type writeRequest struct {
	PutRequest, DeleteRequest *request
}

type batchGetRequest struct {
	RequestItems           map[string]*request
	ReturnConsumedCapacity *string
}

// checkTables refuses a batch without tables.
func checkTables[T any](v *violations, operation string, tables map[string]T) error {
	v.required(tables != nil, "requestItems")
	if tables != nil && len(tables) == 0 {
		return invalid("The requestItems parameter is required for %s", operation)
	}
	return nil
}

// itemSet holds items of several tables.
type itemSet map[string]bool

// add reports whether the item is new to the set.
func (s itemSet) add(t *table, key []byte) bool {
	id := string(t.id) + string(key)
	seen := s[id]
	s[id] = true
	return !seen
}

func errDuplicateKeys() error { return invalid("Provided list of item keys contains duplicates") }

func batchWrite(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[batchWriteRequest](body)
	if err != nil {
		return nil, err
	}
	writes, err := r.prepare()
	if err != nil {
		return nil, err
	}
	seen := itemSet{}
	for _, w := range writes {
		t, err := c.table(*w.req.TableName)
		if err != nil {
			return nil, err
		}
		if err := w.bindBatch(t); err != nil {
			return nil, err
		}
		if !seen.add(t, w.key) {
			return nil, errDuplicateKeys()
		}
		if err := c.allow(c.op, t, nil, w.hash()); err != nil {
			return nil, err
		}
	}
	costs := make([]consumed, len(writes))
	err = c.engine.update(ctx, func(tx *writeTx) error {
		for i, w := range writes {
			if err := w.rebind(c.engine); err != nil {
				return err
			}
			if err := w.evaluate(tx.Tx); err != nil {
				return err
			}
			if err := w.apply(tx, &costs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, w := range writes {
		c.spend(w.t).add(&costs[i])
	}
	o := newObject()
	o.nest("UnprocessedItems", func() {})
	c.capacity(o, r.ReturnConsumedCapacity, true, "")
	if is(r.ReturnItemCollectionMetrics, "SIZE") {
		collections(o, writes)
	}
	return o.done(), nil
}

// prepare checks a batch write and lists its writes, table by table.
func (r *batchWriteRequest) prepare() ([]*itemWrite, error) {
	var v violations
	if err := checkTables(&v, "BatchWriteItem", r.RequestItems); err != nil {
		return nil, err
	}
	v.enum(r.ReturnConsumedCapacity, "returnConsumedCapacity", "INDEXES", "TOTAL", none)
	v.enum(r.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", none)
	var writes []*itemWrite
	odd := false
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		list := r.RequestItems[name]
		if len(list) < 1 || len(list) > maxBatchWrite {
			v = append(v, fmt.Sprintf("Value '{%s=%s}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "+
				"[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]", name, javaList(len(list))))
		}
		for i, one := range list {
			w := &itemWrite{kind: "PutItem", req: one.PutRequest}
			field := "putRequest."
			if one.DeleteRequest != nil {
				w, field = &itemWrite{kind: "DeleteItem", req: one.DeleteRequest}, "deleteRequest."
			}
			odd = odd || (one.PutRequest == nil) == (one.DeleteRequest == nil)
			if w.req == nil {
				continue
			}
			w.req.TableName = &name
			w.require(&v, fmt.Sprintf("requestItems.%s.member.%d.member.%s", name, i+1, field))
			writes = append(writes, w)
		}
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if odd {
		return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	if len(writes) > maxBatchWrite {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	size := 0
	for _, w := range writes {
		if err := w.prepare(); err != nil {
			return nil, err
		}
		size += attr.ItemSize(w.req.Item)
	}
	if size > maxBatchSize {
		return nil, invalid("Request size exceeded 16777216 bytes")
	}
	return writes, nil
}

// javaList stands for the list that AWS prints in full, as its language does.
func javaList(n int) string {
	if n == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%d elements]", n)
}

// bindBatch is bind with the message batches have for a wrong key in an item.
func (w *itemWrite) bindBatch(t *table) error {
	if w.kind == "PutItem" {
		for _, a := range t.keys.attributes() {
			if w.req.Item[a.Name].Kind != a.Kind {
				return errKeySchema()
			}
		}
	}
	return w.bind(t)
}

// collections writes the metrics of the item collections that writes touched.
func collections(o *object, writes []*itemWrite) {
	touched := map[string][]*itemWrite{}
	for _, w := range writes {
		if w.t.hasLocalIndex() && w.kind != "ConditionCheckItem" {
			touched[w.t.name] = append(touched[w.t.name], w)
		}
	}
	o.nest("ItemCollectionMetrics", func() {
		for _, name := range slices.Sorted(maps.Keys(touched)) {
			one := slices.CompactFunc(touched[name], func(a, b *itemWrite) bool { return attr.Equal(a.hash(), b.hash()) })
			o.list(name, len(one), func(i int) {
				o.b = append(o.b, '{')
				one[i].collection(o)
				o.b = append(o.b, '}')
			})
		}
	})
}

func batchGet(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[batchGetRequest](body)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(r.RequestItems))
	reads, err := r.prepare(names)
	if err != nil {
		return nil, err
	}
	seen := itemSet{}
	for _, read := range reads {
		t, err := c.table(*read.req.TableName)
		if err != nil {
			return nil, err
		}
		if err := read.bind(t); err != nil {
			return nil, err
		}
		if !seen.add(t, read.key) {
			return nil, errDuplicateKeys()
		}
		if err := c.allow(c.op, t, nil, read.req.Key[t.keys.hash.Name]); err != nil {
			return nil, err
		}
	}
	found, unprocessed, size := map[string][]attr.Item{}, map[string][]attr.Item{}, 0
	err = c.engine.view(ctx, func(tx *bbolt.Tx) error {
		for _, read := range reads {
			name := *read.req.TableName
			if size >= maxBatchSize {
				unprocessed[name] = append(unprocessed[name], read.req.Key)
				continue
			}
			it, err := get(tx, read.t, read.key)
			if err != nil {
				return err
			}
			size += attr.ItemSize(it)
			c.spend(read.t).table += readUnits(attr.ItemSize(it), read.req.ConsistentRead, 1)
			if it != nil {
				found[name] = append(found[name], read.project(it))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o := newObject()
	o.nest("Responses", func() {
		for _, name := range names {
			o.list(name, len(found[name]), func(i int) { o.b = attr.AppendItemJSON(o.b, found[name][i]) })
		}
	})
	o.nest("UnprocessedKeys", func() { r.unprocessed(o, unprocessed) })
	c.capacity(o, r.ReturnConsumedCapacity, true, "")
	return o.done(), nil
}

// unprocessed writes the keys a full answer had no room for, in the form of a
// request for them.
func (r *batchGetRequest) unprocessed(o *object, keys map[string][]attr.Item) {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		from := r.RequestItems[name]
		o.nest(name, func() {
			o.list("Keys", len(keys[name]), func(i int) { o.b = attr.AppendItemJSON(o.b, keys[name][i]) })
			if from.ConsistentRead {
				o.key("ConsistentRead")
				o.b = append(o.b, "true"...)
			}
			if from.ProjectionExpression != nil {
				o.string("ProjectionExpression", *from.ProjectionExpression)
			}
			if names := from.ExpressionAttributeNames; names != nil {
				o.nest("ExpressionAttributeNames", func() {
					for placeholder, name := range names {
						o.string(placeholder, name)
					}
				})
			}
		})
	}
}

// prepare checks a batch get and lists its reads, table by table.
func (r *batchGetRequest) prepare(names []string) ([]*itemRead, error) {
	var v violations
	if err := checkTables(&v, "BatchGetItem", r.RequestItems); err != nil {
		return nil, err
	}
	v.enum(r.ReturnConsumedCapacity, "returnConsumedCapacity", "INDEXES", "TOTAL", none)
	total := 0
	for _, name := range names {
		one, at := r.RequestItems[name], "requestItems."+name+".member.keys"
		if one == nil {
			one = &request{}
			r.RequestItems[name] = one
		}
		v.required(one.Keys != nil, at)
		if one.Keys != nil && len(one.Keys) == 0 {
			v.add("'[]'", at, "have length greater than or equal to 1")
		}
		if len(one.Keys) > maxBatchGet {
			v = append(v, fmt.Sprintf("Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100", name))
		}
		total += len(one.Keys)
	}
	if err := v.err(); err != nil {
		return nil, err
	}
	if total > maxBatchGet {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	var reads []*itemRead
	for _, name := range names {
		one := r.RequestItems[name]
		one.TableName = &name
		p, err := one.parse([]string{"ProjectionExpression"}, []string{"AttributesToGet"}, func() error {
			for _, key := range one.Keys {
				if err := checkValues(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, key := range one.Keys {
			reads = append(reads, &itemRead{req: &request{TableName: &name, Key: key, ConsistentRead: one.ConsistentRead}, parsed: *p})
		}
	}
	return reads, nil
}
