package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Whoever can write the table and read the keys has every power already. What
// commands add is that each act has a super admin who answers for it: the same
// service acts under the same conditions, and the audit log names them.

// Acts are what commands do to users. A Service does them, and can rehearse them.
type Acts interface {
	Bootstrap(ctx context.Context, email, password string) (account.User, error)
	Suspend(ctx context.Context, userID, reason string) error
	Reactivate(ctx context.Context, userID, reason string) error
	SignOut(ctx context.Context, userID, reason string) error
	SetRole(ctx context.Context, userID string, role caller.Role, reason string) (account.User, error)
}

// Rehearsal gives acts that the store judges and that are not carried out: each
// gives the error that it would have given.
func (s *Service) Rehearsal() Acts {
	r := *s
	r.rehearsing = true
	return &r
}

// ErrWho says that a command must be told which super admin acts.
var ErrWho = errors.New("more than one super admin, or none: say who acts")

// Acting finds the active super admin in whose name a command acts, by address,
// username or id; empty finds the only one there is.
func (s *Service) Acting(ctx context.Context, who string) (*caller.Principal, error) {
	var userID string
	var err error
	if who == "" {
		userID, err = s.only(ctx)
	} else {
		userID, err = s.Resolve(ctx, who)
	}
	if err != nil {
		return nil, err
	}
	l, err := s.Accounts.Load(ctx, userID)
	if err != nil {
		return nil, err
	}
	if l.State == nil || l.State.Role != caller.RoleAdmin || l.State.Status != account.Active {
		return nil, fault.New(fault.CodeForbidden, "Who acts must be an active super admin.")
	}
	return &caller.Principal{UserID: l.State.ID, Username: l.State.Username, Role: l.State.Role}, nil
}

// Resolve gives the id of a user by address, username or id. That the user
// exists is certain for the former two only.
func (s *Service) Resolve(ctx context.Context, who string) (string, error) {
	if id.Valid(who) {
		return who, nil
	}
	address, err := account.NormalizeEmail(who)
	for _, i := range []account.Identifier{{Email: address}, {Username: who}} {
		if i == (account.Identifier{}) || i.Email != "" && err != nil {
			continue
		}
		found, err := s.Accounts.FindID(ctx, i)
		if err != nil || found != "" {
			return found, err
		}
	}
	return "", fault.New(fault.CodeNotFound, "No user has this address, username or id.")
}

// only gives the only active super admin.
func (s *Service) only(ctx context.Context) (string, error) {
	n, err := s.AdminCount(ctx)
	if err != nil {
		return "", err
	}
	if n != 1 {
		return "", fmt.Errorf("%w (there are %d)", ErrWho, n)
	}
	found, err := s.superAdmins(ctx, 1)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%w (%d of 1 found)", ErrWho, len(found))
	}
	return found[0], nil
}

// AdminCount gives how many active super admins there are.
func (s *Service) AdminCount(ctx context.Context) (int, error) {
	var count struct {
		Admins int `dynamo:"admins"`
	}
	err := s.Table.Get(ctx, table.AdminCount(), table.Strong, &count)
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return 0, fmt.Errorf("count super admins: %w", err)
	}
	return count.Admins, nil
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// superAdmins reads the table for active super admins and ends as soon as n are
// found. Nothing lists them: no route needs to know.
func (s *Service) superAdmins(ctx context.Context, n int) ([]string, error) {
	var found []string
	if n == 0 {
		return nil, nil
	}
	fact := table.SuperAdmin("")
	err := s.Table.ScanKind(ctx, fact.PK, fact.SK, nil, func(records []table.Record, _ table.Position) error {
		admins, err := table.Decode[facts.SuperAdmin](records)
		if err != nil {
			return err
		}
		for _, a := range admins {
			found = append(found, a.UserID)
		}
		if len(found) >= n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("find super admins: %w", err)
	}
	return found, nil
}

// SuperAdmins gives the active super admins, the longest-standing account
// first. It reads the table until all are found.
func (s *Service) SuperAdmins(ctx context.Context) ([]account.User, error) {
	n, err := s.AdminCount(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := s.superAdmins(ctx, n)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids) // UUIDv7: by age
	loaded, err := s.Accounts.LoadMany(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]account.User, len(loaded))
	for i, l := range loaded {
		out[i] = s.Accounts.Merge(ctx, l)
	}
	return out, s.Audit.Write(ctx, audit.Event{Type: audit.UsersRead, Details: map[string]string{"read": "super admins", "by": "command"}})
}
