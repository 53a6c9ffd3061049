package account

import (
	"strings"

	"golang.org/x/net/idna"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// idn turns an internationalised domain into ASCII without mapping anything:
// what is not already in its registered form (full-width letters, a Kelvin
// sign) is refused instead of being folded onto somebody else's domain.
var idn = idna.New(
	idna.ValidateForRegistration(),
	idna.BidiRule(),
	idna.VerifyDNSLength(true),
	idna.StrictDomainName(true),
)

// NormalizeEmail gives the one form under which an address is known: ASCII
// letters lower case, the domain in ASCII (RFC 5891). Addresses that differ in
// case only are one account; that is documented, and every route does it here.
//
// Accepted is a dot-atom local part (RFC 5321 §4.1.2) of at most 64 ASCII
// bytes at a domain of at least two labels, 254 bytes in all. Quoted local
// parts, comments, display names, address literals and non-ASCII local parts
// are refused.
func NormalizeEmail(raw string) (string, error) {
	refused := func(why string) (string, error) {
		return "", fault.Invalidf("body.email", "%s", why)
	}
	if len(raw) > 254 {
		return refused("longer than 254 bytes")
	}
	local, domain, found := strings.Cut(raw, "@")
	if !found || strings.Contains(domain, "@") {
		return refused("not an e-mail address")
	}
	if local == "" || len(local) > 64 || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return refused("not an e-mail address")
	}
	for _, c := range []byte(local) {
		if !isAtext(c) && c != '.' {
			return refused("not an e-mail address that is accepted here")
		}
	}
	ascii, err := idn.ToASCII(lowerASCII(domain))
	if err != nil || len(ascii) > 253 {
		return refused("not a valid domain")
	}
	labels := strings.Split(ascii, ".")
	if len(labels) < 2 || isDigits(labels[len(labels)-1]) {
		return refused("not a valid domain")
	}
	// Punycode must be what the label's Unicode form encodes to, so that one
	// domain has one spelling.
	if unicode, err := idn.ToUnicode(ascii); err != nil {
		return refused("not a valid domain")
	} else if again, err := idn.ToASCII(unicode); err != nil || again != ascii {
		return refused("not a valid domain")
	}
	normal := lowerASCII(local) + "@" + ascii
	if len(normal) > 254 {
		return refused("longer than 254 bytes")
	}
	return normal, nil
}

// isAtext is RFC 5322's atext.
func isAtext(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+/=?^_`{|}~-", c) >= 0
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// lowerASCII maps A–Z only. strings.ToLower would also map the Kelvin sign to
// k and İ to i, and so let one account's name reach another's.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// NormalizeUsername gives the form under which a username is claimed: lower
// case. Accepted are 3 to 64 ASCII letters, digits, '.', '_' and '-', beginning
// and ending with a letter or digit; nothing that could be read as another name.
func NormalizeUsername(raw string) (string, error) {
	refused := func() (string, error) {
		return "", fault.Invalidf("body.username", "expected 3 to 64 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit")
	}
	if len(raw) < 3 || len(raw) > 64 {
		return refused()
	}
	name := lowerASCII(raw)
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		inner := i > 0 && i < len(name)-1
		if !alnum && !(inner && (c == '.' || c == '_' || c == '-')) {
			return refused()
		}
	}
	return name, nil
}
