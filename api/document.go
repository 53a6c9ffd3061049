// Package openapi holds the checked-in OpenAPI document, its page and the
// inventory, generated from the operations by `make generate`.
package openapi

import _ "embed"

// Document is openapi.json.
//
//go:embed openapi.json
var Document []byte

// Inventory is operations.json: what a deployment has to know of the code, the
// policies among it.
//
//go:embed operations.json
var Inventory []byte

// Page is docs.html: the document for people.
//
//go:embed docs.html
var Page []byte
