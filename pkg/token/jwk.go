package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// b64 is base64url without padding, refusing a last character with stray bits,
// so that every value has one spelling (RFC 7515 §2, RFC 4648 §3.5).
var b64 = base64.RawURLEncoding.Strict()

// decode64 is b64's decoding without the leniency encoding/base64 keeps even
// then: it skips CR and LF.
func decode64(s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' {
			return nil, base64.CorruptInputError(i)
		}
	}
	return b64.DecodeString(s)
}

// JWK is the public part of a key (RFC 7517, RFC 7518 §6.2, RFC 8037 §2). It
// has no field for a private member, so none can be published by mistake.
type JWK struct {
	KeyType   string `json:"kty" enum:"EC,OKP" doc:"Key type."`
	Curve     string `json:"crv" enum:"P-256,Ed25519" doc:"Curve."`
	X         string `json:"x" doc:"Public point, base64url."`
	Y         string `json:"y,omitempty" doc:"Second coordinate, for P-256."`
	KeyID     string `json:"kid" doc:"Key id, as in a token's header."`
	Algorithm string `json:"alg" enum:"ES256,EdDSA" doc:"The one algorithm of this key."`
	Use       string `json:"use" enum:"sig" doc:"What the key is for."`
}

// JWKSet is the document at /.well-known/jwks.json.
type JWKSet struct {
	Keys []JWK `json:"keys" nullable:"false" doc:"Public keys: the next, the active, and the previous ones."`
}

// VerificationKey is what is needed to check a signature by one key.
type VerificationKey struct {
	ID        string
	Algorithm Algorithm

	public      any // *ecdsa.PublicKey, ed25519.PublicKey or []byte
	fingerprint [sha256.Size]byte
}

// NewVerificationKey makes a key from *ecdsa.PublicKey (P-256),
// ed25519.PublicKey or a secret of at least MinSecretBytes, as the algorithm
// demands.
func NewVerificationKey(id string, alg Algorithm, public any) (VerificationKey, error) {
	if !validKeyID(id) {
		return VerificationKey{}, fmt.Errorf("key id: want 1 to %d printable ASCII characters", maxKeyID)
	}
	k := VerificationKey{ID: id, Algorithm: alg, public: public}
	var material []byte
	switch alg {
	case ES256:
		p, ok := public.(*ecdsa.PublicKey)
		if !ok || p == nil || p.Curve != elliptic.P256() {
			return VerificationKey{}, fmt.Errorf("key %s: ES256 needs a P-256 public key", id)
		}
		point, err := p.Bytes()
		if err != nil {
			return VerificationKey{}, fmt.Errorf("key %s: %w", id, err)
		}
		material = point
	case EdDSA:
		p, ok := public.(ed25519.PublicKey)
		if !ok || len(p) != ed25519.PublicKeySize {
			return VerificationKey{}, fmt.Errorf("key %s: EdDSA needs an Ed25519 public key", id)
		}
		material = p
	case HS256:
		s, ok := public.([]byte)
		if !ok || len(s) < MinSecretBytes {
			return VerificationKey{}, fmt.Errorf("key %s: HS256 needs a secret of at least %d bytes", id, MinSecretBytes)
		}
		material = s
	default:
		return VerificationKey{}, fmt.Errorf("key %s: unsupported algorithm %q", id, string(alg))
	}
	h := sha256.New()
	h.Write([]byte(id + "\x00" + string(alg) + "\x00"))
	h.Write(material)
	h.Sum(k.fingerprint[:0])
	return k, nil
}

// Verify checks a JOSE signature (RFC 7518 §3, RFC 8037 §3.1) over input by the
// key's one algorithm. A failure is ErrForged, for whatever reason.
func (k VerificationKey) Verify(input string, signature []byte) error {
	if err := k.Algorithm.verify(k.public, input, signature); err != nil {
		return fmt.Errorf("%w: bad signature", ErrForged)
	}
	return nil
}

// Same reports whether both are the very same key under the same id.
func (k VerificationKey) Same(other VerificationKey) bool { return k.fingerprint == other.fingerprint }

// JWK gives the public form, or false for a secret key, which has none.
func (k VerificationKey) JWK() (JWK, bool) {
	out := JWK{KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		point, err := p.Bytes()
		if err != nil {
			return JWK{}, false
		}
		out.KeyType, out.Curve = "EC", "P-256"
		out.X, out.Y = b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:])
		return out, true
	case ed25519.PublicKey:
		out.KeyType, out.Curve, out.X = "OKP", "Ed25519", b64.EncodeToString(p)
		return out, true
	}
	return JWK{}, false
}

// ParseJWK makes a verification key of one member of a foreign key set. Keys of
// other types or for other uses are refused with an error, which a reader of a
// set skips (RFC 7517 §5). Secret keys are not accepted: a set is public.
func ParseJWK(raw []byte) (VerificationKey, error) {
	var in struct {
		JWK
		Operations *[]string `json:"key_ops"`

		D jsontext.Value `json:"d"`
		K jsontext.Value `json:"k"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return VerificationKey{}, fmt.Errorf("JWK: %w", err)
	}
	if in.D != nil || in.K != nil {
		return VerificationKey{}, fmt.Errorf("JWK %.64q: carries a private member", in.KeyID)
	}
	if in.Use != "" && in.Use != "sig" {
		return VerificationKey{}, fmt.Errorf("JWK %.64q: use is %.16q, want sig", in.KeyID, in.Use)
	}
	if in.Operations != nil && !slices.Contains(*in.Operations, "verify") {
		return VerificationKey{}, fmt.Errorf("JWK %.64q: key_ops lacks verify", in.KeyID)
	}
	return in.key()
}

func (j JWK) key() (VerificationKey, error) {
	x, err := decode64(j.X)
	if err != nil {
		return VerificationKey{}, fmt.Errorf("JWK %.64q: x: %w", j.KeyID, err)
	}
	switch {
	case j.KeyType == "EC" && j.Curve == "P-256" && (j.Algorithm == "" || j.Algorithm == string(ES256)):
		y, err := decode64(j.Y)
		if err != nil {
			return VerificationKey{}, fmt.Errorf("JWK %.64q: y: %w", j.KeyID, err)
		}
		if len(x) != 32 || len(y) != 32 {
			return VerificationKey{}, fmt.Errorf("JWK %.64q: P-256 coordinates have 32 bytes each", j.KeyID)
		}
		point := append(append([]byte{4}, x...), y...)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return VerificationKey{}, fmt.Errorf("JWK %.64q: %w", j.KeyID, err)
		}
		return NewVerificationKey(j.KeyID, ES256, public)
	case j.KeyType == "OKP" && j.Curve == "Ed25519" && (j.Algorithm == "" || j.Algorithm == string(EdDSA)):
		return NewVerificationKey(j.KeyID, EdDSA, ed25519.PublicKey(x))
	}
	return VerificationKey{}, fmt.Errorf("JWK %.64q: unsupported kty, crv and alg", j.KeyID)
}

const maxKeyID = 128

// validKeyID bounds what is looked up and logged as a key id.
func validKeyID(s string) bool {
	if s == "" || len(s) > maxKeyID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
