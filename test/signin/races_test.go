package signin

import (
	"fmt"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

// together runs do n times at once and counts the statuses.
func together(n int, do func(i int) int) map[int]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts, start := map[int]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			s := do(i)
			mu.Lock()
			defer mu.Unlock()
			counts[s]++
		})
	}
	close(start)
	wg.Wait()
	return counts
}

func TestResetTokenWorksOnceHoweverOftenItIsUsedAtOnce(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("race@example.com")
	w.Client().Post("/api/auth/forgot-password", m{"email": "race@example.com"}).Want(202)
	token := w.MailedToken("race@example.com")
	password := func(i int) string { return fmt.Sprintf("a rather new password %d", i) }
	var mu sync.Mutex
	winner := -1
	got := together(50, func(i int) int {
		a := w.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": password(i)})
		if a.Status == 204 {
			mu.Lock()
			winner = i
			mu.Unlock()
		}
		return a.Status
	})
	if got[204] != 1 || got[422] != 49 {
		t.Fatalf("statuses %v", got)
	}
	w.Client().Login(m{"email": "race@example.com", "password": password(winner)})
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	if n := len(w.Events(c.UserID, audit.PasswordReset)); n != 50 {
		t.Errorf("%d events for one success and 49 refusals", n)
	}
}

func TestAnAddressRegisteredAtOnceHasOneAccount(t *testing.T) {
	w := lanyardtest.Start(t)
	got := together(50, func(i int) int {
		return w.Client().Post("/api/auth/register", m{"email": "Same@example.com", "password": fmt.Sprintf("a rather new password %d", i)}).Status
	})
	if got[201] != 50 {
		t.Fatalf("statuses %v: the answer must not tell who was first", got)
	}
	w.Client().Post("/api/auth/verify-email", m{"token": w.MailedToken("same@example.com")}).Want(200)
	works := 0
	for i := range 50 {
		if signsIn(w, "same@example.com", fmt.Sprintf("a rather new password %d", i)) {
			works++
		}
	}
	if works != 1 {
		t.Errorf("%d passwords open the account", works)
	}
}

func TestAUsernameRegisteredAtOnceIsTakenOnce(t *testing.T) {
	w := lanyardtest.Start(t)
	got := together(50, func(int) int {
		return w.Client().Post("/api/auth/register", m{"username": "Only.One", "password": lanyardtest.Password}).Status
	})
	if got[201] != 1 || got[409] != 49 {
		t.Errorf("statuses %v", got)
	}
}

// TestRequestsToTheStoreStayWithinWhatIsDeclared counts the requests of warm,
// successful calls. Requests in parallel are counted one by one, so the number
// of stages, which is what a client waits for, is lower: at login the claim,
// then the user beside the counters, then the result.
func TestRequestsToTheStoreStayWithinWhatIsDeclared(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_THROTTLE=on")
	most := map[string]int{}
	for _, s := range lanyardtest.Operations() {
		most[s.ID] = s.Requests
	}
	const email = "count@example.com"
	c := w.Registered(email)
	count := func(operation string, authorized int, do func()) {
		t.Helper()
		if _, known := most[operation]; !known {
			t.Fatalf("no operation %s", operation)
		}
		w.Store.Transport.Reset()
		do()
		if n := w.Store.Transport.Calls() - authorized; n > most[operation] {
			t.Errorf("%s: %d requests, declared %d", operation, n, most[operation])
		}
	}
	p := w.Client()
	count("auth-register", 0, func() {
		p.Post("/api/auth/register", m{"email": "new@example.com", "username": "new.one", "password": lanyardtest.Password}).Want(201)
	})
	token := w.MailedToken("new@example.com")
	count("auth-verify-email", 0, func() { p.Post("/api/auth/verify-email", m{"token": token}).Want(200) })
	count("auth-login", 0, func() { p.Post("/api/auth/login", m{"email": email, "password": lanyardtest.Password}).Want(200) })
	count("auth-refresh", 0, func() { c.Keep(p.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(200)) })
	count("auth-forgot-password", 0, func() { p.Post("/api/auth/forgot-password", m{"email": email}).Want(202) })
	w.MailedToken(email)
	count("auth-resend-verification", 0, func() { p.Post("/api/auth/resend-verification", m{"email": email}).Want(202) })
	count("auth-check-password-needed", 0, func() { p.Post("/api/auth/check-password-needed", m{"email": email}).Want(200) })
	// One request is the authorizer's, which checks every session here.
	count("auth-me", 1, func() { c.Get("/api/auth/me").Want(200) })
	count("auth-me-change", 1, func() { c.Patch("/api/auth/me", m{"username": "counted"}).Want(200) })
	count("auth-sessions-list", 1, func() { c.Get("/api/auth/sessions").Want(200) })
	count("auth-activity", 1, func() { c.Get("/api/auth/activity").Want(200) })
	count("auth-change-email", 1, func() {
		c.Post("/api/auth/change-email", m{"newEmail": "c2@example.com", "password": lanyardtest.Password}).Want(202)
	})
	count("auth-change-password", 1, func() {
		c.Post("/api/auth/change-password", m{"currentPassword": lanyardtest.Password, "newPassword": newPassword}).Want(204)
	})
	count("auth-logout", 1, func() { p.Post("/api/auth/logout", m{"refreshToken": c.Refresh}).Want(204) })
	c.Login(m{"email": email, "password": newPassword})
	count("auth-logout-all", 1, func() { c.Post("/api/auth/logout-all", nil).Want(204) })
	w.Client().Post("/api/auth/forgot-password", m{"email": email}).Want(202)
	reset := w.MailedToken(email)
	count("auth-reset-password", 0, func() {
		p.Post("/api/auth/reset-password", m{"token": reset, "newPassword": lanyardtest.Password}).Want(204)
	})
	c.Access = ""
	c.Login(m{"email": email, "password": lanyardtest.Password})
	count("auth-me-delete", 1, func() { c.Delete("/api/auth/me", m{"password": lanyardtest.Password}).Want(204) })
	count("public-health", 0, func() { p.Get("/healthz").Want(200) })
	count("public-jwks", 0, func() { p.Get("/.well-known/jwks.json").Want(200) })
}

func TestActivityOfAYoungAccountReadsNoMonthsBeforeIt(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("young@example.com")
	w.Store.Transport.Reset()
	if items, _ := c.Get("/api/auth/activity").Want(200).Value("items").([]any); len(items) < 3 {
		t.Errorf("%d events", len(items))
	}
	if n := w.Store.Transport.Calls(); n > 3 { // the session check, this month, and the last one early in a month
		t.Errorf("%d requests", n)
	}
}
