package attr

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt is stored bytes that are no item.
var ErrCorrupt = errors.New("attr: corrupt encoded item")

// AppendItem appends the compact stored form of an item: a count, then names
// and values, each a kind and its content, lengths as varints.
func AppendItem(b []byte, it Item) []byte {
	b = binary.AppendUvarint(b, uint64(len(it)))
	for name, v := range it {
		b = appendValue(appendString(b, name), v)
	}
	return b
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumber(b []byte, n Number) []byte {
	exp := int64(n.exp) << 1
	if n.neg {
		exp |= 1
	}
	return appendString(binary.AppendVarint(b, exp), n.digits)
}

func appendValue(b []byte, v Value) []byte {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case KindString:
		return appendString(b, v.S)
	case KindNumber:
		return appendNumber(b, v.N)
	case KindBinary:
		return appendString(b, v.B)
	case KindBool:
		if v.Bool {
			return append(b, 1)
		}
		return append(b, 0)
	case KindMap:
		return AppendItem(b, v.M)
	}
	if v.Kind != KindNull {
		b = binary.AppendUvarint(b, uint64(v.Len()))
	}
	for _, e := range v.L {
		b = appendValue(b, e)
	}
	for _, e := range v.Set {
		b = appendString(b, e)
	}
	return b
}

// DecodeItem reads what AppendItem wrote. The item shares no memory with b.
func DecodeItem(b []byte) (Item, error) {
	r := reader{s: string(b)} // one copy; every string of the item is a part of it
	it := r.item(0)
	if r.failed || r.s != "" {
		return nil, ErrCorrupt
	}
	return it, nil
}

// reader consumes s and remembers a failure, after which it yields nothing.
type reader struct {
	s      string
	failed bool
}

func (r *reader) fail() {
	r.s, r.failed = "", true
}

func (r *reader) byte() byte {
	if r.s == "" {
		r.fail()
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	var x uint64
	for shift := 0; shift < 64; shift += 7 {
		c := r.byte()
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x
		}
	}
	r.fail()
	return 0
}

// count reads the length of something whose elements take a byte at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.s)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) string() string {
	n := r.count()
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) number() Number {
	u := r.uvarint()
	exp := int64(u>>1) ^ -int64(u&1) // zigzag, as AppendVarint writes it
	return Number{exp: int16(exp >> 1), neg: exp&1 != 0, digits: r.string()}
}

func (r *reader) item(depth int) Item {
	n := r.count()
	it := make(Item, n)
	for range n {
		name := r.string()
		it[name] = r.value(depth)
	}
	return it
}

func (r *reader) value(depth int) Value {
	v := Value{Kind: Kind(r.byte())}
	if depth > 2*MaxDepth {
		r.fail()
		return v
	}
	switch v.Kind {
	case KindString:
		v.S = r.string()
	case KindNumber:
		v.N = r.number()
	case KindBinary:
		v.B = []byte(r.string())
	case KindBool:
		v.Bool = r.byte() != 0
	case KindNull:
	case KindMap:
		v.M = r.item(depth + 1)
	case KindList:
		v.L = readAll(r, func() Value { return r.value(depth + 1) })
	case KindStringSet, KindNumberSet, KindBinarySet:
		v.Set = readAll(r, r.string)
	default:
		r.fail()
	}
	return v
}

func readAll[T any](r *reader, one func() T) []T {
	n := r.count()
	list := make([]T, n)
	for i := range list {
		list[i] = one()
	}
	return list
}
