// Package token makes and checks every token that Lanyard hands out: access
// tokens (JWT, RFC 9068), refresh tokens, short-lived tickets (pending MFA,
// known device), list cursors and one-time mail tokens, and it owns the key
// ring they are made with and the ring's life cycle.
//
// Everything here is a pure function of a Ring, a clock and its input. A
// presented token is checked by its signature or MAC before its content is
// believed, and before anything is read from a store; where the keys cannot be
// had, nothing is accepted.
//
// It must not know the store, HTTP, AWS, or what a session is: whether a
// generation is the latest, or a ticket already used, is for others to decide.
// Where rings are kept is package keystore's; keys of a foreign issuer are
// package jwks's.
package token
