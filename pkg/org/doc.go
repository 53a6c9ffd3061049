// Package org owns organizations: their members, invitations, and the view of
// their audit trail.
//
// An organization's own item counts its admins. Every write that makes or
// unmakes one changes the count under a condition, in the same transaction, so
// the last admin stays however many requests race. A membership is an item in
// its user's partition; removing it takes the user's grants and shares in the
// organization with it, in that transaction.
//
// It must not know what an entity or a document is.
package org
