package localdynamo

import (
	"slices"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// maxBatchAnswer is how much a BatchGetItem answers; the rest is unprocessed.
const maxBatchAnswer = 16 << 20

type batchGetRequest struct {
	RequestItems           map[string]keysAndAttributes
	ReturnConsumedCapacity string
}

type keysAndAttributes struct {
	Keys                     []map[string]attr.Value
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	AttributesToGet          []string          `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

type batchGetAnswer struct {
	Responses       map[string][]wireItem
	UnprocessedKeys map[string]unprocessedKeys
	Consumed        []*wireCapacity `json:"ConsumedCapacity,omitempty"`
}

type unprocessedKeys struct {
	Keys                     []wireItem
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	AttributesToGet          []string          `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (e *call) batchGetItem(r *batchGetRequest) (any, error) {
	if r.RequestItems == nil {
		return nil, missing("requestItems")
	}
	if len(r.RequestItems) == 0 {
		return nil, invalid("1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	type ask struct {
		table   *tableMeta
		keys    [][]byte
		project func(attr.Item) attr.Item
	}
	asks := map[string]*ask{}
	total := 0
	for _, name := range sortedNames(r.RequestItems) {
		total += len(r.RequestItems[name].Keys)
	}
	if total > 100 {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	for _, name := range sortedNames(r.RequestItems) {
		ka := r.RequestItems[name]
		if err := checkTableName(name); err != nil {
			return nil, err
		}
		if len(ka.Keys) == 0 {
			return nil, invalid("1 validation error detected: Value '[]' at 'requestItems.%s.member.keys' failed to satisfy constraint: Member must have length greater than or equal to 1", name)
		}
		a := &ask{}
		var err error
		if a.project, err = parseProjection(ka.ProjectionExpression, ka.AttributesToGet, ka.ExpressionAttributeNames); err != nil {
			return nil, err
		}
		if a.table, err = e.table(name); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, k := range ka.Keys {
			if err := checkValues(k); err != nil {
				return nil, err
			}
			key, err := a.table.keyGiven(k)
			if err != nil {
				return nil, err
			}
			if seen[string(key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[string(key)] = true
			a.keys = append(a.keys, key)
		}
		asks[name] = a
	}
	out := batchGetAnswer{Responses: map[string][]wireItem{}, UnprocessedKeys: map[string]unprocessedKeys{}}
	size := 0
	err := e.view(func(tx *bbolt.Tx) error {
		for _, name := range sortedNames(asks) {
			a, ka := asks[name], r.RequestItems[name]
			c := &capacity{}
			out.Responses[name] = []wireItem{}
			for i, key := range a.keys {
				if size >= maxBatchAnswer {
					u := out.UnprocessedKeys[name]
					u.ConsistentRead, u.ProjectionExpression, u.AttributesToGet, u.ExpressionAttributeNames = ka.ConsistentRead, ka.ProjectionExpression, ka.AttributesToGet, ka.ExpressionAttributeNames
					u.Keys = append(u.Keys, wireItem(ka.Keys[i]))
					out.UnprocessedKeys[name] = u
					continue
				}
				it, err := a.table.get(tx, key)
				if err != nil {
					return err
				}
				c.table += readUnits(itemSize(it), ka.ConsistentRead)
				size += itemSize(it)
				if it != nil {
					out.Responses[name] = append(out.Responses[name], wireItem(a.project(it)))
				}
			}
			e.spent(c)
			if w := c.wire(name, r.ReturnConsumedCapacity); w != nil {
				out.Consumed = append(out.Consumed, w)
			}
		}
		return nil
	})
	return out, err
}

type batchWriteRequest struct {
	RequestItems           map[string][]writeRequest
	ReturnConsumedCapacity string
}

type writeRequest struct {
	PutRequest *struct {
		Item map[string]attr.Value
	}
	DeleteRequest *struct {
		Key map[string]attr.Value
	}
}

type batchWriteAnswer struct {
	UnprocessedItems map[string]any
	Consumed         []*wireCapacity `json:"ConsumedCapacity,omitempty"`
}

func (e *call) batchWriteItem(r *batchWriteRequest) (any, error) {
	if r.RequestItems == nil {
		return nil, missing("requestItems")
	}
	if len(r.RequestItems) == 0 {
		return nil, invalid("1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	total := 0
	for _, name := range sortedNames(r.RequestItems) {
		if err := checkTableName(name); err != nil {
			return nil, err
		}
		if len(r.RequestItems[name]) == 0 {
			return nil, invalid("1 validation error detected: Value '[]' at 'requestItems.%s.member' failed to satisfy constraint: Member must have length greater than or equal to 1", name)
		}
		total += len(r.RequestItems[name])
	}
	if total > 25 {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	byTable := map[string][]*itemWrite{}
	for _, name := range sortedNames(r.RequestItems) {
		seen := map[string]bool{}
		for _, wr := range r.RequestItems[name] {
			var w *itemWrite
			var err error
			switch {
			case wr.PutRequest != nil && wr.DeleteRequest != nil, wr.PutRequest == nil && wr.DeleteRequest == nil:
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			case wr.PutRequest != nil:
				w, err = e.parseWrite("Put", &writeParams{TableName: name, Item: wr.PutRequest.Item})
			default:
				w, err = e.parseWrite("Delete", &writeParams{TableName: name, Key: wr.DeleteRequest.Key})
			}
			if err != nil {
				return nil, err
			}
			if seen[string(w.key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[string(w.key)] = true
			byTable[name] = append(byTable[name], w)
		}
	}
	spent := map[string]*capacity{}
	err := e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
		for name := range byTable {
			if tables[name] == nil {
				return nil, errNoTable
			}
		}
		for name, writes := range byTable {
			t, c := tables[name], &capacity{}
			for _, w := range writes {
				o, err := w.decide(tx, t)
				if err != nil {
					return nil, broken(err) // decided before: only storage can fail
				}
				t.countWrite(c, o.before, o.after, 1)
				if err := t.put(tx, w.key, o.before, o.after); err != nil {
					return nil, err
				}
			}
			spent[name] = c
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	out := batchWriteAnswer{UnprocessedItems: map[string]any{}}
	for _, name := range sortedNames(spent) {
		e.spent(spent[name])
		if w := spent[name].wire(name, r.ReturnConsumedCapacity); w != nil {
			out.Consumed = append(out.Consumed, w)
		}
	}
	return out, nil
}
