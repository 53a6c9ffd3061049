package attack

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

func gatewayAttacks() []attack {
	return []attack{
		{"I1", "one token on routes that decide differently", false, func(t *testing.T, s *site) {
			w := s.start()
			root := superAdmin(w)
			c := w.Registered(victim)
			for range 2 { // in both orders
				c.Get("/api/auth/me").Want(200)
				c.Get("/api/users").Problem(403, "forbidden")
				c.Get("/api/auth/me").Want(200)
				root.Get("/api/users").Want(200)
			}
		}},
		{"I2", "what was revoked, within the authorizer's bound", false, func(t *testing.T, s *site) {
			w := s.start("LANYARD_SESSION_CHECK_TTL=60s")
			c := w.Registered(victim)
			c.Get("/api/auth/me").Want(200)
			other := cold(t, w) // another process ends the session
			refresh(bearing(other, c.Access), c.Refresh).Want(200)
			bearing(other, c.Access).Post("/api/auth/logout-all", nil).Want(204)
			w.Clock.Advance(61 * time.Second)
			c.Get("/api/auth/me").Problem(401, "session_revoked")
			refresh(c, c.Refresh).Problem(401, "invalid_refresh_token")
		}},
		{"I4", "events of all forms", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			auth, _, err := w.Assembly.Authorizer()
			if err != nil {
				t.Fatal(err)
			}
			decide := func(e events.APIGatewayV2CustomAuthorizerV2Request) bool {
				res, err := auth.Authorize(context.Background(), e)
				return err == nil && res.IsAuthorized && res.Context["userId"] != nil && res.Context["userId"] != ""
			}
			good := events.APIGatewayV2CustomAuthorizerV2Request{Version: "2.0", Type: "REQUEST", Headers: map[string]string{"authorization": "Bearer " + c.Access}}
			if !decide(good) {
				t.Fatal("the control is not admitted")
			}
			upper := good
			upper.Headers = map[string]string{"Authorization": "Bearer " + c.Access} // local emulators keep the case
			if !decide(upper) {
				t.Error("another case of the header's name is not admitted")
			}
			for name, h := range map[string]map[string]string{
				"none": nil, "empty": {"authorization": ""}, "only the scheme": {"authorization": "Bearer "}, "two": {"authorization": "Bearer " + c.Access + ",Bearer " + c.Access},
				"two cases": {"authorization": "Bearer " + c.Access, "Authorization": "Bearer " + c.Access}, "another header": {"x-authorization": "Bearer " + c.Access},
			} {
				if decide(events.APIGatewayV2CustomAuthorizerV2Request{Version: "2.0", Type: "REQUEST", Headers: h}) {
					t.Errorf("%s: admitted", name)
				}
			}
			if decide(events.APIGatewayV2CustomAuthorizerV2Request{Version: "1.0", Type: "TOKEN", IdentitySource: []string{c.Access}}) {
				t.Error("a TOKEN event is admitted")
			}
		}},
		{"I5", "ids that are patterns", true, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			for _, id := range []string{"*", "%2A", "?", "%3F", ":", "..", "%2e%2e", "*%2F*", "{orgId}", "arn:aws:execute-api:*", "USER%23x", "%00", "%23"} {
				for _, path := range []string{"/api/organizations/" + id, "/api/entities/" + id, "/api/documents/" + id, "/api/organizations/" + id + "/members"} {
					if a := c.Get(path); a.Status == 200 && !strings.HasPrefix(id, ".") && !strings.HasPrefix(id, "%2e") && id != "?" || a.Status >= 500 {
						t.Errorf("%s: %d %s", path, a.Status, a.Raw)
					}
				}
			}
			org := c.Post("/api/organizations", m{"name": "Own"}).Want(201).Text("id")
			c.Get("/api/organizations/" + org).Want(200)
		}},
		{"I7", "headers that pretend to be the gateway", true, func(t *testing.T, s *site) {
			w := s.start()
			v, _ := newcomer(w)
			c, name := newcomer(w)
			pretended := []string{
				"X-User-Id", v.UserID, "X-Principal", v.UserID, "X-Principal-Id", v.UserID, "X-Amzn-Oidc-Identity", v.UserID, "X-Amzn-Request-Context", `{"authorizer":{"lambda":{"userId":"` + v.UserID + `"}}}`,
				"X-Role", "ADMIN", "X-Forwarded-User", v.UserID, "Requestcontext", `{"authorizer":{"lambda":{"userId":"` + v.UserID + `","role":"ADMIN"}}}`, "Userid", v.UserID,
			}
			if me := raw(w, c, "GET", "/api/auth/me", "", pretended...).Want(200); me.Text("username") != name {
				t.Errorf("signed in as %s", me.Raw)
			}
			raw(w, w.Client(), "GET", "/api/auth/me", "", pretended...).Problem(401, "unauthenticated")
			raw(w, c, "GET", "/api/users", "", pretended...).Problem(403, "forbidden")
			if a := raw(w, c, "GET", "/api/auth/me", "", "Connection", "close, Authorization"); a.Status == 200 && a.Text("username") != name {
				t.Errorf("a hop-by-hop header: %s", a.Raw)
			}
		}},
		{"I8", "no store, no keys", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			w.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) { return nil, errLine })
			for _, a := range []*lanyardtest.Answer{
				c.Get("/api/auth/me"), c.Get("/api/organizations"), signIn(w.Client(), victim, password), signIn(w.Client(), victim, wrong),
				refresh(c, c.Refresh), c.Post("/api/permissions/check", m{"checks": []m{{"entityId": nowhere, "action": "view"}}}),
			} {
				if a.Status != 503 || len(a.Cookies) > 0 || a.Value("tokens") != nil || a.Value("user") != nil {
					t.Errorf("%s without a store: %d %s", a.What, a.Status, a.Raw)
				}
			}
			w.Store.Transport.Intercept(nil)
			blind := fresh(w)
			blind.Keys = unavailable{}
			keyless := process(t, blind, nil)
			for _, a := range []*lanyardtest.Answer{bearing(keyless, c.Access).Get("/api/auth/me"), signIn(keyless.Client(), victim, password), refresh(keyless.Client(), c.Refresh), keyless.Client().Get("/.well-known/jwks.json")} {
				if a.Status != 503 && a.Status != 500 || len(a.Cookies) > 0 || a.Value("tokens") != nil || a.Value("user") != nil {
					t.Errorf("%s without keys: %d %s", a.What, a.Status, a.Raw)
				}
			}
			c.Get("/api/auth/me").Want(200)
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"I10", "the API without a gateway before it", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			// A handler that nobody put an authorizer before admits nobody.
			w.Assembly.Deps.Log.Debug("direct")
			for _, op := range lanyardtest.Operations() {
				if op.Access == "public" || op.Access == "optional" {
					continue
				}
				path := strings.NewReplacer("{orgId}", nowhere, "{userId}", nowhere, "{entityId}", nowhere, "{documentId}", nowhere, "{sessionId}", nowhere, "{invitationId}", nowhere, "{delegationId}", nowhere).Replace(op.Path)
				raw(w, w.Client(), op.Method, path, "").Problem(401, "unauthenticated")
				raw(w, w.Client(), op.Method, path, "", "Authorization", "Bearer nonsense").Problem(401, "invalid_token")
			}
			c.Get("/api/auth/me").Want(200)
		}},
	}
}

