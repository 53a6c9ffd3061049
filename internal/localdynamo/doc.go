// Package localdynamo is an embedded DynamoDB: an http.Handler that speaks the
// DynamoDB JSON 1.0 protocol over one bbolt file. It is what `lanyard serve`
// keeps its data in and what the tests run on; it is not used on AWS.
//
// It answers as AWS does: the same validations in the same order, the same
// messages, the same arithmetic of sizes and capacity. Writes are serialisable
// and on disk before they are acknowledged; writers that wait at the same time
// share one commit. Secondary indexes are kept in the same transaction, so they
// are never behind, which AWS's may be.
//
// attr holds attribute values, expr the expression language. The package must
// not know anything of Lanyard.
package localdynamo
