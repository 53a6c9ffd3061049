// Package openapi holds the checked-in OpenAPI document, generated from the
// operations by `make generate`.
package openapi

import _ "embed"

// Document is openapi.json.
//
//go:embed openapi.json
var Document []byte
