// Package operator is what super admins do: look up and change users, suspend
// them and end their sessions, give and take the platform role, lend power for
// a while, and read the audit trail of every tenant.
//
// The platform role is a user's state and a fact beside their other access
// facts, written together. A counter keeps the last active super admin: it
// changes under a condition with every role and suspension. Power that is lent
// (a delegation over the platform) reaches the operations that declare it, and
// of users only those who are not super admins themselves; it never reaches
// credentials, roles, delegations, or the audit trail's content.
//
// It must not know how tokens are made or what organizations contain.
package operator
