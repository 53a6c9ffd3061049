package mail

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/config"
)

// Template names the words of a mail. It is the file name of the template,
// without its ending.
type Template string

// The templates.
const (
	TemplateVerifyEmail          Template = "verify-email"
	TemplateAlreadyRegistered    Template = "already-registered"
	TemplateResetPassword        Template = "reset-password"
	TemplatePasswordChanged      Template = "password-changed"
	TemplateSetPassword          Template = "set-password"
	TemplateConfirmNewEmail      Template = "confirm-new-email"
	TemplateEmailChanging        Template = "email-changing"
	TemplateEmailChanged         Template = "email-changed"
	TemplateInvitation           Template = "invitation"
	TemplateSignInBlocked        Template = "sign-in-blocked"
	TemplateSecondFactorFailed   Template = "second-factor-failed"
	TemplateMFAEnabled           Template = "mfa-enabled"
	TemplateMFADisabled          Template = "mfa-disabled"
	TemplateRecoveryCodesRenewed Template = "recovery-codes-renewed"
	TemplateAccountSuspended     Template = "account-suspended"
)

// Purpose groups templates by why people get them, for the operator's list and
// for statistics at the sending service.
type Purpose string

// The purposes.
const (
	PurposeAccount      Purpose = "account"      // asked for by the recipient
	PurposeSecurity     Purpose = "security"     // something about the account changed or was tried
	PurposeOrganization Purpose = "organization" // caused by somebody else
)

// Message is what a mail says: one struct for each template. The set is closed.
type Message interface {
	// Template names the words that go with it.
	Template() Template
	// purpose says why the recipient gets it.
	purpose() Purpose
	// link gives the path below the public URL and the token that ends it; both
	// empty for a mail without a link.
	link() (path, token string)
	// ends gives when the mail stops being useful, since its link does; zero for never.
	ends(now time.Time, c config.Account) time.Time
	// plain gives the message with every string that a person chose made
	// harmless: one line, bounded, not a link.
	plain() Message
}

// Where links lead, below the public URL.
const (
	pathVerify = "/api/auth/verify-email/"
	pathReset  = "/api/auth/reset-password/"
	pathInvite = "/api/invitations/accept/"
)

// notice is the part that messages without a link share.
type notice struct{}

func (notice) purpose() Purpose                              { return PurposeSecurity }
func (notice) link() (string, string)                        { return "", "" }
func (notice) ends(time.Time, config.Account) (at time.Time) { return at }

// VerifyEmail asks a new account's owner to confirm the address.
type VerifyEmail struct {
	Token string `json:"token"`
}

// Template implements Message.
func (VerifyEmail) Template() Template                             { return TemplateVerifyEmail }
func (VerifyEmail) purpose() Purpose                               { return PurposeAccount }
func (m VerifyEmail) link() (string, string)                       { return pathVerify, m.Token }
func (m VerifyEmail) plain() Message                               { return m }
func (VerifyEmail) ends(now time.Time, c config.Account) time.Time { return now.Add(c.VerifyTTL) }

// AlreadyRegistered tells the owner of an address that somebody tried to
// register with it; whoever tried is told nothing.
type AlreadyRegistered struct{ notice }

// Template implements Message.
func (AlreadyRegistered) Template() Template { return TemplateAlreadyRegistered }
func (m AlreadyRegistered) plain() Message   { return m }

// ResetPassword carries the link to choose a new password.
type ResetPassword struct {
	Token string `json:"token"`
}

// Template implements Message.
func (ResetPassword) Template() Template                             { return TemplateResetPassword }
func (ResetPassword) purpose() Purpose                               { return PurposeAccount }
func (m ResetPassword) link() (string, string)                       { return pathReset, m.Token }
func (m ResetPassword) plain() Message                               { return m }
func (ResetPassword) ends(now time.Time, c config.Account) time.Time { return now.Add(c.ResetTTL) }

// PasswordChanged tells that the password is another one now.
type PasswordChanged struct{ notice }

// Template implements Message.
func (PasswordChanged) Template() Template { return TemplatePasswordChanged }
func (m PasswordChanged) plain() Message   { return m }

// SetPassword carries the link by which an imported user without a password
// chooses one.
type SetPassword struct {
	Token string `json:"token"`
}

// Template implements Message.
func (SetPassword) Template() Template                             { return TemplateSetPassword }
func (SetPassword) purpose() Purpose                               { return PurposeAccount }
func (m SetPassword) link() (string, string)                       { return pathReset, m.Token }
func (m SetPassword) plain() Message                               { return m }
func (SetPassword) ends(now time.Time, c config.Account) time.Time { return now.Add(c.ResetTTL) }

// ConfirmNewEmail goes to the address that an account wants to move to.
type ConfirmNewEmail struct {
	Token string `json:"token"`
}

// Template implements Message.
func (ConfirmNewEmail) Template() Template                             { return TemplateConfirmNewEmail }
func (ConfirmNewEmail) purpose() Purpose                               { return PurposeAccount }
func (m ConfirmNewEmail) link() (string, string)                       { return pathVerify, m.Token }
func (m ConfirmNewEmail) plain() Message                               { return m }
func (ConfirmNewEmail) ends(now time.Time, c config.Account) time.Time { return now.Add(c.VerifyTTL) }

// EmailChanging tells the old address that a change was asked for.
type EmailChanging struct {
	notice
	NewAddress string `json:"newAddress"`
}

// Template implements Message.
func (EmailChanging) Template() Template { return TemplateEmailChanging }
func (m EmailChanging) plain() Message {
	m.NewAddress = oneLine(m.NewAddress, maxAddress)
	return m
}

