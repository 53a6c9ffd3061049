package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field describes one setting, for the documentation and for error messages.
type Field struct {
	Name     string // Go field name
	Variable string // LANYARD_…
	Kind     string // "text", "number", "duration", "yes or no", "list", "check", "limit"
	Default  string
	Doc      string
	OneOf    []string
	Min, Max string
	Secret   bool

	path string
}

// Fields lists every setting in the order of the struct.
func Fields() []Field {
	var out []Field
	var c Config
	walk(reflect.ValueOf(&c).Elem(), "", func(f Field, _ reflect.Value) { out = append(out, f) })
	return out
}

// walk visits the leaf fields of the configuration struct.
func walk(v reflect.Value, path string, visit func(Field, reflect.Value)) {
	t := v.Type()
	for i := range t.NumField() {
		sf, fv := t.Field(i), v.Field(i)
		name, tagged := sf.Tag.Lookup("env")
		if !tagged {
			if fv.Kind() == reflect.Struct {
				walk(fv, path+"."+sf.Name, visit)
			}
			continue
		}
		f := Field{
			Name: sf.Name, Variable: Prefix + name, Kind: kindOf(fv), Default: sf.Tag.Get("envDefault"),
			Doc: sf.Tag.Get("doc"), Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max"),
			Secret: sf.Tag.Get("secret") == "true", path: path + "." + sf.Name,
		}
		if s := sf.Tag.Get("oneof"); s != "" {
			f.OneOf = strings.Split(s, ",")
		}
		visit(f, fv)
	}
}

func kindOf(v reflect.Value) string {
	switch v.Interface().(type) {
	case time.Duration:
		return "duration"
	case Check:
		return "check"
	case Limit:
		return "limit"
	case []string:
		return "list"
	case bool:
		return "yes or no"
	case int:
		return "number"
	}
	return "text"
}

// Expected says in words what the setting takes.
func (f Field) Expected() string {
	switch {
	case len(f.OneOf) > 0:
		return "one of " + strings.Join(f.OneOf, ", ")
	case f.Kind == "duration":
		return fmt.Sprintf("a duration such as 90s or 15m, from %s to %s", f.Min, f.Max)
	case f.Kind == "number":
		return fmt.Sprintf("a whole number from %s to %s", f.Min, f.Max)
	case f.Kind == "yes or no":
		return "true or false"
	case f.Kind == "check":
		return "a duration from 0 to 5m, or off"
	case f.Kind == "limit":
		return "a count and a window of 1s to 2160h, such as 5/15m"
	case f.Kind == "list":
		return "values separated by commas"
	}
	return "text"
}

// violation gives what was expected when v is out of the field's bounds.
func (f Field) violation(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		if len(f.OneOf) > 0 && !slices.Contains(f.OneOf, x) {
			return f.Expected()
		}
	case time.Duration:
		lo, errLo := time.ParseDuration(f.Min)
		hi, errHi := time.ParseDuration(f.Max)
		if errLo == nil && x < lo || errHi == nil && x > hi {
			return f.Expected()
		}
	case int:
		lo, errLo := strconv.Atoi(f.Min)
		hi, errHi := strconv.Atoi(f.Max)
		if errLo == nil && x < lo || errHi == nil && x > hi {
			return f.Expected()
		}
	}
	return ""
}
