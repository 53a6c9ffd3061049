package attack

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/lanyard-auth/lanyard/internal/catalogtest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

// lines fails the test unless the log is one JSON object a line, free of
// characters that a terminal or a collector would act on.
func lines(t *testing.T, log string) int {
	t.Helper()
	n := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(log, "\n"), "\n") {
		n++
		d := json.NewDecoder(strings.NewReader(line))
		var entry map[string]any
		if err := d.Decode(&entry); err != nil || d.More() {
			t.Errorf("no single JSON object: %q", line)
		}
		for _, r := range line {
			if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\u202e' {
				t.Errorf("the character %U is in a log line", r)
			}
		}
	}
	return n
}

func trailAttacks() []attack {
	const injected = "a\r\n{\"level\":\"ERROR\"}\x1b[31m\u2028\u202e\x00\",\"level\":\"x"
	return []attack{
		{"K2", "lines that break out of the log", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			access := c.Access
			observed := process(t, fresh(w), metrics.Observer(w.Logs, w.Assembly.Deps.Log, "test", w.Clock.Now))
			c = bearing(observed, access)
			name, _ := json.Marshal(injected)
			for _, ua := range []string{"ua\",\"level\":\"x", "ua\x1b[31m", "ua\tb", "\u2028\u202eua"} {
				req, err := http.NewRequest("POST", observed.URL+"/api/auth/login", strings.NewReader(`{"email":`+string(name)+`,"password":"x"}`))
				if err != nil {
					t.Fatal(err)
				}
				req.Header["Content-Type"] = []string{"application/json"}
				if ua != "ua\x1b[31m" { // the client itself refuses that one
					req.Header["User-Agent"] = []string{ua}
				}
				c.Send(req)
				raw(observed, c, "PATCH", "/api/auth/me", `{"profile":{"firstName":`+string(name)+`}}`)
				raw(observed, c, "POST", "/api/organizations", `{"name":`+string(name)+`}`)
				raw(observed, c, "GET", "/api/organizations/%0d%0a%22level%22", "")
				raw(observed, observed.Client(), "GET", "/api/auth/verify-email/%0d%0a%1b%5b31m", "")
			}
			if n := lines(t, w.Logs.String()); n < 16 {
				t.Errorf("%d lines", n)
			}
			trail := c.Get("/api/auth/activity").Want(200)
			if !json.Valid(trail.Raw) || bytes.ContainsAny(trail.Raw, "\x1b\x00\u2028") {
				t.Errorf("activity %q", trail.Raw)
			}
		}},
		{"K4", "the trail of others, and changing one's own", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			c, org, _ := foreigner(s)
			c.Get("/api/organizations/"+s.Organization+"/audit").Problem(404, "not_found")
			c.Get("/api/admin/audit").Problem(403, "forbidden")
			if a := c.Get("/api/organizations/" + org + "/audit").Want(200); strings.Contains(string(a.Raw), s.Organization) || !strings.Contains(string(a.Raw), org) {
				t.Errorf("audit %s", a.Raw)
			}
			for _, op := range lanyardtest.Operations() {
				if strings.Contains(op.Path, "audit") && op.Method != "GET" {
					t.Errorf("%s changes the trail", op.ID)
				}
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
				for _, path := range []string{"/api/admin/audit", "/api/organizations/" + s.Organization + "/audit", "/api/auth/activity"} {
					s.Root.Do(method, path, m{}).Problem(405, "method_not_allowed")
				}
			}
			s.Root.Get("/api/admin/audit").Want(200)
		}},
		{"K5", "an act whose event cannot be written", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			before := rows(t, s.World)
			s.Store.Transport.Intercept(func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
				var body bytes.Buffer
				if _, err := body.ReadFrom(r.Body); err != nil {
					return nil, err
				}
				if strings.Contains(body.String(), "AUDIT#") && operation != "Query" {
					return nil, errLine
				}
				r = r.Clone(r.Context())
				r.Body = readCloser{bytes.NewReader(body.Bytes())}
				return next.RoundTrip(r)
			})
			tried := 0
			for _, operation := range []string{"auth-login", "auth-change-password", "orgs-members-change", "entities-permissions-grant", "users-suspend", "users-role", "admin-delegations-create", "auth-mfa-totp-disable", "orgs-delete"} {
				if a := s.Request(operation).Do(); a.Status < 500 {
					t.Errorf("%s went through unrecorded: %d", operation, a.Status)
				}
				tried++
			}
			s.Store.Transport.Intercept(nil)
			unchanged(t, s.World, before, "an unrecorded act")
			s.Request("users-suspend").Do().Want(204)
			if tried < 9 {
				t.Error("not all were tried")
			}
		}},
		{"K7", "request ids that clients send", true, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			for _, id := range []string{"mine\",\"level\":\"x", strings.Repeat("9", 8_000), "../../x", "\u2028"} {
				for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "X-Amzn-Request-Id"} {
					a := raw(w, c, "GET", "/api/organizations/"+nowhere, "", name, id).Problem(404, "not_found")
					if got := a.Text("requestId"); got == "" || got == id || len(got) > 64 {
						t.Errorf("request id %.80q", got)
					}
				}
			}
		}},
		{"K8", "paths that should not be", true, func(t *testing.T, s *site) {
			w := s.start()
			for _, path := range []string{
				"/debug/pprof/", "/debug/vars", "/metrics", "/swagger", "/swagger.json", "/swagger/index.html", "/.git/config", "/.git/HEAD", "/.env", "/env", "/config", "/actuator",
				"/server-status", "/admin", "/graphql", "/api", "/api/", "/.aws/credentials", "/wp-login.php", "/..%2f..%2fetc/passwd", "/api/auth/../../debug/vars", "/healthz/../debug",
			} {
				if a := w.Client().Get(path); a.Status != 404 {
					t.Errorf("%s: %d", path, a.Status)
				}
			}
			w.Client().Get("/healthz").Want(200)
		}},
	}
}

type readCloser struct{ *bytes.Reader }

// Close implements io.Closer.
func (readCloser) Close() error { return nil }
