package mfa

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Sealer keeps secrets unreadable in the table. Open says with stale that a
// value should be sealed anew. What was sealed for one user does not open for
// another.
type Sealer interface {
	Seal(ctx context.Context, secret []byte, userID string) (string, error)
	Open(ctx context.Context, sealed, userID string) (secret []byte, stale bool, err error)
}

// RingSealer seals with a key derived from the key ring.
type RingSealer struct {
	Codec *token.Codec
	Rand  io.Reader
}

// Seal implements Sealer.
func (s RingSealer) Seal(ctx context.Context, secret []byte, userID string) (string, error) {
	return s.Codec.Encrypt(ctx, token.PurposeTOTPEncryption, secret, userID, s.Rand)
}

// ErrKeyService says that a secret was sealed by a key service and none is
// configured.
var ErrKeyService = errors.New("sealed by a key service, and none is configured")

// Open implements Sealer.
func (s RingSealer) Open(ctx context.Context, sealed, userID string) ([]byte, bool, error) {
	if strings.HasPrefix(sealed, servicePrefix) {
		return nil, false, ErrKeyService
	}
	return s.Codec.Decrypt(ctx, token.PurposeTOTPEncryption, sealed, userID)
}

// KeyService encrypts with keys that do not leave it, such as AWS KMS. What it
// encrypted for one user it does not decrypt for another. Decrypt says with
// stale that it was an earlier key.
type KeyService interface {
	Encrypt(ctx context.Context, secret []byte, userID string) ([]byte, error)
	Decrypt(ctx context.Context, sealed []byte, userID string) (secret []byte, stale bool, err error)
}

// servicePrefix marks what a key service sealed. What the key ring seals is
// base64url, which has no colon.
const servicePrefix = "kms:"

// ServiceSealer seals with a key service. It opens what the key ring sealed
// before there was one, as stale, and falls back to it for nothing else: where
// the service fails, so do Seal and Open.
type ServiceSealer struct {
	Service KeyService
	Ring    Sealer
}

// Seal implements Sealer.
func (s ServiceSealer) Seal(ctx context.Context, secret []byte, userID string) (string, error) {
	raw, err := s.Service.Encrypt(ctx, secret, userID)
	if err != nil {
		return "", err
	}
	return servicePrefix + base64.RawStdEncoding.EncodeToString(raw), nil
}

// Open implements Sealer.
func (s ServiceSealer) Open(ctx context.Context, sealed, userID string) ([]byte, bool, error) {
	text, ok := strings.CutPrefix(sealed, servicePrefix)
	if !ok {
		secret, _, err := s.Ring.Open(ctx, sealed, userID)
		return secret, err == nil, err
	}
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false, fmt.Errorf("%w: not a sealed value: %w", token.ErrMalformed, err)
	}
	return s.Service.Decrypt(ctx, raw, userID)
}

// SealedByKeyService reports whether an item of the table is an authenticator
// app whose secret only a key service opens.
func SealedByKeyService(r table.Record) (bool, error) {
	if !strings.HasPrefix(r.Key().PK, table.User("")) || r.Key().SK != table.TOTP("").SK {
		return false, nil
	}
	var app item
	if err := r.Decode(&app); err != nil {
		return false, err
	}
	return strings.HasPrefix(app.Secret, servicePrefix), nil
}
