// Package docspage writes the OpenAPI document as the page that /docs serves:
// without scripts and without any third-party host. The page is made when files
// are generated and not by the function that serves it, which so needs neither
// the document nor a template.
package docspage

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed docs.html
var pageHTML string

//go:embed docs.css
var pageCSS string

// What the page shows of the document.
type openAPI struct {
	Info struct {
		Title, Version, Description string
	} `json:"info"`
	Tags []struct {
		Name string `json:"name"`
	} `json:"tags"` // in the order in which they are to be read
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID          string   `json:"operationId"`
	Summary     string   `json:"summary"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
	Access      string   `json:"x-lanyard-access"`
	Parameters  []struct {
		Name        string `json:"name"`
		In          string `json:"in"`
		Description string `json:"description"`
		Required    bool   `json:"required"`
		Schema      schema `json:"schema"`
	} `json:"parameters"`
	RequestBody *struct {
		Content map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Description string `json:"description"`
		Content     map[string]struct {
			Schema schema `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
	Items       *schema           `json:"items"`
	MinLength   *int              `json:"minLength"`
	MaxLength   *int              `json:"maxLength"`
}

// name gives a schema in a few words: a reference's name, or its type.
func (s schema) name() string {
	if s.Ref != "" {
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
	kind := fmt.Sprint(s.Type)
	if list, ok := s.Type.([]any); ok {
		parts := make([]string, len(list))
		for i, t := range list {
			parts[i] = fmt.Sprint(t)
		}
		kind = strings.Join(parts, " or ")
	}
	if s.Items != nil {
		kind = "list of " + s.Items.name()
	}
	if s.Format != "" {
		kind += " (" + s.Format + ")"
	}
	if len(s.Enum) > 0 {
		parts := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			parts[i] = fmt.Sprint(e)
		}
		kind = strings.Join(parts, " | ")
	}
	return kind
}

type docsField struct {
	Name, Type, Note string
	Required         bool
}

type docsOperation struct {
	Method, Path, Summary, Description, Access, ID string
	Parameters                                     []docsField
	Body                                           []docsField
	Answer                                         string // name of the success schema
	Statuses                                       []docsField
}

type docsTag struct {
	Name       string
	Operations []docsOperation
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsPage struct {
	Title, Version, Description string
	Style                       template.CSS
	Tags                        []docsTag
	Schemas                     []docsSchema
}

// fields lists the properties of a schema, required ones first.
func (d *openAPI) fields(s schema) []docsField {
	if s.Ref != "" {
		s = d.Components.Schemas[s.name()]
	}
	var out []docsField
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if name == "$schema" {
			continue
		}
		p := s.Properties[name]
		out = append(out, docsField{name, p.name(), p.Description, slices.Contains(s.Required, name)})
	}
	slices.SortStableFunc(out, func(a, b docsField) int {
		switch {
		case a.Required && !b.Required:
			return -1
		case b.Required && !a.Required:
			return 1
		}
		return 0
	})
	return out
}

// show arranges the document for the page.
func (d *openAPI) show() docsPage {
	page := docsPage{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description, Style: template.CSS(pageCSS)}
	byTag := map[string][]docsOperation{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			op := d.Paths[path][method]
			show := docsOperation{
				Method: strings.ToUpper(method), Path: path, Summary: op.Summary, Description: op.Description,
				Access: strings.ReplaceAll(op.Access, "_", " "), ID: op.ID,
			}
			for _, p := range op.Parameters {
				show.Parameters = append(show.Parameters, docsField{p.Name + " (" + p.In + ")", p.Schema.name(), p.Description, p.Required})
			}
			if op.RequestBody != nil {
				show.Body = d.fields(op.RequestBody.Content["application/json"].Schema)
			}
			for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
				r := op.Responses[status]
				show.Statuses = append(show.Statuses, docsField{Name: status, Note: r.Description})
				if c, ok := r.Content["application/json"]; ok && status < "300" {
					show.Answer = c.Schema.name()
				}
			}
			for _, tag := range op.Tags {
				byTag[tag] = append(byTag[tag], show)
			}
		}
	}
	for _, tag := range d.Tags {
		page.Tags = append(page.Tags, docsTag{tag.Name, byTag[tag.Name]})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		page.Schemas = append(page.Schemas, docsSchema{name, d.fields(d.Components.Schemas[name])})
	}
	return page
}

// Render gives the page of an OpenAPI document.
func Render(document []byte) ([]byte, error) {
	var d openAPI
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("read OpenAPI document: %w", err)
	}
	t, err := template.New("docs.html").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parse docs page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, d.show()); err != nil {
		return nil, fmt.Errorf("render docs page: %w", err)
	}
	return b.Bytes(), nil
}
