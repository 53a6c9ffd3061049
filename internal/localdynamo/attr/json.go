package attr

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Validate returns what AWS answers to a decoded value it does not accept: an
// empty one, one of two types, a malformed number, a set with duplicates and so
// on, at any depth. UnmarshalJSON only keeps the finding, because AWS checks
// the request's other parameters first.
func (v Value) Validate() error {
	if v.Kind == KindNone && v.invalid == nil {
		return errEmpty()
	}
	return v.invalid
}

func errEmpty() error {
	return invalidf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
}

func errDepth() error {
	return invalidf("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
}

// UnmarshalJSON reads the wire form {"S": "…"}. It fails with a
// *SerializationError for JSON of the wrong shape; for the rest call Validate.
func (v *Value) UnmarshalJSON(b []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true))
	return v.UnmarshalJSONFrom(d)
}

// UnmarshalJSONFrom is UnmarshalJSON on a stream of tokens.
func (v *Value) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	err := decodeValue(d, v, 0)
	var wrong *SerializationError
	if err != nil && !errors.As(err, &wrong) {
		return fmt.Errorf("attribute value: %w", err)
	}
	return err
}

func decodeValue(d *jsontext.Decoder, v *Value, depth int) error {
	*v = Value{}
	if d.PeekKind() == 'n' {
		v.invalid = errEmpty()
		return d.SkipValue()
	}
	err := each(d, '{', "Unexpected value type in payload", "class com.amazonaws.dynamodb.v20120810.AttributeValue", func(name string) error {
		kind := KindOf(name)
		if kind == KindNone || d.PeekKind() == 'n' {
			return d.SkipValue()
		}
		if v.Kind != KindNone && v.Kind != kind {
			v.found(invalidf("Supplied AttributeValue has more than one datatypes set, " +
				"must contain exactly one of the supported datatypes"))
		}
		v.Kind = kind
		return v.decodeAs(d, depth)
	})
	if v.Kind == KindNone {
		v.invalid = errEmpty()
	}
	return err
}

// found notes what AWS would not accept, unless there is something already.
func (v *Value) found(problem error) {
	if v.invalid == nil {
		v.invalid = problem
	}
}

func (v *Value) number(d *jsontext.Decoder) (Number, error) {
	s, err := readString(d)
	if err != nil {
		return Number{}, err
	}
	n, bad := ParseNumber(s)
	v.found(bad)
	return n, nil
}

func (v *Value) child(d *jsontext.Decoder, depth int) (w Value, err error) {
	err = decodeValue(d, &w, depth+1)
	v.found(w.invalid)
	return w, err
}

// decodeAs reads the JSON value of v's kind.
func (v *Value) decodeAs(d *jsontext.Decoder, depth int) (err error) {
	// A level beyond the deepest is read only as far as it takes to refuse it.
	if depth >= MaxDepth-1 && (v.Kind == KindMap || v.Kind == KindList) {
		v.found(errDepth())
		return d.SkipValue()
	}
	switch v.Kind {
	case KindString:
		v.S, err = readString(d)
	case KindNumber:
		v.N, err = v.number(d)
	case KindBinary:
		v.B, err = readBinary(d)
	case KindBool:
		v.Bool, err = readBool(d)
	case KindNull:
		if v.Bool, err = readBool(d); err == nil && !v.Bool {
			v.found(invalidf("One or more parameter values were invalid: Null attribute value types must have the value of true"))
		}
	case KindMap:
		v.M = map[string]Value{}
		const class = "java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
		err = each(d, '{', "Unexpected field type", class, func(name string) error {
			if name == "" {
				v.found(invalidf("Empty attribute name"))
			}
			w, err := v.child(d, depth)
			v.M[name] = w
			return err
		})
	case KindList:
		v.L, err = readList(d, func() (Value, error) { return v.child(d, depth) })
	case KindStringSet:
		v.Set, err = readList(d, func() (string, error) { return readString(d) })
		v.checkSet("An string set  may not be empty")
	case KindNumberSet:
		v.Set, err = readList(d, func() (string, error) {
			n, err := v.number(d)
			return n.String(), err
		})
		v.checkSet("An number set  may not be empty")
	case KindBinarySet:
		v.Set, err = readList(d, func() (string, error) {
			b, err := readBinary(d)
			return string(b), err
		})
		v.checkSet("Binary sets should not be empty")
	}
	return err
}

func (v *Value) checkSet(empty string) {
	const bad = "One or more parameter values were invalid: "
	sorted := slices.Sorted(slices.Values(v.Set))
	switch {
	case len(sorted) == 0:
		v.found(invalidf(bad+"%s", empty))
	case len(slices.Compact(sorted)) == len(v.Set):
	case v.Kind == KindNumberSet:
		v.found(invalidf("Input collection contains duplicates"))
	case v.Kind == KindStringSet:
		v.found(invalidf(bad+"Input collection [%s] contains duplicates.", strings.Join(v.Set, ", ")))
	default:
		var all []string
		for _, e := range v.Set {
			all = append(all, base64.StdEncoding.EncodeToString([]byte(e)))
		}
		v.found(invalidf(bad+"Input collection [%s]of type BS contains duplicates.", strings.Join(all, ", ")))
	}
}

