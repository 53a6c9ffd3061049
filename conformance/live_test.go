package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

const audience = "lanyard"

// live starts Lanyard on a loopback port under that port's own URL, so that
// the issuer and the addresses in its documents are where it answers.
func live(t *testing.T, env ...string) *lanyardtest.World {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	w := lanyardtest.Start(t, append([]string{"LANYARD_PUBLIC_URL=" + url}, env...)...)
	server := httptest.NewUnstartedServer(w.Handler)
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	w.URL = url
	return w
}

// npm gives the folder of an installed npm package, and skips the test where
// there is none.
func npm(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: nothing is judged by " + name)
	}
	dir := filepath.Join("node_modules", name)
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		t.Skip(name + " is not installed (npm ci in conformance/): nothing is judged by it")
	}
	return dir
}

// judge runs a judge's program: JSON in, JSON out.
func judge(t *testing.T, name string, in, out any) {
	t.Helper()
	npm(t, name)
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	run := exec.CommandContext(ctx, "node", filepath.Join("judges", name+".mjs")) //nolint:gosec // one of ours
	var stderr bytes.Buffer
	run.Stdin, run.Stderr = bytes.NewReader(raw), &stderr
	answer, err := run.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.Bytes())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("%s: %v: %s", name, err, answer)
	}
}

// tokens gives a live access token, and what every judge must refuse.
func tokens(t *testing.T, w *lanyardtest.World, c *lanyardtest.Client) map[string]string {
	t.Helper()
	p := strings.Split(c.Access, ".")
	if len(p) != 3 {
		t.Fatalf("%q is no compact JWS", c.Access)
	}
	payload, err := base64.RawURLEncoding.DecodeString(p[1])
	if err != nil {
		t.Fatal(err)
	}
	raised := bytes.Replace(payload, []byte(`"USER"`), []byte(`"ADMIN"`), 1)
	if bytes.Equal(raised, payload) {
		t.Fatalf("no role in %s", payload)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	other := lanyardtest.Start(t, "LANYARD_PUBLIC_URL="+w.Config.PublicURL) // same issuer, another ring
	return map[string]string{
		"live":          c.Access,
		"raised":        p[0] + "." + base64.RawURLEncoding.EncodeToString(raised) + "." + p[2],
		"unsigned":      none + "." + p[1] + ".",
		"another ring":  other.Registered("mallory@example.org").Access,
		"refresh token": c.Refresh,
	}
}

// TestForeignVerifiersTakeLiveTokens: three libraries of others verify the
// access token of a live sign-in by the live key set, and refuse the rest, for
// every algorithm that publishes keys.
func TestForeignVerifiersTakeLiveTokens(t *testing.T) {
	for _, algorithm := range []string{"ES256", "EdDSA"} {
		w := live(t, "LANYARD_KEYS_ALGORITHM="+algorithm)
		c := w.Registered("victor@example.com")
		all := tokens(t, w, c)
		in := map[string]any{"issuer": w.Config.PublicURL, "audience": audience, "jwks": w.URL + "/.well-known/jwks.json", "tokens": all}
		check := func(t *testing.T, got map[string]string) {
			t.Helper()
			for name := range all {
				if want := name == "live"; (got[name] == c.UserID) != want || got[name] == "" {
					t.Errorf("%s: %q", name, got[name])
				}
			}
		}
		t.Run(algorithm+"/go-oidc", func(t *testing.T) {
			keys := oidc.NewRemoteKeySet(t.Context(), w.URL+"/.well-known/jwks.json")
			v := oidc.NewVerifier(w.Config.PublicURL, keys, &oidc.Config{
				ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256, oidc.EdDSA}, Now: w.Clock.Now,
			})
			got := map[string]string{}
			for name, raw := range all {
				verified, err := v.Verify(t.Context(), raw)
				if err != nil {
					got[name] = err.Error()
					continue
				}
				got[name] = verified.Subject
			}
			check(t, got)
			for name, refusing := range map[string]*oidc.IDTokenVerifier{
				"another issuer":   oidc.NewVerifier("https://other.example", keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{algorithm}}),
				"another audience": oidc.NewVerifier(w.Config.PublicURL, keys, &oidc.Config{ClientID: "other", SupportedSigningAlgs: []string{algorithm}}),
				"16 minutes later": oidc.NewVerifier(w.Config.PublicURL, keys, &oidc.Config{
					ClientID: audience, SupportedSigningAlgs: []string{algorithm}, Now: func() time.Time { return w.Clock.Now().Add(16 * time.Minute) },
				}),
			} {
				if _, err := refusing.Verify(t.Context(), c.Access); err == nil {
					t.Errorf("%s: accepted", name)
				}
			}
		})
		for _, name := range []string{"jose", "aws-jwt-verify"} {
			t.Run(algorithm+"/"+name, func(t *testing.T) {
				got := map[string]string{}
				judge(t, name, in, &got)
				check(t, got)
			})
		}
	}
}

