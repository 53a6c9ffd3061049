package operator

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Search narrows the list of users. Zero fields do not narrow; an address or a
// username is matched whole.
type Search struct {
	Email    string
	Username string
	Status   account.Status
}

// maxRounds bounds what one page of a search by status reads.
const maxRounds = 10

// Users lists users, the oldest first. The index says whom to read; what it
// says of them is not used. A status that few have can give a short page that
// is not the last.
func (s *Service) Users(ctx context.Context, q Search, in api.ListInput) (api.List[account.User], error) {
	out := api.List[account.User]{Items: []account.User{}}
	a, err := power(ctx)
	if err != nil {
		return out, err
	}
	query := cursor.Query("users", q.Email, q.Username, string(q.Status))
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return out, err
	}
	var list []*account.Loaded
	next := ""
	if q.Email != "" || q.Username != "" {
		list, err = s.find(ctx, q)
	} else {
		list, next, err = s.page(ctx, q, in.Limit, after)
	}
	if err != nil {
		return out, err
	}
	out.Items = make([]account.User, len(list))
	var g errgroup.Group // an outside system of record answers each on its own
	g.SetLimit(8)
	for i, l := range list {
		g.Go(func() error { out.Items[i] = s.Accounts.Merge(ctx, l); return nil })
	}
	_ = g.Wait() // none fails: an unavailable profile is part of the answer
	if out.NextCursor, err = s.Cursors.Next(ctx, next, query); err != nil {
		return out, err
	}
	return out, s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.UsersRead, Details: map[string]string{"read": "users"}}))
}

// find gives the one user who holds every identifier that was asked for.
func (s *Service) find(ctx context.Context, q Search) ([]*account.Loaded, error) {
	userID := ""
	for _, who := range []account.Identifier{{Email: q.Email}, {Username: q.Username}} {
		if who == (account.Identifier{}) {
			continue
		}
		found, err := s.Accounts.FindID(ctx, who)
		if err != nil {
			return nil, err
		}
		if found == "" || userID != "" && found != userID {
			return nil, nil
		}
		userID = found
	}
	list, err := s.Accounts.LoadMany(ctx, []string{userID})
	return matching(list, q), err
}

// page gives the next users of the list.
func (s *Service) page(ctx context.Context, q Search, limit int, after string) (list []*account.Loaded, next string, err error) {
	partitions := make([]string, table.UserShards)
	for i := range partitions {
		partitions[i] = table.UserListPartition(i)
	}
	for range maxRounds {
		records, following, err := s.Table.QueryShards(ctx, table.Shards{Partitions: partitions, After: after, Limit: limit - len(list)})
		if err != nil {
			return nil, "", fmt.Errorf("list users: %w", err)
		}
		ids := make([]string, len(records))
		for i, r := range records {
			ids[i] = r.IndexSort()
		}
		loaded, err := s.Accounts.LoadMany(ctx, ids)
		if err != nil {
			return nil, "", err
		}
		list = append(list, matching(loaded, q)...)
		if after = following; after == "" || len(list) == limit {
			break
		}
	}
	return list, after, nil
}

func matching(list []*account.Loaded, q Search) []*account.Loaded {
	out := list[:0]
	for _, l := range list {
		if q.Status == "" || l.State.Status == q.Status {
			out = append(out, l)
		}
	}
	return out
}

// User gives one user.
func (s *Service) User(ctx context.Context, userID string) (account.User, error) {
	a, err := power(ctx)
	if err != nil {
		return account.User{}, err
	}
	if !id.Valid(userID) {
		return account.User{}, errNotFound
	}
	l, err := s.Accounts.Load(ctx, userID)
	if err != nil {
		return account.User{}, err
	}
	if l.State == nil {
		return account.User{}, errNotFound
	}
	return s.Accounts.Merge(ctx, l), s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.UsersRead, SubjectID: userID}))
}

// Change changes a user's profile, and whether their address counts as
// verified; the latter is a credential's matter, which lent power does not reach.
func (s *Service) Change(ctx context.Context, userID string, c account.OperatorChange) (account.User, error) {
	a, err := power(ctx)
	if err != nil {
		return account.User{}, err
	}
	l, err := s.target(ctx, a, userID)
	if err != nil {
		return account.User{}, err
	}
	details := map[string]string{}
	if c.EmailVerified != nil {
		if err := a.Limited(); err != nil {
			return account.User{}, err
		}
		details["emailVerified"] = fmt.Sprint(*c.EmailVerified)
	}
	if c.Profile != nil {
		details["profile"] = "changed"
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.UserChanged, SubjectID: userID, Details: details})
	if err != nil {
		return account.User{}, err
	}
	return s.Accounts.ChangeUser(ctx, l, c, writes...)
}

