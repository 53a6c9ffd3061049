// Package fault holds the one error type that crosses Lanyard's layers and the
// closed list of codes a client may see.
//
// A domain package returns a fault where it knows what went wrong for the
// caller ("that username is taken"); everything else stays an ordinary wrapped
// error and reaches the client as a bare 500 whose cause is only logged. The
// HTTP form of a fault is made in one place, package api.
//
// It must not know HTTP, the store, or any domain type.
package fault
