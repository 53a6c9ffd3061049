package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/gateway"
)

func TestOnlyTheCDNReachesTheAPIAndNamesItsClient(t *testing.T) {
	const secret = "an origin secret of enough characters"
	for name, tc := range map[string]struct{ secret, sent, forwarded, want string }{
		"no CDN":                              {"", "", "198.51.100.9", "192.0.2.1"},
		"its client, and the CDN behind":      {secret, secret, "198.51.100.9, 192.0.2.1", "198.51.100.9"},
		"its client alone":                    {secret, secret, "198.51.100.9", "198.51.100.9"},
		"the client adds hops":                {secret, secret, "203.0.113.7, 198.51.100.9, 192.0.2.1", "198.51.100.9"},
		"IPv6":                                {secret, secret, "2001:db8::1, 192.0.2.1", "2001:db8::1"},
		"mapped":                              {secret, secret, "::ffff:198.51.100.9", "198.51.100.9"},
		"around the CDN":                      {secret, "", "198.51.100.9", ""},
		"with a guess":                        {secret, secret[1:] + "x", "198.51.100.9", ""},
		"with the secret, and without a name": {secret, secret, "", ""},
		"with nonsense for a name":            {secret, secret, "198.51.100.9, unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			identify := gateway.Behind(tc.secret, func(*http.Request, *api.Spec) (*caller.Caller, error) {
				return &caller.Caller{SourceIP: "192.0.2.1", RequestID: "r"}, nil
			})
			r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
			r.Header.Set(gateway.OriginHeader, tc.sent)
			if tc.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			c, err := identify(r, &api.Spec{Access: api.Public})
			if tc.want == "" {
				if !fault.HasCode(err, fault.CodeForbidden) {
					t.Errorf("%+v %v", c, err)
				}
				return
			}
			if err != nil || c.SourceIP != tc.want {
				t.Errorf("%+v %v, want %s", c, err, tc.want)
			}
		})
	}
	failed := errors.New("no facts")
	if _, err := gateway.Behind(secret, func(*http.Request, *api.Spec) (*caller.Caller, error) { return nil, failed })(nil, nil); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
}
