// Package localdynamo is an embedded DynamoDB: an engine that keeps tables in
// one bbolt file and speaks DynamoDB's JSON 1.0 protocol, as an http.Handler on
// a port and as an http.RoundTripper in process. It is for local use and tests.
//
// What a request means is told by four layers, each in files of its own:
//
//   - protocol: http.go, request.go (decoding), constraints.go (the API's model,
//     in tags), definition.go, answer.go, errors.go, mode.go (policies, injected
//     faults, observers);
//   - operations: items.go (every read and write of an item goes through it),
//     batch.go, transact.go, query.go, tables.go, describe.go, ttl.go;
//   - storage: engine.go (group commit), schema.go (keys and indexes), store.go
//     (items and index entries), capacity.go (what it would have cost);
//   - packages attr (values), expr (the expression language: lexer.go,
//     parser.go and check.go, evaluator.go) and legacy (the parameters that
//     expressions replaced).
//
// Package dynamotest is a kit for tests, of no use without them.
//
// Writes run one after another, several to a commit, and are acknowledged after
// the commit is on disk; reads see the last commit. So every operation is
// serializable and every read strongly consistent, which is more than DynamoDB
// promises for eventually consistent reads and indexes.
//
// The package must not know anything of the application that uses it.
//
// Source: the Amazon DynamoDB API Reference (API version 2012-08-10) and the
// Developer Guide; error texts are those AWS answers with.
package localdynamo
