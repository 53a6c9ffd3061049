// Package table is the one door to DynamoDB: the schema of Lanyard's single
// table, the keys of everything in it, and a small vocabulary of reads and
// conditional writes in which the domain packages say what must hold.
//
// It is the only package that knows the AWS SDK's DynamoDB types and
// guregu/dynamo. It must not know what a user or an organization is beyond how
// their keys are spelled, and it never decides: a failed condition comes back
// as the error the caller attached to it.
package table
