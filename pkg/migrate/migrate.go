package migrate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// lease is how long a run that died keeps others away.
const lease = time.Minute

// The directions.
const (
	Up   = "up"
	Down = "down"
)

// State is what the table says of its schema.
type State struct {
	Version   int       `json:"version"`             // 0: there is no table
	Running   int       `json:"running,omitempty"`   // the migration under way or broken off
	Direction string    `json:"direction,omitempty"` // of Running
	Changed   int64     `json:"changed,omitempty"`   // items that Running has changed
	Since     time.Time `json:"since,omitzero"`      // when Running began
	HeldUntil time.Time `json:"heldUntil,omitzero"`  // a run is at it until then, unless it renews
}

// item is the state in the table.
type item struct {
	table.Key
	Version   int        `dynamo:"version"`
	Running   int        `dynamo:"running,omitempty"`
	Direction string     `dynamo:"direction,omitempty"`
	AfterPK   string     `dynamo:"afterPK,omitempty"`
	AfterSK   string     `dynamo:"afterSK,omitempty"`
	Changed   int64      `dynamo:"changed,omitempty"`
	Since     table.Time `dynamo:"since,omitempty"`
	Holder    string     `dynamo:"holder,omitempty"`
	HeldUntil table.Time `dynamo:"heldUntil,omitempty"`
}

var (
	// ErrHeld says that another run is at it.
	ErrHeld = errors.New("another migration is under way")
	// errLost says that the lease is another's by now.
	errLost = fmt.Errorf("%w, and has taken this one's place", ErrHeld)
)

// Options say how migrations are run.
type Options struct {
	Now      func() time.Time
	Rand     io.Reader // nil: the system's
	Versions []Migration
	// Pace, when set, is called with the number of items of a page and may wait.
	Pace func(ctx context.Context, items int) error
	// Progress, when set, is told how many items have been looked at.
	Progress func(items int64)
}

// Migrator runs migrations on a table.
type Migrator struct {
	table  *table.Table
	o      Options
	holder string
}

