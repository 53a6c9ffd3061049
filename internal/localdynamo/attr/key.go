package attr

import "encoding/binary"

// AppendKey appends bytes whose order is DynamoDB's order of the key values of
// one type: strings and binaries by bytes, numbers by value. An encoding ends
// itself, so several may be put one after another: none is a prefix of another.
// Values of other types encode to nothing.
func AppendKey(b []byte, v Value) []byte {
	switch v.Kind {
	case KindString, KindBinary:
		return append(AppendKeyPrefix(b, v), 0, 0)
	case KindNumber:
		return v.N.appendKey(b)
	}
	return b
}

// AppendKeyPrefix appends what the encodings of all strings (or binaries)
// beginning with v begin with, for begins_with.
func AppendKeyPrefix(b []byte, v Value) []byte {
	// 0 becomes 0 255, so that the end, 0 0, sorts before any longer value.
	for i := range len(v.S) {
		if b = append(b, v.S[i]); v.S[i] == 0 {
			b = append(b, 0xff)
		}
	}
	for _, c := range v.B {
		if b = append(b, c); c == 0 {
			b = append(b, 0xff)
		}
	}
	return b
}

// appendKey writes the sign, the exponent and the digits, two in a byte, all
// but the sign complemented for a negative number, so that bytes order as values.
func (n Number) appendKey(b []byte) []byte {
	if n.digits == "" {
		return append(b, 2)
	}
	b = append(b, 3)
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(int(n.exp)-minExp))
	for i := 0; i < len(n.digits); i += 2 {
		pair := (n.digits[i]-'0')*10 + 1
		if i+1 < len(n.digits) {
			pair += n.digits[i+1] - '0'
		}
		b = append(b, pair)
	}
	b = append(b, 0)
	if n.neg {
		b[start-1] = 1
		for i := start; i < len(b); i++ {
			b[i] = ^b[i]
		}
	}
	return b
}
