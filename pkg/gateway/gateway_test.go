package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/gateway"
)

func TestSourceAddressComesFromTheConnectionOrATrustedProxy(t *testing.T) {
	proxies, err := gateway.ParseProxies([]string{"10.0.0.0/8", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ remote, forwarded, want string }{
		"direct":                 {"192.0.2.1:4000", "", "192.0.2.1"},
		"direct, header forged":  {"192.0.2.1:4000", "198.51.100.9", "192.0.2.1"},
		"through a proxy":        {"10.1.2.3:4000", "198.51.100.9", "198.51.100.9"},
		"client adds hops":       {"10.1.2.3:4000", "203.0.113.7, 198.51.100.9", "198.51.100.9"},
		"two proxies":            {"10.1.2.3:4000", "198.51.100.9, 10.9.9.9", "198.51.100.9"},
		"proxy without a header": {"10.1.2.3:4000", "", "10.1.2.3"},
		"proxy with nonsense":    {"10.1.2.3:4000", "unknown", "10.1.2.3"},
		"mapped":                 {"[::ffff:192.0.2.1]:4000", "", "192.0.2.1"},
		"zone":                   {"[fe80::1%eth0]:4000", "", "fe80::1"},
		"no port":                {"somewhere", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &gateway.Local{Proxies: proxies, Now: time.Now}
			r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
			r.RemoteAddr = tc.remote
			if tc.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			r.Header.Set("X-Request-Id", "chosen by the client")
			c, err := l.Identify(r, &api.Spec{Access: api.Public})
			if err != nil || c.SourceIP != tc.want || c.RequestID == "" || c.RequestID == "chosen by the client" {
				t.Errorf("%+v %v, want %s", c, err, tc.want)
			}
		})
	}
	if _, err := gateway.ParseProxies([]string{"nonsense"}); err == nil {
		t.Error("nonsense is a network")
	}
}

func TestAuthorizerIsAskedWithTheEventOfAPIGateway(t *testing.T) {
	var got events.APIGatewayV2CustomAuthorizerV2Request
	answer := events.APIGatewayV2CustomAuthorizerSimpleResponse{}
	var fails error
	l := &gateway.Local{Now: time.Now, Authorize: func(_ context.Context, e events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
		got = e
		return answer, fails
	}}
	spec := &api.Spec{Access: api.User, Method: http.MethodGet, Path: "/api/entities/{entityId}"}
	r := httptest.NewRequest(http.MethodGet, "/api/entities/x?a=1&a=2", nil)
	r.Header.Add("Authorization", "Bearer one")
	r.Header.Add("Authorization", "Bearer two")
	r.Header.Add("Cookie", "a=1; b=2")
	r.Header.Add("Cookie", "c=3")
	c, err := l.Identify(r, spec)
	if err != nil || c.Principal != nil || c.Denial != caller.Invalid {
		t.Fatalf("refused: %+v %v", c, err)
	}
	if got.Version != "2.0" || got.Type != "REQUEST" || got.RouteKey != "GET /api/entities/{entityId}" || got.Headers["authorization"] != "Bearer one,Bearer two" ||
		len(got.Cookies) != 3 || got.QueryStringParameters["a"] != "1,2" || got.RequestContext.RequestID != c.RequestID || got.Headers["cookie"] != "" {
		t.Errorf("event %+v", got)
	}
	fails = errors.New("store is down")
	if _, err := l.Identify(r, spec); !fault.HasCode(err, fault.CodeUnavailable) {
		t.Errorf("error %v", err)
	}
	fails, answer = nil, events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: map[string]any{"denial": "expired"}}
	if c, err := l.Identify(r, spec); err != nil || c.Principal != nil || c.Denial != caller.Expired {
		t.Errorf("expired: %+v %v", c, err)
	}
	answer.Context = map[string]any{"userId": "u", "sessionId": "s", "authTime": "1", "expiresAt": "2", "amr": "pwd otp", "role": "USER"}
	if c, err := l.Identify(r, spec); err != nil || c.Principal == nil || c.Principal.UserID != "u" || len(c.Principal.AMR) != 2 {
		t.Errorf("principal: %+v %v", c, err)
	}
	delete(answer.Context, "userId")
	if c, err := l.Identify(r, spec); err != nil || c.Principal != nil {
		t.Errorf("an incomplete context gave a principal: %+v %v", c, err)
	}
}

func TestLambdaFactsComeFromTheRequestContextAlone(t *testing.T) {
	var got *caller.Caller
	var failed error
	spec := &api.Spec{Access: api.User}
	h := gateway.Lambda(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, failed = gateway.IdentifyLambda(r, spec)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(r.URL.Path + " " + string(body)))
	}))
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: "/prod/api/auth/me", Headers: map[string]string{"x-forwarded-for": "203.0.113.1", "content-type": "application/json"},
		Body: "e30=", IsBase64Encoded: true,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: "req", Stage: "prod",
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: http.MethodPost, Path: "/prod/api/auth/me", SourceIP: "192.0.2.7"},
			Authorizer: &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{
				"userId": "u", "sessionId": "s", "authTime": "1", "expiresAt": "2"}},
		},
	}
	res, err := h(context.Background(), e)
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	if got.SourceIP != "192.0.2.7" || got.RequestID != "req" || got.Principal == nil || res.Body != "/api/auth/me {}" || len(res.Cookies) != 2 {
		t.Errorf("%+v %+v", got, res)
	}
	e.RequestContext.Authorizer = nil
	if _, err := h(context.Background(), e); err != nil || got.Principal != nil {
		t.Errorf("without an authorizer: %+v %v", got, err)
	}
	if _, err := gateway.IdentifyLambda(httptest.NewRequest(http.MethodGet, "/", nil), spec); err == nil {
		t.Error("a request that came around the gateway has facts")
	}
}
