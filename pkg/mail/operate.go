package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Entry is a queued or dead mail as operators see it.
type Entry struct {
	ID            string    `json:"id"`
	Status        Status    `json:"status"`
	Template      Template  `json:"template"`
	Purpose       Purpose   `json:"purpose"`
	To            string    `json:"to,omitempty"` // empty where the keys do not open it
	Recipient     string    `json:"recipient"`    // the digest that logs show
	Attempts      int       `json:"attempts"`
	Failure       string    `json:"failure,omitempty"`
	CreatedAt     time.Time `json:"createdAt"`
	NextAttemptAt time.Time `json:"nextAttemptAt,omitzero"`
	EndsAt        time.Time `json:"endsAt,omitzero"` // from then on it is not sent: its link has ended
}

// Filter says which mails to list.
type Filter struct {
	Status Status // Pending or Dead; empty means Dead
	Before string // only mails older than the one with this id, to list on
	Limit  int    // at most so many; 0 means 100
}

// List gives mails in the outbox or among the dead, newest first.
func (r *Relay) List(ctx context.Context, f Filter) ([]Entry, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	partitions := []string{table.DeadMailPartition()}
	if f.Status == Pending {
		partitions = nil
		for shard := range table.OutboxShards {
			partitions = append(partitions, table.OutboxPartition(shard))
		}
	}
	var out []Entry
	for _, pk := range partitions {
		entries, err := r.listPartition(ctx, pk, f)
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Compare(b.ID, a.ID) }) // UUIDv7: by time
	return out[:min(len(out), f.Limit)], nil
}

func (r *Relay) listPartition(ctx context.Context, pk string, f Filter) ([]Entry, error) {
	q := table.Query{PK: pk, Reverse: true, Strong: table.Strong, Limit: f.Limit}
	if f.Before != "" {
		q.From, q.To, q.Limit = "0", f.Before, f.Limit+1
	}
	page, err := r.table.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list mail: %w", err)
	}
	items, err := table.Decode[item](page.Records)
	if err != nil {
		return nil, fmt.Errorf("list mail: %w", err)
	}
	out := make([]Entry, 0, len(items))
	for i := range items {
		it := &items[i]
		if it.ID == f.Before {
			continue
		}
		e := Entry{
			ID: it.ID, Status: it.Status, Template: it.Template, Purpose: it.Purpose, Recipient: it.Recipient,
			Attempts: it.Attempts, Failure: it.Failure, CreatedAt: it.CreatedAt.Time(),
			NextAttemptAt: it.NextAttemptAt.Time(), EndsAt: it.EndsAt.Time(),
		}
		if to, _, err := open(ctx, r.Seal, it); err == nil {
			e.To = to.Address
		}
		out = append(out, e)
	}
	return out, nil
}

// Resend puts a dead mail back into the outbox, with all its attempts, and
// makes a waiting one due now. A mail whose link has ended is refused: the
// person must ask for a new one. also goes into the same transaction.
func (r *Relay) Resend(ctx context.Context, mailID string, also ...*table.Write) error {
	return r.resend(ctx, mailID, r.table.Transact, also)
}

// RehearseResend gives the error that Resend would give, and changes nothing.
func (r *Relay) RehearseResend(ctx context.Context, mailID string) error {
	return r.resend(ctx, mailID, r.table.Rehearse, nil)
}

func (r *Relay) resend(ctx context.Context, mailID string, transact func(context.Context, ...*table.Write) error, also []*table.Write) error {
	now := r.now()
	var it item
	var writes []*table.Write
	err := r.table.Get(ctx, table.DeadMail(mailID), table.Strong, &it)
	switch {
	case errors.Is(err, table.ErrNotFound):
		// A waiting one becomes due, unless a sender is at it.
		writes = []*table.Write{table.Update(table.Outbox(mailID)).Set("nextAttemptAt", table.At(now)).
			If("attribute_exists(PK) AND (attribute_not_exists(heldUntil) OR heldUntil <= ?)", table.At(now)).
			Else(fault.New(fault.CodeNotFound, "No mail of this id waits or was given up."))}
	case err != nil:
		return fmt.Errorf("resend mail: %w", err)
	case !it.useful(now):
		return fault.New(fault.CodeConflict, "The link in this mail has ended; a new one must be asked for.")
	default:
		dead := it.Key
		it.Key, it.Status, it.Attempts, it.Failure = table.Outbox(it.ID), Pending, 0, ""
		it.NextAttemptAt, it.TTL = table.At(now), table.TTL(now.Add(keepPending))
		writes = []*table.Write{table.Delete(dead).IfExists(), table.Create(it)}
	}
	if err := transact(ctx, append(writes, also...)...); err != nil {
		return fmt.Errorf("resend mail: %w", err)
	}
	return nil
}
