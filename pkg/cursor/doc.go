// Package cursor hands list positions to clients and takes them back.
//
// A cursor is opaque and authenticated: it works for the caller and the query
// it was made for, and for nothing else. What is in it is a sort key that the
// list itself just showed, never a table key, so a list always rebuilds where
// it reads from the request it is answering.
//
// It must not know how cursors are encoded, nor what is listed.
package cursor