// Delete deletes a user. The last super admin stays.
func (s *Service) Delete(ctx context.Context, userID string) error {
	a, err := power(ctx)
	if err != nil {
		return err
	}
	l, err := s.target(ctx, a, userID)
	if err != nil {
		return err
	}
	var also []*table.Write
	if w := a.Holds(s.Now(), table.SuperAdmin(userID)); w != nil {
		also = append(also, w)
	}
	defer s.Access.ForgetUsers(userID)
	return s.Accounts.DeleteUser(ctx, l, a.Event(audit.Event{Type: audit.UserDeleted, SubjectID: userID}), also...)
}

// Suspend ends a user's sessions, lets them in no more and has them told. The
// last super admin stays.
func (s *Service) Suspend(ctx context.Context, userID, reason string) error {
	tell, err := s.Accounts.Notify(ctx, account.NoticeSuspended, userID)
	if err != nil {
		return err
	}
	return s.act(ctx, userID, audit.UserSuspended, reason, func(st *account.State) []*table.Write {
		if st.Status == account.Suspended {
			return nil
		}
		writes := []*table.Write{st.Suspend().Else(errRaced), tell}
		if st.Role == caller.RoleAdmin && st.Status == account.Active {
			writes = append(writes, loses(), table.Delete(table.SuperAdmin(st.ID)))
		}
		return writes
	})
}

// Reactivate ends a suspension.
func (s *Service) Reactivate(ctx context.Context, userID, reason string) error {
	return s.act(ctx, userID, audit.UserReactivated, reason, func(st *account.State) []*table.Write {
		if st.Status != account.Suspended {
			return nil
		}
		update, _ := st.Reactivate()
		writes := []*table.Write{update.Else(errRaced)}
		if st.Role == caller.RoleAdmin {
			update.Add("appointments", 1)
			writes = append(writes, gains(), table.Put(facts.NewSuperAdmin(st.ID, s.Now())))
		}
		return writes
	})
}

// SignOut ends every session of a user.
func (s *Service) SignOut(ctx context.Context, userID, reason string) error {
	return s.act(ctx, userID, audit.UserSignedOut, reason, func(st *account.State) []*table.Write {
		return []*table.Write{account.EndSessions(st.ID).Else(errNotFound)}
	})
}

// act does something to a user as read, with its event. Nothing to do is no error.
func (s *Service) act(ctx context.Context, userID string, event audit.Type, reason string, do func(*account.State) []*table.Write) error {
	a, err := power(ctx)
	if err != nil {
		return err
	}
	return again(func() error {
		l, err := s.target(ctx, a, userID)
		if err != nil {
			return err
		}
		writes := do(l.State)
		if len(writes) == 0 {
			return nil
		}
		return s.commit(ctx, userID, writes, func() ([]*table.Write, error) {
			return s.record(ctx, a, audit.Event{Type: event, SubjectID: userID, Details: map[string]string{"reason": reason}}, table.SuperAdmin(userID))
		})
	})
}

// commit writes what is done to a user with its event, and drops what this
// process has kept about them.
func (s *Service) commit(ctx context.Context, userID string, writes []*table.Write, record func() ([]*table.Write, error)) error {
	recorded, err := record()
	if err != nil {
		return err
	}
	if s.rehearsing {
		if err := s.Table.Rehearse(ctx, append(recorded, writes...)...); err != nil {
			return fmt.Errorf("act on user: %w", err)
		}
		return nil
	}
	defer s.SessionsEnded(userID)
	defer s.Access.ForgetUsers(userID)
	if err := s.Table.Transact(ctx, append(recorded, writes...)...); err != nil {
		return fmt.Errorf("act on user: %w", err)
	}
	return nil
}

// SetRole gives a user a platform role. The last super admin keeps theirs.
func (s *Service) SetRole(ctx context.Context, userID string, role caller.Role, reason string) (account.User, error) {
	a, err := power(ctx)
	if err != nil {
		return account.User{}, err
	}
	if err := a.Limited(); err != nil {
		return account.User{}, err
	}
	var l *account.Loaded
	err = again(func() error {
		if l, err = s.target(ctx, a, userID); err != nil {
			return err
		}
		st := *l.State
		if st.Role == role {
			return nil
		}
		writes := []*table.Write{st.Become(role).Else(errRaced)}
		switch {
		case role == caller.RoleAdmin && st.Status != account.Active:
			return fault.New(fault.CodeConflict, "Only an active user can become a super admin.")
		case role == caller.RoleAdmin:
			writes = append(writes, gains(), table.Put(facts.NewSuperAdmin(userID, s.Now())))
		case st.Status == account.Active:
			writes = append(writes, loses(), table.Delete(table.SuperAdmin(userID)))
		}
		l.State.Role = role
		return s.commit(ctx, userID, writes, func() ([]*table.Write, error) {
			return s.record(ctx, a, audit.Event{Type: audit.UserRoleChanged, SubjectID: userID,
				Details: map[string]string{"role": string(role), "was": string(st.Role), "reason": reason}}, table.SuperAdmin(userID))
		})
	})
	if err != nil {
		return account.User{}, err
	}
	return s.Accounts.Merge(ctx, l), nil
}
