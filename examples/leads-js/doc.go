// Package leadsjs tests the JavaScript example of a service beside Lanyard,
// which is in server.mjs, against a running lanyard serve.
package leadsjs
