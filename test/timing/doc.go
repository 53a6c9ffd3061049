// Package timing is a statistical gate on service time: whether an address has
// an account must not be told by how long a route takes to answer. It has tests
// only; those that measure run by `make test-timing`, since they need minutes
// and a machine that is not under heavy load.
//
// It measures in the process, where an attacker's network noise is missing,
// with every request to the store delayed as DynamoDB's would be, so that one
// round trip more on one side is as visible as it is on AWS.
package timing
