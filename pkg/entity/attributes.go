package entity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/oneline"
)

// Bounds of attributes. Their sum keeps a page of 100 entities below the 6 MB
// that a Lambda function may answer.
const (
	MaxAttributes      = 64
	MaxAttributeName   = 64   // code points
	MaxAttributeText   = 1024 // code points
	MaxAttributesBytes = 16 << 10
	maxNumber          = 32 // characters of a number
)

// Attributes are an entity's own fields, by name. What they mean is the
// product's affair.
type Attributes map[string]Value

// Value is a string, a number or a boolean: the JSON token as it was sent, so
// that no number loses a digit. The zero Value is not one of them.
type Value struct{ token string }

// Text makes a value of a string; Number and Truth of the other kinds.
func Text(s string) Value {
	b, _ := json.Marshal(s) // a string always marshals
	return Value{string(b)}
}

// Number makes a number.
func Number(f float64) Value { return Value{strconv.FormatFloat(f, 'g', -1, 64)} }

// Truth makes a boolean.
func Truth(b bool) Value { return Value{strconv.FormatBool(b)} }

// MarshalJSON gives the token.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.token == "" {
		return nil, fmt.Errorf("an attribute has no value")
	}
	return []byte(v.token), nil
}

// UnmarshalJSON takes a string, a number or a boolean.
func (v *Value) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return fmt.Errorf("an attribute has no value")
	case b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*v = Text(s)
		return nil
	case bytes.Equal(b, []byte("true")), bytes.Equal(b, []byte("false")):
	case b[0] == '-' || b[0] >= '0' && b[0] <= '9':
		f, err := strconv.ParseFloat(string(b), 64)
		if err != nil || math.IsInf(f, 0) || len(b) > maxNumber {
			return fmt.Errorf("an attribute is no number of at most %d characters", maxNumber)
		}
	default:
		return fmt.Errorf("an attribute is neither a string nor a number nor a boolean")
	}
	v.token = string(b)
	return nil
}

// MarshalText gives the form that the table keeps: the JSON token.
func (v Value) MarshalText() ([]byte, error) { return v.MarshalJSON() }

// UnmarshalText reads the form that the table keeps.
func (v *Value) UnmarshalText(b []byte) error { return v.UnmarshalJSON(b) }

// Schema says what attributes are in the OpenAPI document, and bounds them.
func (Attributes) Schema(huma.Registry) *huma.Schema {
	most, longest := MaxAttributes, MaxAttributeText
	s := &huma.Schema{
		Type: huma.TypeObject, MaxProperties: &most,
		Description: fmt.Sprintf("The product's own fields, by name: strings of at most %d characters, numbers of at most %d, booleans. Names have 1 to %d characters; all together at most %d bytes of JSON.",
			MaxAttributeText, maxNumber, MaxAttributeName, MaxAttributesBytes),
		AdditionalProperties: &huma.Schema{AnyOf: []*huma.Schema{
			{Type: huma.TypeString, MaxLength: &longest}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean},
		}},
	}
	s.PrecomputeMessages()
	return s
}

// check refuses what the schema cannot: names, and the sum.
func (a Attributes) check() error {
	for name := range a {
		if n := utf8.RuneCountInString(name); n < 1 || n > MaxAttributeName || !oneline.Fits(name) {
			return fault.Invalidf("body.attributes", "expected names of 1 to %d characters, none of them a control character", MaxAttributeName)
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fault.Invalidf("body.attributes", "expected strings, numbers and booleans")
	}
	if len(b) > MaxAttributesBytes {
		return fault.Invalidf("body.attributes", "expected at most %d bytes", MaxAttributesBytes)
	}
	return nil
}

// line refuses a name or title that is blank or would not fit on one line.
func line(location, s string) error {
	if strings.TrimSpace(s) == "" {
		return fault.Invalidf(location, "expected a line of text")
	}
	return oneline.Check(location, s)
}
