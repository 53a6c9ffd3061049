package localdynamo

import (
	"slices"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// itemWrite is one put, update, delete or condition check, parsed and matched
// with its table: what single writes and transactions have in common.
type itemWrite struct {
	kind      string // Put, Update, Delete, ConditionCheck
	table     string
	key       []byte
	keyItem   attr.Item
	item      attr.Item
	update    *expr.Update
	condition *expr.Condition
	onFail    string // ReturnValuesOnConditionCheckFailure
	given     attr.Item
}

// writeParams are the request fields that all item writes share.
type writeParams struct {
	TableName                           string
	Item                                map[string]attr.Value
	Key                                 map[string]attr.Value
	UpdateExpression                    *string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]attr.Value
	ReturnValuesOnConditionCheckFailure string
}

// parseWrite checks an item write in AWS's order: values, expressions, table, keys.
func (e *call) parseWrite(kind string, p *writeParams) (*itemWrite, error) {
	w := &itemWrite{kind: kind, table: p.TableName, onFail: p.ReturnValuesOnConditionCheckFailure}
	if err := checkReturnOnFailure(p.ReturnValuesOnConditionCheckFailure); err != nil {
		return nil, err
	}
	if err := checkPlaceholders(p.ExpressionAttributeNames, p.ExpressionAttributeValues, p.ConditionExpression, p.UpdateExpression); err != nil {
		return nil, err
	}
	w.given = p.Key
	if kind == "Put" {
		w.given, w.item = p.Item, p.Item
	}
	if err := checkValues(w.given); err != nil {
		return nil, err
	}
	params := &expr.Params{Names: p.ExpressionAttributeNames, Values: p.ExpressionAttributeValues}
	if err := params.Check(); err != nil {
		return nil, err
	}
	var err error
	if p.UpdateExpression != nil {
		if w.update, err = expr.ParseUpdate(*p.UpdateExpression, params); err != nil {
			return nil, err
		}
	}
	if p.ConditionExpression != nil {
		if w.condition, err = expr.ParseCondition("ConditionExpression", *p.ConditionExpression, params); err != nil {
			return nil, err
		}
	}
	if err := params.CheckAllUsed(); err != nil {
		return nil, err
	}
	if kind == "Put" && attr.ItemSize(p.Item) > maxItem {
		return nil, invalid("Item size has exceeded the maximum allowed size")
	}
	t, err := e.table(p.TableName)
	if err != nil {
		return nil, err
	}
	return w, w.bind(t)
}

// bind matches a write with its table's keys.
func (w *itemWrite) bind(t *tableMeta) error {
	var err error
	if w.kind == "Put" {
		if w.key, err = t.keyOf(w.item); err != nil {
			return err
		}
		return t.checkIndexKeys(w.item)
	}
	if w.key, err = t.keyGiven(w.given); err != nil {
		return err
	}
	w.keyItem = w.given
	if w.update == nil {
		return nil
	}
	for _, p := range w.update.Paths() {
		for _, k := range t.keys() {
			if p[0].Name == k.Name {
				return invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", k.Name)
			}
		}
	}
	return nil
}

// outcome is an item before and after a write.
type outcome struct{ before, after attr.Item }

// decide evaluates a write on the item as it stands, changing nothing.
func (w *itemWrite) decide(tx *bbolt.Tx, t *tableMeta) (outcome, error) {
	before, err := t.get(tx, w.key)
	if err != nil {
		return outcome{}, broken(err)
	}
	o := outcome{before: before}
	if w.condition != nil && !w.condition.Eval(before) {
		failed := *errConditionFailed
		if w.onFail == "ALL_OLD" {
			failed.item = before
		}
		return o, &failed
	}
	switch w.kind {
	case "Put":
		o.after = w.item
	case "ConditionCheck":
		o.after = before
	case "Update":
		base := before
		if base == nil {
			base = w.keyItem
		}
		o.after = base
		if w.update != nil {
			if o.after, err = w.update.Apply(base); err != nil {
				return o, err
			}
		}
		if err := t.checkIndexKeys(o.after); err != nil {
			return o, err
		}
		if attr.ItemSize(o.after) > maxItem {
			return o, invalid("Item size to update has exceeded the maximum allowed size")
		}
	}
	return o, nil
}

func checkReturnOnFailure(v string) error {
	return checkEnum("returnValuesOnConditionCheckFailure", v, "ALL_OLD, NONE")
}

// checkValues refuses values that AWS does not accept.
func checkValues(it attr.Item) error {
	names := make([]string, 0, len(it))
	for name := range it {
		names = append(names, name)
	}
	slices.Sort(names) // one message for one request
	for _, name := range names {
		if err := it[name].Validate(); err != nil {
			return err
		}
		if it[name].Depth()+1 > attr.MaxDepth {
			return invalid("Nesting Levels have exceeded supported limits")
		}
	}
	return nil
}

// checkPlaceholders refuses placeholders where nothing could use them.
func checkPlaceholders(names map[string]string, values map[string]attr.Value, expressions ...*string) error {
	any := false
	for _, x := range expressions {
		any = any || x != nil
	}
	if !any && names != nil {
		return invalid("ExpressionAttributeNames can only be specified when using expressions")
	}
	if !any && values != nil {
		return invalid("ExpressionAttributeValues can only be specified when using expressions: %s is null", map[bool]string{true: "UpdateExpression", false: "ConditionExpression"}[len(expressions) > 1])
	}
	return nil
}

