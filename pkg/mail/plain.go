package mail

import (
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what people chose, in code points.
const (
	maxName    = 100
	maxAddress = 254 // RFC 5321 §4.5.3.1.3 less the brackets
)

// oneLine makes one line of s: white space runs become a space, and what is
// not printable (control, format and direction characters, broken UTF-8) goes.
// Nothing that comes out can start a header, a paragraph or a right-to-left
// override.
func oneLine(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		switch {
		case n == limit:
			return b.String()
		case unicode.IsSpace(r):
			space = b.Len() > 0
		case r == utf8.RuneError || !unicode.IsPrint(r) && r != wordJoiner:
		default:
			if space {
				b.WriteByte(' ')
				n++
			}
			b.WriteRune(r)
			n++
			space = false
		}
	}
	return b.String()
}

// wordJoiner (U+2060) is invisible and keeps mail programs from making a link
// of what it interrupts.
const wordJoiner = '\u2060'

// unlinked is oneLine for names that a stranger chose and we mail to others:
// nothing in it is turned into a link, so the mail cannot be made to advertise
// somebody's site.
func unlinked(s string, limit int) string {
	runes := []rune(strings.ReplaceAll(oneLine(s, limit), "://", " "))
	var b strings.Builder
	for i, r := range runes {
		b.WriteRune(r)
		inner := i+1 < len(runes) && !unicode.IsSpace(runes[i+1])
		if inner && (r == '.' || r == '@' || r == ':' || r == '/') {
			b.WriteRune(wordJoiner)
		}
	}
	return b.String()
}

// personName gives a name to greet by, or nothing where s does not look like
// one. Whoever registers somebody else's address chooses the name, too.
func personName(s string) string {
	s = oneLine(s, maxName)
	if utf8.RuneCountInString(s) > 60 {
		return ""
	}
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r), unicode.IsMark(r), strings.ContainsRune(" -'’", r):
		case r == '.' && (i+1 == len(runes) || runes[i+1] == ' '):
		default:
			return ""
		}
	}
	return s
}

// bareAddress accepts the addr-spec of an ASCII address and nothing around it.
// Accounts keep only such addresses; this is the last door before the headers.
func bareAddress(s string) (string, error) {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return "", fmt.Errorf("recipient is not a plain address")
		}
	}
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > maxAddress {
		return "", fmt.Errorf("recipient is not a plain address")
	}
	return s, nil
}
