// Package jwks gives the verification keys of a Lanyard installation to the
// services behind it: fetched from its key set, kept in memory, so that a token
// is checked without calling home.
//
// The address of the key set is configuration. Nothing in a token can change
// where keys are fetched from. It must not know what tokens say.
package jwks
