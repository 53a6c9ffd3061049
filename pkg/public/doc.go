// Package public serves the few documents that need nobody to sign in: the
// JSON Web Key Set, the authorization-server metadata (RFC 8414), the health
// check, the OpenAPI document and a page that reads it.
//
// It must not know users or the table.
package public
