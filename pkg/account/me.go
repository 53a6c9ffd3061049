package account

import (
	"context"
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// Me gives the signed-in user.
func (s *Service) Me(ctx context.Context) (User, error) {
	p, err := principal(ctx)
	if err != nil {
		return User{}, err
	}
	l, err := s.Load(ctx, p.UserID)
	if err != nil {
		return User{}, err
	}
	if l.State == nil {
		return User{}, fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())
	}
	return s.Merge(ctx, l), nil
}

// Change is what a user may change of themself without their password.
type Change struct {
	Username *string        `json:"username,omitempty" minLength:"3" maxLength:"64"`
	Profile  *ProfileChange `json:"profile,omitempty"`
}

// ChangeMe changes the signed-in user's username and profile.
func (s *Service) ChangeMe(ctx context.Context, c Change) (User, error) {
	if err := c.Profile.check(); err != nil {
		return User{}, err
	}
	_, l, err := s.self(ctx)
	if err != nil {
		return User{}, err
	}
	return s.applyChange(ctx, l, c, audit.Event{Type: audit.ProfileChanged, SubjectID: l.State.ID})
}

// applyChange writes a change of username or profile with its event.
func (s *Service) applyChange(ctx context.Context, l *Loaded, c Change, event audit.Event) (User, error) {
	st := l.State
	profile, err := s.profiles.Load(ctx, st.ID, l.profile)
	if err != nil {
		return User{}, fault.Wrap(fault.CodeProfileUnavailable, err)
	}
	writes, err := s.Audit.Record(ctx, event)
	if err != nil {
		return User{}, err
	}
	if c.Username != nil && *c.Username != st.Username {
		more, err := s.rename(ctx, st, *c.Username)
		if err != nil {
			return User{}, err
		}
		writes = append(writes, more...)
		st.Username = *c.Username
	} else {
		writes = append(writes, table.Check(st.Key).IfExists())
	}
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

// rename gives the writes that move a user to another username.
func (s *Service) rename(ctx context.Context, st *State, username string) ([]*table.Write, error) {
	next, err := NormalizeUsername(username)
	if err != nil {
		return nil, err
	}
	was := lowerASCII(st.Username)
	update := table.Update(st.Key).Set("username", username)
	if st.Username == "" {
		update.If("attribute_exists(PK) AND attribute_not_exists(username)")
	} else {
		update.If("username = ?", st.Username)
	}
	if next == was {
		return []*table.Write{update}, nil
	}
	writes := []*table.Write{update,
		table.Put(claimItem{Key: table.UsernameClaim(next), UserID: st.ID}).
			If("attribute_not_exists(PK) OR reservedUntil <= ?", table.At(s.Now())).
			Else(fault.New(fault.CodeUsernameTaken, fault.CodeUsernameTaken.Meaning()))}
	if was != "" {
		writes = append(writes, table.Delete(table.UsernameClaim(was)).If("userId = ?", st.ID))
	}
	return writes, nil
}

// ChangeEmail begins a change of address: the new one gets a link, the old one
// is told and stays until the link is used. An address that has an account
// already gets a mail that says so; the answer is the same.
func (s *Service) ChangeEmail(ctx context.Context, newEmail, password string) error {
	next, err := NormalizeEmail(newEmail)
	if err != nil {
		return err
	}
	_, l, err := s.self(ctx)
	if err != nil {
		return err
	}
	forget, err := s.Reauthenticate(ctx, l, password, audit.EmailChangeRequested)
	if err != nil {
		return err
	}
	st := l.State
	if next == st.Email {
		return fault.Invalidf("body.newEmail", "this is the address already")
	}
	taken, err := s.FindID(ctx, Identifier{Email: next})
	if err != nil {
		return err
	}
	token, hash, err := newOneTime(st.ID)
	if err != nil {
		return err
	}
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.EmailChangeRequested, SubjectID: st.ID})
	if err != nil {
		return err
	}
	send, err := s.Budget.MayMail(ctx, "change", next)
	if err != nil {
		return err
	}
	if send {
		to := l.recipient()
		to.Address = next
		mail := func() (*table.Write, error) { return s.Mail.ConfirmNewEmail(ctx, to, token) }
		if taken != "" {
			mail = func() (*table.Write, error) { return s.Mail.AlreadyRegistered(ctx, Recipient{Address: next}) }
		}
		m, err := mail()
		if err != nil {
			return err
		}
		writes = append(writes, m)
	}
	if st.Email != "" {
		notice, err := s.Mail.EmailChanging(ctx, l.recipient(), next)
		if err != nil {
			return err
		}
		writes = append(writes, notice)
	}
	writes = append(append(writes, forget...), table.Update(st.Key).
		Set("changeEmail", next).Set("changeHash", hash).
		Set("changeExpires", table.At(s.Now().Add(s.Config.Account.VerifyTTL))).
		If("epoch = ? AND 'status' = ?", st.Epoch, Active))
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("begin change of address: %w", err)
	}
	return nil
}

