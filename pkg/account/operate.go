package account

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// What operators do to accounts. Who may, and what is written beside, is
// theirs to say: also is part of the transaction.

// LoadMany reads the states and profiles of users, fifty a request. Those
// who do not exist are left out; the order is that of userIDs.
func (s *Service) LoadMany(ctx context.Context, userIDs []string) ([]*Loaded, error) {
	keys := make([]table.Key, 0, 2*len(userIDs))
	for _, u := range userIDs {
		keys = append(keys, table.UserState(u), table.UserProfile(u))
	}
	found, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	var out []*Loaded
	for i, u := range userIDs {
		state, ok := found[keys[2*i]]
		if !ok {
			continue
		}
		records := []table.Record{state}
		if profile, ok := found[keys[2*i+1]]; ok {
			records = append(records, profile)
		}
		l, err := decodeLoaded(u, records)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// OperatorChange is what an operator may change of a user.
type OperatorChange struct {
	Profile       *ProfileChange `json:"profile,omitempty"`
	EmailVerified *bool          `json:"emailVerified,omitempty" doc:"True also activates an account that waits for it."`
}

// ChangeUser changes a user's profile and whether their address counts as
// verified.
func (s *Service) ChangeUser(ctx context.Context, l *Loaded, c OperatorChange, also ...*table.Write) (User, error) {
	if err := c.Profile.check(); err != nil {
		return User{}, err
	}
	st := l.State
	profile, err := s.profiles.Load(ctx, st.ID, l.profile)
	if err != nil {
		return User{}, fault.Wrap(fault.CodeProfileUnavailable, err)
	}
	writes := also
	update := table.Check(st.Key).IfExists()
	if v := c.EmailVerified; v != nil {
		if st.Email == "" {
			return User{}, fault.Invalidf("body.emailVerified", "this user has no address")
		}
		update = table.Update(st.Key).Set("emailVerified", *v).If("email = ? AND 'status' = ?", st.Email, st.Status)
		st.EmailVerified = *v
		if *v && st.Status == Pending {
			st.Status = Active
			update.Set("status", Active).Remove("verifyHash").Remove("verifyExpires").Remove("verifyEarlier").Remove("resetHash").Remove("resetExpires")
		}
	}
	writes = append(writes, update)
	if c.Profile != nil {
		profile = c.Profile.apply(profile)
		more, err := s.profiles.Save(ctx, st.ID, profile)
		if err != nil {
			return User{}, fault.Wrap(fault.CodeProfileUnavailable, err)
		}
		writes = append(writes, more...)
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return User{}, fmt.Errorf("change user: %w", err)
	}
	return st.user(profile, ProfileCurrent), nil
}

// DeleteUser deletes a user as DeleteMe does, without their password.
func (s *Service) DeleteUser(ctx context.Context, l *Loaded, event audit.Event, also ...*table.Write) error {
	return s.delete(ctx, l, event, also...)
}

// Suspend gives the write that suspends a user as read: no sign-in, and every
// session ended. Links that set a password or move the account to another
// address end too: whoever asked for them may be why it is suspended.
func (st *State) Suspend() *table.Write {
	return st.as().Set("status", Suspended).Add("epoch", 1).
		Remove("resetHash").Remove("resetExpires").
		Remove("changeEmail").Remove("changeHash").Remove("changeExpires")
}

// Reactivate gives the write that ends a suspension, and the status it leads
// to: an address that was never verified still waits for it. An account that
// was in use goes on being active even where an operator has since declared its
// address unverified: registering over a pending account replaces it whole.
func (st *State) Reactivate() (*table.Write, Status) {
	to := Active
	if st.Role != caller.RoleAdmin && st.Email != "" && !st.EmailVerified && !st.used() {
		to = Pending
	}
	return st.as().Set("status", to), to
}

// used reports whether somebody has been in the account, so that it may be
// somebody's: it was signed in to, or made admin of something.
func (st *State) used() bool { return st.LastLoginAt != 0 || st.Appointments > 0 }

// Become gives the write that changes a user's platform role. It counts as an
// appointment, see Appoint.
func (st *State) Become(role caller.Role) *table.Write {
	return st.as().Set("role", role).Add("appointments", 1)
}

// as requires the user's status and role to be as they were read.
func (st *State) as() *table.Write {
	return table.Update(st.Key).If("'status' = ? AND 'role' = ?", st.Status, st.Role)
}

// EndSessions gives the write that ends every session of a user.
func EndSessions(userID string) *table.Write {
	return table.Update(table.UserState(userID)).Add("epoch", 1).IfExists()
}

// Provision makes an active account with a verified address, for a command and
// not for a route. also gives what goes into the same transaction.
func (s *Service) Provision(ctx context.Context, email, password string, role caller.Role, also func(userID string) ([]*table.Write, error)) (User, error) {
	return s.provision(ctx, email, password, role, also, s.Table.Transact)
}

// RehearseProvision gives the error that Provision would give, and makes nothing.
func (s *Service) RehearseProvision(ctx context.Context, email, password string, role caller.Role, also func(userID string) ([]*table.Write, error)) error {
	_, err := s.provision(ctx, email, password, role, also, s.Table.Rehearse)
	return err
}

func (s *Service) provision(ctx context.Context, email, password string, role caller.Role, also func(userID string) ([]*table.Write, error),
	transact func(context.Context, ...*table.Write) error) (User, error) {
	address, err := NormalizeEmail(email)
	if err != nil {
		return User{}, err
	}
	if err := s.checkNewPassword("body.password", password, address); err != nil {
		return User{}, err
	}
	hash, err := s.Hasher.Hash(ctx, password)
	if err != nil {
		return User{}, fmt.Errorf("hash password: %w", err)
	}
	userID, err := id.New()
	if err != nil {
		return User{}, err
	}
	now := table.At(s.Now())
	st := State{Key: table.UserState(userID), IndexKey: table.InUserList(userID), ID: userID, Email: address,
		EmailVerified: true, Role: role, Status: Active, CreatedAt: now}
	writes, err := also(userID)
	if err != nil {
		return User{}, err
	}
	writes = append(writes, table.Create(st),
		table.Create(PasswordItem{Key: table.Password(userID), Hash: hash, ChangedAt: now}),
		table.Create(claimItem{Key: table.EmailClaim(address), UserID: userID}).
			Else(fault.New(fault.CodeEmailTaken, fault.CodeEmailTaken.Meaning())))
	if err := transact(ctx, writes...); err != nil {
		return User{}, fmt.Errorf("make account: %w", err)
	}
	return st.user(Profile{}, ProfileCurrent), nil
}
