package localdynamo

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Expiry has an ordered bucket of its own, so that the sweeper reads what is
// due and not the whole table.

func (t *tableMeta) ttlBucket() []byte { return []byte("x/" + t.ID) }

// ttlEntry gives an item's key in the expiry bucket: the second it expires,
// then the table's key. As on AWS, only whole numbers of type N count.
func (t *tableMeta) ttlEntry(it attr.Item, key []byte) []byte {
	v, ok := it[t.TTL]
	if !ok || v.Kind != attr.KindNumber {
		return nil
	}
	at, whole := v.N.Int64()
	if !whole || at <= 0 {
		return nil
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(at)), key...)
}

// fillTTL makes the expiry bucket fit the table's setting.
func (t *tableMeta) fillTTL(tx *bbolt.Tx) error {
	if t.TTL == "" {
		return tx.DeleteBucket(t.ttlBucket())
	}
	b, err := tx.CreateBucket(t.ttlBucket())
	if err != nil {
		return err
	}
	return t.bucket(tx).ForEach(func(k, v []byte) error {
		it, err := attr.DecodeItem(v)
		if err != nil {
			return err
		}
		if entry := t.ttlEntry(it, k); entry != nil {
			return b.Put(entry, slices.Clone(k))
		}
		return nil
	})
}

// maxSweep bounds how many items one sweep of a table deletes in one commit.
const maxSweep = 500

func (e *Engine) sweepLoop() {
	defer e.wg.Done()
	tick := time.NewTicker(e.o.TTLEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-tick.C:
			// A failed sweep is tried again at the next tick.
			_, _ = e.Sweep()
		}
	}
}

// Sweep deletes the items that expired more than the lag ago, and reports how
// many. As on AWS it deletes late and asks no condition.
func (e *Engine) Sweep() (int, error) {
	deadline := e.o.Now().Add(-e.o.TTLLag).Unix()
	total := 0
	for name, t := range *e.tables.Load() {
		if t.TTL == "" {
			continue
		}
		for {
			n := 0
			err := e.update(func(tx *bbolt.Tx, tables map[string]*tableMeta) (map[string]*tableMeta, error) {
				t := tables[name]
				if t == nil || t.TTL == "" {
					return nil, nil
				}
				keys := [][]byte{}
				c := tx.Bucket(t.ttlBucket()).Cursor()
				for k, v := c.First(); k != nil && len(keys) < maxSweep && int64(binary.BigEndian.Uint64(k)) <= deadline; k, v = c.Next() {
					keys = append(keys, bytes.Clone(v))
				}
				for _, key := range keys {
					before, err := t.get(tx, key)
					if err != nil {
						return nil, broken(err)
					}
					if err := t.put(tx, key, before, nil); err != nil {
						return nil, err
					}
				}
				n = len(keys)
				return nil, nil
			})
			if err != nil {
				return total, err
			}
			if total += n; n < maxSweep {
				break
			}
		}
	}
	return total, nil
}
