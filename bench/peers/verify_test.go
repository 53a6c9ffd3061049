package peers

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

const (
	issuer   = "https://auth.example.com"
	audience = "https://api.example.com"
)

// BenchmarkVerify is the verification of one ES256 access token of Lanyard's by
// each, with signature, issuer, audience and end.
func BenchmarkVerify(b *testing.B) {
	ring, err := token.NewRing(token.ES256, time.Now().Add(-time.Hour), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	iss, err := token.NewIssuer(token.Static(ring), token.IssuerConfig{Issuer: issuer, Audience: audience, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	raw, _, err := iss.Issue(b.Context(), token.Claims{
		UserID: uuidLike(2, 7), SessionID: uuidLike(3, 7), Username: "vera", Role: "USER", AMR: []string{"pwd"}, AuthTime: time.Now(),
	})
	if err != nil {
		b.Fatal(err)
	}
	key := publicKey(b, ring)
	v, err := token.NewVerifier(token.RingKeys(token.Static(ring), time.Now), token.VerifierConfig{
		Issuer: issuer, Audience: audience, Leeway: token.DefaultLeeway, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	cached, err := token.NewCachedVerifier(v, 1024)
	if err != nil {
		b.Fatal(err)
	}
	provider := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}},
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	forged := raw[:len(raw)-4] + "AAAA"
	for _, peer := range []struct {
		name   string
		verify func(context.Context, string) error
	}{
		{"lanyard", func(ctx context.Context, raw string) error { _, err := v.Verify(ctx, raw); return err }},
		{"lanyard-cached", func(ctx context.Context, raw string) error { _, err := cached.Verify(ctx, raw); return err }},
		{"go-oidc", func(ctx context.Context, raw string) error { _, err := provider.Verify(ctx, raw); return err }},
		{"golang-jwt", func(_ context.Context, raw string) error {
			_, err := parser.ParseWithClaims(raw, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return key, nil })
			return err
		}},
	} {
		b.Run(peer.name, func(b *testing.B) {
			ctx := b.Context()
			if peer.verify(ctx, raw) != nil || peer.verify(ctx, forged) == nil {
				b.Fatal("a good token is refused, or a forged one passes")
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := peer.verify(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// publicKey gives the ring's key as others read it from the JWKS.
func publicKey(b *testing.B, ring *token.Ring) crypto.PublicKey {
	b.Helper()
	document, err := json.Marshal(ring.JWKS(time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil {
		b.Fatal(err)
	}
	keys := set.Key(ring.Active().ID)
	if len(keys) != 1 {
		b.Fatalf("%d keys sign", len(keys))
	}
	return keys[0].Key
}
