// Package browser tests the example of a session in a browser, which is in
// session.mjs, against a running Lanyard.
package browser
