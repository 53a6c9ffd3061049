package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Params are a request's ExpressionAttributeNames and ExpressionAttributeValues,
// shared by all its expressions. They remember which were used.
type Params struct {
	Names  map[string]string
	Values map[string]attr.Value

	usedNames, usedValues map[string]bool
}

func invalid(format string, args ...any) error {
	return &attr.ValidationError{Msg: fmt.Sprintf(format, args...)}
}

// Check refuses malformed placeholders and values; AWS does so before it looks
// at any expression.
func (p *Params) Check() error {
	if p.Names != nil && len(p.Names) == 0 {
		return invalid("ExpressionAttributeNames must not be empty")
	}
	for _, key := range slices.Sorted(maps.Keys(p.Names)) {
		switch name := p.Names[key]; {
		case !isPlaceholder(key, tokName):
			return invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", key)
		case name == "":
			return invalid("ExpressionAttributeNames contains invalid value: Empty attribute name for key %s", key)
		case len(name) > 65535:
			return invalid("ExpressionAttributeNames contains invalid value: "+
				"Attribute name is too large, must be less than 65536 bytes for key %s", key)
		}
	}
	if p.Values != nil && len(p.Values) == 0 {
		return invalid("ExpressionAttributeValues must not be empty")
	}
	keys := slices.Sorted(maps.Keys(p.Values))
	for _, key := range keys {
		if !isPlaceholder(key, tokValue) {
			return invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", key)
		}
	}
	for _, key := range keys {
		if err := p.Values[key].Validate(); err != nil {
			return invalid("ExpressionAttributeValues contains invalid value: %v for key %s", err, key)
		}
	}
	return nil
}

func isPlaceholder(key string, kind tokenKind) bool {
	tokens := tokenize(key)
	return tokens[0].kind == kind && tokens[0].text == key
}

// CheckAllUsed refuses placeholders that no parsed expression used.
func (p *Params) CheckAllUsed() error {
	if keys := unused(p.Names, p.usedNames); keys != "" {
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", keys)
	}
	if keys := unused(p.Values, p.usedValues); keys != "" {
		return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", keys)
	}
	return nil
}

func unused[V any](given map[string]V, used map[string]bool) string {
	var keys []string
	for key := range given {
		if !used[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// use looks a placeholder up and notes that it was used.
func use[V any](given map[string]V, used *map[string]bool, placeholder string) (V, bool) {
	v, ok := given[placeholder]
	if ok && *used == nil {
		*used = map[string]bool{}
	}
	if ok {
		(*used)[placeholder] = true
	}
	return v, ok
}
