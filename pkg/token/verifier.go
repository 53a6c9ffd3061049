package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// KeySet finds verification keys. It answers ErrUnknownKey for an id it does
// not hold, and any other error where it cannot know: then nothing is decided.
type KeySet interface {
	VerificationKey(ctx context.Context, id string) (VerificationKey, error)
}

// RingKeys is the KeySet of our own ring.
func RingKeys(src Source, now func() time.Time) KeySet { return ringKeys{src, now} }

type ringKeys struct {
	src Source
	now func() time.Time
}

// Refresher is a Source that can be asked to look again, within its own bound,
// because a key was named that its ring does not hold: another instance may
// have rotated. It gives the ring it had where the bound forbids a look.
type Refresher interface {
	Refresh(ctx context.Context) (*Ring, error)
}

func (r ringKeys) VerificationKey(ctx context.Context, id string) (VerificationKey, error) {
	ring, err := r.src.Load(ctx)
	if err != nil {
		return VerificationKey{}, err
	}
	if k, ok := ring.VerificationKey(id, r.now()); ok {
		return k, nil
	}
	if _, held := ring.byID[id]; held { // ended or retired: looking again helps nobody
		return VerificationKey{}, ErrUnknownKey
	}
	if again, ok := r.src.(Refresher); ok && validKeyID(id) {
		if ring, err = again.Refresh(ctx); err != nil {
			return VerificationKey{}, err
		}
		if k, ok := ring.VerificationKey(id, r.now()); ok {
			return k, nil
		}
	}
	return VerificationKey{}, ErrUnknownKey
}

// Bounds of a verifier's tolerance for differing clocks (RFC 8725, RFC 9068).
const (
	DefaultLeeway = 30 * time.Second
	MaxLeeway     = 60 * time.Second
)

// VerifierConfig is what a Verifier needs.
type VerifierConfig struct {
	Issuer   string
	Audience string
	Leeway   time.Duration // 0 is none; at most MaxLeeway
	Now      func() time.Time
}

// Verifier checks access tokens.
type Verifier struct {
	config VerifierConfig
	keys   KeySet
}

// NewVerifier makes a verifier on a key set.
func NewVerifier(keys KeySet, c VerifierConfig) (*Verifier, error) {
	switch {
	case keys == nil || c.Now == nil:
		return nil, fmt.Errorf("token verifier: keys and clock are required")
	case c.Issuer == "" || c.Audience == "":
		return nil, fmt.Errorf("token verifier: issuer and audience are required")
	case c.Leeway < 0 || c.Leeway > MaxLeeway:
		return nil, fmt.Errorf("token verifier: leeway must be between 0 and %s", MaxLeeway)
	}
	return &Verifier{config: c, keys: keys}, nil
}

// Verify checks an access token: form, then signature, then content (RFC 7519
// §7.2, RFC 9068 §4). The error is one of ErrMalformed, ErrForged, ErrClaims,
// ErrExpired, or ErrUnavailable where the keys could not be had; with an error
// the claims are zero.
//
// Stricter than the standards ask: iss and aud are compared byte by byte, and
// aud must be ours alone, as a string or as an array of one; dates are whole
// seconds; no member may occur twice; crit is refused whatever it names; names
// are case-sensitive, and those we do not know say nothing.
func (v *Verifier) Verify(ctx context.Context, raw string) (Claims, error) {
	claims, _, err := v.verify(ctx, raw)
	return claims, err
}

func (v *Verifier) verify(ctx context.Context, raw string) (Claims, VerificationKey, error) {
	c, err := parseCompact(raw)
	if err != nil {
		return Claims{}, VerificationKey{}, err
	}
	if !validKeyID(c.header.KeyID) {
		return Claims{}, VerificationKey{}, fmt.Errorf("%w: no proper kid", ErrForged)
	}
	key, err := v.keys.VerificationKey(ctx, c.header.KeyID)
	if err != nil {
		if errors.Is(err, ErrUnknownKey) {
			return Claims{}, VerificationKey{}, fmt.Errorf("%w: %w", ErrForged, ErrUnknownKey)
		}
		return Claims{}, VerificationKey{}, unavailable(err)
	}
	payload, err := c.verify(key)
	if err != nil {
		return Claims{}, VerificationKey{}, err
	}
	claims, err := v.accept(c.header, payload)
	return claims, key, err
}

// accept checks the content of a token whose signature is good. Expiry comes
// last, so that ErrExpired means: good but for that.
func (v *Verifier) accept(h header, payload []byte) (Claims, error) {
	if !accessTokenType(h.Type) {
		return Claims{}, fmt.Errorf("%w: typ is not %s", ErrClaims, Type)
	}
	var p presentedClaims
	if err := json.Unmarshal(payload, &p); err != nil {
		return Claims{}, fmt.Errorf("%w: payload is not a proper JSON object", ErrMalformed)
	}
	switch {
	case p.Issuer != v.config.Issuer:
		return Claims{}, fmt.Errorf("%w: another issuer", ErrClaims)
	case !soleAudience(p.Audience, v.config.Audience):
		return Claims{}, fmt.Errorf("%w: another audience", ErrClaims)
	case !canonicalUUID(p.Subject) || p.UserID != p.Subject:
		return Claims{}, fmt.Errorf("%w: no proper subject", ErrClaims)
	case !canonicalUUID(p.SessionID):
		return Claims{}, fmt.Errorf("%w: no proper session", ErrClaims)
	case p.TokenID == "" || p.Role == "":
		return Claims{}, fmt.Errorf("%w: jti or role is missing", ErrClaims)
	}
	exp, err := numericDate("exp", p.ExpiresAt)
	if err != nil {
		return Claims{}, err
	}
	iat, err := numericDate("iat", p.IssuedAt)
	if err != nil {
		return Claims{}, err
	}
	auth, err := numericDate("auth_time", p.AuthTime)
	if err != nil {
		return Claims{}, err
	}
	now := v.config.Now()
	latest := now.Add(v.config.Leeway)
	if time.Unix(iat, 0).After(latest) || exp <= iat {
		return Claims{}, fmt.Errorf("%w: issued in the future or after its end", ErrClaims)
	}
	if p.NotBefore != nil {
		nbf, err := numericDate("nbf", p.NotBefore)
		if err != nil {
			return Claims{}, err
		}
		if time.Unix(nbf, 0).After(latest) {
			return Claims{}, fmt.Errorf("%w: not valid yet", ErrClaims)
		}
	}
	c := Claims{
		UserID: p.Subject, SessionID: p.SessionID, TokenID: p.TokenID, Username: p.Username,
		Role: p.Role, AMR: p.AMR, AuthTime: time.Unix(auth, 0).UTC(),
		Issuer: p.Issuer, Audience: v.config.Audience,
		IssuedAt: time.Unix(iat, 0).UTC(), ExpiresAt: time.Unix(exp, 0).UTC(), KeyID: h.KeyID,
	}
	if v.expired(c.ExpiresAt, now) {
		// Who it was meant for is told to nobody, so the claims are not given.
		return Claims{}, ErrExpired
	}
	return c, nil
}

// expired reports whether now is at or past the end plus leeway (RFC 7519 §4.1.4).
func (v *Verifier) expired(end, now time.Time) bool {
	return !now.Before(end.Add(v.config.Leeway))
}

// accessTokenType accepts at+jwt and its full media type in any case (RFC 9068
// §2.1, RFC 7515 §4.1.9).
func accessTokenType(typ string) bool {
	return strings.EqualFold(typ, Type) || strings.EqualFold(typ, "application/"+Type)
}
