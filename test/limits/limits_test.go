// Package limits tests the abuse limits as clients and attackers meet them.
// Names in brackets are cases of the security yardstick.
package limits

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
)

const (
	on    = "LANYARD_THROTTLE=on"
	proxy = "LANYARD_TRUSTED_PROXIES=127.0.0.1/32" // lets tests come from other addresses
)

const email = "victim@example.com"

func login(c *lanyardtest.Client, password string) *lanyardtest.Answer {
	return c.Post("/api/auth/login", map[string]any{"email": email, "password": password, "delivery": "body"})
}

// at gives a client behind an address.
func at(w *lanyardtest.World, ip string) *lanyardtest.Client {
	c := w.Client()
	c.Header.Set("X-Forwarded-For", ip)
	return c
}

func TestC8_GuessingIsThrottledAndTheRightPasswordTellsNothing(t *testing.T) {
	w := lanyardtest.Start(t, on)
	w.Registered(email)
	c := w.Client()
	var first *lanyardtest.Answer
	for i := range 100 {
		c.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)) // nobody believes it
		a := login(c, "wrong horse battery staple")
		if a.Status == http.StatusTooManyRequests && first == nil {
			first = a
			if i != 5 {
				t.Errorf("throttled at guess %d", i+1)
			}
		}
	}
	if first == nil {
		t.Fatal("never throttled")
	}
	right := login(c, lanyardtest.Password).Problem(429, "too_many_requests")
	wait, err := strconv.Atoi(right.Header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 15*60 {
		t.Errorf("Retry-After %q", right.Header.Get("Retry-After"))
	}
	unknown := w.Client()
	for range 6 {
		unknown.Post("/api/auth/login", map[string]any{"email": "nobody@example.com", "password": lanyardtest.Password})
	}
	a := unknown.Post("/api/auth/login", map[string]any{"email": "nobody@example.com", "password": lanyardtest.Password}).Problem(429, "too_many_requests")
	for _, part := range []string{"type", "title", "detail"} { // [J7]
		if a.Text(part) != right.Text(part) {
			t.Errorf("%s tells accounts apart: %q, %q", part, a.Text(part), right.Text(part))
		}
	}
	w.Clock.Advance(time.Duration(wait) * time.Second)
	login(c, lanyardtest.Password).Want(200)
}

func TestC11_AnAttackerCannotKeepTheOwnerOut(t *testing.T) {
	w := lanyardtest.Start(t, on, proxy)
	owner := at(w, "192.0.2.1")
	owner.Post("/api/auth/register", map[string]any{"email": email, "password": lanyardtest.Password}).Want(201)
	owner.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken(email)}).Want(200)
	device := login(owner, lanyardtest.Password).Want(200).Text("tokens.deviceToken")
	browser := w.Browser()
	browser.Header.Set("X-Forwarded-For", "192.0.2.1")
	browser.Post("/api/auth/login", map[string]any{"email": email, "password": lanyardtest.Password}).Want(200)
	for i := range 60 {
		login(at(w, fmt.Sprintf("198.51.%d.1", i)), "wrong horse battery staple")
		login(at(w, "192.0.2.1"), "wrong horse battery staple") // also from the owner's own address
	}
	login(at(w, "192.0.2.1"), lanyardtest.Password).Problem(429, "too_many_requests") // control
	browser.Post("/api/auth/login", map[string]any{"email": email, "password": lanyardtest.Password}).Want(200)
	c := at(w, "192.0.2.9")
	c.Post("/api/auth/login", map[string]any{"email": email, "password": lanyardtest.Password, "delivery": "body", "deviceToken": device}).Want(200)
}

func TestC11_AResetByMailOpensTheAccountAtANewDevice(t *testing.T) {
	w := lanyardtest.Start(t, on, proxy)
	w.Registered(email)
	for i := range 40 {
		login(at(w, fmt.Sprintf("198.51.%d.1", i)), "wrong horse battery staple")
	}
	c := at(w, "192.0.2.50")
	login(c, lanyardtest.Password).Problem(429, "too_many_requests")
	c.Post("/api/auth/forgot-password", map[string]any{"email": email}).Want(202)
	next := "another horse battery staple"
	c.Post("/api/auth/reset-password", map[string]any{"token": w.MailedToken(email), "newPassword": next}).Want(204)
	login(c, next).Want(200)
}

func TestC13_ParallelGuessesStayWithinTheLimit(t *testing.T) {
	w := lanyardtest.Start(t, on)
	w.Registered(email)
	var mu sync.Mutex
	seen := map[int]int{}
	var g sync.WaitGroup
	for range 50 {
		g.Go(func() {
			a := login(w.Client(), "wrong horse battery staple")
			mu.Lock()
			defer mu.Unlock()
			seen[a.Status]++
		})
	}
	g.Wait()
	if seen[401] != 5 || seen[429] != 45 {
		t.Errorf("50 parallel guesses: %v, expected 5 evaluated", seen)
	}
}

func TestC10_C14_OtherAccountsAreNotTouched(t *testing.T) {
	w := lanyardtest.Start(t, on)
	w.Registered(email)
	other := map[string]any{"email": "other@example.com", "password": "wrong horse battery staple"}
	w.Registered("other@example.com")
	for range 5 {
		w.Client().Post("/api/auth/login", other).Problem(401, "invalid_credentials")
	}
	for range 4 {
		login(w.Client(), "wrong horse battery staple").Problem(401, "invalid_credentials")
	}
	login(w.Client(), lanyardtest.Password).Want(200)
	for range 5 {
		login(w.Client(), "wrong horse battery staple").Problem(401, "invalid_credentials") // the count began anew
	}
	login(w.Client(), "wrong horse battery staple").Problem(429, "too_many_requests")
	w.Client().Post("/api/auth/login", other).Problem(429, "too_many_requests")
}

