package attr

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Validate returns what AWS answers to a decoded value it does not accept: an
// empty one, one of two types, a malformed number, a set with duplicates and so
// on, at any depth. UnmarshalJSON only keeps the finding, because AWS checks
// the request's other parameters first.
func (v Value) Validate() error {
	if v.invalid != nil {
		return v.invalid
	}
	if v.Kind == KindNone {
		return errEmpty()
	}
	return nil
}

func errEmpty() *ValidationError {
	return invalidf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
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
	switch d.PeekKind() {
	case 'n':
		v.invalid = errEmpty()
		return d.SkipValue()
	case '{':
	case '[':
		return wrongShape("Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue")
	default:
		return wrongShape("Unexpected value type in payload")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var problem *ValidationError
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		kind := KindOf(name.String())
		if kind == KindNone || d.PeekKind() == 'n' {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if v.Kind != KindNone && v.Kind != kind && problem == nil {
			problem = invalidf("Supplied AttributeValue has more than one datatypes set, " +
				"must contain exactly one of the supported datatypes")
		}
		v.Kind = kind
		if err := v.decodeAs(d, depth, &problem); err != nil {
			return err
		}
	}
	if v.Kind == KindNone {
		problem = errEmpty()
	}
	v.invalid = problem
	_, err := d.ReadToken()
	return err
}

// decodeAs reads the JSON value of v's kind; what AWS would not accept in it
// becomes the problem, unless there is one already.
func (v *Value) decodeAs(d *jsontext.Decoder, depth int, problem **ValidationError) (err error) {
	found := func(p *ValidationError) {
		if *problem == nil {
			*problem = p
		}
	}
	// A level beyond the deepest is read only as far as it takes to refuse it.
	if depth >= MaxDepth-1 && (v.Kind == KindMap || v.Kind == KindList) {
		found(invalidf("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"))
		return d.SkipValue()
	}
	element := func(w *Value) error {
		err := decodeValue(d, w, depth+1)
		if w.invalid != nil {
			found(w.invalid)
		}
		return err
	}
	switch v.Kind {
	case KindString:
		v.S, err = readString(d)
	case KindNumber:
		var s string
		if s, err = readString(d); err == nil {
			v.N = readNumber(s, found)
		}
	case KindBinary:
		v.B, err = readBinary(d)
	case KindBool:
		v.Bool, err = readBool(d)
	case KindNull:
		if v.Bool, err = readBool(d); err == nil && !v.Bool {
			found(invalidf("One or more parameter values were invalid: Null attribute value types must have the value of true"))
		}
	case KindMap:
		v.M = map[string]Value{}
		err = readMap(d, func(name string) error {
			if name == "" {
				found(invalidf("One or more parameter values were invalid: Empty attribute name"))
			}
			var w Value
			err := element(&w)
			v.M[name] = w
			return err
		})
	case KindList:
		v.L = []Value{}
		err = readList(d, func() error {
			var w Value
			err := element(&w)
			v.L = append(v.L, w)
			return err
		})
	case KindStringSet:
		err = readList(d, func() error {
			s, err := readString(d)
			v.SS = append(v.SS, s)
			return err
		})
		v.checkSet("One or more parameter values were invalid: An string set  may not be empty", found)
	case KindNumberSet:
		err = readList(d, func() error {
			s, err := readString(d)
			if err == nil {
				v.NS = append(v.NS, readNumber(s, found))
			}
			return err
		})
		v.checkSet("One or more parameter values were invalid: An number set  may not be empty", found)
	case KindBinarySet:
		err = readList(d, func() error {
			b, err := readBinary(d)
			v.BS = append(v.BS, b)
			return err
		})
		v.checkSet("One or more parameter values were invalid: Binary sets should not be empty", found)
	}
	return err
}

func (v *Value) checkSet(empty string, found func(*ValidationError)) {
	switch {
	case v.Len() == 0:
		found(invalidf("%s", empty))
	case len(v.members()) == v.Len():
	case v.Kind == KindNumberSet:
		found(invalidf("Input collection contains duplicates"))
	case v.Kind == KindStringSet:
		found(invalidf("One or more parameter values were invalid: Input collection [%s] contains duplicates.",
			strings.Join(v.SS, ", ")))
	default:
		all := make([]string, len(v.BS))
		for i, b := range v.BS {
			all[i] = base64.StdEncoding.EncodeToString(b)
		}
		found(invalidf("One or more parameter values were invalid: Input collection [%s]of type BS contains duplicates.",
			strings.Join(all, ", ")))
	}
}

func readNumber(s string, found func(*ValidationError)) Number {
	n, err := ParseNumber(s)
	var problem *ValidationError
	if errors.As(err, &problem) {
		found(problem)
	}
	return n
}

func wrongShape(format string, args ...any) error {
	return &SerializationError{Msg: fmt.Sprintf(format, args...)}
}

// readString and its siblings refuse other JSON types in AWS's words.
func readString(d *jsontext.Decoder) (string, error) {
	switch k := d.PeekKind(); k {
	case '"':
		t, err := d.ReadToken()
		return t.String(), err
	case 't', 'f':
		return "", wrongShape("%s_VALUE cannot be converted to String", map[bool]string{true: "TRUE", false: "FALSE"}[k == 't'])
	case '0':
		t, err := d.ReadToken()
		if err == nil && strings.ContainsAny(t.String(), ".eE") {
			return "", wrongShape("DECIMAL_VALUE cannot be converted to String")
		}
		return "", wrongShape("NUMBER_VALUE cannot be converted to String")
	case '[':
		return "", wrongShape("Unrecognized collection type class java.lang.String")
	case '{':
		return "", wrongShape("Start of structure or map found where not expected")
	case 'n':
		return "", wrongShape("NULL_VALUE cannot be converted to String")
	default:
		_, err := d.ReadToken()
		return "", err
	}
}

func readBool(d *jsontext.Decoder) (bool, error) {
	switch d.PeekKind() {
	case 't', 'f':
		t, err := d.ReadToken()
		return err == nil && t.Bool(), err
	case '"':
		t, err := d.ReadToken()
		if err != nil {
			return false, err
		}
		switch strings.ToLower(t.String()) {
		case "true", "1", "yes":
			return true, nil
		case "false", "0", "no":
			return false, nil
		}
		return false, wrongShape("Unexpected token received from parser")
	case '0':
		return false, wrongShape("NUMBER_VALUE cannot be converted to Boolean")
	case '[':
		return false, wrongShape("Unrecognized collection type class java.lang.Boolean")
	case '{':
		return false, wrongShape("Start of structure or map found where not expected")
	}
	_, err := d.ReadToken()
	return false, err
}

func readBinary(d *jsontext.Decoder) ([]byte, error) {
	switch d.PeekKind() {
	case '"':
		t, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		s := t.String()
		if len(s)%4 != 0 {
			return nil, wrongShape("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(s))
		}
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return nil, wrongShape("Invalid last non-pad Base64 character dectected")
		}
		return b, nil
	case '[':
		return nil, wrongShape("Unrecognized collection type class java.nio.ByteBuffer")
	case '{':
		return nil, wrongShape("Start of structure or map found where not expected")
	}
	return nil, wrongShape("only base-64-encoded strings are convertible to bytes")
}

func readList(d *jsontext.Decoder, element func() error) error {
	switch d.PeekKind() {
	case '[':
	case '{':
		return wrongShape("Start of structure or map found where not expected")
	default:
		return wrongShape("Unexpected field type")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func readMap(d *jsontext.Decoder, entry func(name string) error) error {
	switch d.PeekKind() {
	case '{':
	case '[':
		return wrongShape("Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>")
	default:
		return wrongShape("Unexpected field type")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := entry(t.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// MarshalJSON writes the wire form.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// MarshalJSONTo is MarshalJSON on a stream of tokens.
func (v Value) MarshalJSONTo(e *jsontext.Encoder) error { return e.WriteValue(v.AppendJSON(nil)) }

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
	case KindStringSet:
		b = appendList(b, v.SS, appendQuoted)
	case KindNumberSet:
		b = appendList(b, v.NS, func(b []byte, n Number) []byte { return appendQuoted(b, n.String()) })
	case KindBinarySet:
		b = appendList(b, v.BS, appendBase64)
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

func appendBase64(b, raw []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), raw), '"')
}
