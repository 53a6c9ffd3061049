package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// A one-time token is what a mailed link carries: the user's id, so that no
// lookup item is needed, and a 256-bit secret whose SHA-256 the user's state
// keeps. base64url without padding; 48 bytes make 64 characters.
type oneTime struct {
	userID string
	hash   string // hex SHA-256 of the secret
}

const secretBytes = 32

// newOneTime makes a token for a user: the string for the link, and the hash to keep.
func newOneTime(userID string) (string, string, error) {
	u, err := uuid.Parse(userID)
	if err != nil {
		return "", "", fmt.Errorf("make one-time token: %w", err)
	}
	raw := make([]byte, 16+secretBytes)
	copy(raw, u[:])
	if _, err := rand.Read(raw[16:]); err != nil {
		return "", "", fmt.Errorf("make one-time token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), hashSecret(raw[16:]), nil
}

// errOneTime is the one answer to every token that does not work.
var errOneTime = fault.New(fault.CodeInvalidOneTime, fault.CodeInvalidOneTime.Meaning())

// parseOneTime reads a token; anything but the exact form is errOneTime.
func parseOneTime(s string) (oneTime, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != 16+secretBytes {
		return oneTime{}, errOneTime
	}
	u, err := uuid.FromBytes(raw[:16])
	if err != nil {
		return oneTime{}, errors.Join(errOneTime, err)
	}
	return oneTime{userID: u.String(), hash: hashSecret(raw[16:])}, nil
}

func hashSecret(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}
