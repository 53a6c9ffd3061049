package throttle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// ledgerItem is the failures of one account in the table. It is written whole,
// on condition of its version. The account's own limit bounds the clients in it.
type ledgerItem struct {
	table.Key
	Version     int64             `dynamo:"v"`
	Account     window            `dynamo:"all"`
	Consecutive window            `dynamo:"row"`
	Clients     map[string]window `dynamo:"clients,omitempty"`
	TTL         int64             `dynamo:"ttl"`
}

// take counts one attempt of a client in every window that concerns it, or in
// none: a refused attempt leaves everything as it was. A known device is
// counted by itself only.
func (f family) take(was ledgerItem, client string, known bool, now time.Time) (ledgerItem, *refusal) {
	own, wait, ok := f.client.take(was.Clients[client], now)
	if !ok {
		return was, &refusal{policy: f.client.Name, wait: wait}
	}
	next := ledgerItem{Key: was.Key, Version: was.Version + 1, Clients: map[string]window{client: own}}
	end := f.client.remembered(own)
	if !known {
		if next.Account, wait, ok = f.account.take(was.Account, now); !ok {
			return was, &refusal{policy: f.account.Name, wait: wait}
		}
		if next.Consecutive, wait, ok = f.consecutive.take(was.Consecutive, now); !ok {
			return was, &refusal{policy: f.consecutive.Name, wait: wait}
		}
		end = later(end, later(f.account.remembered(next.Account), next.Consecutive.Until.Time()))
	}
	for name, w := range was.Clients {
		if name != client && now.Before(f.client.remembered(w)) {
			next.Clients[name] = w
			end = later(end, f.client.remembered(w))
		}
	}
	next.TTL = table.TTL(end)
	return next, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ledgerKey is an account's ledger, or that of one of its devices.
func ledgerKey(k Kind, account, device string) table.Key {
	if device != "" {
		return table.Throttle(string(k)+"-device", digest(account, device), "ledger")
	}
	return table.Throttle(string(k), digest(account), "ledger")
}

// usesUp reports whether the attempt of a client that was counted last is the
// last one its windows allow.
func (f family) usesUp(it ledgerItem, client string) bool {
	return it.Clients[client].Count >= int64(f.client.Limit.Count) || it.Account.Count >= int64(f.account.Limit.Count) ||
		it.Consecutive.Count >= int64(f.consecutive.Limit.Count)
}

// enter counts one attempt in a ledger and says whether it is the last one
// allowed, or gives a *refusal. Attempts of one process at one account queue
// here instead of racing in the store.
func (l *Limiter) enter(ctx context.Context, f family, key table.Key, client string, known bool) (last bool, err error) {
	release, err := l.queue.wait(ctx, key.PK)
	if err != nil {
		return false, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("count %s: %w", f.client.Name, err))
	}
	defer release()
	now := l.now()
	mine := key.PK + "#" + client
	for _, k := range []string{mine, key.PK} {
		if wait, again, refused := l.memory.refused(k, now); refused {
			return false, &refusal{policy: f.client.Name, wait: wait, known: again}
		}
	}
	was := ledgerItem{Key: key}
	for range maxRounds {
		next, refused := f.take(was, client, known, now)
		if refused != nil {
			k := key.PK
			if refused.policy == f.client.Name {
				k = mine
			}
			l.memory.refuse(k, now, now.Add(refused.wait))
			return false, refused
		}
		w := table.Put(next)
		if was.Version == 0 {
			w.If("attribute_not_exists(PK)")
		} else {
			// Where a success deleted the ledger meanwhile, what was read of it
			// stands: an attempt too many is remembered rather than one too few.
			w.If("attribute_not_exists(PK) OR v = ?", was.Version)
		}
		old := ledgerItem{}
		err := l.table.Write(ctx, w.Else(errMoved).Old(&old))
		if err == nil {
			return f.usesUp(next, client), nil
		}
		if !errors.Is(err, errMoved) {
			return false, fmt.Errorf("count %s: %w", f.client.Name, err)
		}
		was = old
	}
	return false, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("count %s: it kept moving", f.client.Name))
}
