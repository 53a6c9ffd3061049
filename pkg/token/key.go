package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"io"
	"time"
)

// State is where a key is in its life.
type State string

// The states, in the order a key passes through them.
const (
	StateNext     State = "next"     // published, not yet signing
	StateActive   State = "active"   // signing; exactly one in a ring
	StatePrevious State = "previous" // verifying until RetireAt
	StateRetired  State = "retired"  // good for nothing; kept as a record of its id
)

// Key is one signing key of a ring.
type Key struct {
	ID          string
	Algorithm   Algorithm
	State       State
	CreatedAt   time.Time
	ActivatedAt time.Time // zero until it first signs
	RetireAt    time.Time // previous: the end of its last token; retired: when it was put away

	// SignerRef names a private key kept elsewhere, such as the ARN of a KMS
	// key; empty for a key held in the ring.
	SignerRef string

	private any             // *ecdsa.PrivateKey, ed25519.PrivateKey, []byte; nil with SignerRef
	public  VerificationKey // zero once retired
}

// Verification gives what checks this key's signatures.
func (k Key) Verification() VerificationKey { return k.public }

// verifiesAt reports whether tokens of this key are good at that time. A next
// key verifies too: another instance may have rotated already.
func (k Key) verifiesAt(now time.Time) bool {
	switch k.State {
	case StateNext, StateActive:
		return true
	case StatePrevious:
		return now.Before(k.RetireAt)
	}
	return false
}

// GenerateKey makes a key in StateNext. rand is read for HS256 secrets and key
// ids; asymmetric keys are drawn by the standard library from the system.
func GenerateKey(alg Algorithm, now time.Time, rand io.Reader) (Key, error) {
	var private, public any
	switch alg {
	case ES256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand)
		if err != nil {
			return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
		}
		private, public = k, &k.PublicKey
	case EdDSA:
		pub, k, err := ed25519.GenerateKey(rand)
		if err != nil {
			return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
		}
		private, public = k, pub
	case HS256:
		k := make([]byte, MinSecretBytes)
		if _, err := io.ReadFull(rand, k); err != nil {
			return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
		}
		private, public = k, k
	default:
		return Key{}, fmt.Errorf("generate key: unsupported algorithm %q", string(alg))
	}
	id, err := newKeyID(now, rand)
	if err != nil {
		return Key{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	return newKey(id, alg, now, private, public)
}

// NewSecretKey makes an HS256 key in StateNext of a secret shared with others.
func NewSecretKey(id string, now time.Time, secret []byte) (Key, error) {
	own := append([]byte(nil), secret...)
	return newKey(id, HS256, now, own, own)
}

// NewRemoteKey makes an ES256 or EdDSA key in StateNext whose private half
// never leaves the place that ref names, such as KMS.
func NewRemoteKey(id string, alg Algorithm, now time.Time, public any, ref string) (Key, error) {
	if alg.Symmetric() || ref == "" {
		return Key{}, fmt.Errorf("remote key %s: want an asymmetric algorithm and a reference", id)
	}
	k, err := newKey(id, alg, now, nil, public)
	k.SignerRef = ref
	return k, err
}

func newKey(id string, alg Algorithm, now time.Time, private, public any) (Key, error) {
	v, err := NewVerificationKey(id, alg, public)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: id, Algorithm: alg, State: StateNext, CreatedAt: now.UTC().Truncate(time.Second), private: private, public: v}, nil
}

// newKeyID makes ids that sort and read by date and never repeat.
func newKeyID(now time.Time, rand io.Reader) (string, error) {
	var r [9]byte
	if _, err := io.ReadFull(rand, r[:]); err != nil {
		return "", fmt.Errorf("draw key id: %w", err)
	}
	return now.UTC().Format("20060102") + "-" + b64.EncodeToString(r[:]), nil
}

// Signer makes JOSE signatures with one key: for ES256 the 64 bytes of r and s
// (RFC 7518 §3.4). It is the seam for keys kept outside the process.
type Signer interface {
	Sign(ctx context.Context, input []byte) (signature []byte, err error)
}

// Signer gives the signer of a key held in the ring.
func (k Key) Signer() (Signer, error) {
	if k.private == nil {
		return nil, fmt.Errorf("key %s: its private half is not in the ring", k.ID)
	}
	return localSigner{k}, nil
}

type localSigner struct{ key Key }

func (s localSigner) Sign(_ context.Context, input []byte) ([]byte, error) {
	return s.key.Algorithm.sign(s.key.private, string(input))
}
