package localdynamo

import (
	"encoding/json"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// accessesOf lists what a request touches, as IAM sees it: an action and a
// leading key for each. The partition key attribute is PK, that of an index
// its name's hash key.
func (e *Engine) accessesOf(operation string, body []byte) ([]access, error) {
	var r struct {
		TableName                 string
		IndexName                 *string
		Item, Key                 map[string]attr.Value
		KeyConditionExpression    *string
		KeyConditions             map[string]keyCondition
		ExpressionAttributeNames  map[string]string
		ExpressionAttributeValues map[string]attr.Value
		RequestItems              json.RawMessage
		TransactItems             []map[string]*writeParams
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fail("SerializationException", "Start of structure or map found where not expected.")
	}
	var out []access
	add := func(action, table string, it attr.Item) {
		t := (*e.tables.Load())[table]
		if t == nil {
			return
		}
		out = append(out, access{action: action, key: it[t.Hash.Name].S})
	}
	switch operation {
	case "PutItem":
		add(operation, r.TableName, r.Item)
	case "GetItem", "UpdateItem", "DeleteItem":
		add(operation, r.TableName, r.Key)
	case "Query":
		t := (*e.tables.Load())[r.TableName]
		if t == nil || r.KeyConditionExpression == nil && r.KeyConditions == nil {
			return []access{{action: operation}}, nil
		}
		hash, rng := t.Hash, t.Range
		if r.IndexName != nil && t.index(*r.IndexName) != nil {
			ix := t.index(*r.IndexName)
			hash, rng = ix.Hash, ix.Range
		}
		q, err := bindLegacy(r.KeyConditions, hash, rng)
		if r.KeyConditionExpression != nil {
			params := &expr.Params{Names: r.ExpressionAttributeNames, Values: r.ExpressionAttributeValues}
			var kc *expr.KeyCondition
			if kc, err = expr.ParseKeyCondition(*r.KeyConditionExpression, params); err == nil {
				q, err = kc.Bind(hash, rng)
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, access{operation, q.Hash.S, r.IndexName != nil})
	case "BatchGetItem":
		var items map[string]keysAndAttributes
		if err := json.Unmarshal(r.RequestItems, &items); err != nil {
			return nil, nil // the operation itself will say what is wrong
		}
		for table, ka := range items {
			for _, k := range ka.Keys {
				add(operation, table, k)
			}
		}
	case "BatchWriteItem":
		var items map[string][]writeRequest
		if err := json.Unmarshal(r.RequestItems, &items); err != nil {
			return nil, nil // the operation itself will say what is wrong
		}
		for table, writes := range items {
			for _, w := range writes {
				if w.PutRequest != nil {
					add(operation, table, w.PutRequest.Item)
				} else if w.DeleteRequest != nil {
					add(operation, table, w.DeleteRequest.Key)
				}
			}
		}
	case "TransactWriteItems", "TransactGetItems":
		// A transaction needs the permission of each of its parts.
		names := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}
		for _, item := range r.TransactItems {
			for kind, p := range item {
				if p == nil {
					continue
				}
				it := p.Key
				if kind == "Put" {
					it = p.Item
				}
				add(names[kind], p.TableName, it)
			}
		}
	default:
		out = append(out, access{action: operation})
	}
	return out, nil
}
