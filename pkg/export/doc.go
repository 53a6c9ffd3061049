// Package export writes everything a table holds to one file and puts such a
// file back into an empty table: backup and restore, and the move between any
// two stores (embedded, DynamoDB Local, AWS).
//
// The file is JSON Lines, format version 1:
//
//	{"lanyard":"export","version":1,"secrets":true}
//	{"keys":{…}}                                    the key ring, with secrets only
//	{"item":{"PK":{"S":"…"},"SK":{"S":"…"},…}}      one an item, in the order of PK and SK
//	{"end":{"items":2,"sha256":"…"}}                of every byte before this line
//
// Items are in DynamoDB JSON. Equal tables give equal bytes, whatever store they
// are in: nothing in the file depends on when or where it was made. The last
// line makes a file that was cut off or changed show, and nothing of such a file
// is restored.
//
// A file is as powerful as the table it came from: a restore checks that it is
// whole, not that its author meant well. What other systems give goes through
// package importer, which trusts nothing.
//
// It must not know what items mean beyond which of them are secrets.
package export
