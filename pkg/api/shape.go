package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	exact "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Shape holds JSON that did not come as a request's body to what a request of
// the same type is held to: the tags of the struct T, no unknown field, no field
// twice, valid UTF-8.
type Shape[T any] struct {
	registry huma.Registry
	schema   *huma.Schema
	root     string
}

// NewShape makes the shape of T; root is what messages call the whole.
func NewShape[T any](root string) *Shape[T] {
	setHuma()
	r := huma.NewMapRegistry("#/components/schemas/", schemaName)
	t := reflect.TypeFor[T]()
	return &Shape[T]{registry: r, schema: r.Schema(t, false, t.Name()), root: root}
}

// Kinds gives the JSON type of each field by its path, such as profile.phone,
// for forms that know text only. A field that holds any names ends in ".*".
func (s *Shape[T]) Kinds() map[string]string {
	out := map[string]string{}
	s.kinds(s.schema, "", out)
	return out
}

func (s *Shape[T]) kinds(of *huma.Schema, path string, out map[string]string) {
	for of.Ref != "" {
		of = s.registry.SchemaFromRef(of.Ref)
	}
	if of.Type == huma.TypeObject {
		for name, p := range of.Properties {
			s.kinds(p, strings.TrimPrefix(path+"."+name, "."), out)
		}
		if p, ok := of.AdditionalProperties.(*huma.Schema); ok && p != nil {
			out[path+".*"] = huma.TypeString
		}
		return
	}
	if of.Type == huma.TypeArray && of.Items != nil {
		s.kinds(of.Items, path+"[]", out)
		return
	}
	out[path] = of.Type
}

// Decode reads one value. What is wrong with it is a fault that names fields.
func (s *Shape[T]) Decode(raw []byte) (T, error) {
	var out T
	var v any
	if err := exact.Unmarshal(raw, &v); err != nil {
		return out, fault.Invalidf(s.root, "not one JSON value: %s", syntax(err))
	}
	var res huma.ValidateResult
	huma.Validate(s.registry, s.schema, huma.NewPathBuffer([]byte(s.root), len(s.root)), huma.ModeWriteToServer, v, &res)
	if len(res.Errors) > 0 {
		f := fault.New(fault.CodeValidation, fault.CodeValidation.Meaning())
		for _, err := range res.Errors {
			var d *huma.ErrorDetail
			if errors.As(err, &d) { // without the value, which may be a secret
				f.Fields = append(f.Fields, fault.Field{Location: d.Location, Message: d.Message})
			}
		}
		slices.SortFunc(f.Fields, func(a, b fault.Field) int { return strings.Compare(a.Location+a.Message, b.Location+b.Message) })
		return out, f
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return out, fault.Invalidf(s.root, "not as its schema says")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return out, fault.Invalidf(s.root, "more than one value")
	}
	return out, nil
}

// syntax says what is wrong with JSON without quoting it.
func syntax(err error) string {
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		switch {
		case errors.Is(s.Err, jsontext.ErrDuplicateName):
			return "a name occurs twice"
		case errors.Is(s.Err, io.ErrUnexpectedEOF):
			return "it ends too early"
		}
	}
	return "syntax error"
}
