package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Time is a moment as the table keeps it: Unix milliseconds, so that it
// compares as a number in conditions. Zero means "never" and is not stored.
type Time int64

// At gives the stored form of t.
func At(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Time gives the moment in UTC; the zero Time for "never".
func (s Time) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s)).UTC()
}

// TTL gives the value of the ttl attribute for an item that may be deleted
// after t: Unix seconds, as DynamoDB wants it. Deletion lags by up to 48 hours,
// so it never decides anything.
func TTL(t time.Time) int64 { return t.Unix() }

type writeKind uint8

const (
	putItem writeKind = iota
	updateItem
	deleteItem
	checkItem
)

type change struct {
	verb  string // SET, ADD, REMOVE, SET-ONCE, APPEND
	path  string
	value any
}

// Write is one item's part of a write: what changes, what must hold for it,
// and what it means when that does not hold.
type Write struct {
	kind    writeKind
	key     Key
	item    any
	changes []change
	conds   []string
	args    []any
	failed  error
	old     any
	updated any
}

// Put writes item whole, replacing what was there.
func Put(item any) *Write { return &Write{kind: putItem, item: item} }

// Create writes item whole where no item has its key.
func Create(item any) *Write { return Put(item).If("attribute_not_exists(PK)") }

// Update changes attributes of the item at key. Without a condition DynamoDB
// would create a missing item, so a condition that it exists is the caller's to add.
func Update(key Key) *Write { return &Write{kind: updateItem, key: key} }

// Delete removes the item at key; a missing one is no error unless a condition says so.
func Delete(key Key) *Write { return &Write{kind: deleteItem, key: key} }

// Check changes nothing; its condition must hold for the transaction to happen.
func Check(key Key) *Write { return &Write{kind: checkItem, key: key} }

// Set sets an attribute. A zero string or slice removes it (guregu/dynamo drops those).
func (w *Write) Set(path string, value any) *Write { return w.change("SET", path, value) }

// SetOnce sets an attribute that is not there yet.
func (w *Write) SetOnce(path string, value any) *Write { return w.change("SET-ONCE", path, value) }

// Add adds a number to an attribute; a missing one counts as 0.
func (w *Write) Add(path string, n int64) *Write { return w.change("ADD", path, n) }

// Remove removes an attribute.
func (w *Write) Remove(path string) *Write { return w.change("REMOVE", path, nil) }

func (w *Write) change(verb, path string, value any) *Write {
	w.changes = append(w.changes, change{verb, path, value})
	return w
}

// If adds a condition in DynamoDB's language, with ? for values and 'quoted'
// attribute names where they are reserved words. Several are joined by AND.
func (w *Write) If(expr string, args ...any) *Write {
	w.conds = append(w.conds, "("+expr+")")
	w.args = append(w.args, args...)
	return w
}

// IfExists requires the item to be there.
func (w *Write) IfExists() *Write { return w.If("attribute_exists(PK)") }

// Else names the error of a failed condition; without it, it is a conflict.
func (w *Write) Else(err error) *Write { w.failed = err; return w }

// Old fills out with the item as it stood when the condition failed; out stays
// untouched where there was none.
func (w *Write) Old(out any) *Write { w.old = out; return w }

// Updated fills out with the item as it stands after a single update. It has
// no meaning in a transaction.
func (w *Write) Updated(out any) *Write { w.updated = out; return w }

func (w *Write) condition() string { return strings.Join(w.conds, " AND ") }

func (w *Write) failure(item dynamo.Item) error {
	if w.old != nil && len(item) > 0 {
		if err := dynamo.UnmarshalItem(item, w.old); err != nil {
			return fmt.Errorf("decode item of failed condition: %w", err)
		}
	}
	if w.failed != nil {
		return w.failed
	}
	return fault.New(fault.CodeConflict, fault.CodeConflict.Meaning())
}

