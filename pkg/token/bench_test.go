package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// BenchmarkSignatureAlone is the floor of BenchmarkVerify/ES256.
func BenchmarkSignatureAlone(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	c := &clock{start}
	raw := []byte(issue(b, newIssuer(b, token.Static(newRing(b, token.ES256)), c)))
	digest := sha256.Sum256(raw)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		digest := sha256.Sum256(raw)
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		b.Run(string(alg), func(b *testing.B) {
			c := &clock{start}
			src := token.Static(newRing(b, alg))
			raw, v := issue(b, newIssuer(b, src, c)), newVerifier(b, src, c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkIssue(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		b.Run(string(alg), func(b *testing.B) {
			i := newIssuer(b, token.Static(newRing(b, alg)), &clock{start})
			b.ReportAllocs()
			for b.Loop() {
				issue(b, i)
			}
		})
	}
}

// BenchmarkMapHit is the floor of BenchmarkCachedVerify: a digest of the token
// and one look into a map.
func BenchmarkMapHit(b *testing.B) {
	raw := []byte(issue(b, newIssuer(b, token.Static(newRing(b, token.ES256)), &clock{start})))
	m := map[[sha256.Size]byte]*token.Claims{sha256.Sum256(raw): {}}
	b.ReportAllocs()
	for b.Loop() {
		if m[sha256.Sum256(raw)] == nil {
			b.Fatal("missed")
		}
	}
}

func BenchmarkCachedVerify(b *testing.B) {
	c := &clock{start}
	src := token.Static(newRing(b, token.ES256))
	raw := issue(b, newIssuer(b, src, c))
	v, err := token.NewCachedVerifier(newVerifier(b, src, c), 1024)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(ctx, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseRefresh(b *testing.B) {
	codec := token.NewCodec(token.Static(newRing(b, token.ES256)), (&clock{start}).now)
	raw, err := codec.EncodeRefresh(b.Context(), token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 7})
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.ParseRefresh(ctx, raw); err != nil {
			b.Fatal(err)
		}
	}
}
