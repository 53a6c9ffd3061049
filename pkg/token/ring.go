package token

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Ring is an immutable snapshot of every key: the signing keys, and the
// versioned secrets from which keys for all other tokens are derived. Each
// change gives a new ring.
type Ring struct {
	keys    []Key    // by CreatedAt, oldest first
	secrets []Secret // by Version, the last is the current one
	byID    map[string]int
	active  int

	derived sync.Map // Purpose → DerivedKeys; a memo, not state
}

// Secret is one version of the secret that keys are derived from. Earlier
// versions stay in the ring until they are retired by name: what they sealed
// (a TOTP secret) may be years old.
type Secret struct {
	Version   uint16
	CreatedAt time.Time

	value []byte
}

// Purpose separates the keys derived from one secret (RFC 5869 §3.2): what was
// made for one purpose is noise to every other.
type Purpose string

// The purposes.
const (
	PurposeRefresh        Purpose = "refresh"
	PurposeMFAPending     Purpose = "mfa-pending"
	PurposeDevice         Purpose = "device"
	PurposeCursor         Purpose = "cursor"
	PurposeTOTPEncryption Purpose = "totp-encryption"
	PurposeRecoveryCodes  Purpose = "recovery-codes"
)

// NewRing makes a first ring: the active key, the next one, and one secret.
func NewRing(alg Algorithm, now time.Time, rand io.Reader) (*Ring, error) {
	active, err := GenerateKey(alg, now, rand)
	if err != nil {
		return nil, err
	}
	next, err := GenerateKey(alg, now, rand)
	if err != nil {
		return nil, err
	}
	secret, err := GenerateSecret(1, now, rand)
	if err != nil {
		return nil, err
	}
	active.State, active.ActivatedAt = StateActive, active.CreatedAt
	return BuildRing([]Key{active, next}, []Secret{secret})
}

// GenerateSecret draws a secret of 256 bits.
func GenerateSecret(version uint16, now time.Time, rand io.Reader) (Secret, error) {
	value := make([]byte, MinSecretBytes)
	if _, err := io.ReadFull(rand, value); err != nil {
		return Secret{}, fmt.Errorf("draw secret: %w", err)
	}
	return NewSecret(version, now, value)
}

// NewSecret takes a secret of at least MinSecretBytes made elsewhere.
func NewSecret(version uint16, now time.Time, value []byte) (Secret, error) {
	if version == 0 {
		return Secret{}, fmt.Errorf("secret: version 0 is reserved")
	}
	if len(value) < MinSecretBytes {
		return Secret{}, fmt.Errorf("secret %d: want at least %d bytes", version, MinSecretBytes)
	}
	return Secret{Version: version, CreatedAt: now.UTC().Truncate(time.Second), value: slices.Clone(value)}, nil
}

