// Package conformance holds Lanyard to judges from outside: test vectors of
// others (Project Wycheproof, the RFCs, bcrypt's), libraries of others that
// verify what it issues (coreos/go-oidc, jose, aws-jwt-verify, tough-cookie,
// otpauth), and lists of hostile strings and common passwords.
//
// It is a module of its own, so that none of this is a requirement of the
// product. It has tests only; `make test-conformance` runs them. What needs npm
// is skipped where npm's packages are not installed.
package conformance
