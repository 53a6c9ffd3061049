package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// ForgotPassword queues a reset mail, if the address has an account. It says
// nothing about that.
func (s *Service) ForgotPassword(ctx context.Context, email string) error {
	email, err := NormalizeEmail(email)
	if err != nil {
		return err
	}
	return s.ask(ctx, TaskReset, email)
}

// sendReset is the handler of TaskReset.
func (s *Service) sendReset(ctx context.Context, p task.Payload) error {
	ctx = asker(ctx, p)
	l, err := s.owner(ctx, p["email"])
	if err != nil {
		return err
	}
	event := audit.Event{Type: audit.PasswordResetAsked}
	if l == nil || l.State.Status == Suspended {
		event.Outcome = audit.Failure
		if l != nil {
			event.SubjectID = l.State.ID
		}
		return s.Audit.Write(ctx, event)
	}
	event.SubjectID = l.State.ID
	token, hash, err := newOneTime(l.State.ID)
	if err != nil {
		return err
	}
	queue := s.Mail.ResetPassword
	if l.State.NeedsPassword {
		queue = s.Mail.SetPassword
	}
	return s.sendLink(ctx, l, event, "reset", func(w *table.Write) *table.Write {
		return w.Set("resetHash", hash).Set("resetExpires", table.At(s.Now().Add(s.Config.Account.ResetTTL))).If("'status' <> ?", Suspended)
	}, func() (*table.Write, error) { return queue(ctx, l.recipient(), token) })
}

// ResetPassword uses up a mailed token to set a new password. Every session
// ends. An unverified account becomes active: its owner has just proved the
// address. A refused password leaves the token as it was.
func (s *Service) ResetPassword(ctx context.Context, token, newPassword string) error {
	t, err := parseOneTime(token)
	if err != nil {
		return s.refuseLink(ctx, audit.PasswordReset, "", err)
	}
	l, err := s.Load(ctx, t.userID)
	if err != nil {
		return err
	}
	if l.State == nil {
		return s.refuseLink(ctx, audit.PasswordReset, "", errOneTime)
	}
	st := l.State
	if st.Status == Suspended || !live(st.ResetHash, t.hash, st.ResetExpires, s.Now()) {
		return s.refuseLink(ctx, audit.PasswordReset, st.ID, errOneTime)
	}
	if err := s.checkNewPassword("body.newPassword", newPassword, st.Email, st.Username); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, newPassword)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.PasswordReset, ActorID: st.ID, SubjectID: st.ID})
	if err != nil {
		return err
	}
	notice, err := s.Mail.PasswordChanged(ctx, l.recipient())
	if err != nil {
		return err
	}
	forget, err := s.Guard.ForgetFailures(ctx, st.ID)
	if err != nil {
		return err
	}
	writes := append(append(record, forget...), notice,
		table.Update(st.Key).
			Set("status", Active).Set("emailVerified", true).Add("epoch", 1).
			Remove("resetHash").Remove("resetExpires").Remove("verifyHash").Remove("verifyExpires").Remove("verifyEarlier").
			Remove("changeEmail").Remove("changeHash").Remove("changeExpires").Remove("needsPassword").
			If("resetHash = ? AND resetExpires > ? AND 'status' <> ?", t.hash, table.At(s.Now()), Suspended).
			Else(errOneTime),
		table.Put(PasswordItem{Key: table.Password(st.ID), Hash: hash, ChangedAt: table.At(s.Now())}),
	)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		if errors.Is(err, errOneTime) {
			return s.refuseLink(ctx, audit.PasswordReset, st.ID, errOneTime)
		}
		return fmt.Errorf("reset password: %w", err)
	}
	s.SessionsEnded(st.ID)
	return nil
}

// ChangePassword replaces the signed-in user's password. Their other sessions
// end; this one goes on.
func (s *Service) ChangePassword(ctx context.Context, current, next string) error {
	p, l, err := s.self(ctx)
	if err != nil {
		return err
	}
	forget, err := s.Reauthenticate(ctx, l, current, audit.PasswordChanged)
	if err != nil {
		return err
	}
	st := l.State
	if err := s.checkNewPassword("body.newPassword", next, st.Email, st.Username); err != nil {
		return err
	}
	hash, err := s.Hasher.Hash(ctx, next)
	if err != nil {
		return fmt.Errorf("hash password: %w", err)
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.PasswordChanged, SubjectID: st.ID})
	if err != nil {
		return err
	}
	writes := append(append(record, forget...),
		table.Update(st.Key).
			Set("epoch", st.Epoch+1).
			Remove("resetHash").Remove("resetExpires").
			Remove("changeEmail").Remove("changeHash").Remove("changeExpires").Remove("needsPassword").
			If("epoch = ? AND 'status' = ?", st.Epoch, Active),
		table.Update(table.Session(st.ID, p.SessionID)).
			Set("epoch", st.Epoch+1).
			If("attribute_exists(PK) AND attribute_not_exists(revokedAt)").
			Else(fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())),
		table.Put(PasswordItem{Key: table.Password(st.ID), Hash: hash, ChangedAt: table.At(s.Now())}).
			If("'hash' = ?", l.Password.Hash),
	)
	if st.Email != "" {
		notice, err := s.Mail.PasswordChanged(ctx, l.recipient())
		if err != nil {
			return err
		}
		writes = append(writes, notice)
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	s.SessionsEnded(st.ID)
	return nil
}

// NeedsPassword reports whether an address belongs to an account that was
// imported without a password and has not set one.
func (s *Service) NeedsPassword(ctx context.Context, email string) (bool, error) {
	email, err := NormalizeEmail(email)
	if err != nil {
		return false, err
	}
	userID, err := s.FindID(ctx, Identifier{Email: email})
	if err != nil {
		return false, err
	}
	st, err := s.stateOf(ctx, userID)
	if err != nil {
		return false, err
	}
	event := audit.Event{Type: audit.PasswordNeededAsked, SubjectID: st.ID}
	return st.Email == email && st.NeedsPassword && st.Status != Suspended, s.Audit.Write(ctx, event)
}

// stateOf reads a user's state and nothing else, in one request: credentials and
// sessions, which users have in different numbers, would show in its time. A
// user who does not exist has a zero State, and costs the same request.
func (s *Service) stateOf(ctx context.Context, userID string) (State, error) {
	var st State
	if userID == "" {
		var err error
		if userID, err = id.New(); err != nil {
			return st, err
		}
	}
	err := s.Table.Get(ctx, table.UserState(userID), table.Strong, &st)
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return State{}, fmt.Errorf("read user: %w", err)
	}
	return st, nil
}

// Rehash gives the write that renews a password's hash after a successful
// sign-in, on the condition that it has not been changed meanwhile.
func (s *Service) Rehash(ctx context.Context, l *Loaded, password string) (*table.Write, error) {
	hash, err := s.Hasher.Hash(ctx, password)
	if err != nil {
		return nil, fmt.Errorf("renew hash: %w", err)
	}
	it := *l.Password
	it.Hash = hash
	return table.Put(it).If("'hash' = ?", l.Password.Hash), nil
}
