// Package mail sends Lanyard's mail: the transactional outbox, the templates,
// the relay that works the outbox off, and the senders.
//
// A mail is queued by one item that is written in the transaction of its cause
// (the outbox pattern), so there is no account without its verification mail
// and no mail about something that did not happen. Who it is for and what it
// says, tokens above all, are sealed in the item: a copy of the table lets
// nobody verify an address or reset a password.
//
// The relay delivers at least once. It claims an item by a condition before it
// sends, which makes a duplicate rare: only a process that dies between the
// sending and the deletion causes one, and the repeated mail carries the same
// Message-ID.
//
// It must not know why a mail is sent, nor anything of accounts and
// organizations beyond the words in the templates. It logs ids and templates,
// never an address, a token or a link.
package mail
