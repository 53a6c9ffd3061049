package throttle

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Kind is a kind of guessing at an account.
type Kind string

// The kinds.
const (
	SignIn           Kind = "signin"   // password at sign-in
	MFA              Kind = "mfa"      // second factor
	Reauthentication Kind = "password" // password of a signed-in user, asked for again
)

// Parts are what a Limiter is made from beside the common dependencies. Both
// may be nil: without Tickets no device is known, without Audit refusals are
// not recorded.
type Parts struct {
	Tickets Tickets
	Audit   *audit.Log
}

// Limiter counts. One process has one: it remembers refusals.
type Limiter struct {
	Parts
	table    *table.Table
	now      func() time.Time
	pick     func(n int) int
	off      bool
	policies policies
	memory   *memory
	queue    *queue
}

// New makes a limiter with the configured limits. It makes no request.
func New(d service.Deps, p Parts) *Limiter {
	return &Limiter{
		Parts: p, table: d.Table, now: d.Now, pick: rand.IntN, off: d.Config.Limits.Throttle == "off",
		policies: newPolicies(d.Config.Limits), memory: newMemory(), queue: newQueue(),
	}
}

// Reservation is an attempt that was counted before it is evaluated. Forget is
// for the transaction of its success: it deletes the account's failures, the
// client's and everybody else's alike, and touches no other account. Last says
// that a limit of the account is used up with this attempt: should it fail, the
// owner may want to know.
type Reservation struct {
	Forget []*table.Write
	Last   bool
}

// Reserve counts one attempt at an account, by the client that caller.Of(ctx)
// names. account is the user's id where it is known, else the identifier that
// was tried: both are counted alike, so that an answer does not tell them apart.
//
// The error is a too_many_requests fault when the attempt must not be evaluated,
// temporarily_unavailable when it could not be counted. It takes one round trip
// to the store, and another where failures precede.
func (l *Limiter) Reserve(ctx context.Context, k Kind, account string) (Reservation, error) {
	if l.off {
		return Reservation{}, nil
	}
	f, c := l.policies.families[k], caller.Of(ctx)
	device, err := l.device(ctx, account)
	if err != nil {
		return Reservation{}, err
	}
	known, client := device != "", device
	var targets []target
	if !known {
		client = stranger(c)
		if f.source.Name != "" {
			targets = []target{{f.source, source(c.SourceIP)}, {f.network, network(c.SourceIP)}}
		}
	}
	last := false
	counts, err := l.tallies(targets)
	if err == nil {
		err = all(ctx, append(counts, func(ctx context.Context) (err error) {
			last, err = l.enter(ctx, f, ledgerKey(k, account, device), client, known)
			return err
		}))
	}
	if err != nil {
		return Reservation{}, l.refused(ctx, account, err)
	}
	return Reservation{Forget: l.forget(k, account, device, client), Last: last}, nil
}

// stranger names a client that is not a known device.
func stranger(c *caller.Caller) string { return digest(source(c.SourceIP)) }

// tallies prepares one attempt at each target. It refuses at once what this
// process knows to be refused, so that a flood from one source does not use up
// what is meant for its neighbours.
func (l *Limiter) tallies(targets []target) ([]func(context.Context) error, error) {
	counts := make([]func(context.Context) error, 0, len(targets)+1)
	for _, t := range targets {
		p, key := l.tallyKey(t.policy, t.subject)
		if err := l.look(p, key); err != nil {
			return nil, err
		}
		counts = append(counts, func(ctx context.Context) error { return l.tally(ctx, p, key) })
	}
	return counts, nil
}

// all runs the counts side by side and gives the longest refusal, or else the
// first error.
func all(ctx context.Context, counts []func(context.Context) error) error {
	if len(counts) == 1 {
		return counts[0](ctx)
	}
	errs := make(chan error, len(counts))
	for _, count := range counts {
		go func() { errs <- count(ctx) }()
	}
	var longest *refusal
	var failed error
	for range counts {
		err := <-errs
		var r *refusal
		switch {
		case errors.As(err, &r):
			if longest == nil || r.wait > longest.wait {
				longest = r
			}
		case err != nil && failed == nil:
			failed = err
		}
	}
	if longest != nil {
		return longest
	}
	return failed
}

// refused turns a refusal into its fault and records it, once for as long as
// this process remembers it: a flood does not become a flood of events.
func (l *Limiter) refused(ctx context.Context, account string, err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return err
	}
	if !r.known && l.Audit != nil {
		e := audit.Event{Type: audit.Throttled, Outcome: audit.Failure, Details: map[string]string{"limit": r.policy}}
		if id.Valid(account) {
			e.SubjectID = account
		}
		if err := l.Audit.Write(ctx, e); err != nil {
			return err
		}
	}
	return r.fault()
}

// forget gives the writes that delete an account's ledgers, and drops what this
// process remembers of them. Should the transaction not happen, the memory is
// filled again from the store.
func (l *Limiter) forget(k Kind, account, device, client string) []*table.Write {
	keys := []table.Key{ledgerKey(k, account, "")}
	if device != "" {
		keys = append(keys, ledgerKey(k, account, device))
	}
	writes := make([]*table.Write, len(keys))
	for i, key := range keys {
		l.memory.forget(key.PK)
		l.memory.forget(key.PK + "#" + client)
		writes[i] = table.Delete(key)
	}
	return writes
}

// ForgetAll gives the writes that forget every failure at a user's account, of
// all clients and of this one where it is a known device: for the transaction
// in which the owner has proved who they are by other means, such as a mailed
// link or the second factor.
func (l *Limiter) ForgetAll(ctx context.Context, userID string, kinds ...Kind) ([]*table.Write, error) {
	if l.off {
		return nil, nil
	}
	device, err := l.device(ctx, userID)
	if err != nil {
		return nil, err
	}
	client := device
	if client == "" {
		client = stranger(caller.Of(ctx))
	}
	var writes []*table.Write
	for _, k := range kinds {
		writes = append(writes, l.forget(k, userID, device, client)...)
	}
	return writes, nil
}

// ForgetFailures is ForgetAll for the password: at sign-in and asked for again.
func (l *Limiter) ForgetFailures(ctx context.Context, userID string) ([]*table.Write, error) {
	return l.ForgetAll(ctx, userID, SignIn, Reauthentication)
}

// ReserveReauthentication is Reserve for a signed-in user's own password; it
// gives what a Reservation holds.
func (l *Limiter) ReserveReauthentication(ctx context.Context, userID string) (forget []*table.Write, last bool, err error) {
	r, err := l.Reserve(ctx, Reauthentication, userID)
	return r.Forget, r.Last, err
}

// MayMail counts one mail of a purpose to a normalised address and says whether
// it may be sent. A mail too many is no error: whoever asked must not learn of it.
func (l *Limiter) MayMail(ctx context.Context, purpose, address string) (bool, error) {
	if l.off {
		return true, nil
	}
	p, key := l.tallyKey(l.policies.mail, purpose+"\x00"+address)
	err := l.tally(ctx, p, key)
	var r *refusal
	if errors.As(err, &r) {
		return false, nil
	}
	return err == nil, err
}
