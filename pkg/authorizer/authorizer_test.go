package authorizer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// verifier knows a few tokens by name; tokens themselves are package token's.
type verifier struct{}

func (verifier) Verify(_ context.Context, raw string) (token.Claims, error) {
	at := time.Unix(1000, 0).UTC()
	switch raw {
	case "ann", "ann2":
		return token.Claims{UserID: "ann", SessionID: "s1", Username: "Ann", Role: "USER", AMR: []string{"pwd", "otp"}, TokenID: "t1", AuthTime: at, ExpiresAt: at.Add(time.Hour)}, nil
	case "bob":
		return token.Claims{UserID: "bob", SessionID: "s2", Role: "ADMIN", TokenID: "t2", AuthTime: at, ExpiresAt: at.Add(time.Hour)}, nil
	case "expired":
		return token.Claims{}, token.ErrExpired
	case "foreign":
		return token.Claims{}, token.ErrClaims
	case "keyless":
		return token.Claims{}, errors.New("keys cannot be read")
	}
	return token.Claims{}, token.ErrForged
}

type sessions struct {
	good bool
	err  error
}

func (s sessions) Check(context.Context, string, string) (standing.Finding, error) {
	return standing.Finding{Good: s.good, Role: "USER"}, s.err
}

const cookie = "__Host-lanyard_access"

func TestWhatBecomesOfCredentials(t *testing.T) {
	bearer := func(s string) map[string]string { return map[string]string{"authorization": s} }
	for name, tc := range map[string]struct {
		headers map[string]string
		cookies []string
		query   string
		admits  string // the user let in
		denial  caller.Denial
		refused bool
	}{
		"nothing":                      {denial: caller.NotClaimed},
		"empty header":                 {headers: bearer(""), refused: true},
		"scheme alone":                 {headers: bearer("Bearer"), refused: true},
		"scheme and a space":           {headers: bearer("Bearer "), refused: true},
		"bearer":                       {headers: bearer("Bearer ann"), admits: "ann"},
		"lower case":                   {headers: bearer("bearer ann"), admits: "ann"},
		"upper case":                   {headers: bearer("BEARER ann"), admits: "ann"},
		"several spaces":               {headers: bearer("Bearer   ann"), admits: "ann"},
		"tab":                          {headers: bearer("Bearer\tann"), refused: true},
		"trailing words":               {headers: bearer("Bearer ann more"), refused: true},
		"another scheme":               {headers: bearer("Basic ann"), refused: true},
		"no scheme":                    {headers: bearer("ann"), refused: true},
		"name in another case":         {headers: map[string]string{"Authorization": "Bearer ann"}, admits: "ann"},
		"name in two cases":            {headers: map[string]string{"Authorization": "Bearer ann", "authorization": "Bearer ann"}, denial: caller.Conflicting},
		"two values":                   {headers: bearer("Bearer ann,Bearer bob"), denial: caller.Conflicting},
		"two equal values":             {headers: bearer("Bearer ann, Bearer ann"), denial: caller.Conflicting},
		"cookie":                       {cookies: []string{cookie + "=ann"}, admits: "ann"},
		"cookie header of an emulator": {headers: map[string]string{"Cookie": "a=1; " + cookie + "=ann"}, admits: "ann"},
		"cookie of another name":       {cookies: []string{"lanyard_access=ann"}, denial: caller.NotClaimed},
		"two cookies":                  {cookies: []string{cookie + "=ann", cookie + "=bob"}, denial: caller.Conflicting},
		"an empty cookie and another":  {cookies: []string{cookie + "=", cookie + "=ann"}, denial: caller.Conflicting},
		"a cookie and an empty one":    {cookies: []string{cookie + "=ann", cookie + "="}, denial: caller.Conflicting},
		"the same cookie twice":        {cookies: []string{cookie + "=ann", cookie + "=ann"}, admits: "ann"},
		"header and cookie of one":     {headers: bearer("Bearer ann"), cookies: []string{cookie + "=ann2"}, admits: "ann"},
		"header and cookie of two":     {headers: bearer("Bearer ann"), cookies: []string{cookie + "=bob"}, denial: caller.Conflicting},
		"header with a dead cookie":    {headers: bearer("Bearer ann"), cookies: []string{cookie + "=expired"}, admits: "ann"},
		"bad header, good cookie":      {headers: bearer("Bearer forged"), cookies: []string{cookie + "=ann"}, refused: true},
		"forged":                       {headers: bearer("Bearer forged"), refused: true},
		"for another API":              {headers: bearer("Bearer foreign"), refused: true},
		"expired":                      {headers: bearer("Bearer expired"), denial: caller.Expired},
		"query":                        {query: "access_token=ann", denial: caller.NotClaimed},
	} {
		t.Run(name, func(t *testing.T) {
			a := &authorizer.Authorizer{Verifier: verifier{}, Sessions: sessions{good: true}, Cookie: cookie}
			e := events.APIGatewayV2CustomAuthorizerV2Request{Version: "2.0", Type: "REQUEST", Headers: tc.headers, Cookies: tc.cookies, RawQueryString: tc.query}
			got, err := a.Authorize(context.Background(), e)
			if err != nil || got.IsAuthorized == tc.refused {
				t.Fatalf("%+v %v", got, err)
			}
			p, denial := authorizer.Principal(overTheWire(t, got.Context))
			switch {
			case tc.refused:
				if p != nil || len(got.Context) > 0 {
					t.Errorf("refused with %+v", got.Context)
				}
			case tc.admits == "":
				if p != nil || denial != tc.denial {
					t.Errorf("principal %+v, denial %q, want %q", p, denial, tc.denial)
				}
			default:
				if p == nil || p.UserID != tc.admits || p.SessionID != "s1" || p.Role != caller.RoleUser || strings.Join(p.AMR, " ") != "pwd otp" || p.AuthTime.Unix() != 1000 {
					t.Errorf("principal %+v", p)
				}
			}
		})
	}
}

