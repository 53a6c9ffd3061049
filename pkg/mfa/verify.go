package mfa

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
)

// methodReferences are the amr of a session with a second factor (RFC 8176).
func methodReferences() []string { return []string{"pwd", "otp", "mfa"} }

// Verify completes a pending sign-in with a code of the authenticator app or a
// recovery code. The attempt is counted before the code is looked at; the code
// and the pending token are used up in the transaction that starts the session.
//
// Round trips to the store: the counters beside the user, the result.
func (s *Service) Verify(ctx context.Context, mfaToken, code string) (session.Granted, error) {
	t, err := s.Gate.parse(ctx, mfaToken)
	if err != nil {
		if errors.Is(err, errPending) {
			s.Log.InfoContext(ctx, "pending token refused", "requestId", caller.Of(ctx).RequestID, "reason", "not valid")
		}
		return session.Granted{}, err
	}
	var reserved throttle.Reservation
	var l *account.Loaded
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		reserved, err = s.Limits.Reserve(gctx, throttle.MFA, t.UserID)
		return err
	})
	g.Go(func() (err error) {
		l, err = s.accounts().ForSignIn(gctx, t.UserID)
		return err
	})
	if err := g.Wait(); err != nil {
		return session.Granted{}, err
	}
	if l.State == nil {
		return session.Granted{}, errPending
	}
	f, err := decodeFactors(t.UserID, l)
	if err != nil {
		return session.Granted{}, err
	}
	if l.State.Status != account.Active || l.State.Epoch != epochOf(t.ID) || !f.active(l.State) {
		return session.Granted{}, s.overtaken(ctx, t.UserID)
	}
	p, err := s.prove(ctx, t.UserID, f, code)
	if err != nil {
		return session.Granted{}, err
	}
	if p == nil {
		return session.Granted{}, s.refuse(ctx, l, reserved.Last, "wrong_code")
	}
	s.renew(ctx, t.UserID, p)
	writes, err := s.trail().Record(ctx, audit.Event{Type: audit.MFAVerified, ActorID: t.UserID, SubjectID: t.UserID,
		Details: map[string]string{"method": p.method}})
	if err != nil {
		return session.Granted{}, err
	}
	forget, err := s.Limits.ForgetAll(ctx, t.UserID, throttle.SignIn, throttle.MFA)
	if err != nil {
		return session.Granted{}, err
	}
	granted, err := s.Sessions.Begin(ctx, l, methodReferences(), append(append(writes, use(t), p.use), forget...))
	switch {
	case fault.HasCode(err, fault.CodeMFAInvalid): // the code or the token was used meanwhile
		return session.Granted{}, s.refuse(ctx, l, reserved.Last, "used")
	case err != nil:
		return session.Granted{}, fmt.Errorf("complete sign-in: %w", err)
	}
	return granted, nil
}

// overtaken refuses an authentic pending token whose sign-in is moot: the
// password, the status or the second factor changed since.
func (s *Service) overtaken(ctx context.Context, userID string) error {
	if err := s.trail().Write(ctx, audit.Event{Type: audit.MFAFailed, Outcome: audit.Failure, SubjectID: userID,
		Details: map[string]string{"reason": "overtaken"}}); err != nil {
		return err
	}
	return errPending
}
