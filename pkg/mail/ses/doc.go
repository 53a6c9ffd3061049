// Package ses is the sender that hands mail to Amazon SES (API v2). It is apart
// from package mail so that only the function that sends imports the SDK's
// client.
//
// It must not know the outbox.
package ses
