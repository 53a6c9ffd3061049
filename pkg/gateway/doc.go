// Package gateway stands between the network and the operations: it turns what
// API Gateway sends a Lambda function, or what a client sends the local server,
// into a request with its facts.
//
// Both forms meet the same authorizer. The local one builds the event that API
// Gateway would have built and hands it to the same function, so what is
// tested here is what runs there. One difference is deliberate: where API
// Gateway answers a refused token with a bare 403, the local server answers
// the 401 problem of the contract.
//
// It must not know what the operations do.
package gateway
