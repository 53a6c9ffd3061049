package account

import "github.com/lanyard-auth/lanyard/pkg/table"

// Recipient is whom a mail is for.
type Recipient struct {
	Address  string
	Name     string // may be empty
	Language string // BCP 47; may be empty
}

// Mail queues the mails of accounts. Each gives the write for the transaction
// that causes the mail; tokens are sealed in it.
type Mail interface {
	VerifyEmail(to Recipient, token string) (*table.Write, error)
	AlreadyRegistered(to Recipient) (*table.Write, error)
	ResetPassword(to Recipient, token string) (*table.Write, error)
	PasswordChanged(to Recipient) (*table.Write, error)
	ConfirmNewEmail(to Recipient, token string) (*table.Write, error)
	EmailChanging(to Recipient, newAddress string) (*table.Write, error)
}

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
