// Package id makes and checks the identifiers of everything Lanyard stores:
// UUIDv7 in canonical form (RFC 9562). An id is a name, never a secret
// (OWASP ASVS 7.2.3).
package id

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// New gives a fresh UUIDv7. It fails only when the system has no randomness.
func New() (string, error) {
	u, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return u.String(), nil
}

// Parse accepts exactly the canonical lower-case form of a UUID of any version
// and gives it back; nothing else may enter a key of the table.
func Parse(s string) (string, error) {
	if len(s) != 36 {
		return "", fmt.Errorf("not a UUID")
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return "", fmt.Errorf("not a UUID: %w", err)
	}
	if u.String() != s {
		return "", fmt.Errorf("not a canonical UUID")
	}
	return s, nil
}

// Valid reports whether Parse would accept s.
func Valid(s string) bool {
	_, err := Parse(s)
	return err == nil
}

// Time gives the moment a UUIDv7 was made, to the millisecond; zero for others.
func Time(s string) time.Time {
	u, err := uuid.Parse(s)
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	sec, nsec := u.Time().UnixTime()
	return time.Unix(sec, nsec).UTC()
}
