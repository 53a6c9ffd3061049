package api

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// newDocument is the head of the OpenAPI document.
func newDocument(version, publicURL string, cookies Cookies) *huma.OpenAPI {
	doc := huma.DefaultConfig("Lanyard", version).OpenAPI
	doc.Info.Description = "Multi-tenant sign-in and permissions."
	doc.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
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
		if r := op.Responses[strconv.Itoa(http.StatusUnauthorized)]; r != nil {
			r.Headers = map[string]*huma.Param{"WWW-Authenticate": {Schema: &huma.Schema{Type: huma.TypeString}}}
		}
		if r := op.Responses[strconv.Itoa(http.StatusTooManyRequests)]; r != nil {
			r.Headers = map[string]*huma.Param{"Retry-After": {Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
	}
}
