package assembly

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// sessionTokens is what sessions need of package token.
type sessionTokens struct {
	issuer *token.Issuer
	codec  *token.Codec
}

func (t sessionTokens) AccessToken(ctx context.Context, c session.Claims) (string, time.Time, error) {
	return t.issuer.Issue(ctx, token.Claims{
		UserID: c.UserID, SessionID: c.SessionID, Username: c.Username, Role: c.Role, AMR: c.AMR, AuthTime: c.AuthTime,
	})
}

func (t sessionTokens) RefreshToken(ctx context.Context, f session.Family) (string, error) {
	if f.Generation < 1 || f.Generation > math.MaxUint32 {
		return "", errors.New("generation is out of range")
	}
	return t.codec.EncodeRefresh(ctx, token.RefreshToken{UserID: f.UserID, SessionID: f.SessionID, Generation: uint32(f.Generation)})
}

func (t sessionTokens) ParseRefresh(ctx context.Context, raw string) (session.Family, error) {
	r, err := t.codec.ParseRefresh(ctx, raw)
	if errors.Is(err, token.ErrMalformed) || errors.Is(err, token.ErrForged) {
		return session.Family{}, session.ErrNotOurs
	}
	return session.Family{UserID: r.UserID, SessionID: r.SessionID, Generation: int64(r.Generation)}, err
}

// hasher is what accounts need of package password.
type hasher struct{ *password.Hasher }

func (h hasher) Verify(ctx context.Context, encoded, candidate string) (ok, renew bool, err error) {
	r, err := h.Hasher.Verify(ctx, encoded, candidate)
	return r.OK, r.NeedsRehash, hashFault(err)
}

func (h hasher) Hash(ctx context.Context, candidate string) (string, error) {
	encoded, err := h.Hasher.Hash(ctx, candidate)
	return encoded, hashFault(err)
}

func (h hasher) Decoy(ctx context.Context, candidate string) error {
	return hashFault(h.Hasher.Decoy(ctx, candidate))
}

// hashFault says what a hashing error means to the client: too much work is
// waiting, or the text was no text.
func hashFault(err error) error {
	switch {
	case errors.Is(err, password.ErrBusy):
		return fault.Wrap(fault.CodeUnavailable, err)
	case errors.Is(err, password.ErrEncoding):
		return fault.Invalidf("body", "the password is not valid UTF-8")
	}
	return err
}

// policy is what accounts need of the password policy.
type policy struct{ password.Policy }

func (p policy) Refuse(candidate string, identifiers ...string) []string {
	var out []string
	for _, v := range p.Violations(candidate, identifiers...) {
		out = append(out, v.Message)
	}
	return out
}
