package mfa

import (
	"context"
	"fmt"
	"io"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Limits bounds guessing; *throttle.Limiter does.
type Limits interface {
	Reserve(ctx context.Context, k throttle.Kind, account string) (throttle.Reservation, error)
	ForgetAll(ctx context.Context, userID string, kinds ...throttle.Kind) ([]*table.Write, error)
	MayMail(ctx context.Context, purpose, address string) (bool, error)
}

// Mail queues the mails about second factors; each gives the write for the
// transaction that causes it.
type Mail interface {
	SecondFactorFailed(ctx context.Context, to account.Recipient, sourceIP string) (*table.Write, error)
	MFAEnabled(ctx context.Context, to account.Recipient) (*table.Write, error)
	MFADisabled(ctx context.Context, to account.Recipient) (*table.Write, error)
	RecoveryCodesRenewed(ctx context.Context, to account.Recipient) (*table.Write, error)
}

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Sessions *session.Service
	Gate     *Gate
	Keys     token.Source // hashes recovery codes
	Seal     Sealer
	Limits   Limits
	Mail     Mail
	Rand     io.Reader
}

// Service is the second-factor service.
type Service struct {
	service.Deps
	Parts
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

func (s *Service) accounts() *account.Service { return s.Sessions.Accounts }
func (s *Service) trail() *audit.Log          { return s.Sessions.Audit }

// item is the authenticator app's credential. It is being set up until
// ConfirmedAt is there.
type item struct {
	table.Key
	Secret      string     `dynamo:"secret"` // sealed; the version of its key is inside
	CreatedAt   table.Time `dynamo:"createdAt"`
	EndsAt      table.Time `dynamo:"endsAt,omitempty"` // of an unconfirmed one
	ConfirmedAt table.Time `dynamo:"confirmedAt,omitempty"`
	LastStep    int64      `dynamo:"lastStep,omitempty"` // no code of this step or an earlier one works again
}

// factors is what a user's partition says about second factors.
type factors struct {
	app      *item
	recovery recoveryItem
}

func decodeFactors(userID string, l *account.Loaded) (factors, error) {
	var f factors
	for _, r := range l.Others {
		switch r.Key() {
		case table.TOTP(userID):
			f.app = &item{}
			if err := r.Decode(f.app); err != nil {
				return f, err
			}
		case table.RecoveryCodes(userID):
			if err := r.Decode(&f.recovery); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// active reports whether the user has a second factor in force.
func (f factors) active(st *account.State) bool {
	return st.MFAEnabled && f.app != nil && f.app.ConfirmedAt != 0
}

// errCode answers every code that is not accepted: wrong, used, or raced by
// another use of it.
var errCode = fault.New(fault.CodeMFAInvalid, fault.CodeMFAInvalid.Meaning())

// proof is a code that was right and what must hold for it still to be unused.
type proof struct {
	method string
	use    *table.Write // uses it up
	cond   string
	args   []any
	stale  []byte // the secret of the app, where it should be sealed anew
}

// hold puts the proof's condition on a write that replaces or deletes what the
// code belongs to, and so uses it up as well.
func (p *proof) hold(w *table.Write) *table.Write { return w.If(p.cond, p.args...).Else(errCode) }

// prove checks a code against a user's second factors; nil for one that is not right.
func (s *Service) prove(ctx context.Context, userID string, f factors, code string) (*proof, error) {
	if len(code) == codeDigits {
		return s.proveTOTP(ctx, userID, f.app, code)
	}
	plain, ok := normalizeRecovery(code)
	if !ok {
		return nil, nil
	}
	keys, err := s.recoveryKeys(ctx)
	if err != nil {
		return nil, err
	}
	slot, hash, ok := f.recovery.slotOf(keys, userID, plain)
	if !ok {
		return nil, nil
	}
	path := "codes." + slot
	p := &proof{method: MethodRecovery, cond: path + " = ?", args: []any{hash}}
	p.use = p.hold(table.Update(table.RecoveryCodes(userID)).Remove(path))
	return p, nil
}

// proveTOTP checks a code of the authenticator app.
func (s *Service) proveTOTP(ctx context.Context, userID string, app *item, code string) (*proof, error) {
	secret, stale, err := s.Seal.Open(ctx, app.Secret, userID)
	if err != nil {
		return nil, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("open TOTP secret: %w", err))
	}
	step, ok, err := stepOf(secret, code, s.Now(), app.LastStep)
	if err != nil || !ok {
		return nil, err
	}
	p := &proof{method: MethodTOTP, cond: "secret = ? AND (attribute_not_exists(lastStep) OR lastStep < ?)", args: []any{app.Secret, step}}
	p.use = p.hold(table.Update(app.Key).Set("lastStep", step))
	if stale {
		p.stale = secret
	}
	return p, nil
}

// renew has the write that uses a proof up seal the secret anew, where it was
// sealed with an earlier key. The code was right and the old seal still opens:
// that there is no new one now keeps nobody out.
func (s *Service) renew(ctx context.Context, userID string, p *proof) {
	if p.stale == nil {
		return
	}
	again, err := s.Seal.Seal(ctx, p.stale, userID)
	if err != nil {
		s.Log.WarnContext(ctx, "second factor keeps its earlier seal", "requestId", caller.Of(ctx).RequestID, "userId", userID, "error", err.Error())
		return
	}
	p.use.Set("secret", again)
}

// refuse records a code that was not accepted. When a limit is used up with it,
// the owner gets a mail: somebody has their password.
func (s *Service) refuse(ctx context.Context, l *account.Loaded, last bool, reason string) error {
	writes, err := s.trail().Record(ctx, audit.Event{Type: audit.MFAFailed, Outcome: audit.Failure, SubjectID: l.State.ID,
		Details: map[string]string{"reason": reason}})
	if err != nil {
		return err
	}
	if to := l.Recipient(); last && to.Address != "" {
		send, err := s.Limits.MayMail(ctx, "second_factor_failed", to.Address)
		if err != nil {
			return err
		}
		if send {
			m, err := s.Mail.SecondFactorFailed(ctx, to, caller.Of(ctx).SourceIP)
			if err != nil {
				return err
			}
			writes = append(writes, m)
		}
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("record refused second factor: %w", err)
	}
	if last {
		return errCode.Because(fault.ReasonLockout)
	}
	return errCode
}
