package localdynamo

import (
	"cmp"
	"context"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// maxItemSize is the largest item DynamoDB stores.
const maxItemSize = 400 << 10

// itemOp is one read or write of one item: an operation of its own, or an
// element of a batch or transaction. It goes through prepare (the request
// alone), bind (the schema) and then read, or evaluate (the item as it is) and
// apply; only the last changes anything.
type itemOp struct {
	kind string // GetItem, PutItem, UpdateItem, DeleteItem or ConditionCheckItem, as in IAM
	req  *request
	parsed
	t         *table
	hash      attr.Value // of the partition key
	key       []byte
	old, next attr.Item
	cost      consumed
}

// prepare checks and parses what does not depend on the table.
func (op *itemOp) prepare() (err error) {
	op.parsed, err = op.req.parse(op.kind, op.checkValues)
	return err
}

func (op *itemOp) checkValues() error {
	r := op.req
	if op.kind == "GetItem" {
		return checkValues(r.Key)
	}
	if err := cmp.Or(checkValues(r.Item), checkValues(r.Key)); err != nil {
		return err
	}
	if op.kind != "UpdateItem" && r.ReturnValues != nil && *r.ReturnValues != allOld && *r.ReturnValues != none {
		return invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	if attr.ItemSize(r.Item) > maxItemSize {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// bind checks the request against the table's schema. A batch names any wrong
// key of a new item as it does that of a Key.
func (op *itemOp) bind(t *table, batch bool) error {
	op.t = t
	it, err := op.req.Key, error(nil)
	switch {
	case op.kind != "PutItem":
		err = t.keys.checkKey(it)
	case batch && !t.keys.in(op.req.Item):
		err = errKeySchema()
	default:
		it = op.req.Item
		err = t.checkItem(it)
	}
	if err != nil {
		return err
	}
	op.key, op.hash = t.keys.encode(it), it[t.keys.hash.Name]
	if err := cmp.Or(t.scalarKeys(op.paths), t.scalarKeys(op.condition.Paths())); err != nil {
		return err
	}
	for _, path := range op.update.Paths() {
		if t.keys.has(path[0].Name) {
			return invalidParam("Cannot update attribute %s. This attribute is part of the key", path[0].Name)
		}
	}
	return t.scalarKeys(op.update.Paths())
}

// ready prepares all of ops and binds them.
func (c *call) ready(ops []*itemOp, twice string) error {
	for _, op := range ops {
		if err := op.prepare(); err != nil {
			return err
		}
	}
	return c.bindAll(ops, twice)
}

// bindAll binds operations to their tables and asks the policy. No two may be on
// one item; twice is what AWS says if they are. What is wrong with the elements
// of a transaction cancels it.
func (c *call) bindAll(ops []*itemOp, twice string) error {
	batch := strings.HasPrefix(c.op, "Batch")
	failures, seen := make([]error, len(ops)), make(map[string]bool, len(ops))
	for i, op := range ops {
		t, err := c.table(*op.req.TableName)
		if err != nil {
			return err
		}
		if failures[i] = op.bind(t, batch); failures[i] != nil {
			if c.transaction() {
				continue
			}
			return failures[i]
		}
		id := string(t.id) + string(op.key)
		if seen[id] {
			return invalid("%s", twice)
		}
		seen[id] = true
		action := op.kind
		if batch {
			action = c.op // IAM knows no actions for the items of a batch
		}
		if err := c.allow(action, t, nil, op.hash); err != nil {
			return err
		}
	}
	return cancel(failures)
}

// read gets the item.
func (op *itemOp) read(tx *bbolt.Tx) (err error) {
	op.old, err = get(tx, op.t, op.key)
	return err
}

// evaluate reads the item, checks the condition and makes the next item. A
// failed condition is an *apiError that carries the item if asked for.
func (op *itemOp) evaluate(tx *bbolt.Tx) (err error) {
	if err := op.read(tx); err != nil {
		return err
	}
	if !op.condition.Eval(op.old) {
		failed := &apiError{status: 400, code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if is(op.req.ReturnValuesOnConditionCheckFailure, allOld) {
			failed.item = op.old
		}
		return failed
	}
	switch op.kind {
	case "PutItem":
		op.next = op.req.Item
	case "ConditionCheckItem":
		op.next = op.old
	case "UpdateItem":
		if op.next = op.old; op.next == nil {
			op.next = op.t.keys.pick(op.req.Key, attr.Item{})
		}
		if op.update == nil {
			return nil
		}
		if op.next, err = op.update.Apply(op.next); err != nil {
			return err
		}
		if err := op.t.checkIndexKeys(op.next, true); err != nil {
			return err
		}
		if attr.ItemSize(op.next) > maxItemSize {
			return invalid("Item size to update has exceeded the maximum allowed size")
		}
	}
	return nil
}

// writeAll evaluates all writes on the items as they are, and applies all or,
// when one fails, none.
func (c *call) writeAll(tx *writeTx, ops []*itemOp) (err error) {
	failures, size := make([]error, len(ops)), 0
	for i, op := range ops {
		// The schema may have changed since bind.
		if op.t, err = c.engine.current(op.t); err != nil {
			return err
		}
		if failures[i] = op.evaluate(tx.Tx); failures[i] != nil && !c.transaction() {
			return failures[i]
		}
		size += attr.ItemSize(op.next)
	}
	if err := cancel(failures); err != nil {
		return err
	}
	if size > maxTransactSize && c.transaction() {
		return errTransactSize()
	}
	for _, op := range ops {
		if op.kind == "ConditionCheckItem" {
			op.cost.table += writeUnits(attr.ItemSize(op.old))
		} else if err := tx.replace(op.t, op.key, op.old, op.next, &op.cost); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) spendAll(ops []*itemOp) {
	for _, op := range ops {
		c.spend(op.t).add(&op.cost)
	}
}

// writeItem is PutItem, UpdateItem and DeleteItem.
func writeItem(ctx context.Context, c *call, r *request) (any, error) {
	op := &itemOp{kind: c.op, req: r}
	ops := []*itemOp{op}
	if err := c.ready(ops, ""); err != nil {
		return nil, err
	}
	if err := c.engine.update(ctx, func(tx *writeTx) error { return c.writeAll(tx, ops) }); err != nil {
		return nil, err
	}
	c.spendAll(ops)
	answer := itemAnswer{Attributes: item(op.returned()), ConsumedCapacity: c.capacity(r.ReturnConsumedCapacity)}
	if op.t.hasLocalIndex() && is(r.ReturnItemCollectionMetrics, "SIZE") {
		touched := op.collection()
		answer.ItemCollectionMetrics = &touched
	}
	return answer, nil
}

func (op *itemOp) collection() collection {
	return collection{item{op.t.keys.hash.Name: op.hash}, [2]float64{0, 1}}
}

// returned is what ReturnValues asks for, or nil.
func (op *itemOp) returned() attr.Item {
	from := op.old
	switch {
	case is(op.req.ReturnValues, allOld):
		return op.old
	case is(op.req.ReturnValues, "ALL_NEW"):
		return op.next
	case is(op.req.ReturnValues, "UPDATED_NEW"):
		from = op.next
	case !is(op.req.ReturnValues, "UPDATED_OLD"):
		return nil
	}
	if out := expr.Project(from, op.update.Paths()); len(out) > 0 {
		return out
	}
	return nil
}

func getItem(ctx context.Context, c *call, r *request) (any, error) {
	op := &itemOp{kind: c.op, req: r}
	if err := c.ready([]*itemOp{op}, ""); err != nil {
		return nil, err
	}
	if err := c.engine.view(ctx, op.read); err != nil {
		return nil, err
	}
	c.spend(op.t).table += readUnits(attr.ItemSize(op.old), r.ConsistentRead, 1)
	return itemAnswer{Item: item(op.paths.Apply(op.old)), ConsumedCapacity: c.capacity(r.ReturnConsumedCapacity)}, nil
}
