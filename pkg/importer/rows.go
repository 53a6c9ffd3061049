package importer

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/entity"
)

// Kind is what the lines of a file are.
type Kind string

// The kinds, in the order in which files are imported.
const (
	Users         Kind = "users"
	Organizations Kind = "organizations"
	Entities      Kind = "entities"
	Grants        Kind = "grants"
	Documents     Kind = "documents"
)

// User is a line of a file of users. The password is given as the hash that the
// other system kept; a user without one sets one by a mailed link.
type User struct {
	ID            string                 `json:"id" minLength:"1" maxLength:"200" doc:"The user's id in the other system."`
	Email         *string                `json:"email,omitempty" minLength:"3" maxLength:"254"`
	Username      *string                `json:"username,omitempty" minLength:"3" maxLength:"64"`
	EmailVerified bool                   `json:"emailVerified,omitempty" doc:"Users whose address is not verified verify it, or reset their password, before they can sign in."`
	Suspended     bool                   `json:"suspended,omitempty"`
	PasswordHash  string                 `json:"passwordHash,omitempty" maxLength:"2048" doc:"bcrypt, argon2id, scrypt or PBKDF2; see docs/migrating.md for the forms."`
	TOTPSecret    string                 `json:"totpSecret,omitempty" maxLength:"128" doc:"Secret of an authenticator app, base32; SHA-1, 6 digits, 30 seconds."`
	Profile       *account.ProfileChange `json:"profile,omitempty"`
	CreatedAt     *time.Time             `json:"createdAt,omitempty" format:"date-time"`
	Organization  string                 `json:"organization,omitempty" maxLength:"200" doc:"Name of a personal organization to make, with the user as its admin."`
}

// UserRef names a user by one of three: the id in the other system, the id here,
// or the address.
type UserRef struct {
	User   string `json:"user,omitempty" minLength:"1" maxLength:"200" doc:"The user's id in the other system."`
	UserID string `json:"userId,omitempty" format:"uuid" doc:"The id of a user who is here already."`
	Email  string `json:"email,omitempty" minLength:"3" maxLength:"254" doc:"The address of a user who is here already."`
}

// Organization is a line of a file of organizations.
type Organization struct {
	ID        string     `json:"id" minLength:"1" maxLength:"200" doc:"The organization's id in the other system."`
	Name      string     `json:"name" minLength:"1" maxLength:"200"`
	Admins    []UserRef  `json:"admins" minItems:"1" maxItems:"40" doc:"Who administers it. Other members are lines of a file of grants."`
	CreatedAt *time.Time `json:"createdAt,omitempty" format:"date-time"`
}

// Entity is a line of a file of entities.
type Entity struct {
	ID             string            `json:"id" minLength:"1" maxLength:"200" doc:"The entity's id in the other system."`
	Organization   string            `json:"organization,omitempty" minLength:"1" maxLength:"200" doc:"The organization's id in the other system."`
	OrganizationID string            `json:"organizationId,omitempty" format:"uuid" doc:"The id of an organization that is here already."`
	Type           string            `json:"type" minLength:"1" maxLength:"64"`
	Name           string            `json:"name" minLength:"1" maxLength:"200"`
	Attributes     entity.Attributes `json:"attributes,omitempty"`
	CreatedAt      *time.Time        `json:"createdAt,omitempty" format:"date-time"`
}

// Grant is a line of a file of grants: either a role in an organization or a
// level on an entity.
type Grant struct {
	UserRef
	Organization   string        `json:"organization,omitempty" minLength:"1" maxLength:"200" doc:"The organization's id in the other system; with role."`
	OrganizationID string        `json:"organizationId,omitempty" format:"uuid" doc:"The id of an organization that is here already; with role."`
	Role           string        `json:"role,omitempty" enum:"admin,manager,viewer,member"`
	Entity         string        `json:"entity,omitempty" minLength:"1" maxLength:"200" doc:"The entity's id in the other system; with level."`
	EntityID       string        `json:"entityId,omitempty" format:"uuid" doc:"The id of an entity that is here already; with level."`
	Level          string        `json:"level,omitempty" enum:"viewer,editor,manager,admin"`
	ExpiresAt      entity.Expiry `json:"expiresAt,omitempty" doc:"When the level ends, in the future."`
}

// Document is a line of a file of documents.
type Document struct {
	ID          string     `json:"id" minLength:"1" maxLength:"200" doc:"The document's id in the other system."`
	Entity      string     `json:"entity,omitempty" minLength:"1" maxLength:"200" doc:"The entity's id in the other system."`
	EntityID    string     `json:"entityId,omitempty" format:"uuid" doc:"The id of an entity that is here already."`
	Title       string     `json:"title" minLength:"1" maxLength:"200"`
	ContentType string     `json:"contentType,omitempty" minLength:"1" maxLength:"127"`
	Content     string     `json:"content,omitempty" maxLength:"262144"`
	CreatedAt   *time.Time `json:"createdAt,omitempty" format:"date-time"`
}

// DeriveID gives the id here of a record of another system: the same whenever
// and wherever it is imported from the same source, so that an import run again
// finds it. It is a UUIDv8 (RFC 9562 §5.8) whose first 48 bits are zero, where
// ids made here have the time: imported records sort as the oldest. The other 74
// bits are of a SHA-256, so no source id can be made up to fit an id given here,
// nor one to fit another.
func DeriveID(source string, k Kind, sourceID string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "lanyard import\x00%s\x00%d:%s\x00%s", k, len(source), source, sourceID))
	var u uuid.UUID
	copy(u[6:], sum[:10])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}
