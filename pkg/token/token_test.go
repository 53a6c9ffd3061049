package token_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

const (
	userID    = "0190a5c0-0000-7000-8000-000000000001"
	sessionID = "0190a5c0-0000-7000-8000-000000000002"
	issuerURL = "https://id.example.test"
	audience  = "https://api.example.test"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is a clock that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newRing(t testing.TB, alg token.Algorithm) *token.Ring {
	t.Helper()
	r, err := token.NewRing(alg, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newIssuer(t testing.TB, src token.Source, c *clock) *token.Issuer {
	t.Helper()
	i, err := token.NewIssuer(src, token.IssuerConfig{Issuer: issuerURL, Audience: audience, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func newVerifier(t testing.TB, src token.Source, c *clock) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.RingKeys(src, c.now), token.VerifierConfig{
		Issuer: issuerURL, Audience: audience, Leeway: token.DefaultLeeway, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func someClaims() token.Claims {
	return token.Claims{UserID: userID, SessionID: sessionID, Username: "vera", Role: "USER",
		AMR: []string{"pwd"}, AuthTime: start}
}

func issue(t testing.TB, i *token.Issuer) string {
	t.Helper()
	raw, _, err := i.Issue(t.Context(), someClaims())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestIssuedTokenVerifies(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		t.Run(string(alg), func(t *testing.T) {
			c := &clock{start}
			src := token.Static(newRing(t, alg))
			raw, expires, err := newIssuer(t, src, c).Issue(t.Context(), someClaims())
			if err != nil {
				t.Fatal(err)
			}
			v := newVerifier(t, src, c)
			got, err := v.Verify(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if got.UserID != userID || got.SessionID != sessionID || got.Username != "vera" || got.Role != "USER" ||
				!got.AuthTime.Equal(start) || len(got.AMR) != 1 || got.AMR[0] != "pwd" ||
				!got.ExpiresAt.Equal(expires) || !expires.Equal(start.Add(15*time.Minute)) {
				t.Fatalf("claims %+v, expires %v", got, expires)
			}
			c.at = expires.Add(token.DefaultLeeway - time.Second)
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatalf("within leeway: %v", err)
			}
			c.advance(time.Second)
			if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrExpired) {
				t.Fatalf("past leeway: %v", err)
			}
		})
	}
}

func TestRefreshTokenRoundTrip(t *testing.T) {
	c := &clock{start}
	codec := token.NewCodec(token.Static(newRing(t, token.ES256)), c.now)
	in := token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 7}
	raw, err := codec.EncodeRefresh(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := codec.ParseRefresh(t.Context(), raw)
	if err != nil || out != in {
		t.Fatalf("got %+v, %v", out, err)
	}
}