// BuildRing checks and assembles a ring: exactly one active key, at most one
// next key, unique ids and versions, at least one secret.
func BuildRing(keys []Key, secrets []Secret) (*Ring, error) {
	r := &Ring{keys: slices.Clone(keys), secrets: slices.Clone(secrets), active: -1}
	slices.SortStableFunc(r.keys, func(a, b Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	slices.SortFunc(r.secrets, func(a, b Secret) int { return int(a.Version) - int(b.Version) })
	r.byID = make(map[string]int, len(r.keys))
	next := 0
	for i, k := range r.keys {
		if !validKeyID(k.ID) {
			return nil, fmt.Errorf("key ring: a key has no proper id")
		}
		if !sensible(k.CreatedAt) {
			return nil, fmt.Errorf("key ring: key %s has no sensible time of creation", k.ID)
		}
		if _, twice := r.byID[k.ID]; twice {
			return nil, fmt.Errorf("key ring: two keys with id %s", k.ID)
		}
		r.byID[k.ID] = i
		switch k.State {
		case StateActive:
			if r.active >= 0 {
				return nil, fmt.Errorf("key ring: two active keys")
			}
			r.active = i
		case StateNext:
			next++
		case StatePrevious, StateRetired:
			if k.RetireAt.IsZero() {
				return nil, fmt.Errorf("key ring: %s key %s has no end", k.State, k.ID)
			}
		default:
			return nil, fmt.Errorf("key ring: key %s has unknown state %q", k.ID, string(k.State))
		}
		if k.State != StateRetired && k.public.ID != k.ID {
			return nil, fmt.Errorf("key ring: key %s has no key material", k.ID)
		}
	}
	switch {
	case r.active < 0:
		return nil, fmt.Errorf("key ring: no active key")
	case next > 1:
		return nil, fmt.Errorf("key ring: %d next keys, want at most one", next)
	case len(r.secrets) == 0:
		return nil, fmt.Errorf("key ring: no secret")
	}
	for i, s := range r.secrets {
		if s.Version == 0 || len(s.value) < MinSecretBytes || !sensible(s.CreatedAt) {
			return nil, fmt.Errorf("key ring: secret %d is unusable", s.Version)
		}
		if i > 0 && r.secrets[i-1].Version == s.Version {
			return nil, fmt.Errorf("key ring: two secrets with version %d", s.Version)
		}
	}
	return r, nil
}

// sensible reports whether a time can have been the clock's.
func sensible(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() <= 9999 }

// Active gives the key that signs.
func (r *Ring) Active() Key { return r.keys[r.active] }

// Keys gives all keys, oldest first.
func (r *Ring) Keys() []Key { return slices.Clone(r.keys) }

// Secrets gives all secrets, the current one last.
func (r *Ring) Secrets() []Secret { return slices.Clone(r.secrets) }

// VerificationKey gives the key of that id if its tokens are good now.
func (r *Ring) VerificationKey(id string, now time.Time) (VerificationKey, bool) {
	i, ok := r.byID[id]
	if !ok || !r.keys[i].verifiesAt(now) {
		return VerificationKey{}, false
	}
	return r.keys[i].public, true
}

// JWKS gives the public keys whose tokens are, or soon will be, good. Secret
// keys are never in it.
func (r *Ring) JWKS(now time.Time) JWKSet {
	set := JWKSet{Keys: []JWK{}}
	for _, k := range r.keys {
		if !k.verifiesAt(now) {
			continue
		}
		if j, ok := k.public.JWK(); ok {
			set.Keys = append(set.Keys, j)
		}
	}
	return set
}

// DerivedKey is a 256-bit key for one purpose, of one version of the secret.
type DerivedKey struct {
	Version uint16
	Key     [sha256.Size]byte
}

// DerivedKeys are the keys of one purpose, the current one last.
type DerivedKeys []DerivedKey

// Current gives the key to make new things with.
func (d DerivedKeys) Current() DerivedKey { return d[len(d)-1] }

// Version gives the key of one version of the secret, or false where that
// version is unknown or retired.
func (d DerivedKeys) Version(v uint16) (DerivedKey, bool) {
	for i := len(d) - 1; i >= 0; i-- {
		if d[i].Version == v {
			return d[i], true
		}
	}
	return DerivedKey{}, false
}

// Derive gives the keys of a purpose by HKDF-SHA-256 (RFC 5869), the purpose
// being its info.
func (r *Ring) Derive(p Purpose) (DerivedKeys, error) {
	if d, ok := r.derived.Load(p); ok {
		return d.(DerivedKeys), nil
	}
	out := make(DerivedKeys, 0, len(r.secrets))
	for _, s := range r.secrets {
		k, err := hkdf.Key(sha256.New, s.value, nil, "lanyard/v1/"+string(p), sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive %s key: %w", p, err)
		}
		out = append(out, DerivedKey{Version: s.Version, Key: [sha256.Size]byte(k)})
	}
	r.derived.Store(p, out)
	return out, nil
}

// Source is where a ring comes from. Load gives the ring as it stands, or an
// error: never an empty ring, never one it cannot vouch for.
type Source interface {
	Load(ctx context.Context) (*Ring, error)
}

// Static is a source of one ring that never changes.
func Static(r *Ring) Source { return staticSource{r} }

type staticSource struct{ ring *Ring }

func (s staticSource) Load(context.Context) (*Ring, error) {
	if s.ring == nil {
		return nil, fmt.Errorf("%w: no ring", ErrUnavailable)
	}
	return s.ring, nil
}
