package account

import (
	"context"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Recipient is whom a mail is for.
type Recipient struct {
	Address  string
	Name     string // may be empty
	Language string // BCP 47; may be empty
}

// Mail queues the mails of accounts. Each gives the write for the transaction
// that causes the mail; tokens are sealed in it.
type Mail interface {
	VerifyEmail(ctx context.Context, to Recipient, token string) (*table.Write, error)
	AlreadyRegistered(ctx context.Context, to Recipient) (*table.Write, error)
	ResetPassword(ctx context.Context, to Recipient, token string) (*table.Write, error)
	// SetPassword is ResetPassword for somebody who has had no password here.
	SetPassword(ctx context.Context, to Recipient, token string) (*table.Write, error)
	PasswordChanged(ctx context.Context, to Recipient) (*table.Write, error)
	ConfirmNewEmail(ctx context.Context, to Recipient, token string) (*table.Write, error)
	EmailChanging(ctx context.Context, to Recipient, newAddress string) (*table.Write, error)
	EmailChanged(ctx context.Context, to Recipient, newAddress string) (*table.Write, error)
	SignInBlocked(ctx context.Context, to Recipient, sourceIP string) (*table.Write, error)
	AccountSuspended(ctx context.Context, to Recipient) (*table.Write, error)
}

// Recipient addresses a user's own mail; its Address is empty for a user
// without one.
func (l *Loaded) Recipient() Recipient { return l.recipient() }

// recipient addresses a user's own mail.
func (l *Loaded) recipient() Recipient {
	r := Recipient{Address: l.State.Email}
	if l.profile != nil {
		var p profileItem
		if err := l.profile.Decode(&p); err == nil {
			r.Name, r.Language = p.FirstName, p.Language
		}
	}
	return r
}
