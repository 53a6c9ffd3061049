package password

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// foreignHash is a hash that another system made.
type foreignHash interface {
	storedHash
	// String gives its one canonical spelling, which parseForeign reads.
	String() string
}

// ParseForeign reads a hash that another system made and gives the form to
// store, which Verify understands. Known are:
//
//   - bcrypt in modular crypt format, $2a$, $2b$ or $2y$, up to cost 14
//   - argon2id and argon2i, scrypt, and PBKDF2 with SHA-1, SHA-256 or SHA-512, in
//     PHC string format (Auth0's exports) and in passlib's
//   - Django's pbkdf2_sha256$…, pbkdf2_sha1$…, bcrypt$…, bcrypt_sha256$…,
//     argon2$… and scrypt$…
//
// Keycloak and Firebase keep the parts of a hash apart: see Keycloak and
// FirebaseScrypt. All costs are bounded: who brings a hash must not be able to
// spend our processor or memory with it. The error is ErrUnknownHash and never
// quotes the hash.
//
// Verification of a foreign hash asks for a rehash, unless it is already
// stronger than what is configured. It takes as long as its own costs say, which
// need not be as long as Decoy: until the users have signed in once, timing can
// tell imported accounts from unknown ones.
func ParseForeign(hash string) (encoded string, err error) {
	if len(hash) > maxEncoded {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrUnknownHash, maxEncoded)
	}
	var f foreignHash
	if strings.HasPrefix(hash, "$") {
		f, err = parseForeign(hash)
	} else {
		f, err = parseDjango(hash)
	}
	if err != nil {
		return "", err
	}
	return foreignPrefix + f.String(), nil
}

// parseForeign reads the self-describing forms.
func parseForeign(s string) (foreignHash, error) {
	scheme, rest, _ := strings.Cut(strings.TrimPrefix(s, "$"), "$")
	switch scheme {
	case "2a", "2b", "2y":
		b, err := parseBcrypt(s)
		if err != nil {
			return nil, err
		}
		return foreignBcrypt{b}, nil
	case "bcrypt-sha256":
		b, err := parseBcrypt("$" + rest)
		if err != nil {
			return nil, err
		}
		return djangoBcrypt{b}, nil
	case "argon2id", "argon2i":
		h, err := parseArgon2(s)
		if err != nil {
			return nil, err
		}
		return foreignArgon2{h}, nil
	case "scrypt":
		return asForeign(parseScrypt(rest))
	case "firebase-scrypt":
		return asForeign(parseFirebase(rest))
	case "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
		return asForeign(parsePBKDF2(scheme, rest))
	}
	return nil, fmt.Errorf("%w: no known scheme", ErrUnknownHash)
}

// asForeign keeps a typed nil out of the interface.
func asForeign[T foreignHash](h T, err error) (foreignHash, error) {
	if err != nil {
		return nil, err
	}
	return h, nil
}

// parseDjango reads Django's forms: algorithm$parameters…
func parseDjango(s string) (foreignHash, error) {
	scheme, rest, _ := strings.Cut(s, "$")
	switch scheme {
	case "bcrypt":
		return parseForeign(rest)
	case "bcrypt_sha256":
		return parseForeign("$bcrypt-sha256" + rest)
	case "argon2":
		return parseForeign("$" + rest)
	case "pbkdf2_sha256", "pbkdf2_sha1":
		return asForeign(parseDjangoPBKDF2(strings.Replace(scheme, "_", "-", 1), rest))
	case "scrypt":
		return asForeign(parseDjangoScrypt(rest))
	}
	return nil, fmt.Errorf("%w: no known scheme", ErrUnknownHash)
}

// imported is a stored foreign hash.
type imported struct{ foreignHash }

// matches refuses passwords with a NUL, after as much work as for others: HMAC
// pads its key with them, so that PBKDF2 and scrypt take "a" and "a\x00" for
// one, and bcrypt takes "a\x00a" for "a".
func (f imported) matches(password string) bool {
	plain := !strings.ContainsRune(password, 0)
	return f.foreignHash.matches(password) && plain
}

// foreignBcrypt is bcrypt of the password itself.
type foreignBcrypt struct{ plainBcrypt }

func (b plainBcrypt) String() string { return b.encoded }

// matches refuses what bcrypt cannot tell apart: passwords over 72 bytes, which
// it would cut off, and those with a NUL, which it takes for a repetition. Who
// had such a password resets it.
func (b foreignBcrypt) matches(password string) bool {
	if len(password) > 72 || strings.ContainsRune(password, 0) {
		password = ""                                                      // spend the time, and find nothing
		bcrypt.CompareHashAndPassword([]byte(b.encoded), []byte(password)) //nolint:errcheck,gosec // refused anyway
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(b.encoded), []byte(password)) == nil
}

func (b foreignBcrypt) weakerThan(c Config) bool {
	return c.Scheme == Argon2id || b.cost <= c.BcryptCost
}

// djangoBcrypt is BCryptSHA256PasswordHasher: bcrypt of the SHA-256 in hex.
type djangoBcrypt struct{ plainBcrypt }

func (b djangoBcrypt) String() string { return "$bcrypt-sha256" + b.encoded }

func (b djangoBcrypt) matches(password string) bool {
	sum := sha256.Sum256([]byte(password))
	return bcrypt.CompareHashAndPassword([]byte(b.encoded), hex.AppendEncode(nil, sum[:])) == nil
}

func (b djangoBcrypt) weakerThan(c Config) bool {
	return c.Scheme == Argon2id || b.cost <= c.BcryptCost
}

// foreignArgon2 is argon2id or argon2i of the password itself.
type foreignArgon2 struct{ phcArgon2 }

func (h foreignArgon2) matches(password string) bool { return h.equal(password) }

func (h foreignArgon2) weakerThan(c Config) bool {
	return h.variant != "argon2id" || h.costs.below(DefaultArgon2()) || ownArgon2(h).weakerThan(c)
}

// forms64 reads base64 in the alphabets that exports use: standard with or
// without padding, and passlib's, which has a dot for the plus.
func forms64(s string, least, most int) ([]byte, error) {
	s = strings.ReplaceAll(s, ".", "+")
	if strings.HasSuffix(s, "=") {
		return strict64(base64.StdEncoding, s, least, most)
	}
	return strict64(base64.RawStdEncoding, s, least, most)
}
