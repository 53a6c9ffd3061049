// Package audit records who did what, when, from where, and with which power.
//
// An event is written in the transaction of the change it records; the event of
// a refusal is written before the refusal is answered, and if it cannot be
// written the request fails. There is no way to change or delete one; the
// table's TTL ends them after the configured retention.
//
// Streams: an event about an organization is in the organization's stream and
// in its actor's; any other is in its subject's stream. Every event is also in
// the platform's list, an index that super admins read.
//
// It must not know what the events mean, and details never carry a secret.
package audit
