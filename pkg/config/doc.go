// Package config is Lanyard's configuration: one typed struct, filled from
// LANYARD_* environment variables, checked as a whole before anything starts.
//
// A wrong value names its variable and what was expected; all problems are
// reported together. Defaults are the safe choice. docs/configuration.md is
// generated from the struct. It must not know what reads the values.
package config
