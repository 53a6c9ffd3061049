// Package awsenv configures AWS's SDK from the environment of a function, where
// Lambda puts the region and the role's credentials.
//
// The SDK's own way, config.LoadDefaultConfig, also looks for credentials at
// single sign-on, STS, container and instance metadata and in profiles. None of
// that exists in a function, and the clients for it are a tenth of its size and
// of its time to start. The package must not know which services are called.
package awsenv

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Load gives the configuration that the variables of a function say. Temporary
// credentials are those of one execution environment and live longer than it.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func Load() (aws.Config, error) { return from(os.LookupEnv) }

// from is Load with the environment to read.
func from(lookup func(string) (string, bool)) (aws.Config, error) {
	get := func(name string) string {
		value, _ := lookup(name)
		return value
	}
	region := get("AWS_REGION")
	credentials := aws.Credentials{
		AccessKeyID: get("AWS_ACCESS_KEY_ID"), SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"), SessionToken: get("AWS_SESSION_TOKEN"),
		Source: "environment",
	}
	if region == "" || !credentials.HasKeys() {
		return aws.Config{}, errors.New("AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: expected to be set, as Lambda does")
	}
	return aws.Config{
		Region: region, HTTPClient: awshttp.NewBuildableClient(), ConfigSources: []any{settings(get)},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
	}, nil
}

// settings are where the SDK's clients look for what concerns their endpoints,
// by the methods that they know.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
type settings func(name string) string

// GetServiceBaseEndpoint gives the URL to call a service at, where one is set.
func (get settings) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	for _, name := range []string{"AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_")), "AWS_ENDPOINT_URL"} {
		if url := get(name); url != "" {
			return url, true, nil
		}
	}
	return "", false, nil
}

// GetUseFIPSEndpoint says whether calls go to endpoints with FIPS 140 modules.
func (get settings) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	on, found := get.flag("AWS_USE_FIPS_ENDPOINT")
	return map[bool]aws.FIPSEndpointState{true: aws.FIPSEndpointStateEnabled, false: aws.FIPSEndpointStateDisabled}[on], found, nil
}

// GetUseDualStackEndpoint says whether calls may go over IPv6.
func (get settings) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	on, found := get.flag("AWS_USE_DUALSTACK_ENDPOINT")
	return map[bool]aws.DualStackEndpointState{true: aws.DualStackEndpointStateEnabled, false: aws.DualStackEndpointStateDisabled}[on], found, nil
}

func (get settings) flag(name string) (on, found bool) {
	value := strings.ToLower(get(name))
	return value == "true", value == "true" || value == "false"
}