func limitAttacks() []attack {
	return []attack{
		{"J4", "other spellings of a route", false, func(t *testing.T, s *site) {
			w := s.start(limited, "LANYARD_LIMIT_FORGOT=6/15m")
			body := `{"email":"` + victim + `"}`
			counted := 0
			for _, path := range []string{
				"/api/auth/forgot-password", "/api/auth/forgot-password/", "/api/auth/Forgot-Password", "/api//auth/forgot-password", "/api/auth/./forgot-password",
				"/api/auth/forgot%2Dpassword", "/api/auth/x/../forgot-password", "/api/auth/forgot-password;x=1", "/api/auth/forgot-password#x",
				"/api/auth/forgot-password", "/api/auth/forgot-password", "/api/auth/forgot-password", "/api/auth/forgot-password", "/api/auth/forgot-password",
			} {
				res, err := http.Post(w.URL+path, "application/json", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if _ = res.Body.Close(); res.StatusCode == 202 {
					counted++
				}
			}
			if counted != 6 {
				t.Errorf("%d requests were served, the limit is 6", counted)
			}
			w.Client().Post("/api/auth/forgot-password", m{"email": victim}).Problem(429, "too_many_requests")
			if a := raw(w, w.Client(), "HEAD", "/api/auth/forgot-password", ""); a.Status < 400 {
				t.Errorf("HEAD: %d", a.Status)
			}
		}},
	}
}

// unavailable is a key source that cannot be read.
type unavailable struct{}

// Load implements token.Source.
func (unavailable) Load(context.Context) (*token.Ring, error) {
	return nil, errors.Join(token.ErrUnavailable, errLine)
}
