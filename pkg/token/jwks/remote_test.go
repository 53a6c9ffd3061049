package jwks_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/jwks"
)

const (
	issuerURL = "https://id.example.test"
	audience  = "https://api.example.test"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// installation is a Lanyard with a key set on the network.
type installation struct {
	*httptest.Server
	clock   *clock
	hits    atomic.Int64
	mu      sync.Mutex
	ring    *token.Ring
	header  http.Header
	answer  func(http.ResponseWriter, *http.Request) // instead of the key set
	blocked chan struct{}
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	i := &installation{clock: &clock{at: start}, header: http.Header{"Cache-Control": {"public, max-age=600"}}}
	i.ring = newRing(t)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		answer, ring, blocked := i.answer, i.ring, i.blocked
		i.mu.Unlock()
		if blocked != nil {
			<-blocked
		}
		if answer != nil {
			answer(w, r)
			return
		}
		for k, v := range i.header {
			w.Header()[k] = v
		}
		json.NewEncoder(w).Encode(ring.JWKS(i.clock.now())) //nolint:errcheck // a test
	}))
	t.Cleanup(i.Close)
	return i
}

func newRing(t *testing.T) *token.Ring {
	t.Helper()
	r, err := token.NewRing(token.ES256, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (i *installation) set(f func()) { i.mu.Lock(); defer i.mu.Unlock(); f() }

func (i *installation) remote(t *testing.T) *jwks.Remote {
	t.Helper()
	r, err := jwks.New(jwks.Config{URL: i.URL + "/.well-known/jwks.json", Client: i.Client(), Now: i.clock.now, MinAge: time.Minute, MaxAge: time.Hour,
		Stale: 2 * time.Hour, Between: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (i *installation) key(t *testing.T, r *jwks.Remote, id string) error {
	t.Helper()
	k, err := r.VerificationKey(t.Context(), id)
	if err == nil && k.ID != id {
		t.Fatalf("key %q for %q", k.ID, id)
	}
	return err
}

func TestServicesVerifyWithoutCallingHome(t *testing.T) {
	i := newInstallation(t)
	iss, err := token.NewIssuer(token.Static(i.ring), token.IssuerConfig{Issuer: issuerURL, Audience: audience, Now: i.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	raw, _, err := iss.Issue(t.Context(), token.Claims{UserID: "0190a5c0-0000-7000-8000-000000000001", SessionID: "0190a5c0-0000-7000-8000-000000000002", Role: "USER", AuthTime: start})
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(i.remote(t), token.VerifierConfig{Issuer: issuerURL, Audience: audience, Now: i.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestKeySetIsKeptAsLongAsItSaysWithinBounds(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"public, max-age=600": 10 * time.Minute, "max-age=5": time.Minute, "max-age=999999": time.Hour, "no-store": time.Minute, "": time.Minute,
		"MAX-AGE=600": 10 * time.Minute, "max-age=x": time.Minute, "max-age=-1": time.Minute, "max-age=99999999999999999999": time.Minute, "s-maxage=600": time.Minute,
	} {
		i := newInstallation(t)
		i.header.Set("Cache-Control", header)
		r, id := i.remote(t), i.ring.Active().ID
		for _, step := range []struct {
			wait time.Duration
			hits int64
		}{{0, 1}, {want - 1, 1}, {1, 2}} {
			i.clock.advance(step.wait)
			if err := i.key(t, r, id); err != nil || i.hits.Load() != step.hits {
				t.Errorf("%q after %s: %d fetches, %v", header, step.wait, i.hits.Load(), err)
			}
		}
	}
}

func TestUnknownKeysAreLookedForNowAndThen(t *testing.T) {
	i := newInstallation(t)
	r := i.remote(t)
	if err := i.key(t, r, i.ring.Active().ID); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := i.key(t, r, "invented"); !errors.Is(err, token.ErrUnknownKey) {
			t.Fatal(err)
		}
	}
	if n := i.hits.Load(); n != 1 {
		t.Errorf("%d fetches right after the first", n)
	}
	i.clock.advance(10 * time.Second)
	for range 100 {
		if err := i.key(t, r, "invented"); !errors.Is(err, token.ErrUnknownKey) {
			t.Fatal(err)
		}
	}
	if n := i.hits.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
	// A key that is new is found by the first token that names it.
	i.clock.advance(10 * time.Second)
	fresh := newRing(t)
	i.set(func() { i.ring = fresh })
	if err := i.key(t, r, fresh.Active().ID); err != nil || i.hits.Load() != 3 {
		t.Errorf("%d fetches, %v", i.hits.Load(), err)
	}
}

func TestStaleKeysAreServedForAWhile(t *testing.T) {
	i := newInstallation(t)
	r, id := i.remote(t), i.ring.Active().ID
	if err := i.key(t, r, id); err != nil {
		t.Fatal(err)
	}
	i.set(func() {
		i.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	})
	i.clock.advance(10*time.Minute + 2*time.Hour - 1)
	if err := i.key(t, r, id); err != nil {
		t.Errorf("within the bound: %v", err)
	}
	before := i.hits.Load()
	for range 20 {
		if err := i.key(t, r, id); err != nil {
			t.Errorf("within the bound: %v", err)
		}
	}
	if n := i.hits.Load() - before; n != 0 {
		t.Errorf("%d fetches right after a failed one", n)
	}
	i.clock.advance(1)
	if err := i.key(t, r, id); err == nil || errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("past the bound: %v", err)
	}
	i.set(func() { i.answer = nil })
	i.clock.advance(10 * time.Second)
	if err := i.key(t, r, id); err != nil {
		t.Errorf("after recovery: %v", err)
	}
}

func TestAFailingKeySetDecidesNothing(t *testing.T) {
	key := func(kid string) string {
		return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":%q,"alg":"EdDSA","use":"sig"}`, kid)
	}
	body := func(s string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(s)) } //nolint:errcheck // a test
	}
	many := make([]string, 65)
	for n := range many {
		many[n] = key(fmt.Sprint(n))
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"no JSON":  body("<html>"), "empty": body(""), "array": body("[]"), "no keys": body(`{"keys":[]}`), "trailing": body(`{"keys":[` + key("k") + `]}x`),
		"keys twice": body(`{"keys":[` + key("k") + `],"keys":[]}`), "one id twice": body(`{"keys":[` + key("k") + `,` + key("k") + `]}`),
		"only unusable": body(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"k"}]}`), "only secret": body(`{"keys":[{"kty":"oct","k":"AAAA","kid":"k"}]}`),
		"huge":     body(`{"keys":[` + key("k") + `],"x":"` + strings.Repeat("x", 64<<10) + `"}`),
		"too many": body(`{"keys":[` + strings.Join(many, ",") + `]}`),
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Write([]byte(`{"keys":[`)) //nolint:errcheck // a test
		},
		"hang up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		i := newInstallation(t)
		i.set(func() { i.answer = answer })
		if err := i.key(t, i.remote(t), "k"); err == nil || errors.Is(err, token.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
		v, err := token.NewVerifier(i.remote(t), token.VerifierConfig{Issuer: issuerURL, Audience: audience, Now: i.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(t.Context(), "eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA"); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: verified to %v", name, err)
		}
	}
	// Positive control: a usable key beside an unusable one.
	i := newInstallation(t)
	i.set(func() { i.answer = body(`{"keys":[{"kty":"RSA","kid":"r"},` + key("k") + `]}`) })
	if err := i.key(t, i.remote(t), "k"); err != nil {
		t.Error(err)
	}
}

func TestManyRequestsShareOneFetch(t *testing.T) {
	i := newInstallation(t)
	blocked := make(chan struct{})
	i.set(func() { i.blocked = blocked })
	r, id := i.remote(t), i.ring.Active().ID
	// One that gives up does not take the others' answer with it.
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := r.VerificationKey(impatient, id); gone <- err }()
	for i.hits.Load() == 0 {
		runtime.Gosched()
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := r.VerificationKey(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one: %v", err)
	}
	close(blocked)
	wg.Wait()
	if n := i.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestAddressesAreSafe(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://id.example.test/.well-known/jwks.json": true, "http://127.0.0.1:8080/jwks": true, "http://[::1]:8080/jwks": true, "http://localhost/jwks": true, "http://127.9.9.9/": true,
		"http://id.example.test/jwks": false, "http://169.254.169.254/": false, "http://localhost.evil.test/": false, "http://127.0.0.1.evil.test/": false, "http://0.0.0.0/": false,
		"https://user:pw@id.example.test/": false, "https://id.example.test/#x": false, "file:///etc/passwd": false, "ftp://id.example.test/": false, "": false, "https:///x": false,
		"https:opaque": false, "://": false, "HTTP://example.test": false, "/jwks.json": false,
	} {
		_, err := jwks.New(jwks.Config{URL: url, Client: http.DefaultClient, Now: time.Now})
		if (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	good := jwks.Config{URL: "https://id.example.test/", Client: http.DefaultClient, Now: time.Now}
	for name, change := range map[string]func(*jwks.Config){
		"no client": func(c *jwks.Config) { c.Client = nil }, "no clock": func(c *jwks.Config) { c.Now = nil }, "negative": func(c *jwks.Config) { c.Stale = -1 },
		"bounds crossed": func(c *jwks.Config) { c.MinAge = 2 * time.Hour }, "negative age": func(c *jwks.Config) { c.MinAge = -1 }, "timeout": func(c *jwks.Config) { c.Timeout = -1 },
	} {
		c := good
		change(&c)
		if _, err := jwks.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
