// Package account owns users: registration, identifiers, verification,
// passwords, profile and deletion.
//
// A user has three layers: the auth state (kept here, in the table), the
// profile (from a ProfileSource: the table, or an external system of record),
// and the User that merges them for answers. Uniqueness of an e-mail address or
// username is a claim item, written in the transaction that takes it.
//
// What ends a user's sessions (a new password, suspension, sign-out
// everywhere) raises the user's epoch; a session carries the epoch it began in
// and is dead when they differ. It must not know how tokens are made.
package account
