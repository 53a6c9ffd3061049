// Package openapi holds the checked-in OpenAPI document and its page, generated
// from the operations by `make generate`.
package openapi

import _ "embed"

// Document is openapi.json.
//
//go:embed openapi.json
var Document []byte

// Page is docs.html: the document for people.
//
//go:embed docs.html
var Page []byte
