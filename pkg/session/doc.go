// Package session owns sign-in and what follows from it: the refresh token
// family, its rotation, its end.
//
// A session is one item, the family. Its generation counts rotations; the
// refresh token that is valid now carries the generation, and rotating is one
// conditional update on it. The successor of a token is a pure function of its
// generation, so a repeated or concurrent refresh within the grace window gets
// the same one. An older token, or one from another client, is reuse: the
// family ends (RFC 9700 §4.14).
//
// A session carries the epoch of its user at the time it began and is dead when
// the user's has moved on; that is how one write ends them all.
//
// It must not know how passwords are hashed or how tokens are encoded.
package session
