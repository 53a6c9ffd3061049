package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is a JWS algorithm (RFC 7518, RFC 8037). Each key has exactly one
// and is never used with another (RFC 8725 §3.1).
type Algorithm string

// The algorithms. RSA is left out on purpose: ASVS 5.0 appendix C disallows
// PKCS#1 v1.5, and its keys and signatures are several times larger.
const (
	ES256 Algorithm = "ES256" // ECDSA, P-256, SHA-256; the default
	EdDSA Algorithm = "EdDSA" // Ed25519
	HS256 Algorithm = "HS256" // HMAC-SHA-256, for one shared secret; never published
)

// MinSecretBytes is the least size of an HS256 secret (RFC 7518 §3.2) and of
// every secret keys are derived from.
const MinSecretBytes = 32

// ParseAlgorithm accepts the exact name of a supported algorithm.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch a := Algorithm(s); a {
	case ES256, EdDSA, HS256:
		return a, nil
	}
	return "", fmt.Errorf("unsupported algorithm %q: want ES256, EdDSA or HS256", s)
}

// Symmetric reports whether whoever verifies can also sign.
func (a Algorithm) Symmetric() bool { return a == HS256 }

// verify checks a JOSE signature over input. The methods are taken by value of
// the key's own algorithm, never looked up by a name the token brings.
func (a Algorithm) verify(public any, input string, signature []byte) error {
	switch a {
	case ES256:
		if _, ok := public.(*ecdsa.PublicKey); ok {
			return jwt.SigningMethodES256.Verify(input, signature, public)
		}
	case EdDSA:
		if _, ok := public.(ed25519.PublicKey); ok {
			return jwt.SigningMethodEdDSA.Verify(input, signature, public)
		}
	case HS256:
		if _, ok := public.([]byte); ok {
			return jwt.SigningMethodHS256.Verify(input, signature, public)
		}
	}
	return fmt.Errorf("no %s key", a)
}

// sign makes a JOSE signature over input with a private key in memory.
func (a Algorithm) sign(private any, input string) ([]byte, error) {
	switch a {
	case ES256:
		if _, ok := private.(*ecdsa.PrivateKey); ok {
			return jwt.SigningMethodES256.Sign(input, private)
		}
	case EdDSA:
		if _, ok := private.(ed25519.PrivateKey); ok {
			return jwt.SigningMethodEdDSA.Sign(input, private)
		}
	case HS256:
		if _, ok := private.([]byte); ok {
			return jwt.SigningMethodHS256.Sign(input, private)
		}
	}
	return nil, fmt.Errorf("no private %s key", a)
}