type itemRequest struct {
	writeParams
	ReturnValues                string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
	ConsistentRead              bool
	ProjectionExpression        *string
	AttributesToGet             []string
}

// run carries out a single write.
func (e *call) run(kind string, r *itemRequest, returns string) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	if err := checkEnum("returnValues", r.ReturnValues, returns); err != nil {
		return nil, err
	}
	if err := checkEnum("returnConsumedCapacity", r.ReturnConsumedCapacity, "INDEXES, TOTAL, NONE"); err != nil {
		return nil, err
	}
	w, err := e.parseWrite(kind, &r.writeParams)
	if err != nil {
		return nil, err
	}
	var o outcome
	var c capacity
	err = e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		t, ok := tables[r.TableName]
		if !ok {
			return nil, errNoTable
		}
		var err error
		if o, err = w.decide(tx, t); err != nil {
			return nil, err
		}
		t.countWrite(&c, o.before, o.after, 1)
		return nil, t.put(tx, w.key, o.before, o.after)
	})
	if err != nil {
		return nil, err
	}
	e.spent(&c)
	out := itemAnswer{Consumed: c.wire(r.TableName, r.ReturnConsumedCapacity)}
	switch r.ReturnValues {
	case "ALL_OLD":
		out.Attributes = o.before
	case "ALL_NEW":
		out.Attributes = o.after
	case "UPDATED_OLD":
		out.Attributes = touched(o.before, w.update)
	case "UPDATED_NEW":
		out.Attributes = touched(o.after, w.update)
	}
	return out, nil
}

// touched gives the part of an item that an update's paths lead to.
func touched(it attr.Item, u *expr.Update) attr.Item {
	if it == nil || u == nil {
		return nil
	}
	part := expr.Project(it, u.Paths())
	if len(part) == 0 {
		return nil
	}
	return part
}

type itemAnswer struct {
	Attributes wireItem      `json:",omitempty"`
	Item       wireItem      `json:",omitempty"`
	Consumed   *wireCapacity `json:"ConsumedCapacity,omitempty"`
}

// wireItem writes an item in its wire form.
type wireItem attr.Item

// MarshalJSON implements json.Marshaler.
func (w wireItem) MarshalJSON() ([]byte, error) { return attr.AppendItemJSON(nil, attr.Item(w)), nil }

func (e *call) putItem(r *itemRequest) (any, error) {
	if r.Item == nil {
		return nil, missing("item")
	}
	return e.run("Put", r, "ALL_OLD, NONE")
}

func (e *call) deleteItem(r *itemRequest) (any, error) {
	if r.Key == nil {
		return nil, missing("key")
	}
	return e.run("Delete", r, "ALL_OLD, NONE")
}

func (e *call) updateItem(r *itemRequest) (any, error) {
	if r.Key == nil {
		return nil, missing("key")
	}
	return e.run("Update", r, "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW")
}

func (e *call) getItem(r *itemRequest) (any, error) {
	if err := checkTableName(r.TableName); err != nil {
		return nil, err
	}
	if r.Key == nil {
		return nil, missing("key")
	}
	if err := checkEnum("returnConsumedCapacity", r.ReturnConsumedCapacity, "INDEXES, TOTAL, NONE"); err != nil {
		return nil, err
	}
	project, err := parseProjection(r.ProjectionExpression, r.AttributesToGet, r.ExpressionAttributeNames)
	if err != nil {
		return nil, err
	}
	if err := checkValues(r.Key); err != nil {
		return nil, err
	}
	t, err := e.table(r.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.keyGiven(r.Key)
	if err != nil {
		return nil, err
	}
	var it attr.Item
	if err := e.view(func(tx *bbolt.Tx) error {
		it, err = t.get(tx, key)
		return err
	}); err != nil {
		return nil, err
	}
	c := capacity{table: readUnits(itemSize(it), r.ConsistentRead)}
	e.spent(&c)
	return itemAnswer{Item: wireItem(project(it)), Consumed: c.wire(r.TableName, r.ReturnConsumedCapacity)}, nil
}

// parseProjection gives the function that cuts an item down to what was asked.
func parseProjection(expression *string, legacy []string, names map[string]string) (func(attr.Item) attr.Item, error) {
	if err := checkPlaceholders(names, nil, expression); err != nil {
		return nil, err
	}
	if expression == nil {
		if len(legacy) == 0 {
			return func(it attr.Item) attr.Item { return it }, nil
		}
		return func(it attr.Item) attr.Item {
			if it == nil {
				return nil
			}
			out := attr.Item{}
			for _, name := range legacy {
				if v, ok := it[name]; ok {
					out[name] = v
				}
			}
			return out
		}, nil
	}
	if len(legacy) > 0 {
		return nil, invalid("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}")
	}
	params := &expr.Params{Names: names}
	if err := params.Check(); err != nil {
		return nil, err
	}
	p, err := expr.ParseProjection(*expression, params)
	if err != nil {
		return nil, err
	}
	if err := params.CheckAllUsed(); err != nil {
		return nil, err
	}
	return func(it attr.Item) attr.Item {
		if it == nil {
			return nil
		}
		return p.Apply(it)
	}, nil
}
