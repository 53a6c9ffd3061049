package token

import (
	"encoding/base64"
	"time"
)

// SharedKey is a secret key as a JWK (RFC 7518, section 6.4), for a service that
// checks HS256 tokens. Whoever holds it can make such tokens as well.
type SharedKey struct {
	KeyType   string    `json:"kty"` // oct
	KeyID     string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	Use       string    `json:"use"` // sig
	Value     string    `json:"k"`
}

// SharedKeySet is a JWK set of secret keys.
type SharedKeySet struct {
	Keys []SharedKey `json:"keys"`
}

// SharedKeys gives the secret keys whose tokens are, or soon will be, good: what
// JWKS leaves out. The secrets of the ring are never in it.
func (r *Ring) SharedKeys(now time.Time) SharedKeySet {
	set := SharedKeySet{Keys: []SharedKey{}}
	for _, k := range r.keys {
		secret, ok := k.public.public.([]byte)
		if !ok || !k.verifiesAt(now) {
			continue
		}
		set.Keys = append(set.Keys, SharedKey{"oct", k.ID, k.Algorithm, "sig", base64.RawURLEncoding.EncodeToString(secret)})
	}
	return set
}
