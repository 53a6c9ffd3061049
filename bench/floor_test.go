package bench

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"golang.org/x/crypto/bcrypt"
)

// BenchmarkHash is what a sign-in cannot do without: one password hash, at the
// cost that the worlds here have.
func BenchmarkHash(b *testing.B) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), hashCost)
	if err != nil {
		b.Fatal(err)
	}
	latencies(b, func() {
		if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil {
			b.Fatal(err)
		}
	})
}

// itemSize is about what a user, a session or an event takes.
const itemSize = 400

// BenchmarkCommit is what a write cannot do without: one transaction of the
// embedded store's file format that puts one item, synced to the same disk.
func BenchmarkCommit(b *testing.B) {
	db, n := file(b), uint64(0)
	latencies(b, func() {
		n++
		if err := db.Update(func(tx *bbolt.Tx) error { return put(tx, n) }); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkRead is what a read cannot do without: one item from the same.
func BenchmarkRead(b *testing.B) {
	const items = 10_000
	db, n := file(b), uint64(0)
	if err := db.Update(func(tx *bbolt.Tx) error {
		for i := range uint64(items) {
			if err := put(tx, i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	latencies(b, func() {
		n++
		err := db.View(func(tx *bbolt.Tx) error {
			if len(tx.Bucket(bucket).Get(keyOf(n%items))) != itemSize {
				b.Fatal("an item is not there")
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

var bucket = []byte("items")

func keyOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15) }

func put(tx *bbolt.Tx, n uint64) error {
	return tx.Bucket(bucket).Put(keyOf(n), make([]byte, itemSize))
}

// file is an empty store on disk, set up as the embedded engine sets its own up.
func file(b *testing.B) *bbolt.DB {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "floor.db"), 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		b.Fatal(err)
	}
	return db
}
