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

// asked are the parameters by which an operation on several items is asked for
// more than its answer.
type asked struct{ ReturnConsumedCapacity, ReturnItemCollectionMetrics *string }

func (a *asked) check(v *violations) {
	v.enum(a.ReturnConsumedCapacity, "returnConsumedCapacity", "INDEXES", "TOTAL", none)
	v.enum(a.ReturnItemCollectionMetrics, "returnItemCollectionMetrics", "SIZE", none)
}

type batchWriteRequest struct {
	RequestItems map[string][]struct{ PutRequest, DeleteRequest *request }
	asked
	ops []*itemOp
}

type batchGetRequest struct {
	RequestItems map[string]*request
	asked
}

// checkTables refuses a batch without tables.
func checkTables[T any](c *call, v *violations, tables map[string]T) error {
	v.required(tables != nil, "requestItems")
	if tables != nil && len(tables) == 0 {
		return invalid("The requestItems parameter is required for %s", c.op)
	}
	return nil
}

const twiceInBatch = "Provided list of item keys contains duplicates"

func (r *batchWriteRequest) check(c *call, v *violations) (err error) {
	if err := checkTables(c, v, r.RequestItems); err != nil {
		return err
	}
	r.asked.check(v)
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		list := r.RequestItems[name]
		if len(list) < 1 || len(list) > maxBatchWrite {
			*v = append(*v, fmt.Sprintf("Value '{%s=%s}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "+
				"[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]", name, javaList(len(list))))
		}
		for i, one := range list {
			if (one.PutRequest == nil) == (one.DeleteRequest == nil) {
				err = invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			op, field := &itemOp{kind: "PutItem", req: one.PutRequest}, "putRequest"
			if one.DeleteRequest != nil {
				op, field = &itemOp{kind: "DeleteItem", req: one.DeleteRequest}, "deleteRequest"
			}
			if op.req != nil {
				op.req.TableName = &name
				op.req.checkAt(v, op.kind, fmt.Sprintf("requestItems.%s.member.%d.member.%s.", name, i+1, field))
				r.ops = append(r.ops, op)
			}
		}
	}
	if err == nil && len(r.ops) > maxBatchWrite {
		err = invalid("Too many items requested for the BatchWriteItem call")
	}
	return err
}

// javaList stands for the list that AWS prints in full, as its language does.
func javaList(n int) string {
	if n == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%d elements]", n)
}

func batchWrite(ctx context.Context, c *call, r *batchWriteRequest) (any, error) {
	size := 0
	for _, op := range r.ops {
		size += attr.ItemSize(op.req.Item)
	}
	if size > maxBatchSize {
		return nil, invalid("Request size exceeded 16777216 bytes")
	}
	if err := c.ready(r.ops, twiceInBatch); err != nil {
		return nil, err
	}
	if err := c.engine.update(ctx, func(tx *writeTx) error { return c.writeAll(tx, r.ops) }); err != nil {
		return nil, err
	}
	c.spendAll(r.ops)
	return writesAnswer{&struct{}{}, c.capacities(r.ReturnConsumedCapacity, ""), r.collections(r.ops)}, nil
}

// collections are the metrics of the item collections that writes touched, if
// the request asks for them.
func (a *asked) collections(ops []*itemOp) map[string][]collection {
	if !is(a.ReturnItemCollectionMetrics, "SIZE") {
		return nil
	}
	touched := map[string][]collection{}
	seen := map[string]bool{}
	for _, op := range ops {
		if id := op.t.name + string(prefix(op.hash)); op.t.hasLocalIndex() && op.kind != "ConditionCheckItem" && !seen[id] {
			seen[id] = true
			touched[op.t.name] = append(touched[op.t.name], op.collection())
		}
	}
	return touched
}

func (r *batchGetRequest) check(c *call, v *violations) error {
	if err := checkTables(c, v, r.RequestItems); err != nil {
		return err
	}
	r.asked.check(v)
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		one, at := r.RequestItems[name], "requestItems."+name+".member.keys"
		if one == nil {
			one = &request{}
			r.RequestItems[name] = one
		}
		one.TableName = &name
		v.required(one.Keys != nil, at)
		v.notEmpty(one.Keys == nil || len(one.Keys) > 0, at)
		if len(one.Keys) > maxBatchGet {
			*v = append(*v, fmt.Sprintf("Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100", name))
		}
	}
	return nil
}

// reads lists the reads of a batch, table by table.
func (r *batchGetRequest) reads() ([]*itemOp, error) {
	total, old, expressions := 0, []string(nil), []string(nil)
	for _, one := range r.RequestItems {
		total += len(one.Keys)
		old = append(old, one.given([]string{"AttributesToGet"})...)
		expressions = append(expressions, one.given([]string{"ProjectionExpression"})...)
	}
	if total > maxBatchGet {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	if old != nil && expressions != nil {
		return nil, errMixed(old[:1], expressions[:1]) // not even for different tables
	}
	var ops []*itemOp
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		one := r.RequestItems[name]
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
			ops = append(ops, &itemOp{kind: "GetItem", req: &request{TableName: &name, Key: key, ConsistentRead: one.ConsistentRead}, parsed: p})
		}
	}
	return ops, nil
}

func batchGet(ctx context.Context, c *call, r *batchGetRequest) (any, error) {
	ops, err := r.reads()
	if err != nil {
		return nil, err
	}
	if err := c.bindAll(ops, twiceInBatch); err != nil {
		return nil, err
	}
	found, unprocessed, size := map[string][]item{}, map[string]*unprocessedKeys{}, 0
	for name := range r.RequestItems {
		found[name] = []item{}
	}
	err = c.engine.view(ctx, func(tx *bbolt.Tx) error {
		for _, op := range ops {
			if size >= maxBatchSize {
				r.postpone(unprocessed, op)
				continue
			}
			if err := op.read(tx); err != nil {
				return err
			}
			size += attr.ItemSize(op.old)
			c.spend(op.t).table += readUnits(attr.ItemSize(op.old), op.req.ConsistentRead, 1)
			if op.old != nil {
				found[op.t.name] = append(found[op.t.name], item(op.paths.Apply(op.old)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return struct {
		Responses        map[string][]item
		UnprocessedKeys  map[string]*unprocessedKeys
		ConsumedCapacity []capacity `json:",omitzero"`
	}{found, unprocessed, c.capacities(r.ReturnConsumedCapacity, "")}, nil
}

// unprocessedKeys are the keys that a full answer had no room for, in the form
// of a request for them.
type unprocessedKeys struct {
	Keys                     []attr.Item
	ConsistentRead           bool              `json:",omitzero"`
	ProjectionExpression     *string           `json:",omitzero"`
	ExpressionAttributeNames map[string]string `json:",omitzero"`
}

func (r *batchGetRequest) postpone(unprocessed map[string]*unprocessedKeys, op *itemOp) {
	u, from := unprocessed[op.t.name], r.RequestItems[op.t.name]
	if u == nil {
		u = &unprocessedKeys{nil, from.ConsistentRead, from.ProjectionExpression, from.ExpressionAttributeNames}
		unprocessed[op.t.name] = u
	}
	u.Keys = append(u.Keys, op.req.Key)
}
