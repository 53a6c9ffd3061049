// Package peers runs what a team would pick instead of Lanyard on the same
// world in the same run: for permission checks casbin, Cedar and OpenFGA with
// its store in memory, for access tokens go-oidc and golang-jwt. It is a module
// of its own, so that none of them is a dependency of Lanyard.
//
// The world is that of the benchmarks of pkg/access: 1,000 users of 50
// organizations, 1,000 entities, ten grants a user. Every peer is asked whether
// a user may edit an entity on which they hold a grant, is first shown to refuse
// what must be refused, and gets the model that its own documentation suggests
// for grants on single objects.
package peers
