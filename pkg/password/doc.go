// Package password hashes passwords, verifies them (also by the hashes of other
// systems, for imports), and says which passwords are acceptable.
//
// Passwords are normalised to NFC before anything else is done with them (NIST
// SP 800-63B-4 §3.1.1.2), so that the same text typed on two systems is the same
// password; beyond that every code point counts, spaces and NUL included.
// Nothing is cut off: bcrypt, which reads 72 bytes, is given a digest of the
// whole password.
//
// It must not know accounts, the store or HTTP, and no error or violation it
// gives contains a password.
package password
