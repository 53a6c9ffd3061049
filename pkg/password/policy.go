package password

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Code names one way in which a password is not acceptable.
type Code string

// The ways.
const (
	TooShort    Code = "too_short"
	TooLong     Code = "too_long"
	NotUTF8     Code = "invalid_encoding"
	Common      Code = "common"
	ContainsOwn Code = "contains_identifier"
)

// Violation is one reason against a password, in words for the person who chose
// it. It never contains the password or a part of it.
type Violation struct {
	Code    Code
	Message string
}

// Policy says which passwords are acceptable. There are no composition rules:
// they make passwords worse (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 6.2.5).
type Policy struct {
	MinLength int // in code points, after NFC
	MaxLength int
}

// Bounds of a policy: ASVS 5.0 asks for at least 8 and for at least 64 to be
// allowed.
const (
	leastMinLength = 8
	leastMaxLength = 64
	mostMaxLength  = 1024
	minIdentifier  = 4
)

// DefaultPolicy gives 12 to 128 code points.
func DefaultPolicy() Policy { return Policy{MinLength: 12, MaxLength: 128} }

// Check refuses a policy that no sensible deployment has.
func (p Policy) Check() error {
	if p.MinLength < leastMinLength || p.MaxLength < leastMaxLength || p.MaxLength > mostMaxLength || p.MinLength > p.MaxLength {
		return fmt.Errorf("password policy: want a least length of %d or more and a greatest length between %d and %d",
			leastMinLength, leastMaxLength, mostMaxLength)
	}
	return nil
}

// Violations gives every reason against a password, none if it is acceptable.
// own are the user's identifiers: an e-mail address counts by its local part and
// as a whole; those under four code points are passed over. The same check is
// due wherever a password is set: register, change and reset.
func (p Policy) Violations(password string, own ...string) []Violation {
	// The length in bytes bounds the work below; no acceptable password is longer.
	if len(password) > p.MaxLength*utf8.UTFMax*3 {
		return []Violation{p.tooLong()}
	}
	normal, err := Normalize(password)
	if err != nil {
		return []Violation{{NotUTF8, "The password is not valid UTF-8 text."}}
	}
	var out []Violation
	switch n := utf8.RuneCountInString(normal); {
	case n < p.MinLength:
		out = append(out, Violation{TooShort, fmt.Sprintf("The password must have at least %d characters.", p.MinLength)})
	case n > p.MaxLength:
		out = append(out, p.tooLong())
	}
	folded := fold(normal)
	if isCommon(folded) {
		out = append(out, Violation{Common, "The password is on the list of the most common ones; anyone would guess it."})
	}
	if containsOwn(folded, own) {
		out = append(out, Violation{ContainsOwn, "The password must not contain your e-mail address or your username."})
	}
	return out
}

func (p Policy) tooLong() Violation {
	return Violation{TooLong, fmt.Sprintf("The password must have at most %d characters.", p.MaxLength)}
}

// fold joins upper and lower case, so that PASSWORD and Password are no better
// than password.
func fold(normal string) string { return norm.NFC.String(strings.ToLower(normal)) }

func containsOwn(folded string, own []string) bool {
	for _, id := range own {
		id = fold(lenient(id))
		local, _, _ := strings.Cut(id, "@")
		for _, part := range []string{id, local} {
			if utf8.RuneCountInString(part) >= minIdentifier && strings.Contains(folded, part) {
				return true
			}
		}
	}
	return false
}
