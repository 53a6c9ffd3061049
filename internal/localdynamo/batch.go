package localdynamo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
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
type asked struct {
	ReturnConsumedCapacity      *string `api:"enum=INDEXES|TOTAL|NONE"`
	ReturnItemCollectionMetrics *string `api:"enum=SIZE|NONE"`
}

type batchWriteRequest struct {
	RequestItems map[string][]writeRequest `api:"required"`
	asked
	ops []*itemOp
}

type writeRequest struct {
	PutRequest, DeleteRequest *request `api:""`
}

type batchGetRequest struct {
	RequestItems map[string]keysRequest `api:"required"`
	asked
}

// keysRequest asks for items of one table. It is also how an answer lists the
// keys for which it had no room.
type keysRequest struct {
	Keys                     []attr.Item       `api:"required min=1"`
	ConsistentRead           bool              `json:",omitzero"`
	AttributesToGet          []string          `json:",omitzero"`
	ProjectionExpression     *string           `json:",omitzero"`
	ExpressionAttributeNames map[string]string `json:",omitzero"`
}

// checkTables refuses a batch without tables.
func checkTables[T any](c *call, v *violations, tables map[string]T) error {
	if tables == nil || len(tables) > 0 {
		return nil
	}
	*v = nil // AWS looks no further
	return invalid("The requestItems parameter is required for %s", c.op)
}

const twiceInBatch = "Provided list of item keys contains duplicates"

// complete names the tables of the requests as if each stood alone.
func (r *batchWriteRequest) complete() {
	for name, list := range r.RequestItems {
		for _, one := range list {
			for _, req := range []*request{one.PutRequest, one.DeleteRequest} {
				if req != nil {
					req.TableName = &name
				}
			}
		}
	}
}

func (r *batchWriteRequest) check(c *call, v *violations) (err error) {
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		list := r.RequestItems[name]
		if len(list) < 1 || len(list) > maxBatchWrite {
			*v = append(*v, fmt.Sprintf("Value '{%s=[%s]}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "+
				"[Member must have length less than or equal to 25, Member must have length greater than or equal to 1]", name, elements(reflect.ValueOf(list))))
		}
		for _, one := range list {
			if (one.PutRequest == nil) == (one.DeleteRequest == nil) {
				err = invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			} else if one.PutRequest != nil {
				r.ops = append(r.ops, &itemOp{kind: "PutItem", req: one.PutRequest})
			} else {
				r.ops = append(r.ops, &itemOp{kind: "DeleteItem", req: one.DeleteRequest})
			}
		}
	}
	if err == nil && len(r.ops) > maxBatchWrite {
		err = invalid("Too many items requested for the BatchWriteItem call")
	}
	return cmp.Or(checkTables(c, v, r.RequestItems), err)
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
	for name, one := range r.RequestItems {
		if len(one.Keys) > maxBatchGet {
			*v = append(*v, fmt.Sprintf("Value at 'RequestItems.%s.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100", name))
		}
	}
	return checkTables(c, v, r.RequestItems)
}

// reads lists the reads of a batch, table by table.
func (r *batchGetRequest) reads() (ops []*itemOp, err error) {
	total, old, expression := 0, false, false
	for _, one := range r.RequestItems {
		total += len(one.Keys)
		old = old || one.AttributesToGet != nil
		expression = expression || one.ProjectionExpression != nil
	}
	if total > maxBatchGet {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	if old && expression {
		return nil, errMixed([]string{"AttributesToGet"}, []string{"ProjectionExpression"}) // not even for different tables
	}
	for _, name := range slices.Sorted(maps.Keys(r.RequestItems)) {
		one := r.RequestItems[name]
		all := request{TableName: &name, ConsistentRead: one.ConsistentRead, AttributesToGet: one.AttributesToGet,
			ProjectionExpression: one.ProjectionExpression, ExpressionAttributeNames: one.ExpressionAttributeNames}
		p, err := all.parse("GetItem", func() error {
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
			req := all
			req.Key = key
			ops = append(ops, &itemOp{kind: "GetItem", req: &req, parsed: p})
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
	found, unprocessed, size := map[string][]item{}, map[string]*keysRequest{}, 0
	for name := range r.RequestItems {
		found[name] = []item{}
	}
	err = c.engine.view(ctx, func(tx *bbolt.Tx) error {
		for _, op := range ops {
			if size >= maxBatchSize {
				rest := unprocessed[op.t.name]
				if rest == nil {
					all := r.RequestItems[op.t.name]
					rest = &all
					rest.Keys, unprocessed[op.t.name] = nil, rest
				}
				rest.Keys = append(rest.Keys, op.req.Key)
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
		UnprocessedKeys  map[string]*keysRequest
		ConsumedCapacity []capacity `json:",omitzero"`
	}{found, unprocessed, c.capacities(r.ReturnConsumedCapacity, "")}, nil
}
