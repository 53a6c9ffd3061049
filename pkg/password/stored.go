package password

import "strings"

// maxEncoded bounds a stored hash.
const maxEncoded = 1024

// foreignPrefix marks a stored hash that another system made. It is of the
// password as that system was given it, not of its normal form.
const foreignPrefix = "$foreign"

// parse reads a stored hash by the mark it carries.
func parse(encoded string) (storedHash, error) {
	if len(encoded) > maxEncoded {
		return nil, ErrUnknownHash
	}
	if rest, ok := strings.CutPrefix(encoded, bcryptPrefix); ok {
		b, err := parseBcrypt(rest)
		if err != nil {
			return nil, err
		}
		return ownBcrypt{b}, nil
	}
	if rest, ok := strings.CutPrefix(encoded, foreignPrefix); ok {
		f, err := parseForeign(rest)
		if err != nil {
			return nil, err
		}
		if f.String() != rest {
			return nil, ErrUnknownHash // not as ParseForeign writes it
		}
		return imported{f}, nil
	}
	h, err := parseArgon2(encoded)
	if err != nil {
		return nil, err
	}
	if h.variant != "argon2id" {
		return nil, ErrUnknownHash
	}
	return ownArgon2{h}, nil
}
