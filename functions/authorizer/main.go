// Command authorizer is the Lambda authorizer of the HTTP API.
package main

import "github.com/lanyard-auth/lanyard/pkg/lambdahost"

func main() { lambdahost.RunAuthorizer() }
