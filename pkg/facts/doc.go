// Package facts keeps what the table holds about access: memberships, grants,
// shares, delegations and the platform role, all in the partition of the user
// they are about, and where organizations, entities and documents belong.
//
// It is the source that package access reads from, and it makes the items that
// packages org, entity and operator write. What a fact permits is not decided
// here, and nothing that is said comes from a cache: where resources belong is
// remembered, to read with them in one request what they lie under.
package facts
