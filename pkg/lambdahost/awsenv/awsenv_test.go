package awsenv

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// loaded gives the configuration of an environment beyond Lambda's own.
func loaded(t *testing.T, env map[string]string) aws.Config {
	t.Helper()
	all := map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session"}
	for name, value := range env {
		all[name] = value
	}
	cfg, err := from(func(name string) (string, bool) { v, ok := all[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// called makes a request to SSM and gives it as it would have gone out.
func called(t *testing.T, env map[string]string) *http.Request {
	t.Helper()
	var got *http.Request
	cfg := loaded(t, env)
	cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		got = r
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if err := json.NewEncoder(rec).Encode(map[string]any{"Parameter": map[string]any{"Value": "v", "Version": 1}}); err != nil {
			return nil, err
		}
		return rec.Result(), nil
	})
	out, err := ssm.NewFromConfig(cfg).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/p")})
	if err != nil || aws.ToString(out.Parameter.Value) != "v" {
		t.Fatal(err)
	}
	return got
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func TestCallsAreSignedAsTheFunctionsRoleInItsRegion(t *testing.T) {
	r := called(t, nil)
	if r.URL.Scheme != "https" || r.URL.Host != "ssm.eu-central-1.amazonaws.com" || r.Header.Get("X-Amz-Security-Token") != "session" ||
		!strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") || !strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/ssm/aws4_request") {
		t.Errorf("%s with %v", r.URL, r.Header)
	}
}

func TestEndpointsFollowTheVariablesOfAllSDKs(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		host string
	}{
		"of the service":  {map[string]string{"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:4000", "AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, "127.0.0.1:4000"},
		"of all services": {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"}, "127.0.0.1:5000"},
		"of another":      {map[string]string{"AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:5000"}, "ssm.eu-central-1.amazonaws.com"},
		"FIPS":            {map[string]string{"AWS_USE_FIPS_ENDPOINT": "true", "AWS_REGION": "us-east-1"}, "ssm-fips.us-east-1.amazonaws.com"},
		"no FIPS":         {map[string]string{"AWS_USE_FIPS_ENDPOINT": "false"}, "ssm.eu-central-1.amazonaws.com"},
		"dual stack":      {map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "ssm.eu-central-1.api.aws"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := called(t, tc.env); r.URL.Host != tc.host {
				t.Errorf("called %s, want %s", r.URL.Host, tc.host)
			}
		})
	}
	// The SDK's clients do not read the variables themselves: only a
	// configuration that does leads them there.
	const url = "http://127.0.0.1:8000"
	if o := dynamodb.NewFromConfig(loaded(t, map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": url})).Options(); aws.ToString(o.BaseEndpoint) != url {
		t.Errorf("DynamoDB is called at %q", aws.ToString(o.BaseEndpoint))
	}
	if o := sesv2.NewFromConfig(loaded(t, map[string]string{"AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:5000"})).Options(); aws.ToString(o.BaseEndpoint) != "http://127.0.0.1:5000" {
		t.Errorf("SES is called at %q", aws.ToString(o.BaseEndpoint))
	}
}

func TestAnEnvironmentThatIsNotLambdasIsRefused(t *testing.T) {
	for _, missing := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		_, err := from(func(name string) (string, bool) {
			if name == missing {
				return "", false
			}
			return "x", true
		})
		if err == nil {
			t.Errorf("without %s it starts", missing)
		}
	}
}

func TestTheProcessesEnvironmentIsRead(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-north-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	if cfg, err := Load(); err != nil || cfg.Region != "eu-north-1" {
		t.Errorf("region %q (%v)", cfg.Region, err)
	}
}
