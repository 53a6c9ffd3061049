package localdynamo

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// keySchema names the key attributes of a table or index; rng is the zero Key
// where there is no range key.
type keySchema struct{ hash, rng expr.Key }

// table is the schema of a table, immutable once published.
type table struct {
	record  tableRecord
	name    string
	id      []byte // of the bucket with the table's data; never used twice
	keys    keySchema
	indexes []*index
}

// index is a secondary index of a table.
type index struct {
	name    string
	bucket  []byte
	global  bool
	keys    keySchema
	all     bool
	include map[string]bool // attributes of an index that has not all
}

func (t *table) index(name string) *index {
	for _, ix := range t.indexes {
		if ix.name == name {
			return ix
		}
	}
	return nil
}

func (t *table) hasLocalIndex() bool {
	return slices.ContainsFunc(t.indexes, func(ix *index) bool { return !ix.global })
}

// attributes returns the names of the keys.
func (k keySchema) attributes() []expr.Key {
	if k.rng.Name == "" {
		return []expr.Key{k.hash}
	}
	return []expr.Key{k.hash, k.rng}
}

func (k keySchema) has(name string) bool { return name == k.hash.Name || name == k.rng.Name }

// prefix begins the stored keys of all items with one hash value: four bytes of
// a hash, which give Scan an order as arbitrary as DynamoDB's and cut it into
// segments, and the value itself.
func prefix(hash attr.Value) []byte {
	encoded := attr.AppendKey(make([]byte, 4, 64), hash)
	h := fnv.New64a()
	h.Write(encoded[4:]) // a hash.Hash never fails
	// FNV alone leaves short inputs close together in the upper bits.
	sum := h.Sum64()
	sum = (sum ^ sum>>32) * 0x9e3779b97f4a7c15
	encoded[0], encoded[1], encoded[2], encoded[3] = byte(sum>>56), byte(sum>>48), byte(sum>>40), byte(sum>>32)
	return encoded
}

// encode returns the stored key of an item that has the key attributes.
func (k keySchema) encode(it attr.Item) []byte {
	key := prefix(it[k.hash.Name])
	if k.rng.Name != "" {
		key = attr.AppendKey(key, it[k.rng.Name])
	}
	return key
}

// pick returns the key attributes of an item.
func (k keySchema) pick(it attr.Item, into attr.Item) attr.Item {
	for _, a := range k.attributes() {
		into[a.Name] = it[a.Name]
	}
	return into
}

// AWS's limits for key values.
const (
	maxHashSize  = 2048
	maxRangeSize = 1024
)

func (k keySchema) checkSize(it attr.Item) error {
	if it[k.hash.Name].Size() > maxHashSize {
		return invalidParam("Size of hashkey has exceeded the maximum size limit of2048 bytes")
	}
	if it[k.rng.Name].Size() > maxRangeSize {
		return invalidParam("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

func emptyKey(v attr.Value) bool { return v.Kind != attr.KindNumber && v.Size() == 0 }

// checkKey checks a Key parameter: the key attributes and nothing else.
func (k keySchema) checkKey(key attr.Item) error {
	if len(key) != len(k.attributes()) {
		return errKeySchema()
	}
	return k.checkAttributes(key)
}

// in reports whether an item has the key attributes, of the right types.
func (k keySchema) in(it attr.Item) bool {
	return it[k.hash.Name].Kind == k.hash.Kind && (k.rng.Name == "" || it[k.rng.Name].Kind == k.rng.Kind)
}

// checkAttributes checks the key attributes of an item.
func (k keySchema) checkAttributes(it attr.Item) error {
	if !k.in(it) {
		return errKeySchema()
	}
	for _, a := range k.attributes() {
		if v := it[a.Name]; emptyKey(v) {
			return invalid(emptyKeyMessage+"The AttributeValue for a key attribute "+
				"cannot contain an empty %s value. Key: %s", strings.ToLower(v.Kind.Name()), a.Name)
		}
	}
	return k.checkSize(it)
}

// checkItem checks the key attributes of a whole item.
func (t *table) checkItem(it attr.Item) error {
	for _, a := range t.keys.attributes() {
		v, ok := it[a.Name]
		switch {
		case !ok:
			return invalidParam("Missing the key %s in the item", a.Name)
		case v.Kind != a.Kind:
			return invalidParam("Type mismatch for key %s expected: %s actual: %s", a.Name, a.Kind, v.Kind)
		}
	}
	if err := t.keys.checkAttributes(it); err != nil {
		return err
	}
	return t.checkIndexKeys(it, false)
}

// checkIndexKeys checks the index keys of an item that is put, or that an
// update made.
func (t *table) checkIndexKeys(it attr.Item, updated bool) error {
	for _, ix := range t.indexes {
		for _, a := range ix.keys.attributes() {
			v, ok := it[a.Name]
			const empty = "The AttributeValue for a key attribute cannot contain an empty %s value."
			switch {
			case !ok:
			case v.Kind != a.Kind:
				return invalidParam("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", a.Name, a.Kind, v.Kind, ix.name)
			case emptyKey(v) && updated:
				return invalid(emptyKeyMessage+"The update expression attempted to update a secondary index key "+
					"to a value that is not supported. "+empty, strings.ToLower(v.Kind.Name()))
			case emptyKey(v):
				return invalid(emptyKeyMessage+"A value specified for a secondary index key is not supported. "+
					empty+" IndexName: %s, IndexKey: %s", strings.ToLower(v.Kind.Name()), ix.name, a.Name)
			}
		}
		if err := ix.keys.checkSize(it); err != nil {
			return err
		}
	}
	return nil
}

// entry returns the key and content of an item's entry in the index, or nil
// when the item is not in it. base is the item's stored key, which tells apart
// entries with equal index keys.
func (ix *index) entry(t *table, base []byte, it attr.Item) (key []byte, projected attr.Item) {
	if !ix.keys.in(it) {
		return nil, nil
	}
	key = append(ix.keys.encode(it), base...)
	if ix.all {
		return key, it
	}
	projected = make(attr.Item, len(ix.include)+4)
	for name := range ix.include {
		if v, ok := it[name]; ok {
			projected[name] = v
		}
	}
	return key, projected
}

// scalarKeys refuses paths that look inside a key attribute.
func (t *table) scalarKeys(paths []expr.Path) error {
	const message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s"
	for _, p := range paths {
		if len(p) > 1 && t.keys.has(p[0].Name) {
			return invalid(message, "Key", p[0].Name)
		}
		for _, ix := range t.indexes {
			if len(p) > 1 && ix.keys.has(p[0].Name) {
				return invalid(message, "IndexKey", p[0].Name)
			}
		}
	}
	return nil
}
