package mfa

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
)

// enrolLife is how long a secret waits to be confirmed.
const enrolLife = 15 * time.Minute

var (
	errActive    = fault.New(fault.CodeMFAActive, fault.CodeMFAActive.Meaning())
	errNotActive = fault.New(fault.CodeMFANotActive, fault.CodeMFANotActive.Meaning())
	errRevoked   = fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())
)

// Enrolment is what an authenticator app needs. It is shown once.
type Enrolment struct {
	Secret string // base32
	URL    string // otpauth://
}

// Enrol makes a secret for the signed-in user's authenticator app. It is not in
// force until Confirm has seen a code; enrolling again replaces it.
func (s *Service) Enrol(ctx context.Context, password string) (Enrolment, error) {
	_, l, err := s.accounts().Self(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	forget, err := s.accounts().Reauthenticate(ctx, l, password, audit.MFAEnrolled)
	if err != nil {
		return Enrolment{}, err
	}
	st := l.State
	if st.MFAEnabled {
		return Enrolment{}, errActive
	}
	name := st.Email
	if name == "" {
		name = st.Username
	}
	secret, key, err := newSecret(s.Config.Mail.Product, name, s.Rand)
	if err != nil {
		return Enrolment{}, err
	}
	sealed, err := s.Seal.Seal(ctx, secret, st.ID)
	if err != nil {
		return Enrolment{}, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("seal TOTP secret: %w", err))
	}
	writes, err := s.trail().Record(ctx, audit.Event{Type: audit.MFAEnrolled, SubjectID: st.ID})
	if err != nil {
		return Enrolment{}, err
	}
	now := s.Now()
	writes = append(append(writes, forget...),
		table.Check(st.Key).If("epoch = ? AND 'status' = ? AND mfaEnabled = ?", st.Epoch, account.Active, false),
		table.Put(item{Key: table.TOTP(st.ID), Secret: sealed, CreatedAt: table.At(now), EndsAt: table.At(now.Add(enrolLife))}).
			If("attribute_not_exists(confirmedAt)").Else(errActive))
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Enrolment{}, fmt.Errorf("enrol authenticator app: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URL: key.URL()}, nil
}

// Confirm puts the signed-in user's new secret into force with a code made from
// it, and gives the recovery codes. The user's other sessions end: they were
// begun with a password alone. This one counts as having shown both from its
// next refresh on.
func (s *Service) Confirm(ctx context.Context, code string) ([]string, error) {
	me, l, err := s.accounts().Self(ctx)
	if err != nil {
		return nil, err
	}
	st := l.State
	f, err := decodeFactors(st.ID, l)
	if err != nil {
		return nil, err
	}
	switch {
	case st.MFAEnabled:
		return nil, errActive
	case f.app == nil || f.app.ConfirmedAt != 0 || !s.Now().Before(f.app.EndsAt.Time()):
		return nil, errNotActive
	}
	reserved, err := s.Limits.Reserve(ctx, throttle.MFA, st.ID)
	if err != nil {
		return nil, err
	}
	p, err := s.proveTOTP(ctx, st.ID, f.app, code)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, s.refuse(ctx, l, false, "wrong_code")
	}
	codes, recovery, err := s.freshRecoveryCodes(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	writes, err := s.trail().Record(ctx, audit.Event{Type: audit.MFAEnabled, SubjectID: st.ID})
	if err != nil {
		return nil, err
	}
	writes = append(append(writes, reserved.Forget...),
		p.use.Set("confirmedAt", table.At(s.Now())).Remove("endsAt").If("attribute_not_exists(confirmedAt)"),
		table.Put(recovery),
		table.Update(st.Key).Set("mfaEnabled", true).Set("epoch", st.Epoch+1).
			If("epoch = ? AND 'status' = ? AND mfaEnabled = ?", st.Epoch, account.Active, false),
		table.Update(table.Session(st.ID, me.SessionID)).
			Set("epoch", st.Epoch+1).Set("amr", methodReferences()).
			If("attribute_exists(PK) AND attribute_not_exists(revokedAt)").Else(errRevoked))
	if writes, err = s.tell(ctx, l, writes, s.Mail.MFAEnabled); err != nil {
		return nil, err
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return nil, fmt.Errorf("confirm authenticator app: %w", err)
	}
	s.SessionsEnded(st.ID)
	return codes, nil
}

// Disable removes the signed-in user's second factor. It needs the password and
// a code, so that neither an open session nor a stolen password is enough.
func (s *Service) Disable(ctx context.Context, password, code string) error {
	l, p, writes, err := s.proveBoth(ctx, password, code, audit.MFADisabled)
	if err != nil {
		return err
	}
	st := l.State
	app, recovery := table.Delete(table.TOTP(st.ID)), table.Delete(table.RecoveryCodes(st.ID))
	if p.method == MethodTOTP {
		p.hold(app)
	} else {
		p.hold(recovery)
	}
	writes = append(writes, app, recovery,
		table.Update(st.Key).Set("mfaEnabled", false).
			If("epoch = ? AND 'status' = ? AND mfaEnabled = ?", st.Epoch, account.Active, true))
	if writes, err = s.tell(ctx, l, writes, s.Mail.MFADisabled); err != nil {
		return err
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("remove second factor: %w", err)
	}
	return nil
}

// RenewRecoveryCodes replaces the signed-in user's recovery codes; the old ones
// stop working.
func (s *Service) RenewRecoveryCodes(ctx context.Context, password, code string) ([]string, error) {
	l, p, writes, err := s.proveBoth(ctx, password, code, audit.RecoveryCodesRenewed)
	if err != nil {
		return nil, err
	}
	st := l.State
	codes, recovery, err := s.freshRecoveryCodes(ctx, st.ID)
	if err != nil {
		return nil, err
	}
	put := table.Put(recovery)
	if p.method == MethodRecovery {
		p.hold(put) // an item has one write in a transaction; this one uses the code up too
	} else {
		writes = append(writes, p.use)
	}
	writes = append(writes, put,
		table.Check(st.Key).If("epoch = ? AND 'status' = ? AND mfaEnabled = ?", st.Epoch, account.Active, true))
	if writes, err = s.tell(ctx, l, writes, s.Mail.RecoveryCodesRenewed); err != nil {
		return nil, err
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return nil, fmt.Errorf("renew recovery codes: %w", err)
	}
	return codes, nil
}

// proveBoth checks the signed-in user's password and a code, each counted
// against guessing, and gives the writes that record and forget.
func (s *Service) proveBoth(ctx context.Context, password, code string, event audit.Type) (*account.Loaded, *proof, []*table.Write, error) {
	_, l, err := s.accounts().Self(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := decodeFactors(l.State.ID, l)
	if err != nil {
		return nil, nil, nil, err
	}
	forget, err := s.accounts().Reauthenticate(ctx, l, password, event)
	if err != nil {
		return nil, nil, nil, err
	}
	if !f.active(l.State) {
		return nil, nil, nil, errNotActive
	}
	reserved, err := s.Limits.Reserve(ctx, throttle.MFA, l.State.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := s.prove(ctx, l.State.ID, f, code)
	if err != nil {
		return nil, nil, nil, err
	}
	if p == nil {
		return nil, nil, nil, s.refuse(ctx, l, reserved.Last, "wrong_code")
	}
	writes, err := s.trail().Record(ctx, audit.Event{Type: event, SubjectID: l.State.ID, Details: map[string]string{"method": p.method}})
	if err != nil {
		return nil, nil, nil, err
	}
	return l, p, append(append(writes, forget...), reserved.Forget...), nil
}

// tell adds the mail about a change, for users with an address.
func (s *Service) tell(ctx context.Context, l *account.Loaded, writes []*table.Write, mail func(context.Context, account.Recipient) (*table.Write, error)) ([]*table.Write, error) {
	to := l.Recipient()
	if to.Address == "" {
		return writes, nil
	}
	m, err := mail(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("queue mail: %w", err)
	}
	return append(writes, m), nil
}
