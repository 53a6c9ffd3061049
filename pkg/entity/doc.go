// Package entity owns entities (a boat, an aircraft, a marina, a lead: what a
// type means is the product's own affair), the grants that give users levels on
// them, the documents under them, and the shares that open a single document.
//
// What a fact permits is decided by package access alone; this package asks it,
// from strongly consistent reads before every change, and writes each change in
// one transaction with its audit event and with the condition that the right it
// rests on still stands. Lists come from an index that may lag; whatever it
// names is read again from the table before it is judged or shown.
//
// It must not know how organizations and their members are changed.
package entity
