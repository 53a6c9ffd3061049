package export

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Options say what is exported, and how.
type Options struct {
	// Secrets lets password hashes, second factors, recovery codes, sessions,
	// queued mail and the digests of one-time links into the file.
	Secrets bool
	// Ring is the key ring, for an export with secrets; nil leaves it out.
	Ring []byte
	// Each, when set, is called with every item that is in the table, in no order.
	Each func(table.Record) error
	// Now is the clock: what the table may delete by now is left out.
	Now func() time.Time
	// TempDir is where the sorting spills to; empty means the system's.
	TempDir string
	// Memory bounds what is sorted in memory, in bytes; 0 means 24 MiB.
	Memory int
	// Progress, when set, is told how many items have been read.
	Progress func(items int64)
	// Pace, when set, is called with the number of items read and may wait.
	Pace func(ctx context.Context, items int) error
}

// Write writes everything in t to w. Memory stays bounded, however large the
// table.
//
// It is not a snapshot: each item is as it stood when it was read, and while
// others write, a user and their address may be read before and after a change
// of both. For a copy of one moment, stop the writers, or use DynamoDB's
// point-in-time recovery.
func Write(ctx context.Context, t *table.Table, w io.Writer, o Options) (_ Summary, err error) {
	if o.Memory == 0 {
		o.Memory = 24 << 20
	}
	s := &sorter{dir: o.TempDir, bound: o.Memory}
	defer func() { err = errors.Join(err, s.close()) }()
	var read int64
	err = t.Scan(ctx, 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			if r.Key() == markerKey() || r.Expired(o.Now()) {
				continue
			}
			if o.Each != nil {
				if err := o.Each(r); err != nil {
					return err
				}
			}
			raw, err := r.AppendJSON(nil)
			if err != nil {
				return err
			}
			if err := s.add(entry{r.Key(), raw}); err != nil {
				return err
			}
		}
		read += int64(len(records))
		if o.Progress != nil {
			o.Progress(read)
		}
		if o.Pace != nil {
			return o.Pace(ctx, len(records))
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	out := newWriter(w)
	if err := out.header(o.Secrets, o.Ring); err != nil {
		return Summary{}, err
	}
	var redact redaction
	err = s.each(func(e entry) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if o.Secrets {
			return out.item(e.raw)
		}
		raw, err := redact.item(e)
		if err != nil || raw == nil {
			return err
		}
		return out.item(raw)
	})
	if err != nil {
		return Summary{}, err
	}
	sum, err := out.end()
	sum.Header = Header{Lanyard: "export", Version: Version, Secrets: o.Secrets}
	return sum, err
}

// redaction takes the secrets out of items that come in order.
type redaction struct {
	hadPassword string // the partition whose password was left out last
}

// item gives what may be shown of an item; nil for nothing.
//
// A user whose password is left out needs one: they are marked as the import
// marks users who came without, and set one by a mailed link. A second factor
// that is left out stays switched on: nobody signs in with less than before.
func (d *redaction) item(e entry) ([]byte, error) {
	pk, sk := e.key.PK, e.key.SK
	for _, prefix := range []string{table.OutboxPrefix, table.DeadMailPartition(), table.LocalMailPartition(), table.ThrottlePrefix, table.OneTimePrefix} {
		if strings.HasPrefix(pk, prefix) {
			return nil, nil
		}
	}
	user := strings.HasPrefix(pk, table.User(""))
	switch {
	case user && strings.HasPrefix(sk, table.PrefixCredential):
		if sk == table.Password("").SK {
			d.hadPassword = pk
		}
		return nil, nil
	case user && strings.HasPrefix(sk, table.PrefixSession):
		return nil, nil
	}
	r, err := table.ParseRecord(e.raw)
	if err != nil {
		return nil, err
	}
	var truths []string
	if user && sk == table.UserState("").SK && d.hadPassword == pk {
		truths = append(truths, "needsPassword")
	}
	return r.With(truths, "verifyHash", "verifyExpires", "verifyEarlier", "resetHash", "resetExpires", "changeHash", "changeEmail", "changeExpires", "hash").AppendJSON(nil)
}
