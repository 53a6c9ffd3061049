package token

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// DefaultTTL is how long an access token lives where nothing else is set.
const DefaultTTL = 15 * time.Minute

// IssuerConfig is what an Issuer needs.
type IssuerConfig struct {
	Issuer   string        // iss: the configured public URL
	Audience string        // aud
	TTL      time.Duration // 0 means DefaultTTL
	Now      func() time.Time

	// Signers finds the signer of a key whose private half is not in the ring;
	// nil where every key is.
	Signers func(Key) (Signer, error)
}

// Issuer signs access tokens with the active key.
type Issuer struct {
	config IssuerConfig
	keys   Source
}

// NewIssuer makes an issuer on a source of rings.
func NewIssuer(keys Source, c IssuerConfig) (*Issuer, error) {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	switch {
	case keys == nil || c.Now == nil:
		return nil, fmt.Errorf("token issuer: keys and clock are required")
	case c.Issuer == "" || c.Audience == "":
		return nil, fmt.Errorf("token issuer: issuer and audience are required")
	case c.TTL < time.Second:
		return nil, fmt.Errorf("token issuer: TTL %s is under a second", c.TTL)
	}
	return &Issuer{config: c, keys: keys}, nil
}

// Issue signs a token of the given claims for one TTL from now. Issuer,
// Audience, TokenID, KeyID and both times of c are set here, whatever they are.
func (i *Issuer) Issue(ctx context.Context, c Claims) (raw string, expiresAt time.Time, err error) {
	if !canonicalUUID(c.UserID) || !canonicalUUID(c.SessionID) {
		return "", time.Time{}, fmt.Errorf("issue token: user and session must be canonical UUIDs")
	}
	if c.Role == "" || c.AuthTime.IsZero() {
		return "", time.Time{}, fmt.Errorf("issue token: role and time of authentication are required")
	}
	jti, err := uuid.NewRandom()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("issue token: draw id: %w", err)
	}
	ring, err := i.keys.Load(ctx)
	if err != nil {
		return "", time.Time{}, unavailable(err)
	}
	key := ring.Active()
	signer, err := i.signer(key)
	if err != nil {
		return "", time.Time{}, unavailable(err)
	}
	now := i.config.Now().UTC().Truncate(time.Second)
	expiresAt = now.Add(i.config.TTL.Truncate(time.Second))
	amr := c.AMR
	if amr == nil {
		amr = []string{}
	}
	payload, err := json.Marshal(accessClaims{
		Issuer: i.config.Issuer, Subject: c.UserID, Audience: i.config.Audience,
		ExpiresAt: expiresAt.Unix(), IssuedAt: now.Unix(), TokenID: jti.String(),
		SessionID: c.SessionID, UserID: c.UserID, Username: c.Username, Role: c.Role,
		AMR: amr, AuthTime: c.AuthTime.Unix(),
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("issue token: %w", err)
	}
	raw, err = signCompact(ctx, key, signer, Type, payload)
	if err != nil {
		return "", time.Time{}, unavailable(err)
	}
	return raw, expiresAt, nil
}

func (i *Issuer) signer(k Key) (Signer, error) {
	if k.private != nil {
		return k.Signer()
	}
	if i.config.Signers == nil {
		return nil, fmt.Errorf("key %s: no signer for %s", k.ID, k.SignerRef)
	}
	return i.config.Signers(k)
}

// signCompact makes a compact JWS of payload.
func signCompact(ctx context.Context, k Key, s Signer, typ string, payload []byte) (string, error) {
	head, err := json.Marshal(struct {
		Algorithm Algorithm `json:"alg"`
		KeyID     string    `json:"kid"`
		Type      string    `json:"typ"`
	}{k.Algorithm, k.ID, typ})
	if err != nil {
		return "", fmt.Errorf("encode header: %w", err)
	}
	input := b64.AppendEncode(make([]byte, 0, 2*(len(head)+len(payload))+128), head)
	input = append(input, '.')
	input = b64.AppendEncode(input, payload)
	sig, err := s.Sign(ctx, input)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", k.ID, err)
	}
	return string(b64.AppendEncode(append(input, '.'), sig)), nil
}

// unavailable marks an error of the keys as no verdict on any token.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
