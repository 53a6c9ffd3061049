package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Access   *access.Checker
	Accounts *account.Service
	Audit    *audit.Log
	Cursors  cursor.Cursors
}

// Service is the operators' service.
type Service struct {
	service.Deps
	Parts

	rehearsing bool
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

var (
	errNotFound  = fault.New(fault.CodeNotFound, fault.CodeNotFound.Meaning())
	errLimited   = fault.New(fault.CodeDelegateLimited, fault.CodeDelegateLimited.Meaning())
	errLastAdmin = fault.New(fault.CodeLastAdmin, fault.CodeLastAdmin.Meaning())
)

// errRaced says that a user changed between read and write; they are read again.
var errRaced = errors.New("changed meanwhile")

func again(attempt func() error) error {
	var err error
	for range 5 {
		if err = attempt(); !errors.Is(err, errRaced) {
			return err
		}
	}
	return fault.Wrap(fault.CodeConflict, err)
}

// The counter of active super admins.
func gains() *table.Write { return table.Update(table.AdminCount()).Add("admins", 1) }

func loses() *table.Write {
	return table.Update(table.AdminCount()).Add("admins", -1).If("admins > ?", 1).Else(errLastAdmin)
}

// Authorizer admits principals to operators' routes.
type Authorizer struct {
	deps  service.Deps
	audit *audit.Log
}

// NewAuthorizer makes an Authorizer. It makes no request.
func NewAuthorizer(d service.Deps, log *audit.Log) *Authorizer { return &Authorizer{d, log} }

// Authorize admits an active super admin, or the holder of a delegation over
// the platform where the operation is lendable, in a session that lives. It
// asks the table, in one strongly consistent read: what was taken away is
// refused at once. A refusal is recorded. It serves as api.Options.Authorize.
func (z *Authorizer) Authorize(ctx context.Context, spec *api.Spec, p *caller.Principal) error {
	if p == nil || !id.Valid(p.UserID) || !id.Valid(p.SessionID) {
		return fault.New(fault.CodeUnauthenticated, fault.CodeUnauthenticated.Meaning())
	}
	state, sess := table.UserState(p.UserID), table.Session(p.UserID, p.SessionID)
	admin, lent := table.SuperAdmin(p.UserID), table.Delegation(p.UserID, access.ScopePlatform)
	found, err := z.deps.Table.GetMany(ctx, []table.Key{state, sess, admin, lent}, table.Strong)
	if err != nil {
		return fmt.Errorf("authorize operator: %w", err)
	}
	now := z.deps.Now()
	var st account.State
	var it session.Item
	var d facts.Delegation
	for key, out := range map[table.Key]any{state: &st, sess: &it, lent: &d} {
		if r, ok := found[key]; ok {
			if err := r.Decode(out); err != nil {
				return err
			}
		}
	}
	if !session.Standing(&it, &st, now) {
		return fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())
	}
	_, own := found[admin]
	refusal := error(nil)
	switch {
	case own:
	case !d.Live(now):
		refusal = fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
	case !spec.Lendable:
		refusal = errLimited
	default:
		caller.Of(ctx).Lent = true
	}
	if refusal == nil && z.deps.Config.MFA.RequireForAdmins {
		refusal = authority.RequireSecondFactor(p)
	}
	if refusal == nil {
		return nil
	}
	if err := z.audit.Write(ctx, audit.Event{Type: audit.AccessDenied, Outcome: audit.Failure, SubjectID: p.UserID,
		Details: map[string]string{"operation": spec.ID}}); err != nil {
		return err
	}
	return refusal
}

// power gives the authority of the caller, who has passed Authorize.
func power(ctx context.Context) (authority.Authority, error) {
	p, err := authority.Caller(ctx)
	if err != nil {
		return authority.Authority{}, err
	}
	a := authority.Authority{UserID: p.UserID, Source: access.FromSuperAdmin, Because: access.Fact{Kind: access.FactSuperAdmin}}
	if caller.Of(ctx).Lent {
		a.Because = access.Fact{Kind: access.FactDelegation, ID: access.ScopePlatform}
	}
	return a, nil
}

// record gives the writes of an event and the condition that the power behind
// it still stands.
func (s *Service) record(ctx context.Context, a authority.Authority, e audit.Event, skip ...table.Key) ([]*table.Write, error) {
	writes, err := s.Audit.Record(ctx, a.Event(e))
	if err != nil {
		return nil, err
	}
	if w := a.Holds(s.Now(), skip...); w != nil {
		writes = append(writes, w)
	}
	return writes, nil
}

// target reads the user that something is to be done to. Lent power does not
// reach super admins.
func (s *Service) target(ctx context.Context, a authority.Authority, userID string) (*account.Loaded, error) {
	if !id.Valid(userID) {
		return nil, errNotFound
	}
	l, err := s.Accounts.Load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if l.State == nil {
		return nil, errNotFound
	}
	if a.Lent() && l.State.Role == caller.RoleAdmin {
		return nil, errLimited
	}
	return l, nil
}

// Departure lets a super admin go when their account is deleted, unless they
// are the last.
type Departure struct{}

// Leave implements account.Departure.
func (Departure) Leave(_ context.Context, st *account.State) ([]*table.Write, error) {
	if st.Role != caller.RoleAdmin || st.Status != account.Active {
		return nil, nil
	}
	return []*table.Write{loses(), table.Delete(table.SuperAdmin(st.ID)).IfExists()}, nil
}

// Bootstrap makes a super admin with a verified address: the command by which
// a deployment gets its first, and one that has lost them a new one.
func (s *Service) Bootstrap(ctx context.Context, email, password string) (account.User, error) {
	if s.rehearsing {
		return account.User{}, s.Accounts.RehearseProvision(ctx, email, password, caller.RoleAdmin, s.appointment(ctx))
	}
	return s.Accounts.Provision(ctx, email, password, caller.RoleAdmin, s.appointment(ctx))
}

// appointment gives what a new super admin takes beside their account.
func (s *Service) appointment(ctx context.Context) func(userID string) ([]*table.Write, error) {
	return func(userID string) ([]*table.Write, error) {
		writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.UserRoleChanged, SubjectID: userID,
			Details: map[string]string{"role": string(caller.RoleAdmin), "by": "command"}})
		if err != nil {
			return nil, err
		}
		return append(writes, gains(), table.Create(facts.NewSuperAdmin(userID, s.Now()))), nil
	}
}
