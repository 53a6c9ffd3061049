package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // PBKDF2-HMAC-SHA-1 of imported hashes
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Bounds of the costs of imported hashes, above what their systems use by
// default: Django 6 has 1.2 million iterations of PBKDF2-SHA-256, and 2^14·8·5
// of scrypt.
const (
	maxIterations   = 2_000_000
	maxScryptMemory = 256 << 20 // 128·N·r bytes
	maxScryptWork   = 1 << 23   // N·r·p
)

// pbkdf2Hash is PBKDF2 (RFC 8018) with the HMAC that digest names.
type pbkdf2Hash struct {
	digest     string // pbkdf2-sha1, pbkdf2-sha256, pbkdf2-sha512
	iterations int
	salt, key  []byte
}

func newPBKDF2(digest string, iterations uint64, salt, key []byte) (pbkdf2Hash, error) {
	if digest == "pbkdf2" {
		digest = "pbkdf2-sha1" // passlib's name
	}
	size := map[string]int{"pbkdf2-sha1": sha1.Size, "pbkdf2-sha256": sha256.Size, "pbkdf2-sha512": sha512.Size}[digest]
	// A key longer than the digest costs its maker more than us, and one under
	// 16 bytes says too little.
	if size == 0 || iterations < 1 || iterations > maxIterations || len(salt) > 128 || len(key) < 16 || len(key) > max(size, 64) {
		return pbkdf2Hash{}, fmt.Errorf("%w: PBKDF2 parameters", ErrUnknownHash)
	}
	return pbkdf2Hash{digest, int(iterations), salt, key}, nil
}

// parsePBKDF2 reads i=…,l=…$salt$hash (PHC) and iterations$salt$hash (passlib).
func parsePBKDF2(digest, rest string) (pbkdf2Hash, error) {
	bad := fmt.Errorf("%w: PBKDF2 form", ErrUnknownHash)
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return pbkdf2Hash{}, bad
	}
	params, size, sized := strings.Cut(strings.TrimPrefix(parts[0], "i="), ",l=")
	var iterations, length uint64
	if !decimal(params, &iterations) || sized && !decimal(size, &length) {
		return pbkdf2Hash{}, bad
	}
	salt, err := forms64(parts[1], 0, 128)
	if err != nil {
		return pbkdf2Hash{}, bad
	}
	key, err := forms64(parts[2], 16, 64)
	if err != nil || sized && length != uint64(len(key)) {
		return pbkdf2Hash{}, bad
	}
	return newPBKDF2(digest, iterations, salt, key)
}

// parseDjangoPBKDF2 reads iterations$salt$hash, where the salt is text.
func parseDjangoPBKDF2(digest, rest string) (pbkdf2Hash, error) {
	bad := fmt.Errorf("%w: Django PBKDF2 form", ErrUnknownHash)
	parts := strings.Split(rest, "$")
	var iterations uint64
	if len(parts) != 3 || !decimal(parts[0], &iterations) || parts[1] == "" {
		return pbkdf2Hash{}, bad
	}
	key, err := strict64(base64.StdEncoding, parts[2], 16, 64)
	if err != nil {
		return pbkdf2Hash{}, bad
	}
	return newPBKDF2(digest, iterations, []byte(parts[1]), key)
}

// Keycloak is a credential of type "password" as Keycloak exports it:
// hashIterations and algorithm of credentialData, value and salt of secretData.
type Keycloak struct {
	Algorithm  string // pbkdf2, pbkdf2-sha256, pbkdf2-sha512
	Iterations int
	Salt       string // base64
	Value      string // base64
}

// Encode gives the form to store. The error is ErrUnknownHash.
func (k Keycloak) Encode() (string, error) {
	return ParseForeign(fmt.Sprintf("$%s$%d$%s$%s", k.Algorithm, k.Iterations, k.Salt, k.Value))
}

