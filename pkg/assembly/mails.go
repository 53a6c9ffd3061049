package assembly

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Outbox queues mail.
func (a *Assembly) Outbox() *mail.Outbox { return mail.NewOutbox(a.Deps, a.Codec(), rand.Reader) }

// accountMails is what accounts need of the outbox.
type accountMails struct{ box *mail.Outbox }

func (m accountMails) VerifyEmail(ctx context.Context, to account.Recipient, token string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.VerifyEmail{Token: token})
}

func (m accountMails) AlreadyRegistered(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.AlreadyRegistered{})
}

func (m accountMails) ResetPassword(ctx context.Context, to account.Recipient, token string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.ResetPassword{Token: token})
}

func (m accountMails) SetPassword(ctx context.Context, to account.Recipient, token string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.SetPassword{Token: token})
}

func (m accountMails) PasswordChanged(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.PasswordChanged{})
}

func (m accountMails) ConfirmNewEmail(ctx context.Context, to account.Recipient, token string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.ConfirmNewEmail{Token: token})
}

func (m accountMails) EmailChanging(ctx context.Context, to account.Recipient, newAddress string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.EmailChanging{NewAddress: newAddress})
}

func (m accountMails) EmailChanged(ctx context.Context, to account.Recipient, newAddress string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.EmailChanged{NewAddress: newAddress})
}

func (m accountMails) SignInBlocked(ctx context.Context, to account.Recipient, sourceIP string) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.SignInBlocked{SourceIP: sourceIP})
}

func (m accountMails) AccountSuspended(ctx context.Context, to account.Recipient) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.AccountSuspended{})
}

// orgMails is what organizations need of the outbox.
type orgMails struct{ box *mail.Outbox }

func (m orgMails) Invitation(ctx context.Context, to account.Recipient, organization, role, invitedBy, token string, ends time.Time) (*table.Write, error) {
	return m.box.Enqueue(ctx, mail.Recipient(to), mail.Invitation{
		Token: token, Organization: organization, Role: role, InvitedBy: invitedBy, ExpiresAt: ends,
	})
}
