package account

import (
	"time"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Status is where an account is in its life.
type Status string

// The statuses. Only an active account can sign in.
const (
	Pending   Status = "pending"   // the address is not verified yet
	Active    Status = "active"    //
	Suspended Status = "suspended" // by an operator
)

// State is the auth state of a user, as the table keeps it.
type State struct {
	table.Key
	table.IndexKey
	ID            string      `dynamo:"id"`
	Email         string      `dynamo:"email,omitempty"`    // normalised
	Username      string      `dynamo:"username,omitempty"` // as chosen; its claim is lower case
	Role          caller.Role `dynamo:"role"`
	Status        Status      `dynamo:"status"`
	EmailVerified bool        `dynamo:"emailVerified"`
	MFAEnabled    bool        `dynamo:"mfaEnabled"`
	LastLoginAt   table.Time  `dynamo:"lastLoginAt,omitempty"`
	CreatedAt     table.Time  `dynamo:"createdAt"`
	Epoch         int64       `dynamo:"epoch"`
	Appointments  int64       `dynamo:"appointments,omitempty"`  // how often they became admin of something
	NeedsPassword bool        `dynamo:"needsPassword,omitempty"` // imported without one
	SourceID      string      `dynamo:"sourceId,omitempty"`      // the id in the system it was imported from
	Batch         string      `dynamo:"batch,omitempty"`         // the import that made it

	// The newest outstanding link of each purpose, as the hex SHA-256 of its
	// secret. Using it, or what it was asked for becoming moot, removes it.
	// Of reset links and changes of address only the newest works.
	VerifyHash    string     `dynamo:"verifyHash,omitempty"`
	VerifyExpires table.Time `dynamo:"verifyExpires,omitempty"`
	VerifyEarlier []string   `dynamo:"verifyEarlier,omitempty"` // earlier links that still work, see earlier
	ResetHash     string     `dynamo:"resetHash,omitempty"`
	ResetExpires  table.Time `dynamo:"resetExpires,omitempty"`
	ChangeEmail   string     `dynamo:"changeEmail,omitempty"`
	ChangeHash    string     `dynamo:"changeHash,omitempty"`
	ChangeExpires table.Time `dynamo:"changeExpires,omitempty"`
}

// PasswordItem is the password credential.
type PasswordItem struct {
	table.Key
	Hash      string     `dynamo:"hash"`
	ChangedAt table.Time `dynamo:"changedAt"`
}

// claimItem makes an identifier unique. ReservedUntil is set on a username held
// for nobody (see register), and lets it go afterwards.
type claimItem struct {
	table.Key
	UserID        string     `dynamo:"userId"`
	ReservedUntil table.Time `dynamo:"reservedUntil,omitempty"`
	TTL           int64      `dynamo:"ttl,omitempty"`
}

// ProfileStatus says whether the profile in an answer is the real one.
type ProfileStatus string

// The profile statuses.
const (
	ProfileCurrent     ProfileStatus = ""            // the profile is the real one; answers leave the status out
	ProfileUnavailable ProfileStatus = "unavailable" // the system of record did not answer; the fields are empty
)

// User is a user as answers show it: auth state and profile merged.
type User struct {
	ID            string        `json:"id" format:"uuid"`
	Email         *string       `json:"email" nullable:"true"`
	Username      *string       `json:"username" nullable:"true"`
	Role          string        `json:"role" enum:"USER,ADMIN"`
	Status        string        `json:"status" enum:"pending,active,suspended"`
	EmailVerified bool          `json:"emailVerified"`
	MFAEnabled    bool          `json:"mfaEnabled"`
	LastLoginAt   *time.Time    `json:"lastLoginAt" nullable:"true"`
	CreatedAt     time.Time     `json:"createdAt"`
	Profile       Profile       `json:"profile"`
	ProfileStatus ProfileStatus `json:"profileStatus,omitempty" enum:"unavailable" doc:"unavailable: the system of record did not answer, and the profile's fields are empty. Absent: the profile is the real one."`
}

// user merges the layers.
func (s *State) user(p Profile, status ProfileStatus) User {
	u := User{
		ID: s.ID, Role: string(s.Role), Status: string(s.Status), EmailVerified: s.EmailVerified,
		MFAEnabled: s.MFAEnabled, CreatedAt: s.CreatedAt.Time(), Profile: p, ProfileStatus: status,
	}
	if s.Email != "" {
		u.Email = &s.Email
	}
	if s.Username != "" {
		u.Username = &s.Username
	}
	if s.LastLoginAt != 0 {
		t := s.LastLoginAt.Time()
		u.LastLoginAt = &t
	}
	return u
}

// Appoint gives the write that must be in the transaction that makes a user
// admin of something: it requires an active account, and counts, so that a
// deletion that did not see the appointment does not happen.
func Appoint(userID string) *table.Write {
	return table.Update(table.UserState(userID)).Add("appointments", 1).If("'status' = ?", Active)
}

// RequireActive gives the condition that a user is there and active.
func RequireActive(userID string) *table.Write {
	return table.Check(table.UserState(userID)).If("'status' = ?", Active)
}
