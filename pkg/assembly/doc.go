// Package assembly puts the services together: from configuration, table and
// key ring to the things that operations are bound to. Lambda functions, the
// local server and tests start here, so there is one way to wire Lanyard.
//
// It must not decide anything; it only connects.
package assembly
