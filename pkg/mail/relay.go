package mail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

const (
	// MaxAttempts is after how many failures a mail is dead. With the pauses
	// between them that is about three hours.
	MaxAttempts = 10
	// lease keeps others from a mail while one sender is at it. A mail whose
	// sender died is tried again when it ends.
	lease = 2 * time.Minute
	// sendTimeout ends an attempt; it is well below the lease.
	sendTimeout = 45 * time.Second
	// The pause after the first failure, doubled with each, up to the longest.
	firstPause   = 30 * time.Second
	longestPause = time.Hour
	// drainWidth is how many mails are sent at once.
	drainWidth = 4
	drainPage  = 100
)

// RelayParts are what a Relay is made from beside the common dependencies.
type RelayParts struct {
	Seal      Sealer
	Sender    Sender
	Templates *Templates
	// Jitter gives a number in [0, 1); it spreads retries.
	Jitter func() float64
}

// Relay works the outbox off. Several may run at once, in one process or many.
type Relay struct {
	RelayParts
	table *table.Table
	now   func() time.Time
	log   *slog.Logger
	from  netmail.Address
	wake  chan struct{}
}

// NewRelay makes a relay. It fails when the configured sender address is none.
func NewRelay(d service.Deps, p RelayParts) (*Relay, error) {
	from, err := netmail.ParseAddress(d.Config.Mail.From)
	if err != nil {
		return nil, fmt.Errorf("LANYARD_MAIL_FROM: expected an address such as Lanyard <no-reply@example.com>")
	}
	from.Name = oneLine(from.Name, maxName)
	return &Relay{RelayParts: p, table: d.Table, now: d.Now, log: d.Log, from: *from, wake: make(chan struct{}, 1)}, nil
}

// errNotOurs says that a mail is gone, held by another sender, or not due.
var errNotOurs = errors.New("mail is not ours to send")

// Deliver sends the mail at an outbox key if it is due and free. A mail that is
// gone, held or not due is no error, and neither is one that could not be sent:
// that is noted in the item, and a later Drain tries again. An error means that
// the store failed and the call should be repeated.
func (r *Relay) Deliver(ctx context.Context, key table.Key) error {
	var it item
	now := r.now()
	err := r.table.Write(ctx, table.Update(key).
		Set("nextAttemptAt", table.At(now.Add(lease))).Set("heldUntil", table.At(now.Add(lease))).Add("attempts", 1).
		If("attribute_exists(PK) AND nextAttemptAt <= ?", table.At(now)).
		Else(errNotOurs).Updated(&it))
	if errors.Is(err, errNotOurs) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim mail: %w", err)
	}
	// What was begun is finished and noted even when the process is told to
	// stop: otherwise the mail would go out twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	return r.settle(ctx, &it, r.attempt(ctx, &it))
}

// attempt sends a claimed mail.
func (r *Relay) attempt(ctx context.Context, it *item) error {
	if !it.useful(r.now()) {
		return &SendError{Reason: "its link had ended before it could be sent", Permanent: true}
	}
	if it.Attempts > MaxAttempts { // earlier ones never came back
		return &SendError{Reason: "given up: earlier attempts did not finish", Permanent: true}
	}
	to, m, err := open(ctx, r.Seal, it)
	if err != nil {
		return &SendError{Reason: err.Error(), Permanent: !errors.Is(err, token.ErrUnavailable)}
	}
	composed, err := r.Templates.compose(it, to, m)
	if err != nil {
		return err
	}
	composed.From, composed.Caused, composed.Date = r.from, it.CreatedAt.Time(), r.now()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return r.Sender.Send(ctx, composed)
}

// useful reports whether the link in the mail still works.
func (it *item) useful(now time.Time) bool { return it.EndsAt == 0 || now.Before(it.EndsAt.Time()) }

// settle notes what came of an attempt.
func (r *Relay) settle(ctx context.Context, it *item, sent error) error {
	log := r.log.With("mail", it.ID, "template", string(it.Template), "recipient", it.Recipient, "attempts", it.Attempts)
	if sent == nil {
		if err := r.table.Write(ctx, table.Delete(it.Key)); err != nil {
			return fmt.Errorf("note that mail %s was sent: %w", it.ID, err)
		}
		log.InfoContext(ctx, "mail sent")
		return nil
	}
	// Only while the claim is still this one: after the lease it is another's.
	claimed := func(w *table.Write) *table.Write { return w.If("attempts = ?", it.Attempts).Else(errNotOurs) }
	var err error
	if permanent(sent) || it.Attempts >= MaxAttempts {
		dead := *it
		dead.Key, dead.Status, dead.Failure = table.DeadMail(it.ID), Dead, sent.Error()
		dead.NextAttemptAt, dead.HeldUntil, dead.TTL = 0, 0, table.TTL(r.now().Add(keepDead))
		err = r.table.Transact(ctx, claimed(table.Delete(it.Key)), table.Put(dead))
		log.ErrorContext(ctx, "mail given up", "error", sent.Error())
	} else {
		next := r.now().Add(r.pause(it.Attempts))
		err = r.table.Write(ctx, claimed(table.Update(it.Key)).
			Set("nextAttemptAt", table.At(next)).Set("failure", sent.Error()).Remove("heldUntil"))
		log.WarnContext(ctx, "mail not sent yet", "error", sent.Error(), "nextAttemptAt", next)
	}
	if err != nil && !errors.Is(err, errNotOurs) {
		return fmt.Errorf("note failure of mail %s: %w", it.ID, err)
	}
	return nil
}

// pause is the wait after attempt n: doubled each time, with up to a fifth
// less or more so that mails which failed together are not retried together.
func (r *Relay) pause(n int) time.Duration {
	d := min(firstPause<<min(n-1, 16), longestPause)
	return time.Duration(float64(d) * (0.8 + 0.4*r.Jitter()))
}

// Drain delivers every mail that is due and reports how many it met. One that
// cannot be read does not keep the others waiting.
func (r *Relay) Drain(ctx context.Context) (int, error) {
	met := 0
	var problems []error
	var g errgroup.Group // not one that stops the others at the first error
	g.SetLimit(drainWidth)
	for shard := range table.OutboxShards {
		q := table.Query{PK: table.OutboxPartition(shard), Strong: table.Strong, Limit: drainPage}
		for {
			page, err := r.table.Query(ctx, q)
			if err != nil {
				problems = append(problems, fmt.Errorf("read outbox: %w", err))
				break
			}
			for _, rec := range page.Records {
				var it item
				if err := rec.Decode(&it); err != nil {
					r.log.ErrorContext(ctx, "unreadable item in the outbox", "mail", rec.Key().SK)
					continue
				}
				if ctx.Err() != nil || it.NextAttemptAt.Time().After(r.now()) {
					continue
				}
				met++
				g.Go(func() error { return r.Deliver(ctx, it.Key) })
			}
			if page.Next == nil {
				break
			}
			q.After = page.Next
		}
	}
	problems = append(problems, g.Wait())
	return met, errors.Join(problems...)
}

// Wake asks a running Run to look at the outbox now. It never blocks.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run drains the outbox at its start, whenever Wake is called and at every
// tick, until ctx ends; it returns when the mails under way are settled. The
// ticks are for retries and for what another process queued.
func (r *Relay) Run(ctx context.Context, ticks <-chan time.Time) {
	for ctx.Err() == nil {
		if _, err := r.Drain(ctx); err != nil && ctx.Err() == nil {
			r.log.ErrorContext(ctx, "outbox cannot be worked off", "error", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-ticks:
		}
	}
}
