package localdynamo

import (
	"encoding/binary"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Buckets inside a table's bucket: the items by key; what expires, by time and
// key; an index's bucket is named in its schema. The sequence number of the
// table's bucket is its size in bytes, that of the others how many entries.
var (
	bucketItems   = []byte("items")
	bucketExpires = []byte("expires")
)

// open returns the buckets of a table, or nil when it is gone.
func open(tx *bbolt.Tx, t *table) (root, items *bbolt.Bucket) {
	if root = tx.Bucket(t.id); root == nil {
		return nil, nil
	}
	return root, root.Bucket(bucketItems)
}

// get returns the item at a stored key, or nil.
func get(tx *bbolt.Tx, t *table, key []byte) (attr.Item, error) {
	_, items := open(tx, t)
	if items == nil {
		return nil, errNoTable()
	}
	raw := items.Get(key)
	if raw == nil {
		return nil, nil
	}
	return attr.DecodeItem(raw)
}

// replace puts next in the place of old, either of which may be nil for no
// item, keeps the indexes in step and counts the cost.
func (tx *writeTx) replace(t *table, key []byte, old, next attr.Item, cost *consumed) error {
	root, items := open(tx.Tx, t)
	if items == nil {
		return errNoTable()
	}
	oldSize, nextSize := attr.ItemSize(old), attr.ItemSize(next)
	cost.table += writeUnits(max(oldSize, nextSize))
	if old == nil && next == nil {
		return nil
	}
	tx.dirty = true
	tx.wrote()
	if err := put(items, key, old != nil, next); err != nil {
		return err
	}
	if err := root.SetSequence(root.Sequence() + uint64(nextSize) - uint64(oldSize)); err != nil {
		return err
	}
	for _, ix := range t.indexes {
		if err := replaceEntry(root.Bucket(ix.bucket), t, ix, key, old, next, cost); err != nil {
			return err
		}
	}
	if t.record.TTL == "" {
		return nil
	}
	return replaceExpiry(root.Bucket(bucketExpires), t.record.TTL, key, old, next)
}

// put writes an item, or deletes it when it is nil, and keeps the count.
func put(b *bbolt.Bucket, key []byte, exists bool, it attr.Item) error {
	if it == nil {
		if err := b.SetSequence(b.Sequence() - 1); err != nil {
			return err
		}
		return b.Delete(key)
	}
	if !exists {
		if err := b.SetSequence(b.Sequence() + 1); err != nil {
			return err
		}
	}
	return b.Put(key, attr.AppendItem(make([]byte, 0, attr.ItemSize(it)+8+4*len(it)), it))
}

func replaceEntry(b *bbolt.Bucket, t *table, ix *index, base []byte, old, next attr.Item, cost *consumed) error {
	oldKey, oldEntry := ix.entry(t, base, old)
	nextKey, nextEntry := ix.entry(t, base, next)
	same := string(oldKey) == string(nextKey)
	if same && (oldKey == nil || maps.EqualFunc(oldEntry, nextEntry, attr.Equal)) {
		return nil
	}
	if oldKey != nil && !same {
		cost.index(ix, writeUnits(attr.ItemSize(oldEntry)))
		if err := put(b, oldKey, true, nil); err != nil {
			return err
		}
	}
	if nextKey == nil {
		return nil
	}
	cost.index(ix, writeUnits(max(attr.ItemSize(nextEntry), attr.ItemSize(oldEntry)*boolInt(same))))
	return put(b, nextKey, same, nextEntry)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// expiryKey returns where an item stands in the order of expiry, or nil.
func expiryKey(attribute string, key []byte, it attr.Item) []byte {
	v := it[attribute]
	if v.Kind != attr.KindNumber {
		return nil
	}
	seconds, ok := v.N.Int64()
	if !ok || seconds < 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(seconds)), key...)
}

func replaceExpiry(b *bbolt.Bucket, attribute string, key []byte, old, next attr.Item) error {
	oldKey, nextKey := expiryKey(attribute, key, old), expiryKey(attribute, key, next)
	if string(oldKey) == string(nextKey) {
		return nil
	}
	if oldKey != nil {
		if err := b.Delete(oldKey); err != nil {
			return err
		}
	}
	if nextKey == nil {
		return nil
	}
	return b.Put(nextKey, []byte{})
}

// rebuild fills a new index, or the order of expiry, from the items.
func rebuild(root *bbolt.Bucket, add func(key []byte, it attr.Item) error) error {
	return root.Bucket(bucketItems).ForEach(func(key, raw []byte) error {
		it, err := attr.DecodeItem(raw)
		if err != nil {
			return err
		}
		return add(key, it)
	})
}
