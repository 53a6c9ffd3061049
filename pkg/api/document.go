package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// newDocument is the head of the OpenAPI document.
func newDocument(version, publicURL string, cookies Cookies) *huma.OpenAPI {
	doc := huma.DefaultConfig("Lanyard", version).OpenAPI
	doc.Info.Description = "Multi-tenant sign-in and permissions."
	doc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	doc.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	if publicURL != "" {
		doc.Servers = []*huma.Server{{URL: publicURL}}
	}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Access token (RFC 6750)."},
		"cookie": {Type: "apiKey", In: "cookie", Name: cookies.Access(), Description: "Set by sign-in with delivery cookie."},
	}
	return doc
}

// finishDocument adds what huma does not derive: extensions that say who may
// call, and problems for statuses that have no schema yet.
func finishDocument(doc *huma.OpenAPI, ops []Operation) {
	for i := range ops {
		spec := &ops[i].Spec
		// Readers begin where the list of operations does.
		if !slices.ContainsFunc(doc.Tags, func(t *huma.Tag) bool { return t.Name == spec.Tag }) {
			doc.Tags = append(doc.Tags, &huma.Tag{Name: spec.Tag})
		}
		item := doc.Paths[spec.Path]
		if item == nil {
			continue
		}
		op := map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
			http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		}[spec.Method]
		if op == nil {
			continue
		}
		if op.Extensions == nil {
			op.Extensions = map[string]any{}
		}
		op.Extensions["x-lanyard-access"] = string(spec.Access)
		declareForms(doc, spec, op)
		if r := op.Responses[strconv.Itoa(http.StatusUnauthorized)]; r != nil {
			r.Headers = map[string]*huma.Param{"WWW-Authenticate": {Schema: &huma.Schema{Type: huma.TypeString}}}
		}
		if r := op.Responses[strconv.Itoa(http.StatusTooManyRequests)]; r != nil {
			r.Headers = map[string]*huma.Param{"Retry-After": {Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
	}
}

// declareForms documents the bodies that a handler encodes itself, of which
// huma sees bytes only.
func declareForms(doc *huma.OpenAPI, spec *Spec, op *huma.Operation) {
	if !spec.HTML && len(spec.Forms) == 0 {
		return
	}
	content := map[string]*huma.MediaType{}
	if spec.HTML {
		content["text/html"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	for media, value := range spec.Forms {
		t := reflect.TypeOf(value)
		content[media] = &huma.MediaType{Schema: doc.Components.Schemas.Schema(t, true, t.Name())}
	}
	op.Responses[strconv.Itoa(spec.Status)].Content = content
}

// schemaName names a type in the document: its package and its own name, since
// two packages may each have a View. Types of this package stand alone, and a
// list is named for what it lists.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		return hint
	}
	if base, arg, generic := strings.Cut(name, "["); generic {
		return base + qualified(strings.TrimSuffix(arg, "]"))
	}
	return qualified(t.String())
}

// qualified joins "path/to/session.View" to SessionView.
func qualified(s string) string {
	s = s[strings.LastIndexByte(s, '/')+1:]
	pkg, name, found := strings.Cut(s, ".")
	switch {
	case !found:
		return strings.ToUpper(pkg[:1]) + pkg[1:]
	case pkg == "api" || strings.HasPrefix(strings.ToLower(name), pkg):
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + strings.ToUpper(name[:1]) + name[1:]
}
