package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// ErrNotEmpty says that a table holds something already. A restore replaces
// nothing.
var ErrNotEmpty = errors.New("the table is not empty")

// marker is the item that a table holds while a restore into it is under way:
// of which file, and how far it is.
type marker struct {
	table.Key
	SHA256  string     `dynamo:"sha256"`
	AfterPK string     `dynamo:"afterPK,omitempty"`
	AfterSK string     `dynamo:"afterSK,omitempty"`
	Started table.Time `dynamo:"startedAt"`
}

func markerKey() table.Key { return table.Key{PK: table.SchemaVersion().PK, SK: "RESTORE"} }

// RestoreOptions say how a restore is done.
type RestoreOptions struct {
	Now      func() time.Time
	Progress func(items int64)
	Pace     func(ctx context.Context, items int) error
}

// Bounds of what is written at once, and of what is written again after an
// interruption.
const (
	perRound  = 8 * table.MaxBatch
	perMarker = 4 // rounds
	inFlight  = 8 // batches
)

// Restore puts a file, which Check found whole, into an empty table. It can be
// interrupted and begun again with the same file: the result is the same. The
// table must not be used before it is done.
func Restore(ctx context.Context, t *table.Table, file io.ReadSeeker, o RestoreOptions) (Summary, error) {
	sum, err := Check(file, nil)
	if err != nil {
		return Summary{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Summary{}, fmt.Errorf("read export again: %w", err)
	}
	m, err := begin(ctx, t, sum.SHA256, o.Now())
	if err != nil {
		return Summary{}, err
	}
	in, err := newReader(file)
	if err != nil {
		return Summary{}, err
	}
	after := table.Key{PK: m.AfterPK, SK: m.AfterSK}
	var round []table.Record
	for rounds := 0; ; {
		r, err := in.next()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return Summary{}, err
		}
		if !last && before(after, r.Key()) {
			round = append(round, r)
		}
		if len(round) == perRound || last && len(round) > 0 {
			if err := putRound(ctx, t, round); err != nil {
				return Summary{}, fmt.Errorf("restore: %w", err)
			}
			if o.Progress != nil {
				o.Progress(in.summary.Items)
			}
			if o.Pace != nil {
				if err := o.Pace(ctx, len(round)); err != nil {
					return Summary{}, err
				}
			}
			if rounds++; rounds%perMarker == 0 {
				k := round[len(round)-1].Key()
				m.AfterPK, m.AfterSK = k.PK, k.SK
				if err := t.Write(ctx, table.Put(m)); err != nil {
					return Summary{}, fmt.Errorf("restore: %w", err)
				}
			}
			round = round[:0]
		}
		if last {
			break
		}
	}
	if err := t.Write(ctx, table.Delete(markerKey())); err != nil {
		return Summary{}, fmt.Errorf("restore: %w", err)
	}
	return in.summary, nil
}

// begin leaves the marker in an empty table, or finds it there from the last
// attempt with the same file.
func begin(ctx context.Context, t *table.Table, digest string, now time.Time) (*marker, error) {
	m := &marker{}
	err := t.Get(ctx, markerKey(), table.Strong, m)
	switch {
	case err == nil && m.SHA256 == digest:
		return m, nil
	case err == nil:
		return nil, fmt.Errorf("%w: the restore of another file was begun in it and not finished", ErrNotEmpty)
	case !errors.Is(err, table.ErrNotFound):
		return nil, fmt.Errorf("restore: %w", err)
	}
	err = t.Scan(ctx, 0, 1, nil, func(records []table.Record, _ table.Position) error {
		if slices.ContainsFunc(records, func(r table.Record) bool { return r.Key() != table.SchemaVersion() }) {
			return ErrNotEmpty
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	m = &marker{Key: markerKey(), SHA256: digest, Started: table.At(now)}
	// The items are of the schema that the file says, or of the first.
	if err := t.Transact(ctx, table.Create(m), table.Delete(table.SchemaVersion())); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return m, nil
}

func putRound(ctx context.Context, t *table.Table, round []table.Record) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for batch := range slices.Chunk(round, table.MaxBatch) {
		g.Go(func() error { return t.PutAll(ctx, batch) })
	}
	return g.Wait()
}
