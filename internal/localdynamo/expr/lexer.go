package expr

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF    tokenKind = iota
	tokWord             // an identifier or a keyword
	tokName             // #name
	tokValue            // :value
	tokNumber           // digits
	tokSymbol           // punctuation, an operator, or a character of no meaning
)

// token is a part of the source, src[pos:end].
type token struct {
	kind     tokenKind
	text     string
	pos, end int
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// tokenize splits an expression; the last token is tokEOF. It cannot fail: a
// character without meaning is a symbol that no rule accepts.
func tokenize(src string) []token {
	var tokens []token
	for i := 0; i < len(src); {
		if strings.IndexByte(" \t\r\n\f", src[i]) >= 0 {
			i++
			continue
		}
		kind, end := tokSymbol, i+1
		span := func(ok func(byte) bool) {
			for end < len(src) && ok(src[end]) {
				end++
			}
		}
		part := func(c byte) bool { return isAlpha(c) || isDigit(c) || c == '_' }
		switch c := src[i]; {
		case isAlpha(c):
			kind = tokWord
			span(part)
		case isDigit(c):
			kind = tokNumber
			span(isDigit)
		case c == '#' || c == ':':
			if span(part); end > i+1 {
				kind = map[bool]tokenKind{true: tokName, false: tokValue}[c == '#']
			}
		case c == '<' && end < len(src) && (src[end] == '=' || src[end] == '>'),
			c == '>' && end < len(src) && src[end] == '=':
			end++
		case c >= utf8.RuneSelf:
			_, n := utf8.DecodeRuneInString(src[i:])
			end = i + n
		}
		tokens = append(tokens, token{kind, src[i:end], i, end})
		i = end
	}
	return append(tokens, token{tokEOF, "<EOF>", len(src), len(src)})
}