func (t *Table) put(w *Write) *dynamo.Put {
	p := t.tab.Put(w.item)
	if len(w.conds) > 0 {
		p.If(w.condition(), w.args...).IncludeItemInCondCheckFail(w.old != nil)
	}
	return p
}

func (t *Table) update(w *Write) *dynamo.Update {
	u := t.tab.Update("PK", w.key.PK).Range("SK", w.key.SK)
	for _, c := range w.changes {
		switch c.verb {
		case "SET":
			u.Set(c.path, c.value)
		case "SET-ONCE":
			u.SetIfNotExists(c.path, c.value)
		case "ADD":
			u.Add(c.path, c.value)
		case "REMOVE":
			u.Remove(c.path)
		}
	}
	if len(w.conds) > 0 {
		u.If(w.condition(), w.args...).IncludeItemInCondCheckFail(w.old != nil)
	}
	return u
}

func (t *Table) delete(w *Write) *dynamo.Delete {
	d := t.tab.Delete("PK", w.key.PK).Range("SK", w.key.SK)
	if len(w.conds) > 0 {
		d.If(w.condition(), w.args...).IncludeItemInCondCheckFail(w.old != nil)
	}
	return d
}

// Write carries out one write in one request. A failed condition gives the
// error that Else named.
func (t *Table) Write(ctx context.Context, w *Write) error {
	var err error
	switch w.kind {
	case putItem:
		err = t.put(w).Run(ctx)
	case updateItem:
		if w.updated != nil {
			err = t.update(w).Value(ctx, w.updated)
		} else {
			err = t.update(w).Run(ctx)
		}
	case deleteItem:
		err = t.delete(w).Run(ctx)
	default:
		return errors.New("a lone condition check is a read: use Get")
	}
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return w.failure(failed.Item)
	}
	return storeError("write item", err)
}

// MaxTransaction is DynamoDB's bound on the items of one transaction.
const MaxTransaction = 100

// Transact carries out all writes or none, in one request. When conditions
// fail, the error is the one that the first such write named. Conflicts with
// other transactions are retried with jitter; the request carries an
// idempotency token, so a lost reply cannot write twice.
func (t *Table) Transact(ctx context.Context, writes ...*Write) error {
	tx := t.db.WriteTx().Idempotent(true)
	for _, w := range writes {
		switch w.kind {
		case putItem:
			tx.Put(t.put(w))
		case updateItem:
			tx.Update(t.update(w))
		case deleteItem:
			tx.Delete(t.delete(w))
		case checkItem:
			tx.Check(t.tab.Check("PK", w.key.PK).Range("SK", w.key.SK).
				If(w.condition(), w.args...).IncludeItemInCondCheckFail(w.old != nil))
		}
	}
	err := tx.Run(ctx)
	if err == nil {
		return nil
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for i, r := range cancelled.CancellationReasons {
			if r.Code != nil && *r.Code == "ConditionalCheckFailed" && i < len(writes) {
				return writes[i].failure(r.Item)
			}
		}
		for _, r := range cancelled.CancellationReasons {
			if r.Code != nil && *r.Code == "ValidationError" {
				return fmt.Errorf("transaction refused: %w", err)
			}
		}
	}
	return storeError("transact", err)
}

// Rehearse evaluates the conditions of all writes as Transact would, and writes
// nothing: its error is the one that Transact would have given. The store itself
// is the judge. One more condition that never holds goes along as the last, and
// that one alone failing is success. There is room for one write fewer.
func (t *Table) Rehearse(ctx context.Context, writes ...*Write) error {
	never := Check(Key{"REHEARSAL", "REHEARSAL"}).IfExists().Else(errRehearsed)
	err := t.Transact(ctx, append(slices.Clone(writes), never)...)
	switch {
	case errors.Is(err, errRehearsed):
		return nil
	case err == nil:
		return errors.New("a rehearsal was carried out: there is an item in its place")
	}
	return err
}

var errRehearsed = errors.New("rehearsed")
