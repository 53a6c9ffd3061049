// Package bench measures what a client of Lanyard waits for: sign-in, refresh,
// the signed-in user, registration, lists and checks, through the whole API on
// the embedded store on disk, every write synced, with few users and with many.
//
// Nothing here asserts a time: figures are for `make bench` and for
// docs/performance.md, which bench/report writes from them. What can be asserted
// (allocations, requests to the store, capacity) is, in tests elsewhere.
package bench
