package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Bounds of argon2's costs, for hashes made and accepted: whoever can write a
// hash must not be able to spend our memory. The least memory is the algorithm's
// own (8 KiB a lane).
const (
	maxArgonMemory  = 256 << 10 // KiB
	maxArgonPasses  = 16
	maxArgonThreads = 8
	maxArgonWork    = 1 << 20 // memory × passes

	argonSalt = 16
	argonKey  = 32
)

func (a Argon2) check() error {
	if a.Threads < 1 || a.Threads > maxArgonThreads || a.Passes < 1 || a.Passes > maxArgonPasses ||
		a.Memory < 8*uint32(a.Threads) || a.Memory > maxArgonMemory || uint64(a.Memory)*uint64(a.Passes) > maxArgonWork {
		return fmt.Errorf("argon2 costs m=%d,t=%d,p=%d are out of bounds", a.Memory, a.Passes, a.Threads)
	}
	return nil
}

// phcArgon2 is a hash in PHC string format.
type phcArgon2 struct {
	costs     Argon2
	variant   string // argon2id, or argon2i in imports
	salt, key []byte
}

func hashArgon2(a Argon2, normal string, rand io.Reader) (string, error) {
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("hash password: draw salt: %w", err)
	}
	h := phcArgon2{costs: a, variant: "argon2id", salt: salt}
	h.key = h.compute(normal, argonKey)
	return h.String(), nil
}

// decoyArgon2 is a well-formed hash that no password is known for.
func decoyArgon2(a Argon2) string {
	return phcArgon2{costs: a, variant: "argon2id", salt: make([]byte, argonSalt), key: make([]byte, argonKey)}.String()
}

// String gives $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (h phcArgon2) String() string {
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", h.variant, argon2.Version,
		h.costs.Memory, h.costs.Passes, h.costs.Threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h phcArgon2) compute(password string, size int) []byte {
	if h.variant == "argon2i" {
		return argon2.Key([]byte(password), h.salt, h.costs.Passes, h.costs.Memory, h.costs.Threads, uint32(size))
	}
	return argon2.IDKey([]byte(password), h.salt, h.costs.Passes, h.costs.Memory, h.costs.Threads, uint32(size))
}

func (h phcArgon2) equal(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password, len(h.key)), h.key) == 1
}

// parseArgon2 reads the strict PHC form: v=19, parameters in the order m,t,p,
// no leading zeros, canonical base64.
func parseArgon2(s string) (phcArgon2, error) {
	bad := func(what string) (phcArgon2, error) {
		return phcArgon2{}, fmt.Errorf("%w: argon2 %s", ErrUnknownHash, what)
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" && parts[1] != "argon2i" {
		return bad("form")
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("version is not 19")
	}
	h := phcArgon2{variant: parts[1]}
	params := strings.Split(parts[3], ",")
	var n [3]uint64
	if len(params) != 3 || !named(params[0], "m=", &n[0]) || !named(params[1], "t=", &n[1]) || !named(params[2], "p=", &n[2]) {
		return bad("parameters")
	}
	if n[0] > maxArgonMemory || n[1] > maxArgonPasses || n[2] > maxArgonThreads {
		return bad("costs are out of bounds")
	}
	h.costs = Argon2{Memory: uint32(n[0]), Passes: uint32(n[1]), Threads: uint8(n[2])}
	if err := h.costs.check(); err != nil {
		return bad("costs are out of bounds")
	}
	var err error
	if h.salt, err = strict64(base64.RawStdEncoding, parts[4], 8, 64); err != nil {
		return bad("salt")
	}
	if h.key, err = strict64(base64.RawStdEncoding, parts[5], 16, 64); err != nil {
		return bad("hash")
	}
	return h, nil
}

type ownArgon2 struct{ phcArgon2 }

func (h ownArgon2) matches(password string) bool { return h.equal(lenient(password)) }

// weakerThan: only where some cost is below what is configured and none above.
// A move to bcrypt would not be upward.
func (h ownArgon2) weakerThan(c Config) bool { return c.Scheme == Argon2id && h.costs.below(c.Argon2) }

// below reports whether some cost is below that of want, and none above.
func (a Argon2) below(want Argon2) bool {
	return a.Memory <= want.Memory && a.Passes <= want.Passes && (a.Memory < want.Memory || a.Passes < want.Passes)
}

// decimal reads a number without sign or leading zeros.
func decimal(s string, out *uint64) bool {
	if s == "" || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return false
	}
	*out = 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		*out = *out*10 + uint64(s[i]-'0')
	}
	return true
}

// strict64 decodes base64 that has one spelling only, of a bounded size.
func strict64(enc *base64.Encoding, s string, least, most int) ([]byte, error) {
	if len(s) > enc.EncodedLen(most) || strings.ContainsAny(s, "\r\n") {
		return nil, ErrUnknownHash
	}
	out, err := enc.Strict().DecodeString(s)
	if err != nil || len(out) < least || len(out) > most {
		return nil, ErrUnknownHash
	}
	return out, nil
}