// WrongShape says in AWS's words that a JSON value of a kind stands where
// another should: class is the one of AWS's code that it does not become, scalar
// the message for any scalar, "" for one that names both.
func WrongShape(got jsontext.Kind, value, class, scalar string) error {
	name := map[jsontext.Kind]string{'"': "STRING", 't': "TRUE", 'f': "FALSE", 'n': "NULL", '0': "NUMBER"}[got]
	if got == '0' && strings.ContainsAny(value, ".eE") {
		name = "DECIMAL"
	}
	switch {
	case got == '[':
		return &SerializationError{"Unrecognized collection type " + class}
	case got == '{':
		return &SerializationError{"Start of structure or map found where not expected"}
	case scalar != "":
		return &SerializationError{scalar}
	case got == '"' && class == boolClass:
		return &SerializationError{"Unexpected token received from parser"}
	}
	return &SerializationError{name + "_VALUE cannot be converted to " + strings.TrimPrefix(class, "class java.lang.")}
}

const boolClass = "class java.lang.Boolean"

func wrongShape(d *jsontext.Decoder, scalar, class string) error {
	kind := d.PeekKind()
	if kind == '[' || kind == '{' {
		return WrongShape(kind, "", class, scalar)
	}
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	return WrongShape(kind, t.String(), class, scalar)
}

func readString(d *jsontext.Decoder) (string, error) {
	if d.PeekKind() != '"' {
		return "", wrongShape(d, "", "class java.lang.String")
	}
	t, err := d.ReadToken()
	return t.String(), err
}

func readBool(d *jsontext.Decoder) (bool, error) {
	kind := d.PeekKind()
	if kind != 't' && kind != 'f' && kind != '"' {
		return false, wrongShape(d, "", boolClass)
	}
	t, err := d.ReadToken()
	switch strings.ToLower(t.String()) {
	case "true", "1", "yes":
		return true, err
	case "false", "0", "no":
		return false, err
	}
	return false, cmp.Or(err, WrongShape(kind, "", boolClass, ""))
}

func readBinary(d *jsontext.Decoder) ([]byte, error) {
	if d.PeekKind() != '"' {
		return nil, wrongShape(d, "only base-64-encoded strings are convertible to bytes", "class java.nio.ByteBuffer")
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	s := t.String()
	if len(s)%4 != 0 {
		return nil, &SerializationError{fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(s))}
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, &SerializationError{"Invalid last non-pad Base64 character dectected"}
	}
	return b, nil
}

func readList[T any](d *jsontext.Decoder, one func() (T, error)) ([]T, error) {
	list := []T{}
	err := each(d, '[', "Unexpected field type", "", func(string) error {
		e, err := one()
		list = append(list, e)
		return err
	})
	return list, err
}

// each reads an object, calling entry at each value, or an array. For any other
// JSON it fails as wrongShape says.
func each(d *jsontext.Decoder, open jsontext.Kind, scalar, class string, entry func(name string) error) error {
	if d.PeekKind() != open {
		return wrongShape(d, scalar, class)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for k := d.PeekKind(); k != '}' && k != ']'; k = d.PeekKind() {
		name := ""
		if open == '{' {
			t, err := d.ReadToken()
			if err != nil {
				return err
			}
			name = t.String()
		}
		if err := entry(name); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// MarshalJSON writes the wire form.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// MarshalJSONTo is MarshalJSON on a stream of tokens.
func (v Value) MarshalJSONTo(e *jsontext.Encoder) error {
	return e.WriteValue(v.AppendJSON(e.AvailableBuffer()))
}

// AppendJSON appends the wire form, map keys in no fixed order.
func (v Value) AppendJSON(b []byte) []byte {
	b = append(append(append(b, `{"`...), v.Kind.String()...), `":`...)
	switch v.Kind {
	case KindString:
		b = appendQuoted(b, v.S)
	case KindNumber:
		b = appendQuoted(b, v.N.String())
	case KindBinary:
		b = appendBase64(b, v.B)
	case KindBool:
		b = fmt.Append(b, v.Bool)
	case KindNull:
		b = append(b, "true"...)
	case KindMap:
		b = AppendItemJSON(b, v.M)
	case KindList:
		b = appendList(b, v.L, func(b []byte, e Value) []byte { return e.AppendJSON(b) })
	case KindStringSet, KindNumberSet:
		b = appendList(b, v.Set, appendQuoted)
	case KindBinarySet:
		b = appendList(b, v.Set, appendBase64)
	default:
		return append(b[:len(b)-len(`"":`)], '}')
	}
	return append(b, '}')
}

// AppendItemJSON appends the wire form of an item.
func AppendItemJSON(b []byte, it Item) []byte {
	b = append(b, '{')
	first := true
	for name, v := range it {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = v.AppendJSON(append(appendQuoted(b, name), ':'))
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, one func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, e)
	}
	return append(b, ']')
}

func appendQuoted(b []byte, s string) []byte {
	// The only error is invalid UTF-8, which is written as U+FFFD.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func appendBase64[T string | []byte](b []byte, raw T) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), []byte(raw)), '"')
}
