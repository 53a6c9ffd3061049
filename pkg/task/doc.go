// Package task is the durable queue of work that follows a write: looking up
// who a mail is for without the requester being able to time it, or removing
// everything under a deleted organization.
//
// A task is an item written in the transaction of its cause. It is carried out
// at least once, by the stream function on AWS and by a loop in the local
// binary, so handlers are idempotent. A task that keeps failing is kept, marked
// dead, for an operator to see.
//
// It must not know what the tasks do.
package task