// New makes a Migrator. It makes no request.
func New(t *table.Table, o Options) (*Migrator, error) {
	if o.Now == nil {
		return nil, errors.New("migrate: a clock is required")
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Versions == nil {
		o.Versions = Versions()
	}
	for i, m := range o.Versions {
		if m.Version != i+1 || (m.Items == nil) != (i == 0) {
			return nil, fmt.Errorf("migrate: migration %d is out of order", m.Version)
		}
	}
	var b [8]byte
	if _, err := io.ReadFull(o.Rand, b[:]); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return &Migrator{table: t, o: o, holder: hex.EncodeToString(b[:])}, nil
}

// Latest is the version of the programs this package is built into.
func (m *Migrator) Latest() int { return len(m.o.Versions) }

// Status reads the state.
func (m *Migrator) Status(ctx context.Context) (State, error) {
	it, err := m.load(ctx)
	if err != nil {
		return State{}, err
	}
	return State{Version: it.Version, Running: it.Running, Direction: it.Direction, Changed: it.Changed,
		Since: it.Since.Time(), HeldUntil: it.HeldUntil.Time()}, nil
}

func (m *Migrator) load(ctx context.Context) (*item, error) {
	there, err := m.table.Exists(ctx)
	if err != nil {
		return nil, err
	}
	it := &item{Key: table.SchemaVersion()}
	if !there {
		return it, nil
	}
	err = m.table.Get(ctx, table.SchemaVersion(), table.Strong, it)
	if errors.Is(err, table.ErrNotFound) {
		return &item{Key: table.SchemaVersion(), Version: 1}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	return it, nil
}

// To brings the table to a version, one migration after the other, and goes on
// with one that was broken off, if it leads there. It gives how many items were
// changed.
func (m *Migrator) To(ctx context.Context, version int) (changed int64, err error) {
	if version < 0 || version > m.Latest() {
		return 0, fmt.Errorf("there are versions 0 to %d", m.Latest())
	}
	for {
		it, err := m.load(ctx)
		if err != nil {
			return changed, err
		}
		if it.Version > m.Latest() {
			return changed, fmt.Errorf("the table is at version %d, newer than this program, which knows %d", it.Version, m.Latest())
		}
		next, direction := it.Running, it.Direction
		if next == 0 {
			switch {
			case it.Version < version:
				next, direction = it.Version+1, Up
			case it.Version > version:
				next, direction = it.Version, Down
			default:
				return changed, nil
			}
		} else if (direction == Up) != (next <= version) {
			// It was broken off on the way to elsewhere: turn round.
			it.AfterPK, it.AfterSK, it.Changed = "", "", 0
			if direction = Up; next > version {
				direction = Down
			}
		}
		n, err := m.step(ctx, it, m.o.Versions[next-1], direction)
		changed += n
		if err != nil {
			return changed, fmt.Errorf("migration %d %s: %w", next, direction, err)
		}
	}
}

// Repair does the migrations that the table has had once more, for items that a
// program of before has written since. It gives how many were changed.
func (m *Migrator) Repair(ctx context.Context) (changed int64, err error) {
	for _, mig := range m.o.Versions {
		it, err := m.load(ctx)
		if err != nil {
			return changed, err
		}
		if mig.Items == nil || mig.Version > it.Version {
			continue
		}
		if it.Running != 0 && it.Running != mig.Version {
			return changed, fmt.Errorf("migration %d was broken off: finish it first", it.Running)
		}
		n, err := m.step(ctx, it, mig, Up)
		changed += n
		if err != nil {
			return changed, fmt.Errorf("migration %d again: %w", mig.Version, err)
		}
	}
	return changed, nil
}

// step runs one migration in one direction.
func (m *Migrator) step(ctx context.Context, it *item, mig Migration, direction string) (int64, error) {
	if mig.Items == nil {
		return 0, m.makeTable(ctx, direction)
	}
	if err := m.take(ctx, it, mig.Version, direction); err != nil {
		return 0, err
	}
	change, to := mig.Items.Up, max(mig.Version, it.Version)
	if direction == Down {
		change, to = mig.Items.Down, mig.Version-1
	}
	began := it.Changed
	var after table.Position
	if it.AfterPK != "" {
		after = table.Position{"PK": it.AfterPK, "SK": it.AfterSK}
	}
	var seen int64
	err := m.table.ScanKind(ctx, mig.Items.PK, mig.Items.SK, after, func(page []table.Record, resume table.Position) error {
		if m.o.Pace != nil {
			if err := m.o.Pace(ctx, max(1, len(page))); err != nil {
				return err
			}
		}
		n, err := change(ctx, m.table, page)
		it.Changed += n
		if err != nil {
			return err
		}
		if seen += int64(len(page)); m.o.Progress != nil {
			m.o.Progress(seen)
		}
		it.AfterPK, it.AfterSK = resume["PK"], resume["SK"]
		return m.save(ctx, it)
	})
	if err != nil {
		// Whoever comes next need not wait for the lease of one that says goodbye.
		if released := m.release(context.WithoutCancel(ctx)); released != nil && !errors.Is(released, errLost) {
			err = errors.Join(err, released)
		}
		return it.Changed - began, err
	}
	done := item{Key: it.Key, Version: to}
	return it.Changed - began, m.table.Write(ctx, table.Put(done).If("holder = ?", m.holder).Else(errLost))
}

// take leaves in the table what is about to run, unless another is at it.
func (m *Migrator) take(ctx context.Context, it *item, version int, direction string) error {
	now := m.o.Now()
	if it.Running != version || it.Direction != direction {
		it.AfterPK, it.AfterSK, it.Changed, it.Since = "", "", 0, table.At(now)
	}
	it.Running, it.Direction, it.Holder, it.HeldUntil = version, direction, m.holder, table.At(now.Add(lease))
	return m.table.Write(ctx, table.Put(*it).
		If("attribute_not_exists(holder) OR heldUntil <= ? OR holder = ?", table.At(now), m.holder).Else(ErrHeld))
}

// save keeps how far the run is, and renews the lease.
func (m *Migrator) save(ctx context.Context, it *item) error {
	it.HeldUntil = table.At(m.o.Now().Add(lease))
	return m.table.Write(ctx, table.Put(*it).If("holder = ?", m.holder).Else(errLost))
}

func (m *Migrator) release(ctx context.Context) error {
	return m.table.Write(ctx, table.Update(table.SchemaVersion()).Remove("holder").Remove("heldUntil").If("holder = ?", m.holder).Else(errLost))
}

// makeTable makes the table, or deletes it where it is empty.
func (m *Migrator) makeTable(ctx context.Context, direction string) error {
	if direction == Up {
		if err := m.table.Create(ctx); err != nil {
			return err
		}
		err := m.table.Write(ctx, table.Create(item{Key: table.SchemaVersion(), Version: 1}).Else(ErrHeld))
		if errors.Is(err, ErrHeld) {
			return nil // another has made it, and says where it is
		}
		return err
	}
	err := m.table.Scan(ctx, 0, 1, nil, func(page []table.Record, _ table.Position) error {
		for _, r := range page {
			if r.Key() != table.SchemaVersion() {
				return ErrInUse
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.table.Drop(ctx)
}

// Finding is something that is not as a migration leaves it.
type Finding struct {
	Migration int    `json:"migration"`
	Item      string `json:"item"`
}

// Verify looks whether the table is as its version says, and tells visit what is
// not. It gives how many findings there were.
func (m *Migrator) Verify(ctx context.Context, visit func(Finding) error) (int64, error) {
	it, err := m.load(ctx)
	if err != nil {
		return 0, err
	}
	return m.verify(ctx, it.Version, visit)
}

// Pending counts what the migrations up to a version would change: for a dry
// run.
func (m *Migrator) Pending(ctx context.Context, version int) (int64, error) {
	return m.verify(ctx, version, func(Finding) error { return nil })
}

func (m *Migrator) verify(ctx context.Context, version int, visit func(Finding) error) (int64, error) {
	if version == 0 {
		return 0, nil
	}
	if there, err := m.table.Exists(ctx); err != nil {
		return 0, err
	} else if !there {
		return 1, visit(Finding{Migration: 1, Item: m.table.Name()})
	}
	var found int64
	for _, mig := range m.o.Versions[:min(version, m.Latest())] {
		if mig.Items == nil {
			continue
		}
		err := m.table.ScanKind(ctx, mig.Items.PK, mig.Items.SK, nil, func(page []table.Record, _ table.Position) error {
			if m.o.Pace != nil {
				if err := m.o.Pace(ctx, max(1, len(page))); err != nil {
					return err
				}
			}
			wrong, err := mig.Items.Wrong(ctx, m.table, page)
			if err != nil {
				return err
			}
			for _, name := range wrong {
				found++
				if err := visit(Finding{Migration: mig.Version, Item: name}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return found, fmt.Errorf("verify migration %d: %w", mig.Version, err)
		}
	}
	return found, nil
}

// Prepare makes the table at the newest version where there is none, for stores
// of one machine. A table that is there stays at its version.
func Prepare(ctx context.Context, t *table.Table, now func() time.Time) error {
	m, err := New(t, Options{Now: now})
	if err != nil {
		return err
	}
	there, err := t.Exists(ctx)
	if err != nil {
		return err
	}
	if there {
		return t.Create(ctx) // sees to its time to live
	}
	_, err = m.To(ctx, m.Latest())
	return err
}

// Settle notes that a table which something else has made, as a deployment to AWS
// does, is at the newest version, if it says nothing of its version yet and holds
// nothing that a migration would change: there is nothing to migrate then. It
// reports whether it did. Programs that are older than this one must be gone, as
// before any migration; what they write is for Repair.
func Settle(ctx context.Context, t *table.Table, now func() time.Time) (bool, error) {
	m, err := New(t, Options{Now: now})
	if err != nil {
		return false, err
	}
	if there, err := t.Exists(ctx); err != nil || !there {
		return false, err
	}
	var it item
	if err := t.Get(ctx, table.SchemaVersion(), table.Strong, &it); !errors.Is(err, table.ErrNotFound) {
		return false, err
	}
	err = t.Scan(ctx, 0, 1, nil, func(page []table.Record, resume table.Position) error {
		if resume != nil { // of more than a page nobody knows without reading all of it
			return ErrInUse
		}
		for _, r := range page {
			for _, mig := range m.o.Versions {
				if k := r.Key(); mig.Items != nil && strings.HasPrefix(k.PK, mig.Items.PK) && strings.HasPrefix(k.SK, mig.Items.SK) {
					return ErrInUse
				}
			}
		}
		return nil
	})
	if errors.Is(err, ErrInUse) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = t.Write(ctx, table.Create(item{Key: table.SchemaVersion(), Version: m.Latest()}).Else(ErrHeld))
	if errors.Is(err, ErrHeld) {
		return false, nil // another has noted where it is
	}
	return err == nil, err
}
