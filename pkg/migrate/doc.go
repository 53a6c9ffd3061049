// Package migrate brings a table from one version of its schema to another, up
// and down, while it is in use.
//
// The version is kept in the table, with what is under way: which migration, in
// which direction, and how far. A run that dies is taken up there by the next.
// Only one runs at a time: it holds a lease in the same item, renewed with every
// page, and whoever has lost it stops.
//
// The rules that make this safe without stopping anything: the programs of the
// version before and after a migration both work on a table that is before, in
// and after it; each item is changed by a conditional write; doing a page again
// changes nothing. A table without a version is at 1, as the first tables were.
//
// It must not know what is in items: what a migration does to them is said by
// the package whose items they are.
package migrate