// TestStrictCookieJar: a jar by tough-cookie's strictest rules takes every
// cookie of ours, sends each where it belongs, and is empty of tokens in the end.
func TestStrictCookieJar(t *testing.T) {
	const origin = "https://auth.example.com"
	w := lanyardtest.Start(t, "LANYARD_PUBLIC_URL="+origin, "LANYARD_BCRYPT_COST=10", "LANYARD_THROTTLE=on")
	w.Registered("carla@example.com")
	var steps []struct {
		Step, Body string
		Status     int
		Rejected   []string
		Held       map[string][]string
		Cookies    []struct {
			Name, Value, SameSite, Path string
			Secure, HTTPOnly, HostOnly  bool
		}
		Leaked int
	}
	judge(t, "tough-cookie", map[string]any{
		"origin": origin, "server": w.URL, "email": "carla@example.com", "password": lanyardtest.Password,
	}, &steps)
	const access, refresh, device = "__Host-lanyard_access", "__Secure-lanyard_refresh", "__Secure-lanyard_device"
	want := []struct {
		step    string
		status  int
		signing bool
	}{
		{"sign in", 200, true}, {"use", 200, true}, {"refresh", 200, true}, {"use again", 200, true},
		{"sign out", 204, false}, {"use after", 401, false}, {"refresh after", 401, false},
	}
	if len(steps) != len(want) {
		t.Fatalf("%d steps", len(steps))
	}
	before := ""
	for i, s := range steps {
		if s.Step != want[i].step || s.Status != want[i].status || len(s.Rejected) > 0 || s.Leaked != 0 {
			t.Errorf("%s: status %d, rejected %q, leaked to scripts, http or a sibling %d: %s", s.Step, s.Status, s.Rejected, s.Leaked, s.Body)
		}
		everywhere, signing := []string{}, []string{device}
		if want[i].signing {
			everywhere, signing = []string{access}, []string{access, device, refresh}
		}
		if !slices.Equal(s.Held["/"], everywhere) || !slices.Equal(s.Held["/api/organizations"], everywhere) || !slices.Equal(s.Held["/api/auth/refresh"], signing) {
			t.Errorf("%s: held %v", s.Step, s.Held)
		}
		for _, c := range s.Cookies {
			if !c.Secure || !c.HTTPOnly || !c.HostOnly || c.SameSite != "lax" || c.Value == "" {
				t.Errorf("%s: %s: %+v", s.Step, c.Name, c)
			}
			if strings.Contains(s.Body, c.Value) {
				t.Errorf("%s: the value of %s is in the body", s.Step, c.Name)
			}
			if c.Name == refresh && s.Step == "sign in" {
				before = c.Value
			}
			if c.Name == refresh && s.Step == "refresh" && c.Value == before {
				t.Error("refresh: the jar holds the refresh token of before")
			}
		}
	}
	if before == "" {
		t.Error("no refresh cookie was seen")
	}
}

// TestForeignAuthenticator: an app that reads our otpauth URL shows codes that
// confirm the enrolment and sign in; a code of two steps ago does not.
func TestForeignAuthenticator(t *testing.T) {
	w := live(t)
	c := w.Registered("tina@example.com")
	enrolled := c.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200)
	now := w.Clock.Now().Unix()
	var app struct {
		Codes                []string
		Algorithm            string
		Digits, Period, Bits int
	}
	judge(t, "otpauth", map[string]any{"url": enrolled.Text("otpauthUrl"), "at": []int64{now, now - 60, now + 60}}, &app)
	if app.Algorithm != "SHA1" || app.Digits != 6 || app.Period != 30 || app.Bits < 160 {
		t.Errorf("the app read %+v", app)
	}
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": app.Codes[1]}).Problem(401, "invalid_mfa_code")
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": app.Codes[0]}).Want(200)
	w.Clock.Advance(time.Minute)
	pending := w.Client().Post("/api/auth/login", map[string]any{"email": "tina@example.com", "password": lanyardtest.Password}).Want(200)
	verify := func(code string) *lanyardtest.Answer {
		return w.Client().Post("/api/auth/mfa/verify", map[string]any{"mfaToken": pending.Text("mfaToken"), "code": code, "delivery": "body"})
	}
	verify(app.Codes[0]).Want(401)
	verify(app.Codes[2]).Want(200)
}
