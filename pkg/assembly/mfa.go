package assembly

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// gate hands sign-ins over to the second factor.
func (a *Assembly) gate() *mfa.Gate {
	return &mfa.Gate{Tickets: a.Codec(), Now: a.Deps.Now, Rand: rand.Reader}
}

// Sealer gives what seals the secrets of second factors: the key service where
// one is configured, else the key ring.
func (a *Assembly) Sealer() (mfa.Sealer, error) {
	ring := mfa.RingSealer{Codec: a.Codec(), Rand: rand.Reader}
	switch {
	case len(a.Deps.Config.MFA.KMSKeys) == 0:
		return ring, nil
	case a.KeyService == nil:
		return nil, errors.New("LANYARD_MFA_KMS_KEYS is set, and this program does not connect to AWS KMS")
	}
	return mfa.ServiceSealer{Service: a.KeyService, Ring: ring}, nil
}

// SecondFactors makes the second-factor service.
func (a *Assembly) SecondFactors() (*mfa.Service, error) {
	sessions, err := a.Sessions()
	if err != nil {
		return nil, err
	}
	seal, err := a.Sealer()
	if err != nil {
		return nil, err
	}
	return mfa.New(a.Deps, mfa.Parts{
		Sessions: sessions, Gate: a.gate(), Keys: a.Keys, Seal: seal,
		Limits: a.Limiter(), Mail: mfaMails{a.Outbox()}, Rand: rand.Reader,
	}), nil
}

// mfaMails is what second factors need of the outbox.
type mfaMails struct{ box *mail.Outbox }

func (m mfaMails) SecondFactorFailed(ctx context.Context, to account.Recipient, sourceIP string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.SecondFactorFailed{SourceIP: sourceIP})
}

func (m mfaMails) MFAEnabled(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.MFAEnabled{})
}

func (m mfaMails) MFADisabled(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.MFADisabled{})
}

func (m mfaMails) RecoveryCodesRenewed(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.RecoveryCodesRenewed{})
}
