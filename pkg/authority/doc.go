// Package authority says by what right a caller acts on an organization, an
// entity or a document, in the three forms that an operation needs: the
// condition that keeps the right true until the change is written, what the
// audit trail says of it, and whether the act goes beyond lent power.
//
// It must not know what is being done.
package authority
