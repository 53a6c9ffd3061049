// Package keystore keeps key rings: in a file, in a string from the
// environment, and in memory for a bounded while in front of any slower source.
//
// It must not know what the keys are used for. Rings in AWS Systems Manager,
// Secrets Manager or KMS are packages of their own that implement Store.
package keystore
