package token_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

func newCachedVerifier(t testing.TB, src token.Source, c *clock, entries int) *token.CachedVerifier {
	t.Helper()
	v, err := token.NewCachedVerifier(newVerifier(t, src, c), entries)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRememberedTokensEnd(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.ES256))
	v := newCachedVerifier(t, src, c, 64)
	raw := issue(t, newIssuer(t, src, c))
	first, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := v.Verify(t.Context(), raw); err != nil || again.TokenID != first.TokenID || v.Len() != 1 {
		t.Fatalf("%+v, %v", again, err)
	}
	c.at = first.ExpiresAt.Add(token.DefaultLeeway - 1)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Errorf("within leeway: %v", err)
	}
	c.at = first.ExpiresAt.Add(token.DefaultLeeway)
	for range 2 { // from memory, then not
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrExpired) || got.UserID != "" {
			t.Errorf("past its end: %+v, %v", got, err)
		}
	}
	if v.Len() != 0 {
		t.Error("an expired token is remembered")
	}
}

// switching is a source whose ring is replaced.
type switching struct {
	mu   sync.Mutex
	ring *token.Ring
}

func (s *switching) Load(context.Context) (*token.Ring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring == nil {
		return nil, errors.New("store is down")
	}
	return s.ring, nil
}

func TestRememberedTokensDieWithTheirKey(t *testing.T) {
	c := &clock{start}
	src := &switching{ring: newRing(t, token.ES256)}
	v := newCachedVerifier(t, src, c, 64)
	raw := issue(t, newIssuer(t, src, c))
	verify := func(want error) {
		t.Helper()
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, want) || (err != nil) != (got.UserID == "") {
			t.Errorf("%+v, %v, want %v", got, err, want)
		}
	}
	verify(nil)
	// A rotation is no reason to forget.
	rotated, err := src.ring.Rotate(c.at, overlap, nextKey(t, token.ES256, c.at))
	if err != nil {
		t.Fatal(err)
	}
	stolen := src.ring.Active().ID
	src.ring = rotated
	verify(nil)
	// Without keys nothing is accepted, remembered or not.
	src.ring = nil
	verify(token.ErrUnavailable)
	src.ring = rotated
	verify(nil)
	retired, err := rotated.Retire(stolen, c.at, token.Key{})
	if err != nil {
		t.Fatal(err)
	}
	src.ring = retired
	verify(token.ErrForged)
	if v.Len() != 0 {
		t.Error("a retired key's token is remembered")
	}
}

// Another key under the same id is another key.
func TestRememberedTokensAreHeldToTheVeryKey(t *testing.T) {
	c := &clock{start}
	shared := func() *token.Ring {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		k, err := token.NewSecretKey("shared", start, secret)
		if err != nil {
			t.Fatal(err)
		}
		k.State = token.StateActive
		r, err := token.BuildRing([]token.Key{k}, newRing(t, token.HS256).Secrets())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	src := &switching{ring: shared()}
	v := newCachedVerifier(t, src, c, 64)
	raw := issue(t, newIssuer(t, src, c))
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	src.ring = shared()
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrForged) {
		t.Fatal(err)
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.HS256))
	i := newIssuer(t, src, c)
	v := newCachedVerifier(t, src, c, 128)
	for range 2000 {
		if _, err := v.Verify(t.Context(), issue(t, i)); err != nil {
			t.Fatal(err)
		}
		if n := v.Len(); n > 128 {
			t.Fatalf("%d tokens are remembered", n)
		}
	}
	for _, raw := range []string{"", "garbage", strings.Repeat("x", 2000), strings.Repeat("x", 20000)} {
		before := v.Len()
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrMalformed) || v.Len() != before {
			t.Errorf("%.20q: %v", raw, err)
		}
	}
	if _, err := token.NewCachedVerifier(newVerifier(t, src, c), 31); err == nil {
		t.Error("a cache with no room")
	}
	if _, err := token.NewCachedVerifier(nil, 64); err == nil {
		t.Error("a cache with no verifier")
	}
}

// With and without memory the answer is the same, whatever happens between.
func TestTokenCacheChangesNoAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{start}
		first, err := token.NewRing(token.HS256, start, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		src := &switching{ring: first}
		config := token.VerifierConfig{Issuer: issuerURL, Audience: audience, Now: c.now}
		plain, err := token.NewVerifier(token.RingKeys(src, c.now), config)
		if err != nil {
			t.Fatal(err)
		}
		cached, err := token.NewCachedVerifier(plain, 32)
		if err != nil {
			t.Fatal(err)
		}
		i, err := token.NewIssuer(src, token.IssuerConfig{Issuer: issuerURL, Audience: audience, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		tokens := []string{"garbage"}
		t.Repeat(map[string]func(*rapid.T){
			"issue": func(t *rapid.T) {
				raw, _, err := i.Issue(t.Context(), someClaims())
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, raw)
			},
			"rotate": func(t *rapid.T) {
				if src.ring, err = src.ring.Rotate(c.at, time.Minute, nextKey(t, token.HS256, c.at)); err != nil {
					t.Fatal(err)
				}
			},
			"retire": func(t *rapid.T) {
				if src.ring, err = src.ring.Retire(src.ring.Active().ID, c.at, nextKey(t, token.HS256, c.at)); err != nil {
					t.Fatal(err)
				}
			},
			"wait": func(t *rapid.T) {
				c.advance(time.Duration(rapid.IntRange(1, 1000).Draw(t, "seconds")) * time.Second)
			},
			"verify": func(t *rapid.T) {
				raw := rapid.SampledFrom(tokens).Draw(t, "token")
				want, wantErr := plain.Verify(t.Context(), raw)
				got, err := cached.Verify(t.Context(), raw)
				for _, class := range []error{token.ErrMalformed, token.ErrForged, token.ErrClaims, token.ErrExpired} {
					if errors.Is(err, class) != errors.Is(wantErr, class) {
						t.Fatalf("%v, want %v", err, wantErr)
					}
				}
				if got.TokenID != want.TokenID {
					t.Fatalf("%+v, want %+v", got, want)
				}
			},
		})
	})
}

func TestTokenCacheHitAllocatesNothing(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.ES256))
	v := newCachedVerifier(t, src, c, 64)
	raw := issue(t, newIssuer(t, src, c))
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTokenCacheUnderConcurrency(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.HS256))
	i := newIssuer(t, src, c)
	v := newCachedVerifier(t, src, c, 64)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				raw := issue(t, i)
				for range 3 {
					if _, err := v.Verify(t.Context(), raw); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