func TestBothNamesOfAnAccountShareItsLimit(t *testing.T) {
	w := lanyardtest.Start(t, on)
	c := w.Registered(email)
	c.Patch("/api/auth/me", map[string]any{"username": "victim"}).Want(200)
	for range 5 {
		login(w.Client(), "wrong horse battery staple").Problem(401, "invalid_credentials")
	}
	w.Client().Post("/api/auth/login", map[string]any{"username": "victim", "password": lanyardtest.Password}).Problem(429, "too_many_requests")
}

func TestAnOpenSessionCannotGuessItsPassword(t *testing.T) {
	w := lanyardtest.Start(t, on)
	c := w.Registered(email)
	body := map[string]any{"currentPassword": "wrong horse battery staple", "newPassword": "another horse battery staple"}
	for range 5 {
		c.Post("/api/auth/change-password", body).Problem(401, "invalid_credentials")
	}
	body["currentPassword"] = lanyardtest.Password
	c.Post("/api/auth/change-password", body).Problem(429, "too_many_requests")
}

func TestD13_MailToOneAddressIsBoundedAndTheAnswerTheSame(t *testing.T) {
	w := lanyardtest.Start(t, on, proxy)
	w.Registered(email)
	before := len(w.Mails(email))
	for i := range 100 {
		c := at(w, fmt.Sprintf("198.51.%d.1", i))
		if a := c.Post("/api/auth/forgot-password", map[string]any{"email": email}).Want(202); len(a.Raw) > 0 && string(a.Raw) != "null\n" && i == 99 {
			t.Logf("answer: %s", a.Raw)
		}
	}
	if sent := len(w.Mails(email)) - before; sent < 1 || sent > 5 {
		t.Errorf("%d reset mails, expected up to 5", sent)
	}
}

// request builds an operation's sample request.
func request(c *lanyardtest.Client, op api.Spec) *lanyardtest.Answer {
	path := op.Path
	for name, value := range op.Event.Params {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if i := strings.IndexByte(path, '{'); i >= 0 {
		path = path[:i] + "example"
	}
	if op.Event.Query != "" {
		path += "?" + op.Event.Query
	}
	return c.Do(op.Method, path, op.Event.Body)
}

func TestJ1_EveryRouteWithoutASignInIsLimited(t *testing.T) {
	env := []string{on, proxy}
	for _, f := range config.Fields() {
		if f.Kind == "limit" {
			env = append(env, f.Variable+"=3/15m")
		}
	}
	w := lanyardtest.Start(t, env...)
	counted := 0
	for i, op := range lanyardtest.Operations() {
		if len(throttle.Of(w.Config.Limits, &op)) == 0 {
			continue
		}
		counted++
		c := at(w, fmt.Sprintf("203.%d.113.7", i))
		var last *lanyardtest.Answer
		for n := range 4 {
			last = request(c, op)
			if n == 0 && last.Status == http.StatusTooManyRequests {
				t.Errorf("%s: refused at once", op.RouteKey())
			}
		}
		if last.Status != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" || last.Text("code") != "too_many_requests" {
			t.Errorf("%s: after one request too many %d %s", op.RouteKey(), last.Status, last.Raw)
		}
		if a := request(at(w, fmt.Sprintf("203.%d.114.7", i)), op); a.Status == http.StatusTooManyRequests && op.ID != "auth-login" {
			t.Errorf("%s: another address is refused too", op.RouteKey())
		}
	}
	if counted < 12 {
		t.Errorf("only %d routes are limited", counted)
	}
}

func TestJ2_HeadersDoNotMakeAnotherClient(t *testing.T) {
	w := lanyardtest.Start(t, on, "LANYARD_LIMIT_FORGOT=3/15m")
	for i, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip"} {
		c := w.Client()
		c.Header.Set(name, fmt.Sprintf("203.0.113.%d", i))
		a := c.Post("/api/auth/forgot-password", map[string]any{"email": email})
		if want := map[bool]int{true: 202, false: 429}[i < 3]; a.Status != want {
			t.Errorf("request %d, with %s: %d, want %d", i+1, name, a.Status, want)
		}
	}
}

func TestJ5_WithoutItsStoreTheLimiterClosesTheRoutes(t *testing.T) {
	w := lanyardtest.Start(t, on)
	w.Registered(email)
	w.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "PutItem" || op == "UpdateItem" {
			return nil, errors.New("connection refused")
		}
		return next.RoundTrip(r)
	})
	a := login(w.Client(), lanyardtest.Password)
	if a.Status != http.StatusServiceUnavailable || a.Value("tokens") != nil {
		t.Errorf("sign-in without counters: %d %s", a.Status, a.Raw)
	}
	w.Store.Transport.Intercept(nil)
	login(w.Client(), lanyardtest.Password).Want(200)
}

func TestOfficesBehindOneAddressAreServed(t *testing.T) {
	w := lanyardtest.Start(t, on)
	for i := range 60 {
		w.Client().Post("/api/auth/register", map[string]any{"email": fmt.Sprintf("u%d@example.com", i), "password": lanyardtest.Password}).Want(201)
	}
	w.Client().Post("/api/auth/register", map[string]any{"email": "u60@example.com", "password": lanyardtest.Password}).Problem(429, "too_many_requests")
	w.Clock.Advance(15 * time.Minute)
	w.Client().Post("/api/auth/register", map[string]any{"email": "u60@example.com", "password": lanyardtest.Password}).Want(201)
}
