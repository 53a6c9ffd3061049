// Package scale simulates how requests fall on the table's partition keys with
// ten million users and a hundred thousand organizations, and holds every key
// that is spread on purpose to a tenth of what one partition takes. It uses the
// keys as pkg/table and pkg/audit make them; docs/scaling.md is its output.
package scale
