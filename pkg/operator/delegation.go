package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Delegation is lent super-admin power as answers show it.
type Delegation struct {
	ID        string    `json:"id" format:"uuid"`
	UserID    string    `json:"userId" format:"uuid"`
	Scope     string    `json:"scope" doc:"platform, or an organization's id."`
	GrantedBy string    `json:"grantedBy" format:"uuid"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func delegation(d *facts.Delegation) Delegation {
	return Delegation{ID: d.ID, UserID: d.UserID, Scope: d.Scope, GrantedBy: d.GrantedBy, Reason: d.Reason,
		CreatedAt: d.CreatedAt.Time(), ExpiresAt: d.ExpiresAt.Time()}
}

// longestLoan bounds how long power is lent at a time.
const longestLoan = 366 * 24 * time.Hour

// pointer leads from a delegation's id to its key.
type pointer struct {
	table.Key
	UserID string `dynamo:"user"`
	Scope  string `dynamo:"scope"`
	TTL    int64  `dynamo:"ttl"`
}

// Loan is what lending takes.
type Loan struct {
	UserID    string
	Scope     string
	ExpiresAt time.Time
	Reason    string
}

// Lend gives a user super-admin power over a scope until a moment. A user has
// one delegation over a scope at a time.
func (s *Service) Lend(ctx context.Context, l Loan) (Delegation, error) {
	a, err := power(ctx)
	if err != nil {
		return Delegation{}, err
	}
	if err := a.Limited(); err != nil {
		return Delegation{}, err
	}
	now := s.Now().UTC()
	ends := l.ExpiresAt.UTC().Truncate(time.Millisecond)
	switch {
	case l.Scope != access.ScopePlatform && !id.Valid(l.Scope):
		return Delegation{}, fault.Invalidf("body.scope", "expected platform or an organization's id")
	case !ends.After(now):
		return Delegation{}, fault.Invalidf("body.expiresAt", "expected a moment to come")
	case ends.After(now.Add(longestLoan)):
		return Delegation{}, fault.Invalidf("body.expiresAt", "expected a moment within 366 days")
	case !id.Valid(l.UserID):
		return Delegation{}, errNotFound
	}
	delegationID, err := id.New()
	if err != nil {
		return Delegation{}, err
	}
	d := facts.NewDelegation(delegationID, l.UserID, l.Scope, a.UserID, l.Reason, now, ends)
	writes, err := s.record(ctx, a, audit.Event{Type: audit.DelegationCreated, SubjectID: l.UserID, Details: map[string]string{
		"delegationId": delegationID, "scope": l.Scope, "expiresAt": ends.Format(time.RFC3339), "reason": l.Reason}})
	if err != nil {
		return Delegation{}, err
	}
	writes = append(writes,
		account.RequireActive(l.UserID).Else(errNotFound),
		table.Put(d).If("attribute_not_exists(PK) OR expiresAt <= ?", table.At(now)).
			Else(fault.New(fault.CodeAlreadyExists, "That user has a delegation over that scope already.")),
		table.Create(pointer{Key: table.DelegationID(delegationID), UserID: l.UserID, Scope: l.Scope, TTL: d.TTL}))
	if l.Scope != access.ScopePlatform {
		writes = append(writes, table.Check(table.Organization(l.Scope)).IfExists().Else(errNotFound))
	}
	defer s.Access.ForgetUsers(l.UserID)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Delegation{}, fmt.Errorf("lend power: %w", err)
	}
	return delegation(&d), nil
}

// Delegations lists the delegations in force, in the order they were made.
func (s *Service) Delegations(ctx context.Context, in api.ListInput) (api.List[Delegation], error) {
	out := api.List[Delegation]{Items: []Delegation{}}
	a, err := power(ctx)
	if err != nil {
		return out, err
	}
	query := cursor.Query("delegations")
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return out, err
	}
	records, next, err := s.Table.QueryShards(ctx, table.Shards{Partitions: []string{table.Delegations()}, After: after, Limit: in.Limit})
	if err != nil {
		return out, fmt.Errorf("list delegations: %w", err)
	}
	keys := make([]table.Key, len(records))
	for i, r := range records {
		keys[i] = r.Key()
	}
	found, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return out, fmt.Errorf("read delegations: %w", err)
	}
	for i, r := range records {
		var d facts.Delegation
		base, ok := found[keys[i]]
		if !ok {
			continue
		}
		if err := base.Decode(&d); err != nil {
			return out, err
		}
		if d.ID == r.IndexSort() && d.Live(s.Now()) {
			out.Items = append(out.Items, delegation(&d))
		}
	}
	if out.NextCursor, err = s.Cursors.Next(ctx, next, query); err != nil {
		return out, err
	}
	return out, s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.PowerUsed, Details: map[string]string{"read": "delegations"}}))
}

// TakeBack ends a delegation.
func (s *Service) TakeBack(ctx context.Context, delegationID string) error {
	a, err := power(ctx)
	if err != nil {
		return err
	}
	if err := a.Limited(); err != nil {
		return err
	}
	if !id.Valid(delegationID) {
		return errNotFound
	}
	var at pointer
	err = s.Table.Get(ctx, table.DelegationID(delegationID), table.Strong, &at)
	if errors.Is(err, table.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return fmt.Errorf("read delegation: %w", err)
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.DelegationRevoked, SubjectID: at.UserID,
		Details: map[string]string{"delegationId": delegationID, "scope": at.Scope}})
	if err != nil {
		return err
	}
	writes = append(writes, table.Delete(at.Key).IfExists().Else(errNotFound),
		table.Delete(table.Delegation(at.UserID, at.Scope)).If("id = ?", delegationID).Else(errNotFound))
	defer s.Access.ForgetUsers(at.UserID)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("take power back: %w", err)
	}
	return nil
}

// Trail lists the audit events of every tenant and user, newest first.
func (s *Service) Trail(ctx context.Context, f audit.Filter, in api.ListInput) (api.List[audit.Event], error) {
	none := api.List[audit.Event]{Items: []audit.Event{}}
	a, err := power(ctx)
	if err != nil {
		return none, err
	}
	query := cursor.Query("platform audit", f.String())
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return none, err
	}
	events, next, err := s.Audit.Platform(ctx, f, in.Limit, audit.Position(after))
	if err != nil {
		return none, err
	}
	out := api.List[audit.Event]{Items: events}
	if out.NextCursor, err = s.Cursors.Next(ctx, string(next), query); err != nil {
		return none, err
	}
	return out, s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.AuditRead}))
}
