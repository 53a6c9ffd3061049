package password

import "strings"

// parse reads a stored hash by the mark it carries.
func parse(encoded string) (storedHash, error) {
	if len(encoded) > maxEncoded {
		return nil, ErrUnknownHash
	}
	if rest, ok := strings.CutPrefix(encoded, bcryptPrefix); ok {
		b, err := parseBcrypt(rest, minBcryptCost)
		if err != nil {
			return nil, err
		}
		return ownBcrypt{b}, nil
	}
	if strings.HasPrefix(encoded, "$argon2id$") {
		h, err := parseArgon2(encoded)
		if err != nil {
			return nil, err
		}
		return ownArgon2{h}, nil
	}
	return nil, ErrUnknownHash
}

// maxEncoded bounds a stored hash.
const maxEncoded = 1024
