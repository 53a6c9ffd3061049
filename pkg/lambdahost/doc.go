// Package lambdahost starts a Lambda function: configuration from the
// environment, the table, the key ring, and then one operation behind the HTTP
// API, or the authorizer.
//
// Nothing at start-up waits for the network, except for the key ring where a
// function needs it and it is kept in SSM or Secrets Manager, and that happens
// at the first use. It must not know which operation it hosts.
package lambdahost
