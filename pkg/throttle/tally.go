package throttle

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// tallyItem is a tally in the table: one window.
type tallyItem struct {
	table.Key
	window
	Remembered table.Time `dynamo:"r"` // until when the window, used up, lengthens the next
	TTL        int64      `dynamo:"ttl"`
}

// errMoved says that a counter is not as it was believed to be.
var errMoved = errors.New("counter has moved")

// maxRounds bounds how often one attempt follows a counter that others move. A
// round fails only because another attempt was counted or a window changed, so
// more rounds than that mean a store that does not do what it says.
const maxRounds = 64

// refusal is an attempt beyond a limit.
type refusal struct {
	policy string
	wait   time.Duration
	known  bool // repeated from memory, not learnt from the store
}

func (r *refusal) Error() string { return fmt.Sprintf("limit %s, wait %s", r.policy, r.wait) }

// fault gives what the client sees: nothing of which limit it was.
func (r *refusal) fault() error {
	f := fault.Wrap(fault.CodeThrottled, r).Because(fault.Reason(r.policy))
	f.RetryAfter = max(time.Second, r.wait)
	return f
}

// tallyKey gives the policy's part and key for a subject.
func (l *Limiter) tallyKey(p Policy, subject string) (Policy, table.Key) {
	sub := digest(subject)
	if n := p.shards(); n > 1 {
		sub += "-" + strconv.Itoa(l.pick(n))
		p = p.shard(n)
	}
	return p, table.Throttle(p.Name, sub, "tally")
}

// look refuses from memory.
func (l *Limiter) look(p Policy, key table.Key) error {
	if wait, again, refused := l.memory.refused(key.PK, l.now()); refused {
		return &refusal{policy: p.Name, wait: wait, known: again}
	}
	return nil
}

// tally counts one attempt of a subject, or gives a *refusal.
//
// The first attempt of a window is one write; a later one is one too where this
// process knows the window, else two. Beyond the limit nothing is written.
func (l *Limiter) tally(ctx context.Context, p Policy, key table.Key) error {
	now := l.now()
	if err := l.look(p, key); err != nil {
		return err
	}
	open := l.memory.opened(key.PK, now)
	was := tallyItem{} // as the store last showed it; empty: not there
	for range maxRounds {
		if open == 0 {
			next, wait, ok := p.take(was.window, now)
			switch {
			case !ok:
				l.memory.refuse(key.PK, now, was.Until.Time())
				return &refusal{policy: p.Name, wait: wait}
			case was.open(now):
				open = was.Until
			default:
				moved, err := l.openWindow(ctx, p, key, was, next)
				if err != nil {
					return err
				}
				if moved == nil {
					l.memory.sawOpen(key.PK, now, next.Until)
					return nil
				}
				was = *moved
				continue
			}
		}
		old := tallyItem{}
		err := l.table.Write(ctx, table.Update(key).Add("n", 1).
			If("u = ? AND n < ?", open, p.Limit.Count).Else(errMoved).Old(&old))
		if err == nil {
			l.memory.sawOpen(key.PK, now, open)
			return nil
		}
		if !errors.Is(err, errMoved) {
			return fmt.Errorf("count %s: %w", p.Name, err)
		}
		l.memory.forget(key.PK)
		was, open = old, 0
	}
	return fault.Wrap(fault.CodeUnavailable, fmt.Errorf("count %s: it kept moving", p.Name))
}

// openWindow begins a window after was. It gives the item as it stands when
// another attempt was faster.
func (l *Limiter) openWindow(ctx context.Context, p Policy, key table.Key, was tallyItem, next window) (*tallyItem, error) {
	now := l.now()
	until := p.remembered(window{Count: int64(p.Limit.Count), Until: next.Until, Full: next.Full})
	w := table.Put(tallyItem{Key: key, window: next, Remembered: table.At(until), TTL: table.TTL(until)})
	if was.Until == 0 {
		// What ended without being used up, or long ago, is as good as nothing:
		// TTL deletes late.
		w.If("attribute_not_exists(PK) OR (u <= ? AND n < ?) OR r <= ?", table.At(now), p.Limit.Count, table.At(now))
	} else {
		w.If("attribute_not_exists(PK) OR u = ?", was.Until)
	}
	old := tallyItem{}
	err := l.table.Write(ctx, w.Else(errMoved).Old(&old))
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, errMoved):
		return &old, nil
	}
	return nil, fmt.Errorf("count %s: %w", p.Name, err)
}
