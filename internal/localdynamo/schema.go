package localdynamo

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// tableMeta is what the engine knows of a table. It is never changed in place.
type tableMeta struct {
	Name       string
	ID         string
	Hash       expr.Key
	Range      expr.Key // zero where there is none
	Attributes []attributeDefinition
	Globals    []*indexMeta
	Locals     []*indexMeta
	Billing    string
	Throughput throughput
	TTL        string // attribute, "" when off
	Created    float64
	Protected  bool
	Deleting   bool
	Stream     *streamSpecification
}

// indexMeta is one secondary index.
type indexMeta struct {
	Name       string
	Hash       expr.Key
	Range      expr.Key
	Projection projection
	Throughput throughput
	Local      bool
}

// indexes gives all secondary indexes.
func (t *tableMeta) indexes() []*indexMeta {
	if len(t.Locals) == 0 {
		return t.Globals
	}
	return slices.Concat(t.Globals, t.Locals)
}

func (t *tableMeta) index(name string) *indexMeta {
	for _, ix := range t.indexes() {
		if ix.Name == name {
			return ix
		}
	}
	return nil
}

// keys gives the names of the table's key attributes.
func (t *tableMeta) keys() []expr.Key { return keysOf(t.Hash, t.Range) }

func keysOf(hash, rng expr.Key) []expr.Key {
	if rng.Name == "" {
		return []expr.Key{hash}
	}
	return []expr.Key{hash, rng}
}

// Limits of key values ("Service, account, and table quotas").
const (
	maxHashKey  = 2048
	maxRangeKey = 1024
	maxItem     = 400 << 10
)

// keyOf gives the encoded primary key of an item, or AWS's refusal.
func (t *tableMeta) keyOf(it attr.Item) ([]byte, error) {
	var b []byte
	for i, k := range t.keys() {
		v, ok := it[k.Name]
		if !ok {
			return nil, invalid("One or more parameter values were invalid: Missing the key %s in the item", k.Name)
		}
		if v.Kind != k.Kind {
			return nil, invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", k.Name, k.Kind, v.Kind)
		}
		if err := checkKeyValue(k, v, i == 0); err != nil {
			return nil, err
		}
		b = attr.AppendKey(b, v)
	}
	return b, nil
}

// keyGiven is keyOf for a Key parameter, which has the key and nothing else.
func (t *tableMeta) keyGiven(key attr.Item) ([]byte, error) {
	keys := t.keys()
	if len(key) != len(keys) {
		return nil, invalid("The provided key element does not match the schema")
	}
	var b []byte
	for i, k := range keys {
		v, ok := key[k.Name]
		if !ok || v.Kind != k.Kind {
			return nil, invalid("The provided key element does not match the schema")
		}
		if err := checkKeyValue(k, v, i == 0); err != nil {
			return nil, err
		}
		b = attr.AppendKey(b, v)
	}
	return b, nil
}

func checkKeyValue(k expr.Key, v attr.Value, hash bool) error {
	switch v.Kind {
	case attr.KindString:
		if v.S == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", k.Name)
		}
	case attr.KindBinary:
		if len(v.B) == 0 {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: %s", k.Name)
		}
	}
	if hash && v.Size() > maxHashKey {
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if !hash && v.Size() > maxRangeKey {
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

// checkIndexKeys refuses an item whose index key attributes have another type,
// or are empty.
func (t *tableMeta) checkIndexKeys(it attr.Item) error {
	for _, ix := range t.indexes() {
		for i, k := range keysOf(ix.Hash, ix.Range) {
			v, ok := it[k.Name]
			if !ok {
				continue
			}
			if v.Kind != k.Kind {
				return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.Name, k.Kind, v.Kind, ix.Name)
			}
			empty := map[bool]string{v.Kind == attr.KindString && v.S == "": "string", v.Kind == attr.KindBinary && len(v.B) == 0: "binary"}[true]
			if empty != "" {
				return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", empty, ix.Name, k.Name)
			}
			limit, part := maxHashKey, "hashkey"
			if i > 0 {
				limit, part = maxRangeKey, "rangekey"
			}
			if v.Size() > limit {
				return invalid("One or more parameter values were invalid: Size of %s has exceeded the maximum size limit of%d bytes", part, limit)
			}
		}
	}
	return nil
}

// entry gives an item's key in the index, nil where the item is not in it.
func (ix *indexMeta) entry(it attr.Item, key []byte) []byte {
	if it == nil {
		return nil
	}
	var b []byte
	for _, k := range keysOf(ix.Hash, ix.Range) {
		v, ok := it[k.Name]
		if !ok || v.Kind != k.Kind {
			return nil
		}
		b = attr.AppendKey(b, v)
	}
	return append(b, key...)
}

// project gives the part of an item that the index holds.
func (ix *indexMeta) project(t *tableMeta, it attr.Item) attr.Item {
	if ix.Projection.Type == "ALL" || it == nil {
		return it
	}
	out := attr.Item{}
	for _, k := range slices.Concat(t.keys(), keysOf(ix.Hash, ix.Range)) {
		out[k.Name] = it[k.Name]
	}
	for _, name := range ix.Projection.NonKey {
		if v, ok := it[name]; ok {
			out[name] = v
		}
	}
	return out
}

// keyItem gives the key attributes of an item: a LastEvaluatedKey.
func (t *tableMeta) keyItem(ix *indexMeta, it attr.Item) attr.Item {
	out := attr.Item{}
	for _, k := range t.keys() {
		out[k.Name] = it[k.Name]
	}
	if ix != nil {
		for _, k := range keysOf(ix.Hash, ix.Range) {
			out[k.Name] = it[k.Name]
		}
	}
	return out
}
