package audit

import (
	"encoding/json"
	"time"
)

// Type names what happened. The list is closed: Types gives it.
type Type string

// The event types of sign-in.
const (
	Registered            Type = "account.registered"
	RegisteredAgain       Type = "account.registered_again"
	EmailVerified         Type = "account.email_verified"
	VerificationRequested Type = "account.verification_requested"
	EmailChangeRequested  Type = "account.email_change_requested"
	EmailChanged          Type = "account.email_changed"
	ProfileChanged        Type = "account.profile_changed"
	AccountDeleted        Type = "account.deleted"
	PasswordChanged       Type = "password.changed"
	PasswordResetAsked    Type = "password.reset_requested"
	PasswordReset         Type = "password.reset"
	PasswordNeededAsked   Type = "password.needed_checked"
	SignedIn              Type = "session.signed_in"
	SignInFailed          Type = "session.sign_in_failed"
	Refreshed             Type = "session.refreshed"
	RefreshFailed         Type = "session.refresh_failed"
	RefreshReuse          Type = "refresh_reuse"
	SignedOut             Type = "session.signed_out"
	SignedOutEverywhere   Type = "session.signed_out_everywhere"
	SessionEnded          Type = "session.ended"
	Throttled             Type = "session.throttled"
	MFAPending            Type = "mfa.pending"
	MFAVerified           Type = "mfa.verified"
	MFAFailed             Type = "mfa.failed"
	MFAEnrolled           Type = "mfa.enrolled"
	MFAEnabled            Type = "mfa.enabled"
	MFADisabled           Type = "mfa.disabled"
	RecoveryCodesRenewed  Type = "mfa.recovery_codes_renewed"
)

// The event types of organizations, permissions and operation.
const (
	OrganizationCreated Type = "organization.created"
	OrganizationChanged Type = "organization.changed"
	OrganizationDeleted Type = "organization.deleted"
	MemberAdded         Type = "member.added"
	MemberChanged       Type = "member.changed"
	MemberRemoved       Type = "member.removed"
	InvitationCreated   Type = "invitation.created"
	InvitationRevoked   Type = "invitation.revoked"
	InvitationAccepted  Type = "invitation.accepted"
	EntityCreated       Type = "entity.created"
	EntityChanged       Type = "entity.changed"
	EntityDeleted       Type = "entity.deleted"
	GrantCreated        Type = "grant.created"
	GrantChanged        Type = "grant.changed"
	GrantRevoked        Type = "grant.revoked"
	DocumentCreated     Type = "document.created"
	DocumentChanged     Type = "document.changed"
	DocumentDeleted     Type = "document.deleted"
	ShareCreated        Type = "share.created"
	ShareRevoked        Type = "share.revoked"
	AccessDenied        Type = "access.denied"
	UserChanged         Type = "user.changed"
	UserDeleted         Type = "user.deleted"
	UserSuspended       Type = "user.suspended"
	UserReactivated     Type = "user.reactivated"
	UserSignedOut       Type = "user.signed_out"
	UserRoleChanged     Type = "user.role_changed"
	UsersRead           Type = "user.read"
	DelegationCreated   Type = "delegation.created"
	DelegationRevoked   Type = "delegation.revoked"
	KeysRotated         Type = "keys.rotated"
	KeyRetired          Type = "keys.retired"
	KeysShared          Type = "keys.shared"
	SecretsResealed     Type = "keys.resealed"
	MailResent          Type = "mail.resent"
	Imported            Type = "import.applied"
	ImportRolledBack    Type = "import.rolled_back"
	AuditRead           Type = "audit.read"
	PowerUsed           Type = "access.power_used" // super-admin power, own or lent, to read
)

// Types gives every type, so that whoever asks for one that is misspelled is not
// told that nothing happened.
func Types() []Type {
	return []Type{
		Registered, RegisteredAgain, EmailVerified, VerificationRequested, EmailChangeRequested, EmailChanged,
		ProfileChanged, AccountDeleted, PasswordChanged, PasswordResetAsked, PasswordReset, PasswordNeededAsked,
		SignedIn, SignInFailed, Refreshed, RefreshFailed, RefreshReuse, SignedOut, SignedOutEverywhere,
		SessionEnded, Throttled, MFAPending, MFAVerified, MFAFailed, MFAEnrolled, MFAEnabled, MFADisabled,
		RecoveryCodesRenewed, OrganizationCreated, OrganizationChanged, OrganizationDeleted, MemberAdded,
		MemberChanged, MemberRemoved, InvitationCreated, InvitationRevoked, InvitationAccepted, EntityCreated,
		EntityChanged, EntityDeleted, GrantCreated, GrantChanged, GrantRevoked, DocumentCreated, DocumentChanged,
		DocumentDeleted, ShareCreated, ShareRevoked, AccessDenied, UserChanged, UserDeleted, UserSuspended,
		UserReactivated, UserSignedOut, UserRoleChanged, UsersRead, DelegationCreated, DelegationRevoked,
		KeysRotated, KeyRetired, KeysShared, SecretsResealed, MailResent, Imported, ImportRolledBack, AuditRead, PowerUsed,
	}
}

// Outcome says whether the thing was done or refused.
type Outcome string

// The two outcomes.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)

// Power names by what right an actor acted, where it was not their own role.
type Power string

// The powers.
const (
	OwnPower        Power = ""
	SuperAdminPower Power = "super_admin"
	DelegatedPower  Power = "delegation"
)

// Event is one thing that happened.
type Event struct {
	ID             string            `json:"id"`
	At             time.Time         `json:"at"`
	Type           Type              `json:"type"`
	Outcome        Outcome           `json:"outcome" enum:"success,failure"`
	ActorID        string            `json:"actorId" doc:"Who did it; empty when nobody was signed in."`
	SubjectID      string            `json:"subjectId,omitempty" doc:"The user it was done to."`
	OrganizationID string            `json:"organizationId,omitempty"`
	EntityID       string            `json:"entityId,omitempty"`
	IP             string            `json:"ip"`
	UserAgent      string            `json:"userAgent"`
	RequestID      string            `json:"requestId"`
	Details        map[string]string `json:"details" doc:"Facts of the event, by name; never a secret."`
}

// MarshalJSON gives the event with its moment to the millisecond, always in
// three digits: only so do moments sort as text too (RFC 3339, section 5.1).
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event // without this method
	return json.Marshal(struct {
		ID string `json:"id"`
		At string `json:"at"`
		plain
	}{e.ID, e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00"), plain(e)})
}