// EmailChanged tells the old address that the account has moved.
type EmailChanged struct {
	notice
	NewAddress string `json:"newAddress"`
}

// Template implements Message.
func (EmailChanged) Template() Template { return TemplateEmailChanged }
func (m EmailChanged) plain() Message {
	m.NewAddress = oneLine(m.NewAddress, maxAddress)
	return m
}

// Invitation invites somebody into an organization.
type Invitation struct {
	Token        string    `json:"token"`
	Organization string    `json:"organization"`
	Role         string    `json:"role"`
	InvitedBy    string    `json:"invitedBy"` // a name or an address; may be empty
	ExpiresAt    time.Time `json:"expiresAt"`
}

// Template implements Message.
func (Invitation) Template() Template                             { return TemplateInvitation }
func (Invitation) purpose() Purpose                               { return PurposeOrganization }
func (m Invitation) link() (string, string)                       { return pathInvite, m.Token }
func (m Invitation) ends(time.Time, config.Account) (t time.Time) { return m.ExpiresAt }
func (m Invitation) plain() Message {
	m.Organization = unlinked(m.Organization, maxName)
	m.InvitedBy = unlinked(m.InvitedBy, maxAddress)
	m.Role = unlinked(m.Role, maxName)
	return m
}

// SignInBlocked tells that sign-ins were stopped after too many wrong passwords.
type SignInBlocked struct {
	notice
	SourceIP string `json:"sourceIp"`
}

// Template implements Message.
func (SignInBlocked) Template() Template { return TemplateSignInBlocked }
func (m SignInBlocked) plain() Message {
	m.SourceIP = oneLine(m.SourceIP, maxName)
	return m
}

// SecondFactorFailed tells that somebody had the password and not the second factor.
type SecondFactorFailed struct {
	notice
	SourceIP string `json:"sourceIp"`
}

// Template implements Message.
func (SecondFactorFailed) Template() Template { return TemplateSecondFactorFailed }
func (m SecondFactorFailed) plain() Message {
	m.SourceIP = oneLine(m.SourceIP, maxName)
	return m
}

// MFAEnabled tells that an authenticator app was added.
type MFAEnabled struct{ notice }

// Template implements Message.
func (MFAEnabled) Template() Template { return TemplateMFAEnabled }
func (m MFAEnabled) plain() Message   { return m }

// MFADisabled tells that the authenticator app was removed.
type MFADisabled struct{ notice }

// Template implements Message.
func (MFADisabled) Template() Template { return TemplateMFADisabled }
func (m MFADisabled) plain() Message   { return m }

// RecoveryCodesRenewed tells that the recovery codes are others now.
type RecoveryCodesRenewed struct{ notice }

// Template implements Message.
func (RecoveryCodesRenewed) Template() Template { return TemplateRecoveryCodesRenewed }
func (m RecoveryCodesRenewed) plain() Message   { return m }

// AccountSuspended tells that an operator suspended the account.
type AccountSuspended struct{ notice }

// Template implements Message.
func (AccountSuspended) Template() Template { return TemplateAccountSuspended }
func (m AccountSuspended) plain() Message   { return m }

// samples gives one message of each template, with every field filled: what
// templates are tried on at start.
func samples() []Message {
	const token = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return []Message{
		VerifyEmail{token}, AlreadyRegistered{}, ResetPassword{token}, PasswordChanged{}, SetPassword{token},
		ConfirmNewEmail{token}, EmailChanging{NewAddress: "new@example.com"}, EmailChanged{NewAddress: "new@example.com"},
		Invitation{token, "Coastal Marine Services", "manager", "Alice", at},
		SignInBlocked{SourceIP: "192.0.2.1"}, SecondFactorFailed{SourceIP: "192.0.2.1"},
		MFAEnabled{}, MFADisabled{}, RecoveryCodesRenewed{}, AccountSuspended{},
	}
}

// decodeMessage reads what Enqueue sealed.
func decodeMessage(t Template, raw []byte) (Message, error) {
	switch t {
	case TemplateVerifyEmail:
		return decodeAs[VerifyEmail](raw)
	case TemplateAlreadyRegistered:
		return decodeAs[AlreadyRegistered](raw)
	case TemplateResetPassword:
		return decodeAs[ResetPassword](raw)
	case TemplatePasswordChanged:
		return decodeAs[PasswordChanged](raw)
	case TemplateSetPassword:
		return decodeAs[SetPassword](raw)
	case TemplateConfirmNewEmail:
		return decodeAs[ConfirmNewEmail](raw)
	case TemplateEmailChanging:
		return decodeAs[EmailChanging](raw)
	case TemplateEmailChanged:
		return decodeAs[EmailChanged](raw)
	case TemplateInvitation:
		return decodeAs[Invitation](raw)
	case TemplateSignInBlocked:
		return decodeAs[SignInBlocked](raw)
	case TemplateSecondFactorFailed:
		return decodeAs[SecondFactorFailed](raw)
	case TemplateMFAEnabled:
		return decodeAs[MFAEnabled](raw)
	case TemplateMFADisabled:
		return decodeAs[MFADisabled](raw)
	case TemplateRecoveryCodesRenewed:
		return decodeAs[RecoveryCodesRenewed](raw)
	case TemplateAccountSuspended:
		return decodeAs[AccountSuspended](raw)
	}
	return nil, fmt.Errorf("unknown mail template %q", string(t))
}

func decodeAs[M Message](raw []byte) (Message, error) {
	var m M
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("decode mail: %w", err)
	}
	return m, nil
}
