package token

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// OneTimePrefix tells one-time tokens of different uses apart, for people, for
// secret scanners, and in the stored digest: a token of one use has no digest
// of another.
type OneTimePrefix string

// The one-time tokens that are sent by mail.
const (
	OneTimeVerify OneTimePrefix = "lyv_" // confirm an address
	OneTimeReset  OneTimePrefix = "lyr_" // set a new password
	OneTimeInvite OneTimePrefix = "lyi_" // join an organization
	OneTimeChange OneTimePrefix = "lyc_" // move to a new address
)

const oneTimeBytes = 32

// NewOneTime draws a token of 256 bits and gives it with the digest to store.
// Unlike a password, it needs no slow hash: it cannot be guessed.
func NewOneTime(p OneTimePrefix, rand io.Reader) (raw, digest string, err error) {
	var b [oneTimeBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", "", fmt.Errorf("draw one-time token: %w", err)
	}
	raw = string(p) + b64.EncodeToString(b[:])
	return raw, digestOneTime(raw), nil
}

// DigestOneTime gives the digest under which a presented token is stored, or
// ErrMalformed for what NewOneTime cannot have made; then nothing need be read.
func DigestOneTime(p OneTimePrefix, raw string) (string, error) {
	rest, ok := strings.CutPrefix(raw, string(p))
	if !ok || len(rest) != b64.EncodedLen(oneTimeBytes) {
		return "", fmt.Errorf("%w: not a one-time token", ErrMalformed)
	}
	if _, err := decode64(rest); err != nil {
		return "", fmt.Errorf("%w: not a one-time token", ErrMalformed)
	}
	return digestOneTime(raw), nil
}

func digestOneTime(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	return hex.EncodeToString(sum[:])
}
