// Package caller carries the facts of one request through a context: its id,
// where it came from, and who was found to be asking.
//
// The gateway adapters put a Caller in, once, after the authorizer has spoken;
// everything behind reads it. It carries facts only, never dependencies, and
// must not know how they were established.
package caller

import (
	"context"
	"time"
)

// Role is a user's platform role, as it stands in the access token.
type Role string

// The two platform roles. Organization roles are something else (package access).
const (
	RoleUser  Role = "USER"
	RoleAdmin Role = "ADMIN"
)

// Principal is an authenticated user within one session.
type Principal struct {
	UserID    string    // canonical UUID
	SessionID string    // the refresh token family; canonical UUID
	Username  string    // may be empty
	Role      Role      // as the store said within the session-check bound
	AMR       []string  // RFC 8176 method references, e.g. pwd, otp
	AuthTime  time.Time // when the user last proved who they are
	TokenID   string    // jti
	ExpiresAt time.Time // when the access token ends
}

// Denial says why a request has no principal although one may have been
// claimed. The zero value means that nothing was claimed.
type Denial string

// The denials that the authorizer passes on.
const (
	NotClaimed  Denial = ""         // no credential in the request
	Invalid     Denial = "invalid"  // forged, malformed or wrongly issued
	Expired     Denial = "expired"  // a token of ours, past its end
	Revoked     Denial = "revoked"  // its session or user is no longer in good standing
	Conflicting Denial = "conflict" // two credentials for two subjects
)

// Caller is what is known about one request.
type Caller struct {
	RequestID string
	SourceIP  string // as the gateway saw the connection, never from a client's header
	UserAgent string // sanitised: printable, at most 256 bytes
	Principal *Principal
	Lent      bool   // admitted to an operator's route by lent power, not their own
	Denial    Denial // set when Principal is nil because a credential was refused

	// Credentials that handlers of the session routes need and nobody else.
	RefreshCookie string
	DeviceCookie  string
}

type key struct{}

// With gives a context that carries c.
func With(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// From gives the request's caller, or false where none was put in; a handler
// that needs one must then refuse.
func From(ctx context.Context) (*Caller, bool) {
	c, ok := ctx.Value(key{}).(*Caller)
	return c, ok && c != nil
}

// Of gives the request's caller, or an empty one: for audit and logs, where a
// missing fact is written as missing.
func Of(ctx context.Context) *Caller {
	if c, ok := From(ctx); ok {
		return c
	}
	return &Caller{}
}
