package gateway_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/gateway"
)

// FuzzLambdaEvent: no event makes a function panic; what reaches the handler
// has the facts of the request context, and an event without a request id has
// none.
func FuzzLambdaEvent(f *testing.F) {
	samples, err := filepath.Glob("../../events/*.json")
	if err != nil || len(samples) == 0 {
		f.Fatal("no sample events", err)
	}
	for _, name := range samples {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"rawPath":"//","isBase64Encoded":true,"body":"%"}`))
	f.Add([]byte(`{"rawPath":"/a?b#c%zz","rawQueryString":"%zz=;","requestContext":{"requestId":"r","http":{"method":"G T","sourceIp":"x"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(raw, &e) != nil {
			return
		}
		reached := false
		res, err := gateway.Lambda(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reached = true
			c, err := gateway.IdentifyLambda(r, &api.Spec{Access: api.User})
			switch {
			case err != nil && e.RequestContext.RequestID != "":
				t.Errorf("no facts in %s: %v", raw, err)
			case err != nil:
			case c.RequestID != e.RequestContext.RequestID || c.SourceIP != e.RequestContext.HTTP.SourceIP:
				t.Errorf("%+v of %s", c, raw)
			case c.Principal != nil && (e.RequestContext.Authorizer == nil || c.Principal.UserID == ""):
				t.Errorf("%+v of %s", c.Principal, raw)
			}
			w.WriteHeader(http.StatusNoContent)
		}))(t.Context(), e)
		if reached && (err != nil || res.StatusCode != http.StatusNoContent) || !reached && err == nil && res.StatusCode < 400 {
			t.Fatalf("%s: reached %v, %d, %v", raw, reached, res.StatusCode, err)
		}
	})
}
