// Package cascade clears away what lies under a deleted organization, entity or
// document.
//
// Deleting one of these removes its own item, and from that moment everything
// under it is refused, because whether it exists is asked of that item. What is
// left is then removed by tasks: each does a bounded amount, in bounded
// transactions, and queues its successor with the place it came to, so a crash
// at any point costs repetition and nothing else. What is listed comes from the
// index, which may lag behind the deletion; so each cascade runs a second time
// when the index has long caught up.
//
// It must not know what the items mean beyond which of them lie under which.
package cascade
