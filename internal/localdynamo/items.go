package localdynamo

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// maxItemSize is the largest item DynamoDB stores.
const maxItemSize = 400 << 10

// itemWrite is one write to one item: an operation of its own, or an element of
// a batch or transaction. It goes through prepare (the request alone), bind (the
// schema), evaluate (the item as it is) and apply; only the last changes anything.
type itemWrite struct {
	kind string // PutItem, UpdateItem, DeleteItem or ConditionCheckItem, as in IAM
	req  *request
	parsed
	t         *table
	key       []byte
	old, next attr.Item
}

// require notes which parameters the kind of write lacks.
func (w *itemWrite) require(v *violations, path string) {
	w.req.check(v, path)
	if w.kind == "PutItem" {
		v.required(w.req.Item != nil, path+"item")
	} else {
		v.required(w.req.Key != nil, path+"key")
	}
}

func (w *itemWrite) prepare() error {
	r := w.req
	expressions, old := []string{"ConditionExpression"}, []string{"Expected", "ConditionalOperator"}
	if w.kind == "UpdateItem" {
		expressions, old = []string{"UpdateExpression", "ConditionExpression"}, []string{"AttributeUpdates", "Expected", "ConditionalOperator"}
	}
	p, err := r.parse(expressions, old, func() error {
		if err := checkValues(r.Item); err != nil {
			return err
		}
		if err := checkValues(r.Key); err != nil {
			return err
		}
		if w.kind != "UpdateItem" && r.ReturnValues != nil && *r.ReturnValues != allOld && *r.ReturnValues != none {
			return invalid("ReturnValues can only be ALL_OLD or NONE")
		}
		if attr.ItemSize(r.Item) > maxItemSize {
			return invalid("Item size has exceeded the maximum allowed size")
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.parsed = *p
	return nil
}

// bind checks the request against the table's schema.
func (w *itemWrite) bind(t *table) error {
	w.t = t
	if w.kind == "PutItem" {
		if err := t.checkItem(w.req.Item); err != nil {
			return err
		}
		w.key = t.keys.encode(w.req.Item)
	} else {
		if err := t.keys.checkKey(w.req.Key); err != nil {
			return err
		}
		w.key = t.keys.encode(w.req.Key)
	}
	if w.condition != nil {
		if err := t.scalarKeys(w.condition.Paths()); err != nil {
			return err
		}
	}
	if w.update == nil {
		return nil
	}
	for _, path := range w.update.Paths() {
		if t.keys.has(path[0].Name) {
			return invalidParam("Cannot update attribute %s. This attribute is part of the key", path[0].Name)
		}
	}
	return t.scalarKeys(w.update.Paths())
}

// rebind takes the schema as it is when the write's turn has come.
func (w *itemWrite) rebind(e *Engine) (err error) {
	w.t, err = e.current(w.t)
	return err
}

// hash returns the value of the partition key.
func (w *itemWrite) hash() attr.Value {
	if w.kind == "PutItem" {
		return w.req.Item[w.t.keys.hash.Name]
	}
	return w.req.Key[w.t.keys.hash.Name]
}

// evaluate reads the item, checks the condition and makes the next item. A
// failed condition is an *apiError that carries the item if asked for.
func (w *itemWrite) evaluate(tx *bbolt.Tx) error {
	var err error
	if w.old, err = get(tx, w.t, w.key); err != nil {
		return err
	}
	if w.condition != nil && !w.condition.Eval(w.old) {
		failed := &apiError{status: 400, code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if is(w.req.ReturnValuesOnConditionCheckFailure, allOld) {
			failed.item = w.old
		}
		return failed
	}
	switch w.kind {
	case "PutItem":
		w.next = w.req.Item
	case "ConditionCheckItem":
		w.next = w.old
	case "UpdateItem":
		if w.next = w.old; w.next == nil {
			w.next = w.t.keys.pick(w.req.Key, attr.Item{})
		}
		if w.update == nil {
			return nil
		}
		if w.next, err = w.update.Apply(w.next); err != nil {
			return err
		}
		if err := w.t.checkUpdated(w.next); err != nil {
			return err
		}
		if attr.ItemSize(w.next) > maxItemSize {
			return invalid("Item size to update has exceeded the maximum allowed size")
		}
	}
	return nil
}

func (w *itemWrite) apply(tx *writeTx, cost *consumed) error {
	if w.kind == "ConditionCheckItem" {
		cost.table += writeUnits(attr.ItemSize(w.old))
		return nil
	}
	return tx.replace(w.t, w.key, w.old, w.next, cost)
}

// writeItem is PutItem, UpdateItem and DeleteItem.
func writeItem(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[request](body)
	if err != nil {
		return nil, err
	}
	w := &itemWrite{kind: c.op, req: r}
	var v violations
	w.require(&v, "")
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	t, err := c.table(*r.TableName)
	if err != nil {
		return nil, err
	}
	if err := w.bind(t); err != nil {
		return nil, err
	}
	if err := c.allow(c.op, t, nil, w.hash()); err != nil {
		return nil, err
	}
	var cost consumed
	err = c.engine.update(ctx, func(tx *writeTx) error {
		if err := w.rebind(c.engine); err != nil {
			return err
		}
		if err := w.evaluate(tx.Tx); err != nil {
			return err
		}
		return w.apply(tx, &cost)
	})
	if err != nil {
		return nil, err
	}
	c.spend(w.t).add(&cost)
	o := newObject()
	if out := w.returned(); out != nil {
		o.item("Attributes", out)
	}
	c.capacity(o, r.ReturnConsumedCapacity, false, "")
	if t.hasLocalIndex() && is(r.ReturnItemCollectionMetrics, "SIZE") {
		o.nest("ItemCollectionMetrics", func() { w.collection(o) })
	}
	return o.done(), nil
}

// collection writes the metrics of an item collection. The size is an estimate
// by contract, in ranges of a gigabyte: here always the smallest.
func (w *itemWrite) collection(o *object) {
	o.item("ItemCollectionKey", attr.Item{w.t.keys.hash.Name: w.hash()})
	o.key("SizeEstimateRangeGB")
	o.b = append(o.b, "[0.0,1.0]"...)
}

// returned is what ReturnValues asks for, or nil.
func (w *itemWrite) returned() attr.Item {
	if w.req.ReturnValues == nil {
		return nil
	}
	from := w.old
	switch *w.req.ReturnValues {
	case allOld:
		return w.old
	case "ALL_NEW":
		return w.next
	case "UPDATED_NEW":
		from = w.next
	case "UPDATED_OLD":
	default:
		return nil
	}
	if w.update == nil {
		return nil
	}
	if out := expr.Project(from, w.update.Paths()); len(out) > 0 {
		return out
	}
	return nil
}

// itemRead is one read of one item, alone or in a transaction.
type itemRead struct {
	req *request
	parsed
	t   *table
	key []byte
}

// prepareRead checks and parses what does not depend on the table.
func (r *itemRead) prepare() error {
	p, err := r.req.parse([]string{"ProjectionExpression"}, []string{"AttributesToGet"}, func() error { return checkValues(r.req.Key) })
	if err == nil {
		r.parsed = *p
	}
	return err
}

func (r *itemRead) bind(t *table) error {
	r.t = t
	if err := t.keys.checkKey(r.req.Key); err != nil {
		return err
	}
	r.key = t.keys.encode(r.req.Key)
	return t.scalarKeys(r.paths)
}

// project returns what the projection leaves of an item.
func (p *parsed) project(it attr.Item) attr.Item {
	if p.paths == nil || it == nil {
		return it
	}
	return expr.Project(it, p.paths)
}

func getItem(ctx context.Context, c *call, body []byte) ([]byte, error) {
	r, err := decode[request](body)
	if err != nil {
		return nil, err
	}
	var v violations
	r.check(&v, "")
	v.required(r.Key != nil, "key")
	if err := v.err(); err != nil {
		return nil, err
	}
	read := &itemRead{req: r}
	if err := read.prepare(); err != nil {
		return nil, err
	}
	t, err := c.table(*r.TableName)
	if err != nil {
		return nil, err
	}
	if err := read.bind(t); err != nil {
		return nil, err
	}
	if err := c.allow(c.op, t, nil, r.Key[t.keys.hash.Name]); err != nil {
		return nil, err
	}
	var it attr.Item
	if err := c.engine.view(ctx, func(tx *bbolt.Tx) error {
		it, err = get(tx, t, read.key)
		return err
	}); err != nil {
		return nil, err
	}
	c.spend(t).table += readUnits(attr.ItemSize(it), r.ConsistentRead, 1)
	o := newObject()
	if it != nil {
		o.item("Item", read.project(it))
	}
	c.capacity(o, r.ReturnConsumedCapacity, false, "")
	return o.done(), nil
}