// overTheWire gives a context as an integration receives it, through JSON.
func overTheWire(t *testing.T, m map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	for name, v := range out {
		switch v.(type) {
		case string, bool, float64:
		default:
			t.Errorf("%s is no scalar: %v", name, v)
		}
	}
	return out
}

// TestEventsOfOtherFormsAdmitNobody feeds the payloads of REST APIs, of format
// 1.0 and plain nonsense: each decodes to an event without a credential.
func TestEventsOfOtherFormsAdmitNobody(t *testing.T) {
	a := &authorizer.Authorizer{Verifier: verifier{}, Sessions: sessions{good: true}, Cookie: cookie}
	for name, raw := range map[string]string{
		"empty":           `{}`,
		"null headers":    `{"version":"2.0","headers":null,"cookies":null}`,
		"REST TOKEN":      `{"type":"TOKEN","authorizationToken":"Bearer ann","methodArn":"arn:aws:execute-api:x"}`,
		"REST REQUEST":    `{"type":"REQUEST","methodArn":"arn","multiValueHeaders":{"authorization":["Bearer ann"]}}`,
		"format 1.0":      `{"version":"1.0","type":"REQUEST","identitySource":"Bearer ann","authorizationToken":"Bearer ann"}`,
		"identity source": `{"version":"2.0","type":"REQUEST","identitySource":["Bearer ann"]}`,
		"empty cookies":   `{"version":"2.0","cookies":["","=",";;","` + cookie + `"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			var e events.APIGatewayV2CustomAuthorizerV2Request
			if err := json.Unmarshal([]byte(raw), &e); err != nil {
				return // the runtime answers an error, and API Gateway admits nobody
			}
			got, err := a.Authorize(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			if p, _ := authorizer.Principal(got.Context); p != nil {
				t.Errorf("admits %+v", p)
			}
		})
	}
}

func TestSessionsDecideAndDoubtAdmitsNobody(t *testing.T) {
	e := events.APIGatewayV2CustomAuthorizerV2Request{Headers: map[string]string{"authorization": "Bearer bob"}}
	ask := func(s authorizer.Sessions) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
		return (&authorizer.Authorizer{Verifier: verifier{}, Sessions: s, Cookie: cookie}).Authorize(context.Background(), e)
	}
	if got, err := ask(sessions{}); err != nil || !got.IsAuthorized || got.Context["denial"] != string(caller.Revoked) {
		t.Errorf("ended session: %+v %v", got, err)
	}
	if got, err := ask(sessions{good: true, err: errors.New("store is down")}); err == nil || got.IsAuthorized {
		t.Errorf("unknown session: %+v %v", got, err)
	}
	got, err := ask(sessions{good: true})
	if p, _ := authorizer.Principal(overTheWire(t, got.Context)); err != nil || p == nil || p.Role != caller.RoleUser {
		t.Errorf("the role must be the store's, not the token's: %+v %v", p, err)
	}
	got, err = ask(nil)
	if p, _ := authorizer.Principal(overTheWire(t, got.Context)); err != nil || p == nil || p.Role != caller.RoleAdmin {
		t.Errorf("without a session check: %+v %v", p, err)
	}
	e.Headers["authorization"] = "Bearer keyless"
	if got, err := ask(nil); err == nil || got.IsAuthorized {
		t.Errorf("keys that cannot be read: %+v %v", got, err)
	}
}

func TestAnIncompleteContextIsNoPrincipal(t *testing.T) {
	whole := map[string]any{"userId": "u", "sessionId": "s", "authTime": "1", "expiresAt": "2"}
	if p, _ := authorizer.Principal(whole); p == nil {
		t.Fatal("a whole context gives no principal")
	}
	for name := range whole {
		for _, bad := range []any{nil, "", 1.5, []any{"u"}} {
			m := map[string]any{"userId": "u", "sessionId": "s", "authTime": "1", "expiresAt": "2"}
			m[name] = bad
			if p, _ := authorizer.Principal(m); p != nil {
				t.Errorf("%s = %v: %+v", name, bad, p)
			}
		}
	}
	if p, _ := authorizer.Principal(nil); p != nil {
		t.Error("no context gives a principal")
	}
}
