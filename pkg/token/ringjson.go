package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ringDocument is the private form of a ring, for a file, an environment
// variable or a parameter store. Key material is in the members of RFC 7518 §6
// and RFC 8037 §2.
type ringDocument struct {
	Version int              `json:"version"`
	Keys    []keyDocument    `json:"keys"`
	Secrets []secretDocument `json:"secrets"`
}

type keyDocument struct {
	KeyID       string    `json:"kid"`
	Algorithm   string    `json:"alg"`
	State       State     `json:"state"`
	CreatedAt   time.Time `json:"createdAt"`
	ActivatedAt time.Time `json:"activatedAt,omitzero"`
	RetireAt    time.Time `json:"retireAt,omitzero"`
	SignerRef   string    `json:"signerRef,omitempty"`
	KeyType     string    `json:"kty,omitempty"`
	Curve       string    `json:"crv,omitempty"`
	X           string    `json:"x,omitempty"`
	Y           string    `json:"y,omitempty"`
	D           string    `json:"d,omitempty"` // private scalar (EC) or seed (OKP)
	K           string    `json:"k,omitempty"` // secret (oct)
}

type secretDocument struct {
	Version   uint16    `json:"version"`
	CreatedAt time.Time `json:"createdAt"`
	Value     string    `json:"value"`
}

const ringVersion = 1

// Marshal gives the ring with all its private material. The result is as
// secret as the keys.
func (r *Ring) Marshal() ([]byte, error) {
	doc := ringDocument{Version: ringVersion, Keys: []keyDocument{}, Secrets: []secretDocument{}}
	for _, k := range r.keys {
		d, err := k.document()
		if err != nil {
			return nil, fmt.Errorf("encode key ring: %w", err)
		}
		doc.Keys = append(doc.Keys, d)
	}
	for _, s := range r.secrets {
		doc.Secrets = append(doc.Secrets, secretDocument{s.Version, s.CreatedAt, b64.EncodeToString(s.value)})
	}
	out, err := json.Marshal(doc, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("encode key ring: %w", err)
	}
	return append(out, '\n'), nil
}

func (k Key) document() (keyDocument, error) {
	d := keyDocument{KeyID: k.ID, Algorithm: string(k.Algorithm), State: k.State, CreatedAt: k.CreatedAt,
		ActivatedAt: k.ActivatedAt, RetireAt: k.RetireAt, SignerRef: k.SignerRef}
	if k.State == StateRetired {
		return d, nil
	}
	if j, ok := k.public.JWK(); ok {
		d.KeyType, d.Curve, d.X, d.Y = j.KeyType, j.Curve, j.X, j.Y
	}
	switch p := k.private.(type) {
	case *ecdsa.PrivateKey:
		raw, err := p.Bytes()
		if err != nil {
			return keyDocument{}, fmt.Errorf("key %s: %w", k.ID, err)
		}
		d.D = b64.EncodeToString(raw)
	case ed25519.PrivateKey:
		d.D = b64.EncodeToString(p.Seed())
	case []byte:
		d.KeyType, d.K = "oct", b64.EncodeToString(p)
	}
	return d, nil
}

// ParseRing reads what Marshal wrote. It refuses unknown and repeated members,
// and keys whose halves do not belong together. Errors never quote material.
func ParseRing(raw []byte) (*Ring, error) {
	var doc ringDocument
	if err := json.Unmarshal(raw, &doc, json.RejectUnknownMembers(true)); err != nil {
		// The decoder's message may quote its input, which is secret.
		return nil, fmt.Errorf("key ring is not the JSON of a ring")
	}
	if doc.Version != ringVersion {
		return nil, fmt.Errorf("key ring has format %d, want %d", doc.Version, ringVersion)
	}
	keys := make([]Key, 0, len(doc.Keys))
	for _, d := range doc.Keys {
		k, err := d.key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	secrets := make([]Secret, 0, len(doc.Secrets))
	for _, d := range doc.Secrets {
		value, err := decode64(d.Value)
		if err != nil {
			return nil, fmt.Errorf("secret %d is not base64url", d.Version)
		}
		s, err := NewSecret(d.Version, d.CreatedAt, value)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, s)
	}
	return BuildRing(keys, secrets)
}

func (d keyDocument) key() (Key, error) {
	if !validKeyID(d.KeyID) {
		return Key{}, fmt.Errorf("a key of the ring has no proper kid")
	}
	alg, err := ParseAlgorithm(d.Algorithm)
	if err != nil {
		return Key{}, fmt.Errorf("key %s: %w", d.KeyID, err)
	}
	k := Key{ID: d.KeyID, Algorithm: alg, State: d.State, CreatedAt: d.CreatedAt,
		ActivatedAt: d.ActivatedAt, RetireAt: d.RetireAt, SignerRef: d.SignerRef}
	if d.State == StateRetired {
		return k, nil
	}
	if alg == HS256 {
		secret, err := decode64(d.K)
		if err != nil {
			return Key{}, fmt.Errorf("key %s: k is not base64url", d.KeyID)
		}
		if k.public, err = NewVerificationKey(d.KeyID, alg, secret); err != nil {
			return Key{}, err
		}
		k.private = secret
		return k, nil
	}
	j := JWK{KeyType: d.KeyType, Curve: d.Curve, X: d.X, Y: d.Y, KeyID: d.KeyID, Algorithm: d.Algorithm}
	if k.public, err = j.key(); err != nil {
		return Key{}, err
	}
	if d.SignerRef != "" {
		if d.D != "" {
			return Key{}, fmt.Errorf("key %s: has both a private half and a reference to one", d.KeyID)
		}
		return k, nil
	}
	raw, err := decode64(d.D)
	if err != nil {
		return Key{}, fmt.Errorf("key %s: d is not base64url", d.KeyID)
	}
	switch public := k.public.public.(type) {
	case *ecdsa.PublicKey:
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
		if err != nil || !private.PublicKey.Equal(public) {
			return Key{}, fmt.Errorf("key %s: d does not belong to x and y", d.KeyID)
		}
		k.private = private
	case ed25519.PublicKey:
		if len(raw) != ed25519.SeedSize {
			return Key{}, fmt.Errorf("key %s: d has %d bytes, want %d", d.KeyID, len(raw), ed25519.SeedSize)
		}
		private := ed25519.NewKeyFromSeed(raw)
		if !public.Equal(private.Public()) {
			return Key{}, fmt.Errorf("key %s: d does not belong to x", d.KeyID)
		}
		k.private = private
	}
	return k, nil
}
