// Command bare is a Lambda function that does nothing: the floor of what
// starting one takes.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(func(context.Context) error { return nil }) }