// DeleteMe deletes the signed-in user.
func (s *Service) DeleteMe(ctx context.Context, password string) error {
	_, l, err := s.self(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Reauthenticate(ctx, l, password, audit.AccountDeleted); err != nil {
		return err
	}
	return s.delete(ctx, l, audit.Event{Type: audit.AccountDeleted, SubjectID: l.State.ID})
}

// delete removes a user: identity, credentials and claims at once, what hangs
// on them by a task. From the transaction on, no session of theirs is live.
func (s *Service) delete(ctx context.Context, l *Loaded, event audit.Event, also ...*table.Write) error {
	writes, err := s.deletion(ctx, l, event, also...)
	if err != nil {
		return err
	}
	purge, err := task.New(s.Now(), TaskPurge, task.Payload{"userId": l.State.ID})
	if err != nil {
		return err
	}
	if err := s.Table.Transact(ctx, append(writes, purge)...); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	s.SessionsEnded(l.State.ID)
	return nil
}

// deletion gives the writes that remove a user, except the task.
func (s *Service) deletion(ctx context.Context, l *Loaded, event audit.Event, also ...*table.Write) ([]*table.Write, error) {
	st := l.State
	writes, err := s.Audit.Record(ctx, event)
	if err != nil {
		return nil, err
	}
	for _, d := range s.Departures {
		leaving, err := d.Leave(ctx, st)
		if err != nil {
			return nil, err
		}
		writes = append(writes, leaving...)
	}
	// What they leave was looked up after st was read; an appointment since then
	// may be missing from it.
	gone := table.Delete(st.Key).If("attribute_exists(PK) AND epoch = ?", st.Epoch)
	if st.Appointments == 0 {
		gone.If("attribute_not_exists(appointments)")
	} else {
		gone.If("appointments = ?", st.Appointments)
	}
	writes = append(append(writes, also...), gone,
		table.Delete(table.UserProfile(st.ID)), table.Delete(table.Password(st.ID)), table.Delete(table.TOTP(st.ID)))
	if st.Email != "" {
		writes = append(writes, table.Delete(table.EmailClaim(st.Email)).If("userId = ?", st.ID))
	}
	if st.Username != "" {
		writes = append(writes, table.Delete(table.UsernameClaim(lowerASCII(st.Username))).If("userId = ?", st.ID))
	}
	return writes, nil
}

// purge is the handler of TaskPurge: it removes what is left in the partitions of
// deleted users.
func (s *Service) purge(ctx context.Context, p task.Payload) error {
	for _, userID := range append(strings.Fields(p["userIds"]), p["userId"]) {
		if userID == "" {
			continue
		}
		if err := s.purgeUser(ctx, userID); err != nil {
			return fmt.Errorf("purge user: %w", err)
		}
	}
	return nil
}

func (s *Service) purgeUser(ctx context.Context, userID string) error {
	for {
		page, err := s.Table.Query(ctx, table.Query{PK: table.User(userID), Limit: table.MaxTransaction, Strong: table.Strong})
		if err != nil {
			return err
		}
		var writes []*table.Write
		for _, r := range page.Records {
			writes = append(writes, table.Delete(r.Key()))
		}
		if len(writes) > 0 {
			if err := s.Table.Transact(ctx, writes...); err != nil {
				return err
			}
		}
		if page.Next == nil {
			return nil
		}
	}
}
