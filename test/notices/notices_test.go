// Package notices tests what owners are told by mail about their accounts
// without having asked.
package notices

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/mail"
)

const (
	on    = "LANYARD_THROTTLE=on"
	proxy = "LANYARD_TRUSTED_PROXIES=127.0.0.1/32" // lets tests come from other addresses
)

// about gives the mails to an address with some words in the subject.
func about(w *lanyardtest.World, to, words string) (out []mail.Received) {
	for _, m := range w.Mails(to) {
		if strings.Contains(m.Subject, words) {
			out = append(out, m)
		}
	}
	return out
}

// guess gives wrong passwords from a network address, as many as are looked at,
// and the statuses of the answers.
func guess(w *lanyardtest.World, email, from string) (statuses []int) {
	c := w.Client()
	c.Header.Set("X-Forwarded-For", from)
	for range 5 {
		a := c.Post("/api/auth/login", map[string]any{"email": email, "password": "wrong horse battery staple", "delivery": "body"})
		statuses = append(statuses, a.Status)
	}
	return statuses
}

func TestTheOwnerIsToldOnceThatSignInsAreBlocked(t *testing.T) {
	w := lanyardtest.Start(t, on, proxy)
	w.Registered("victim@example.com")
	const words = "Sign-ins to your account were blocked"

	four := w.Client()
	for range 4 {
		four.Post("/api/auth/login", map[string]any{"email": "victim@example.com", "password": "wrong horse battery staple"}).Want(401)
	}
	if got := about(w, "victim@example.com", words); len(got) != 0 {
		t.Fatalf("told after four failures: %+v", got)
	}
	if got := fmt.Sprint(guess(w, "victim@example.com", "203.0.113.7")); got != "[401 401 401 401 401]" {
		t.Fatalf("answers %s", got)
	}
	got := about(w, "victim@example.com", words)
	if len(got) != 1 || !strings.Contains(got[0].Text, "203.0.113.7") {
		t.Fatalf("told %+v", got)
	}
	// Guessing goes on from elsewhere: the owner knows already.
	for i := range 4 {
		guess(w, "victim@example.com", fmt.Sprintf("203.0.113.%d", 10+i))
	}
	if got := about(w, "victim@example.com", words); len(got) != 1 {
		t.Errorf("told %d times within one window", len(got))
	}
	w.Clock.Advance(24 * time.Hour)
	guess(w, "victim@example.com", "203.0.113.7")
	if got := about(w, "victim@example.com", words); len(got) != 2 {
		t.Errorf("told %d times in two windows", len(got))
	}
}

func TestTheRightPasswordAtTheLastAttemptTellsNobody(t *testing.T) {
	w := lanyardtest.Start(t, on)
	w.Registered("ada@example.com")
	c := w.Client()
	for range 4 {
		c.Post("/api/auth/login", map[string]any{"email": "ada@example.com", "password": "wrong horse battery staple"}).Want(401)
	}
	c.Post("/api/auth/login", map[string]any{"email": "ada@example.com", "password": lanyardtest.Password, "delivery": "body"}).Want(http.StatusOK)
	if got := about(w, "ada@example.com", "blocked"); len(got) != 0 {
		t.Errorf("told %+v", got)
	}
}

// The attempt that uses a limit up costs the same, whoever it is about: else
// the time it takes would tell which accounts there are.
func TestTheLastAttemptIsAsMuchWorkForUnknownAccounts(t *testing.T) {
	w := lanyardtest.Start(t, on, proxy)
	w.Registered("ada@example.com")
	w.Settle()
	requests := func(email, from string) int {
		w.Store.Transport.Reset()
		guess(w, email, from)
		return w.Store.Transport.Calls()
	}
	known, unknown := requests("ada@example.com", "203.0.113.9"), requests("nobody@example.com", "198.51.100.9")
	if known != unknown || known == 0 {
		t.Errorf("%d requests to the store for a known account, %d for an unknown one", known, unknown)
	}
	if got := w.Mails("nobody@example.com"); len(got) != 0 {
		t.Errorf("nobody got %+v", got)
	}
}

func TestTheOwnerIsToldOfASuspensionInTheirLanguage(t *testing.T) {
	w := lanyardtest.Start(t)
	root := superAdmin(t, w)
	ada := w.Registered("ada@example.com")
	ada.Patch("/api/auth/me", map[string]any{"profile": map[string]any{"language": "de-AT"}}).Want(200)
	bob := w.Registered("bob@example.com")
	for _, u := range []*lanyardtest.Client{ada, bob, bob} { // the second time changes nothing
		root.Post("/api/users/"+u.UserID+"/suspend", map[string]any{"reason": "asked by the customer"}).Want(204)
	}
	if got := about(w, "ada@example.com", "Ihr Konto wurde gesperrt"); len(got) != 1 || got[0].Language != "de" || strings.Contains(got[0].Text, "customer") {
		t.Errorf("ada got %+v", got)
	}
	if got := about(w, "bob@example.com", "Your account was suspended"); len(got) != 1 {
		t.Errorf("bob got %+v", got)
	}
	// A notice that comes late, when it is not so any more, is not sent.
	carol := w.Registered("carol@example.com")
	root.Post("/api/users/"+carol.UserID+"/suspend", map[string]any{"reason": "a mistake"}).Want(204)
	root.Post("/api/users/"+carol.UserID+"/reactivate", map[string]any{"reason": "a mistake"}).Want(204)
	if got := about(w, "carol@example.com", "suspended"); len(got) != 0 {
		t.Errorf("carol got %+v", got)
	}
}

func superAdmin(t *testing.T, w *lanyardtest.World) *lanyardtest.Client {
	t.Helper()
	operators, err := w.Assembly.Operators()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operators.Bootstrap(t.Context(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	c := w.Client()
	c.Keep(c.Login(map[string]any{"email": "root@example.com", "password": lanyardtest.Password}))
	return c
}
