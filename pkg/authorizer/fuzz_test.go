package authorizer_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/caller"
)

// FuzzAuthorize: whatever stands in the header and the cookies, somebody is let
// in only by a token of theirs that stands there whole, and never the bearer of
// one credential as the owner of another.
func FuzzAuthorize(f *testing.F) {
	for _, s := range [][2]string{
		{"Bearer ann", ""}, {"", cookie + "=ann"}, {"Bearer ann", cookie + "=bob"}, {"Bearer ann, Bearer bob", ""}, {"Bearer\tann", ""}, {"bearer  bob", cookie + "=ann"},
		{"Basic ann", cookie + "=bob"}, {"", cookie + "=ann; " + cookie + "=bob"}, {"Bearer expired", ""}, {"Bearer keyless", ""}, {"Bearer ann\n", "x=" + cookie + "=ann"},
		{"", cookie + `="ann"`}, {"Bearer", cookie}, {" Bearer ann", ";"},
	} {
		f.Add(s[0], s[1], false)
		f.Add(s[0], s[1], true)
	}
	a := &authorizer.Authorizer{Verifier: verifier{}, Sessions: sessions{good: true}, Cookie: cookie}
	f.Fuzz(func(t *testing.T, header, cookies string, emulated bool) {
		e := events.APIGatewayV2CustomAuthorizerV2Request{Version: "2.0", Headers: map[string]string{}}
		if header != "" {
			e.Headers["authorization"] = header
		}
		if emulated {
			e.Headers["Cookie"] = cookies
		} else if cookies != "" {
			e.Cookies = strings.Split(cookies, "; ")
		}
		res, err := a.Authorize(t.Context(), e)
		p, denial := authorizer.Principal(res.Context)
		if err != nil || !res.IsAuthorized {
			if p != nil || res.IsAuthorized {
				t.Fatalf("%q %q: %+v with %v", header, cookies, p, err)
			}
			return
		}
		if p == nil {
			if denial == "" && (strings.TrimSpace(header) != "") {
				t.Fatalf("%q: a credential of no consequence", header)
			}
			return
		}
		words := strings.Fields(header)
		byHeader := len(words) == 2 && strings.EqualFold(words[0], "bearer") && strings.HasPrefix(words[1], p.UserID)
		byCookie := header == "" && strings.Contains(cookies, cookie) && strings.Contains(cookies, p.UserID)
		if denial != caller.NotClaimed || !byHeader && !byCookie || p.Role != "USER" {
			t.Fatalf("%q %q let in %+v, %q", header, cookies, p, denial)
		}
	})
}
