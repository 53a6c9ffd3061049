// Package signin tests the sign-in routes as clients meet them.
package signin

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

func TestNewcomerRegistersVerifiesSignsInRefreshesAndReadsThemself(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	email := "alice@example.com"
	creds := map[string]any{"email": email, "password": lanyardtest.Password}
	if got := c.Post("/api/auth/register", creds).Want(201).Text("status"); got != "verification_required" {
		t.Fatalf("status %q", got)
	}
	c.Post("/api/auth/login", creds).Problem(401, "invalid_credentials")
	if got := c.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken(email)}).Want(200).Text("status"); got != "active" {
		t.Fatalf("status %q", got)
	}
	a := c.Login(creds)
	if a.Value("tokens.expiresIn") != 900.0 || a.Text("tokens.tokenType") != "Bearer" || len(a.Cookies) != 0 {
		t.Fatalf("body delivery: %s %v", a.Raw, a.Cookies)
	}
	me := c.Get("/api/auth/me").Want(200)
	if me.Text("email") != email || me.Value("emailVerified") != true || me.Text("role") != "USER" || me.Text("lastLoginAt") == "" {
		t.Fatalf("me: %s", me.Raw)
	}
	before := c.Refresh
	c.Keep(c.Post("/api/auth/refresh", map[string]any{"refreshToken": c.Refresh}).Want(200))
	if c.Refresh == before {
		t.Fatal("refresh gave the same token")
	}
	c.Get("/api/auth/me").Want(200)
	c.Post("/api/auth/logout", map[string]any{"refreshToken": c.Refresh}).Want(204)
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	c.Post("/api/auth/refresh", map[string]any{"refreshToken": c.Refresh}).Problem(401, "invalid_refresh_token")
	for _, e := range []audit.Type{audit.Registered, audit.EmailVerified, audit.SignedIn, audit.SignInFailed, audit.Refreshed, audit.SignedOut} {
		if len(w.Events(c.UserID, e)) == 0 {
			t.Errorf("no %s event", e)
		}
	}
}

func TestBrowserKeepsTokensInCookiesOnly(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("bob@example.com")
	b := w.Browser()
	a := b.Post("/api/auth/login", map[string]any{"email": "bob@example.com", "password": lanyardtest.Password}).Want(200)
	if a.Value("tokens") != nil || a.Text("session.refreshExpiresAt") == "" {
		t.Fatalf("answer %s", a.Raw)
	}
	for _, c := range a.Cookies {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("cookie %v", c)
		}
	}
	b.Get("/api/auth/me").Want(200)
	first := b.Cookie("/api/auth/refresh", "lanyard_refresh")
	b.Post("/api/auth/refresh", nil).Want(200)
	if second := b.Cookie("/api/auth/refresh", "lanyard_refresh"); second == first || second == "" {
		t.Fatalf("refresh cookie %q then %q", first, second)
	}
	b.Post("/api/auth/refresh", map[string]any{"delivery": "body"}).Problem(400, "invalid_request")
	b.Post("/api/auth/logout", nil).Want(204)
	if b.Cookie("/", "lanyard_access") != "" {
		t.Error("logout left the access cookie")
	}
	b.Get("/api/auth/me").Problem(401, "unauthenticated")
}

func TestParallelRefreshesOfOneTokenGetOneSuccessor(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("carol@example.com")
	for range 5 {
		tokens := make([]string, 50)
		var wg sync.WaitGroup
		for i := range tokens {
			wg.Go(func() {
				a := c.Post("/api/auth/refresh", map[string]any{"refreshToken": c.Refresh})
				if a.Status == 200 {
					tokens[i] = a.Text("tokens.refreshToken")
				} else {
					t.Errorf("refresh %d: %d %s", i, a.Status, a.Raw)
				}
			})
		}
		wg.Wait()
		for _, tok := range tokens {
			if tok != tokens[0] {
				t.Fatalf("two successors: %q and %q", tok, tokens[0])
			}
		}
		c.Refresh = tokens[0]
		w.Clock.Advance(time.Minute)
	}
}

func TestReuseEndsTheFamilyAndItsAccessTokens(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("dave@example.com")
	old := c.Refresh
	c.Keep(c.Post("/api/auth/refresh", map[string]any{"refreshToken": old}).Want(200))
	w.Clock.Advance(11 * time.Second)
	c.Post("/api/auth/refresh", map[string]any{"refreshToken": old}).Problem(401, "invalid_refresh_token")
	c.Post("/api/auth/refresh", map[string]any{"refreshToken": c.Refresh}).Problem(401, "invalid_refresh_token")
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	if n := len(w.Events(c.UserID, audit.RefreshReuse)); n != 1 {
		t.Errorf("%d reuse events", n)
	}
}

func TestAnotherClientWithinTheGraceWindowIsReuse(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("erin@example.com")
	old := c.Refresh
	c.Keep(c.Post("/api/auth/refresh", map[string]any{"refreshToken": old}).Want(200))
	thief := w.Client()
	thief.Header.Set("User-Agent", "another")
	thief.Post("/api/auth/refresh", map[string]any{"refreshToken": old}).Problem(401, "invalid_refresh_token")
	c.Get("/api/auth/me").Problem(401, "session_revoked")
}
