// Package canary sends secrets of every kind through every operation - well
// formed, malformed, cut short, and on a store that panics - and looks for them
// everywhere that others read: the log, the metrics, the trail, the table and
// the answers.
package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/catalogtest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

var errLine = errors.New("connection reset by peer")

// forms are the ways in which a secret may be written down.
func forms(secret string) []string {
	raw := []byte(secret)
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), strings.ReplaceAll(secret, "-", ""),
	}
}

// found gives the kinds of secrets that are in a text.
func found(text string, secrets map[string]string) []string {
	var out []string
	for kind, s := range secrets {
		if slices.ContainsFunc(forms(s), func(f string) bool { return strings.Contains(text, f) }) {
			out = append(out, kind)
		}
	}
	slices.Sort(out)
	return out
}

// served runs a scenario's world as the shipped server does, with its metrics.
func served(t *testing.T, s *catalogtest.Scenario) *httptest.Server {
	t.Helper()
	a := &assembly.Assembly{Deps: s.Assembly.Deps, Keys: s.Assembly.Keys, Version: "test"}
	auth, _, err := a.Authorizer()
	if err != nil {
		t.Fatal(err)
	}
	services, err := catalog.NewServices(a)
	if err != nil {
		t.Fatal(err)
	}
	h, err := a.Server(catalog.Operations(services, openapi.Document), auth, metrics.Observer(s.Logs, a.Deps.Log, "test", a.Deps.Now))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// bodies are a request's body whole and in forms that are refused at different
// depths.
func bodies(t *testing.T, body any) (whole []byte, broken map[string][]byte) {
	t.Helper()
	if body == nil {
		return nil, nil
	}
	whole, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(whole, &members); err != nil {
		t.Fatal(err)
	}
	nested := map[string]any{}
	for k, v := range members {
		nested[k] = map[string]any{"inside": v}
	}
	wrongTypes, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	return whole, map[string][]byte{
		"cut short": whole[:len(whole)-1], "with a tail": append(slices.Clone(whole), whole...), "wrong types": wrongTypes,
		"in quotes": fmt.Appendf(nil, "%q", whole), "no UTF-8": append(slices.Clone(whole[:len(whole)-1]), ",\"\xff\":1}"...),
	}
}

// secrets are those of the scenario, of a browser, and of the key ring.
func secrets(t *testing.T, s *catalogtest.Scenario) map[string]string {
	t.Helper()
	out := s.Secrets
	browser := s.Browser()
	browser.Post("/api/auth/login", map[string]any{"email": "guest@example.com", "password": lanyardtest.Password}).Want(http.StatusOK)
	for _, name := range []string{"access", "refresh", "device"} {
		out[name+" cookie"] = browser.Cookie("/api/auth/login", "lanyard_"+name)
	}
	document, err := s.Ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var ring any
	if err := json.Unmarshal(document, &ring); err != nil {
		t.Fatal(err)
	}
	keys := 0
	private(ring, func(secret string) {
		keys++
		out[fmt.Sprintf("key %d", keys)] = secret
	})
	if keys < 2 {
		t.Fatalf("%d secrets found in the key ring", keys)
	}
	for kind, secret := range out {
		if len(secret) < 8 {
			t.Fatalf("no %s: %q", kind, secret)
		}
	}
	return out
}

// private finds the secret members of a key ring's document.
func private(v any, visit func(string)) {
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			if text, isText := inner.(string); isText && len(text) > 20 && slices.Contains([]string{"d", "k", "value", "secret"}, name) {
				visit(text)
			}
			private(inner, visit)
		}
	case []any:
		for _, inner := range x {
			private(inner, visit)
		}
	}
}

// run is one canary run.
type run struct {
	t      *testing.T
	server *httptest.Server
	known  map[string]string
}

// send sends a request by bearer token or by cookie and reads the answer.
func (c *run) send(r catalogtest.Request, what string, body []byte, cookies bool) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), r.Method, c.server.URL+r.Path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case cookies:
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		for _, name := range []string{"access", "refresh", "device"} {
			req.AddCookie(&http.Cookie{Name: "lanyard_" + name, Value: c.known[name+" cookie"]})
		}
	case r.By.Access != "":
		req.Header.Set("Authorization", "Bearer "+r.By.Access)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s, %s: %v", r.Operation, what, err)
	}
	defer res.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(res.Body); err != nil {
		c.t.Fatal(err)
	}
	told := found(fmt.Sprint(res.Header, out.String()), c.known)
	// The page that a link opens carries the link's token on to its button, and
	// an enrolment that is asked for again may give its secret again.
	if strings.HasSuffix(r.Operation, "-link") && res.StatusCode == http.StatusOK {
		told = slices.DeleteFunc(told, func(kind string) bool { return strings.Contains(kind, "token") })
	}
	if len(told) > 0 {
		c.t.Errorf("%s, %s: the answer has the %v", r.Operation, what, told)
	}
}

func TestNoSecretIsWhereItShouldNotBe(t *testing.T) {
	s := catalogtest.New(t)
	c := &run{t: t, known: secrets(t, s), server: served(t, s)}
	for _, r := range s.Requests() {
		whole, broken := bodies(t, r.Body)
		for what, body := range broken {
			c.send(r, what, body, false)
			c.send(r, what+", by cookie", body, true)
		}
		s.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
			if !bytes.Contains(debug.Stack(), []byte("ServeHTTP")) {
				return nil, errLine // on a goroutine of its own a panic ends the process, as in any Go program
			}
			panic(string(whole))
		})
		c.send(r, "on a store that panics", whole, false)
		s.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) { return nil, errLine })
		c.send(r, "on a store that fails", whole, false)
		s.Store.Transport.Intercept(nil)
	}
	if !strings.Contains(s.Logs.String(), `"panic"`) {
		t.Error("nothing panicked")
	}
	// The good ones last, and of those the ones that end things at the end.
	for _, ending := range []bool{false, true} {
		for _, r := range s.Requests() {
			ends := r.Method == http.MethodDelete || strings.Contains(r.Operation, "logout") || strings.Contains(r.Operation, "password") || r.Operation == "users-suspend"
			if whole, _ := bodies(t, r.Body); ends == ending {
				c.send(r, "as it should be", whole, false)
			}
		}
	}
	s.Settle()
	for where, text := range map[string]string{"log and metrics": s.Logs.String(), "table and trail": s.Dump()} {
		if kinds := found(text, c.known); len(kinds) > 0 {
			t.Errorf("%s: the %v", where, kinds)
		}
		if !strings.Contains(text, s.Owner.UserID) {
			t.Errorf("%s: nothing is in it", where)
		}
	}
	// The control: what is looked for would be found.
	hidden := "x" + base64.RawURLEncoding.EncodeToString([]byte(c.known["reset token"])) + hex.EncodeToString([]byte(c.known["password"]))
	if kinds := found(hidden, c.known); len(kinds) != 2 {
		t.Errorf("found %v", kinds)
	}
}
