package generate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/api"
)

// schema is the part of a JSON Schema that the reference shows.
type schema struct {
	Ref                  string            `json:"$ref"`
	Type                 any               `json:"type"`
	Format               string            `json:"format"`
	Description          string            `json:"description"`
	Enum                 []any             `json:"enum"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	Items                *schema           `json:"items"`
	OneOf                []schema          `json:"oneOf"`
	AnyOf                []schema          `json:"anyOf"`
	MinLength, MaxLength *int
	MaxItems             *int
	Minimum, Maximum     *float64
}

type mediaTypes map[string]struct {
	Schema schema `json:"schema"`
}

// described is an operation as the OpenAPI document has it.
type described struct {
	Description string `json:"description"`
	Parameters  []struct {
		Name        string `json:"name"`
		In          string `json:"in"`
		Required    bool   `json:"required"`
		Description string `json:"description"`
		Schema      schema `json:"schema"`
	} `json:"parameters"`
	RequestBody *struct {
		Content mediaTypes `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content mediaTypes `json:"content"`
	} `json:"responses"`
}

// reference gives docs/api.md, the document in words, sign-in first.
func reference(ops []api.Operation, document []byte) ([]byte, error) {
	var d struct {
		Paths      map[string]map[string]described `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("read the document for its reference: %w", err)
	}
	var b strings.Builder
	b.WriteString("# API reference\n\n" + note)
	b.WriteString("The same as [api/openapi.json](../api/openapi.json), which a running Lanyard serves at `/openapi.json` and shows at `/docs`. Errors: [error codes](errors.md). Who is let in: [roles](roles.md). What is throttled: [limits](limits.md).\n\n" +
		"Times are RFC 3339 in UTC, ids UUIDs. Unknown properties are refused. Lists take `limit` (1 to 100, default 50) and `cursor`, and answer `{items, nextCursor?}`.\n")
	tag := ""
	for _, op := range ops {
		if op.Tag != tag {
			tag = op.Tag
			fmt.Fprintf(&b, "\n## %s\n", tag)
		}
		o := d.Paths[op.Path][strings.ToLower(op.Method)]
		fmt.Fprintf(&b, "\n### `%s`\n\n%s *Access: %s.*\n", op.RouteKey(), op.Summary, strings.ReplaceAll(string(op.Access), "_", " "))
		if o.Description != "" {
			fmt.Fprintf(&b, "\n%s\n", o.Description)
		}
		var rows []string
		for _, p := range o.Parameters {
			if p.In == "path" || p.In == "query" {
				rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", p.Name, p.In, p.Schema.words(cmp.Or(p.Description, p.Schema.Description))))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(&b, "\n| parameter | in | |\n|---|---|---|\n%s\n", strings.Join(rows, "\n"))
		}
		if o.RequestBody != nil {
			fmt.Fprintf(&b, "\nBody: %s\n", o.RequestBody.Content.names())
		}
		for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
			if n, err := strconv.Atoi(status); err == nil && n < 400 {
				fmt.Fprintf(&b, "\nAnswer: %s\n", strings.TrimSpace(status+" "+o.Responses[status].Content.names()))
			}
		}
	}
	b.WriteString("\n## Objects\n\n*Required* properties are always there.\n")
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		fmt.Fprintf(&b, "\n### %s\n", name)
		if s.Description != "" {
			fmt.Fprintf(&b, "\n%s\n", s.Description)
		}
		if len(s.Properties) == 0 {
			fmt.Fprintf(&b, "\n%s\n", s.words(""))
			continue
		}
		b.WriteString("\n| property | required | |\n|---|---|---|\n")
		for _, p := range slices.Sorted(maps.Keys(s.Properties)) {
			required := ""
			if slices.Contains(s.Required, p) {
				required = "yes"
			}
			v := s.Properties[p]
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p, required, v.words(v.Description))
		}
	}
	return []byte(b.String()), nil
}

// names links to the schemas of a body.
func (m mediaTypes) names() string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(m)) {
		s := m[kind].Schema
		what := s.words("")
		if kind != "application/json" {
			what = strings.TrimSpace(what + " (`" + kind + "`)")
		}
		out = append(out, what)
	}
	return strings.Join(out, ", or ")
}

// words say what a value is, in a table's cell.
func (s schema) words(description string) string {
	var out []string
	switch {
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		out = append(out, fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name)))
	case s.Items != nil:
		out = append(out, "array of "+s.Items.words(""))
		if s.MaxItems != nil {
			out = append(out, fmt.Sprintf("at most %d", *s.MaxItems))
		}
	case len(s.OneOf)+len(s.AnyOf) > 0:
		var either []string
		for _, o := range slices.Concat(s.OneOf, s.AnyOf) {
			either = append(either, o.words(""))
		}
		out = append(out, strings.Join(either, " or "))
	default:
		out = append(out, kinds(s.Type))
	}
	if s.Format != "" {
		out = append(out, s.Format)
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		out = append(out, "one of "+strings.Join(values, ", "))
	}
	switch {
	case s.MinLength != nil && s.MaxLength != nil:
		out = append(out, fmt.Sprintf("%d to %d characters", *s.MinLength, *s.MaxLength))
	case s.MaxLength != nil:
		out = append(out, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.Minimum != nil && s.Maximum != nil {
		out = append(out, fmt.Sprintf("%v to %v", *s.Minimum, *s.Maximum))
	}
	text := strings.Join(out, ", ")
	if description != "" {
		text += ". " + description
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "|", `\|`)
}

// kinds names the type, or the types, of a value.
func kinds(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		var out []string
		for _, k := range t {
			out = append(out, fmt.Sprint(k))
		}
		return strings.Join(out, " or ")
	}
	return ""
}