func (h pbkdf2Hash) String() string {
	return fmt.Sprintf("$%s$i=%d,l=%d$%s$%s", h.digest, h.iterations, len(h.key),
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h pbkdf2Hash) matches(password string) bool {
	var got []byte
	var err error
	switch h.digest {
	case "pbkdf2-sha1":
		got, err = pbkdf2.Key(sha1.New, password, h.salt, h.iterations, len(h.key))
	case "pbkdf2-sha256":
		got, err = pbkdf2.Key(sha256.New, password, h.salt, h.iterations, len(h.key))
	case "pbkdf2-sha512":
		got, err = pbkdf2.Key(sha512.New, password, h.salt, h.iterations, len(h.key))
	}
	return err == nil && subtle.ConstantTimeCompare(got, h.key) == 1
}

func (pbkdf2Hash) weakerThan(Config) bool { return true }

// scryptCosts are N, r and p of scrypt (RFC 7914).
type scryptCosts struct{ n, r, p int }

func newScryptCosts(n, r, p uint64) (scryptCosts, error) {
	// Each is bounded first, so that their products cannot overflow.
	if n < 2 || n > 1<<24 || bits.OnesCount64(n) != 1 || r < 1 || r > 64 || p < 1 || p > 64 ||
		128*n*r > maxScryptMemory || n*r*p > maxScryptWork {
		return scryptCosts{}, fmt.Errorf("%w: scrypt costs are out of bounds", ErrUnknownHash)
	}
	return scryptCosts{int(n), int(r), int(p)}, nil
}

func (c scryptCosts) log() int { return bits.Len(uint(c.n)) - 1 }

type scryptHash struct {
	costs     scryptCosts
	salt, key []byte
}

// parseScrypt reads ln=…,r=…,p=…$salt$hash.
func parseScrypt(rest string) (scryptHash, error) {
	bad := fmt.Errorf("%w: scrypt form", ErrUnknownHash)
	parts := strings.Split(rest, "$")
	if len(parts) != 3 {
		return scryptHash{}, bad
	}
	var ln, r, p uint64
	params := strings.Split(parts[0], ",")
	if len(params) != 3 || !named(params[0], "ln=", &ln) || !named(params[1], "r=", &r) || !named(params[2], "p=", &p) || ln > 24 {
		return scryptHash{}, bad
	}
	costs, err := newScryptCosts(1<<ln, r, p)
	if err != nil {
		return scryptHash{}, err
	}
	h := scryptHash{costs: costs}
	if h.salt, err = forms64(parts[1], 0, 128); err != nil {
		return scryptHash{}, bad
	}
	if h.key, err = forms64(parts[2], 16, 64); err != nil {
		return scryptHash{}, bad
	}
	return h, nil
}

// parseDjangoScrypt reads N$salt$r$p$hash — Django writes the work factor
// first, then the salt as text.
func parseDjangoScrypt(rest string) (scryptHash, error) {
	bad := fmt.Errorf("%w: Django scrypt form", ErrUnknownHash)
	parts := strings.Split(rest, "$")
	var n, r, p uint64
	if len(parts) != 5 || !decimal(parts[0], &n) || parts[1] == "" || !decimal(parts[2], &r) || !decimal(parts[3], &p) {
		return scryptHash{}, bad
	}
	costs, err := newScryptCosts(n, r, p)
	if err != nil {
		return scryptHash{}, err
	}
	key, err := strict64(base64.StdEncoding, parts[4], 16, 64)
	if err != nil {
		return scryptHash{}, bad
	}
	return scryptHash{costs, []byte(parts[1]), key}, nil
}

func (h scryptHash) String() string {
	return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s$%s", h.costs.log(), h.costs.r, h.costs.p,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h scryptHash) matches(password string) bool {
	got, err := scrypt.Key([]byte(password), h.salt, h.costs.n, h.costs.r, h.costs.p, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(got, h.key) == 1
}

func (scryptHash) weakerThan(Config) bool { return true }

// FirebaseScrypt are the hash parameters of a Firebase project, as its console
// shows them. Firebase's modified scrypt derives an AES key from the password
// and compares the project's signer key encrypted with it
// (https://github.com/firebase/scrypt). The signer key becomes part of each
// stored hash, until its user has signed in once and is rehashed.
type FirebaseScrypt struct {
	SignerKey     string // base64
	SaltSeparator string // base64
	Rounds        int    // scrypt's r
	MemoryCost    int    // scrypt's log2 N
}

// Encode gives the form to store of one user's passwordHash and salt, both in
// base64 as "firebase auth:export" writes them. The error is ErrUnknownHash.
func (f FirebaseScrypt) Encode(salt, passwordHash string) (string, error) {
	// The CLI writes URL-safe base64, the console standard.
	std := strings.NewReplacer("-", "+", "_", "/")
	return ParseForeign(fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d$%s$%s$%s$%s", f.MemoryCost, f.Rounds,
		std.Replace(salt), std.Replace(f.SaltSeparator), std.Replace(f.SignerKey), std.Replace(passwordHash)))
}

type firebaseHash struct {
	costs                        scryptCosts
	salt, separator, signer, key []byte
}

// parseFirebase reads ln=…,r=…$salt$separator$signer key$hash.
func parseFirebase(rest string) (firebaseHash, error) {
	bad := fmt.Errorf("%w: Firebase scrypt form", ErrUnknownHash)
	parts := strings.Split(rest, "$")
	if len(parts) != 5 {
		return firebaseHash{}, bad
	}
	var ln, r uint64
	params := strings.Split(parts[0], ",")
	if len(params) != 2 || !named(params[0], "ln=", &ln) || !named(params[1], "r=", &r) || ln > 24 {
		return firebaseHash{}, bad
	}
	costs, err := newScryptCosts(1<<ln, r, 1)
	if err != nil {
		return firebaseHash{}, err
	}
	h := firebaseHash{costs: costs}
	for i, field := range []*[]byte{&h.salt, &h.separator, &h.signer, &h.key} {
		least := 0
		if field == &h.signer || field == &h.key {
			least = 32
		}
		if *field, err = forms64(parts[i+1], least, 128); err != nil {
			return firebaseHash{}, bad
		}
	}
	if len(h.signer) != len(h.key) {
		return firebaseHash{}, bad
	}
	return h, nil
}

func (h firebaseHash) String() string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d$%s$%s$%s$%s", h.costs.log(), h.costs.r,
		e.EncodeToString(h.salt), e.EncodeToString(h.separator), e.EncodeToString(h.signer), e.EncodeToString(h.key))
}

func (h firebaseHash) matches(password string) bool {
	salt := append(append([]byte(nil), h.salt...), h.separator...)
	derived, err := scrypt.Key([]byte(password), salt, h.costs.n, h.costs.r, h.costs.p, 32)
	if err != nil {
		return false
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return false
	}
	got := make([]byte, len(h.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(got, h.signer)
	return subtle.ConstantTimeCompare(got, h.key) == 1
}

func (firebaseHash) weakerThan(Config) bool { return true }

// named reads name=decimal.
func named(s, name string, out *uint64) bool {
	v, ok := strings.CutPrefix(s, name)
	return ok && decimal(v, out)
}
