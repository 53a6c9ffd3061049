package token

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Type is the typ of every access token (RFC 9068 §2.1).
const Type = "at+jwt"

// Claims is what an access token says. There is nothing else in one: no
// permissions, which change, and no e-mail address, which is private.
type Claims struct {
	UserID    string // sub and userId: canonical UUID
	SessionID string // sid: canonical UUID
	TokenID   string // jti
	Username  string // may be empty
	Role      string
	AMR       []string  // RFC 8176 method references
	AuthTime  time.Time // when the user last proved who they are

	Issuer    string
	Audience  string
	IssuedAt  time.Time
	ExpiresAt time.Time
	KeyID     string // of the header
}

// accessClaims is the payload as issued.
type accessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	ExpiresAt int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	TokenID   string   `json:"jti"`
	SessionID string   `json:"sid"`
	UserID    string   `json:"userId"`
	Username  string   `json:"username"`
	Role      string   `json:"role"`
	AMR       []string `json:"amr"`
	AuthTime  int64    `json:"auth_time"`
}

// presentedClaims is the payload as received: what has several legal forms, or
// whose absence matters, is read by hand.
type presentedClaims struct {
	Issuer    string         `json:"iss"`
	Subject   string         `json:"sub"`
	Audience  jsontext.Value `json:"aud"`
	ExpiresAt jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
	IssuedAt  jsontext.Value `json:"iat"`
	TokenID   string         `json:"jti"`
	SessionID string         `json:"sid"`
	UserID    string         `json:"userId"`
	Username  string         `json:"username"`
	Role      string         `json:"role"`
	AMR       []string       `json:"amr"`
	AuthTime  jsontext.Value `json:"auth_time"`
}

// maxDate is the last second of the year 9999; a NumericDate past it is senseless.
const maxDate = 253402300799

// numericDate accepts a NumericDate (RFC 7519 §2) written as a plain positive
// integer: no fraction, no exponent, no string.
func numericDate(name string, v jsontext.Value) (int64, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n <= 0 || n > maxDate || v[0] == '+' {
		return 0, fmt.Errorf("%w: %s is not a sensible NumericDate", ErrClaims, name)
	}
	return n, nil
}

// soleAudience accepts a string, or an array of exactly one string, that is
// ours. A token for us and for others is refused: whoever else may be meant,
// each of them could replay it here (RFC 8725 §3.9).
func soleAudience(v jsontext.Value, ours string) bool {
	var one string
	if v.Kind() == '[' {
		var many []jsontext.Value
		if json.Unmarshal(v, &many) != nil || len(many) != 1 {
			return false
		}
		v = many[0]
	}
	return v.Kind() == '"' && json.Unmarshal(v, &one) == nil && one == ours
}

// canonicalUUID reports whether s is a UUID in its one canonical spelling.
func canonicalUUID(s string) bool {
	u, err := uuid.Parse(s)
	return err == nil && len(s) == 36 && u.String() == s
}
