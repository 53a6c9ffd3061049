// Package throttle bounds guessing and flooding. Its counters are shared by all
// processes through the table, are reserved before an attempt is evaluated, and
// fail closed: when the store does not answer, the attempt is refused.
//
// Three shapes of counter do the work:
//
//   - A ledger counts the failures of one account: of each client by itself, of
//     all clients the account does not know together, and in a row. It is one
//     item, written on condition of its version, so that of fifty parallel
//     guesses exactly as many are evaluated as the limit says. A success deletes
//     it. A device that signed in before has a ledger of its own, which nobody
//     else's failures reach: an attacker cannot lock an owner out of it.
//   - A tally counts the requests of one source address or network.
//   - A local count bounds cheap public documents within one process, without
//     the store.
//
// Windows are fixed: the first attempt opens one, an attempt beyond the limit
// changes nothing, so nobody can keep a lock alive by hammering on it. A window
// of guesses that was used up makes the next one longer, up to a bound
// (progressive throttling, NIST SP 800-63B-4 §3.2.2). No key takes more writes in a window
// than its limit, one a process every ten seconds beyond it, and what is allowed
// to be frequent is spread over several keys.
//
// Subjects in keys are digests; no address or identifier is stored. The package
// must not know what a password or a code is, or whether an account exists.
package throttle
