// Package generate derives files from the list of operations and the
// configuration: the Lambda functions' mains, the OpenAPI document, and the
// reference tables in docs/. `make generate` writes them; a test compares.
package generate
