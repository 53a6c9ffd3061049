// Package oneline has the rule for names and titles that people write: what is fit
// to be shown on one line, in a page, a mail, a log or a terminal.
//
// It must not know what the texts are names of, nor how long they may be.
package oneline

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Fits reports whether a text is fit to be shown on one line: valid UTF-8 without
// control characters, without separators of lines and paragraphs, and without the
// characters that embed, override or isolate a direction (UAX #9 section 2), which
// reach beyond the text and make what stands beside it read backwards.
//
// Everything that scripts need stays: marks of direction, joiners and the
// non-joiner, variation selectors, tags.
func Fits(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	})
}

// Check refuses a text at a location of a request that does not fit.
func Check(location, s string) error {
	if Fits(s) {
		return nil
	}
	return fault.Invalidf(location, "expected a line of text, without control characters")
}
