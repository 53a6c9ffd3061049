package attr

import (
	"bytes"
	"strings"
)

// Kind is the data type of a value. The zero kind is no value at all.
type Kind uint8

// The ten data types of DynamoDB.
const (
	KindNone Kind = iota
	KindString
	KindNumber
	KindBinary
	KindBool
	KindNull
	KindMap
	KindList
	KindStringSet
	KindNumberSet
	KindBinarySet
)

// String returns the type descriptor used on the wire: S, N, B, BOOL, NULL, M,
// L, SS, NS or BS.
func (k Kind) String() string {
	return [...]string{"", "S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"}[min(k, KindBinarySet)]
}

// Name returns the type's name as AWS spells it in messages about operands
// ("operand type: MAP").
func (k Kind) Name() string {
	return [...]string{"", "STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL", "MAP", "LIST",
		"STRING_SET", "NUMBER_SET", "BINARY_SET"}[min(k, KindBinarySet)]
}

// KindOf returns the kind of a wire type descriptor, or KindNone.
func KindOf(descriptor string) Kind {
	for k := KindString; k <= KindBinarySet; k++ {
		if k.String() == descriptor {
			return k
		}
	}
	return KindNone
}

// IsSet reports whether the kind is one of the three set types.
func (k Kind) IsSet() bool { return k >= KindStringSet && k <= KindBinarySet }

// Value is one attribute value; the field named by Kind holds it.
type Value struct {
	Kind Kind
	Bool bool
	S    string
	N    Number
	B    []byte
	M    map[string]Value
	L    []Value
	SS   []string
	NS   []Number
	BS   [][]byte

	invalid error // what AWS answers to this value, kept by UnmarshalJSON for Validate
}

// Item is a set of named attributes.
type Item = map[string]Value

// String returns a value of type S.
func String(s string) Value { return Value{Kind: KindString, S: s} }

// Num returns a value of type N.
func Num(n Number) Value { return Value{Kind: KindNumber, N: n} }

// MaxDepth is how many levels an item may have: a top-level scalar is at the
// first, an element of a top-level list at the second.
const MaxDepth = 32

// Size returns the value's size in bytes as DynamoDB counts it, without the
// attribute's name ("DynamoDB item sizes and formats").
func (v Value) Size() int {
	n := 0
	switch v.Kind {
	case KindString:
		return len(v.S)
	case KindNumber:
		return v.N.size()
	case KindBinary:
		return len(v.B)
	case KindBool, KindNull:
		return 1
	case KindMap:
		return 3 + len(v.M) + ItemSize(v.M)
	case KindList:
		n = 3 + len(v.L)
		for _, e := range v.L {
			n += e.Size()
		}
	case KindStringSet:
		for _, e := range v.SS {
			n += len(e)
		}
	case KindNumberSet:
		for _, e := range v.NS {
			n += e.size()
		}
	case KindBinarySet:
		for _, e := range v.BS {
			n += len(e)
		}
	}
	return n
}

// ItemSize returns the size of a whole item: names in UTF-8 and values.
func ItemSize(it Item) int {
	n := 0
	for name, v := range it {
		n += len(name) + v.Size()
	}
	return n
}

// Len returns the number of elements of a set, list or map, else 0.
func (v Value) Len() int {
	return len(v.M) + len(v.L) + len(v.SS) + len(v.NS) + len(v.BS)
}

// Equal reports whether two values are of one type and equal: numbers by
// value, sets without regard to order, lists and maps element by element.
func Equal(a, b Value) bool {
	if a.Kind != b.Kind || a.Len() != b.Len() {
		return false
	}
	switch a.Kind {
	case KindString, KindNumber, KindBinary:
		c, ok := Compare(a, b)
		return ok && c == 0
	case KindBool:
		return a.Bool == b.Bool
	case KindMap:
		for name, v := range a.M {
			if w, ok := b.M[name]; !ok || !Equal(v, w) {
				return false
			}
		}
	case KindList:
		for i := range a.L {
			if !Equal(a.L[i], b.L[i]) {
				return false
			}
		}
	case KindStringSet, KindNumberSet, KindBinarySet:
		in := a.members()
		for m := range b.members() {
			if !in[m] {
				return false
			}
		}
	}
	return true
}

// Compare orders two strings, numbers or binaries of one type; ok is false for
// every other pair, which has no order in DynamoDB.
func Compare(a, b Value) (c int, ok bool) {
	if a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case KindString:
		return strings.Compare(a.S, b.S), true
	case KindNumber:
		return a.N.Cmp(b.N), true
	case KindBinary:
		return bytes.Compare(a.B, b.B), true
	}
	return 0, false
}

// member is one element of a set in a form that can be compared.
type member struct {
	s string
	n Number
}

func (v Value) members() map[member]bool {
	in := make(map[member]bool, v.Len())
	for _, e := range v.SS {
		in[member{s: e}] = true
	}
	for _, e := range v.NS {
		in[member{n: e}] = true
	}
	for _, e := range v.BS {
		in[member{s: string(e)}] = true
	}
	return in
}

// Contains reports whether a set has the element, a list an equal element, a
// string or binary the substring. It is the function contains() of expressions.
func (v Value) Contains(e Value) bool {
	switch {
	case v.Kind == KindString && e.Kind == KindString:
		return strings.Contains(v.S, e.S)
	case v.Kind == KindBinary && e.Kind == KindBinary:
		return bytes.Contains(v.B, e.B)
	case v.Kind == KindStringSet && e.Kind == KindString:
		return v.members()[member{s: e.S}]
	case v.Kind == KindNumberSet && e.Kind == KindNumber:
		return v.members()[member{n: e.N}]
	case v.Kind == KindBinarySet && e.Kind == KindBinary:
		return v.members()[member{s: string(e.B)}]
	}
	for i := range v.L {
		if Equal(v.L[i], e) {
			return true
		}
	}
	return false
}

// Union returns the set a with the elements of b, of the same type, added.
func Union(a, b Value) Value {
	in, out := a.members(), Value{Kind: a.Kind}
	out.SS, out.NS, out.BS = a.SS[:len(a.SS):len(a.SS)], a.NS[:len(a.NS):len(a.NS)], a.BS[:len(a.BS):len(a.BS)]
	b.keep(&out, func(m member) bool { return !in[m] })
	return out
}

// Difference returns the set a without the elements of b; it may be empty,
// which is no value DynamoDB stores.
func Difference(a, b Value) Value {
	in, out := b.members(), Value{Kind: a.Kind}
	a.keep(&out, func(m member) bool { return !in[m] })
	return out
}

// keep appends to out the elements of v that want accepts.
func (v Value) keep(out *Value, want func(member) bool) {
	for _, e := range v.SS {
		if want(member{s: e}) {
			out.SS = append(out.SS, e)
		}
	}
	for _, e := range v.NS {
		if want(member{n: e}) {
			out.NS = append(out.NS, e)
		}
	}
	for _, e := range v.BS {
		if want(member{s: string(e)}) {
			out.BS = append(out.BS, e)
		}
	}
}

// Depth returns how many levels of lists and maps the value has, 0 for a scalar.
func (v Value) Depth() int {
	if v.Kind != KindMap && v.Kind != KindList {
		return 0
	}
	d := 0
	for _, e := range v.M {
		d = max(d, e.Depth())
	}
	for _, e := range v.L {
		d = max(d, e.Depth())
	}
	return d + 1
}
