package password

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize gives a password in NFC, or ErrEncoding. NFC rather than NFKC: it
// joins the spellings of one text and never two different texts (ﬁ stays apart
// from fi), so nothing of a password's strength is lost.
func Normalize(password string) (string, error) {
	if !utf8.ValidString(password) {
		return "", ErrEncoding
	}
	return norm.NFC.String(password), nil
}

// lenient is Normalize for comparing: what cannot be a password of ours stays
// as it is and matches nothing.
func lenient(password string) string {
	if n, err := Normalize(password); err == nil {
		return n
	}
	return password
}
