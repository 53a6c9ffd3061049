// Command key-rotator replaces the signing key once it is old enough, and
// makes the first key ring of a deployment. A schedule calls it; it runs alone
// (reserved concurrency 1), because the parameter store has no conditional write.
package main

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/lanyard-auth/lanyard/pkg/awskeys"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/lambdahost/awsenv"
)

func main() {
	r, err := rotator()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(r.Run)
}

func rotator() (*awskeys.Rotator, error) {
	c, err := config.FromEnvironment()
	if err != nil {
		return nil, err
	}
	if c.Keys.Source != "ssm" {
		return nil, fmt.Errorf("LANYARD_KEYS_SOURCE=%s: expected ssm, the only source that can be written", c.Keys.Source)
	}
	sdk, err := awsenv.Load()
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	return awskeys.NewRotator(c, &awskeys.Parameter{Client: ssm.NewFromConfig(sdk), Name: c.Keys.Name}, time.Now, rand.Reader,
		slog.New(slog.NewJSONHandler(os.Stdout, nil))), nil
}
