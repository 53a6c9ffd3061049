// Package mfa owns the second factor: codes of an authenticator app (TOTP, RFC
// 6238) and recovery codes.
//
// A password that was right gives users with a second factor a pending token
// and nothing else: a signed statement, good for ten minutes, once, and for the
// epoch it was made in. Only POST mfa/verify takes it. What is counted against
// guessing is counted per account over all pending sign-ins, before a code is
// looked at; each code works once, by a condition in the transaction that uses
// it. The secret is shown when it is made and never again; the table holds it
// encrypted, and of recovery codes a keyed hash.
//
// It must not know how passwords are checked or tokens are made.
package mfa
