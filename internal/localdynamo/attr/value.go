package attr

import (
	"bytes"
	"slices"
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
	Set  []string // of a set: strings, numbers as Number.String writes them, or bytes

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
	case KindStringSet, KindBinarySet:
		for _, e := range v.Set {
			n += len(e)
		}
	case KindNumberSet:
		for _, e := range v.Set {
			n += canonical(e).size()
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
	return len(v.M) + len(v.L) + len(v.Set)
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
		return len(Difference(b, a).Set) == 0
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

// element returns how a set of the kind with v in it holds v.
func element(of Kind, v Value) (e string, ok bool) {
	switch {
	case of == KindStringSet && v.Kind == KindString:
		return v.S, true
	case of == KindNumberSet && v.Kind == KindNumber:
		return v.N.String(), true
	case of == KindBinarySet && v.Kind == KindBinary:
		return string(v.B), true
	}
	return "", false
}

// Contains reports whether a set has the element, a list an equal element, a
// string or binary the substring. It is the function contains() of expressions.
func (v Value) Contains(e Value) bool {
	switch {
	case v.Kind == KindString && e.Kind == KindString:
		return strings.Contains(v.S, e.S)
	case v.Kind == KindBinary && e.Kind == KindBinary:
		return bytes.Contains(v.B, e.B)
	case v.Kind.IsSet():
		member, ok := element(v.Kind, e)
		return ok && slices.Contains(v.Set, member)
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
	return Value{Kind: a.Kind, Set: slices.Concat(a.Set, Difference(b, a).Set)}
}

// Difference returns the set a without the elements of b; it may be empty,
// which is no value DynamoDB stores.
func Difference(a, b Value) Value {
	in := make(map[string]bool, len(b.Set))
	for _, e := range b.Set {
		in[e] = true
	}
	out := Value{Kind: a.Kind}
	for _, e := range a.Set {
		if !in[e] {
			out.Set = append(out.Set, e)
		}
	}
	return out
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
