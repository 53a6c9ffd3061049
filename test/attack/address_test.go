package attack

import (
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// everywhere gives an address to every route that takes one.
func everywhere(w *lanyardtest.World, c *lanyardtest.Client, org, address string) map[string]*lanyardtest.Answer {
	return map[string]*lanyardtest.Answer{
		"login":    signIn(w.Client(), address, password),
		"forgot":   w.Client().Post("/api/auth/forgot-password", m{"email": address}),
		"resend":   w.Client().Post("/api/auth/resend-verification", m{"email": address}),
		"needed":   w.Client().Post("/api/auth/check-password-needed", m{"email": address}),
		"register": w.Client().Post("/api/auth/register", m{"email": address, "password": other}),
		"change":   c.Post("/api/auth/change-email", m{"newEmail": address, "password": password}),
		"invite":   c.Post("/api/organizations/"+org+"/invitations", m{"email": address, "role": "viewer"}),
	}
}

func addressAttacks() []attack {
	return []attack{
		{"E1", "look-alikes of an address", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered("mike.signs@example.org")
			c := w.Registered("m@example.com")
			org := c.Post("/api/organizations", m{"name": "M"}).Want(201).Text("id")
			before := len(w.Mails("mike.signs@example.org"))
			for _, address := range []string{
				"mi\u212ae.signs@example.org", "m\u0131ke.signs@example.org", "M\u0130KE.signs@example.org", "mike.\u017figns@example.org", "\uff4dike.signs@example.org",
				"mi\u200bke.signs@example.org", "mi\u00adke.signs@example.org", "mike.signs@e\u0301xample.org", "mike.signs@exam\u200bple.org", "mike.signs@\uff45xample.org",
				"mike.signs@ex\u0430mple.org", "mi\ufeffke.signs@example.org", "mike.signs@example\u3002org",
			} {
				for route, a := range everywhere(w, c, org, address) {
					if a.Status == 200 && route != "needed" {
						t.Errorf("%q at %s: %d %s", address, route, a.Status, a.Raw)
					}
				}
			}
			if n := len(w.Mails("mike.signs@example.org")) - before; n != 0 {
				t.Errorf("%d mails to the one who looks alike", n)
			}
			signIn(w.Client(), "mike.signs@example.org", password).Want(200)
		}},
		{"E2", "the case of letters", false, func(t *testing.T, s *site) {
			w := s.start(limited)
			c := w.Registered("mixed.case@example.org")
			for _, form := range []string{"mixed.case@example.org", "MIXED.CASE@EXAMPLE.ORG", "mIxEd.CaSe@example.org"} {
				signIn(w.Client(), form, password).Want(200)
				w.Client().Post("/api/auth/register", m{"email": form, "password": other}).Want(201)
				signIn(w.Client(), form, other).Problem(401, "invalid_credentials") // no second account
			}
			reset(w, askReset(w, "mixed.case@example.org"), other).Want(204)
			c.Access = ""
			c.Login(m{"email": "MIXED.case@example.org", "password": other})
			owner := w.Registered("owner@example.org")
			org := owner.Post("/api/organizations", m{"name": "O"}).Want(201).Text("id")
			owner.Post("/api/organizations/"+org+"/invitations", m{"email": "MIXED.CASE@example.org", "role": "viewer"}).Want(201)
			c.Post("/api/invitations/accept", m{"token": w.MailedToken("mixed.case@example.org")}).Want(200)
			for i := range 6 { // one budget for all forms
				form := []string{"mixed.case@example.org", "MIXED.CASE@example.org"}[i%2]
				want := 401
				if i == 5 {
					want = 429
				}
				signIn(w.Client(), form, wrong).Want(want)
			}
		}},
		{"E4", "forms of an address that are no plain one", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			c := w.Registered("m@example.com")
			org := c.Post("/api/organizations", m{"name": "M"}).Want(201).Text("id")
			before := len(w.Mails(victim))
			for _, address := range []string{
				"x <" + victim + ">", victim + " (c)", `"a b"@example.com`, "v@[127.0.0.1]", " " + victim, victim + " ", victim + "\n", victim + "\r\nBcc: m@example.com",
				victim + ",m@example.com", victim + ";m@example.com", "mailto:" + victim, victim + "\x00", "v@example.com.", "@example.com", "v@",
			} {
				for route, a := range everywhere(w, c, org, address) {
					if a.Status != 422 && a.Status != 400 && (route != "login" || a.Status != 401) {
						t.Errorf("%q at %s: %d %s", address, route, a.Status, a.Raw)
					}
				}
			}
			if n := len(w.Mails(victim)) - before; n != 0 {
				t.Errorf("%d mails", n)
			}
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"E5", "international domains", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Client().Post("/api/auth/register", m{"email": "v@b\u00fccher.example", "password": password}).Want(201)
			w.Client().Post("/api/auth/verify-email", m{"token": w.MailedToken("v@xn--bcher-kva.example")}).Want(200)
			signIn(w.Client(), "v@xn--bcher-kva.example", password).Want(200)
			signIn(w.Client(), "v@b\u00fccher.example", password).Want(200)
			// Nothing is folded onto it: other forms are refused or another domain.
			for _, other := range []string{"v@B\u00dcCHER.example", "v@bu\u0308cher.example", "v@b\u0443cher.example", "v@bucher.example", "v@xn--bchr-kva.example"} {
				if a := signIn(w.Client(), other, password); a.Status == 200 {
					t.Errorf("%s signs in", other)
				}
			}
		}},
		{"E7", "addresses without end", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("m@example.com")
			org := c.Post("/api/organizations", m{"name": "M"}).Want(201).Text("id")
			for _, address := range []string{strings.Repeat("a", 245) + "@example.com", "v@" + strings.Repeat("a.", 130) + "com", strings.Repeat(`,"(`, 20_000), strings.Repeat("@", 5_000)} {
				w.Store.Transport.Reset()
				for route, a := range everywhere(w, c, org, address) {
					if a.Status != 422 && a.Status != 400 && a.Status != 413 && (route != "login" || a.Status != 401) {
						t.Errorf("%d characters at %s: %d %.200s", len(address), route, a.Status, a.Raw)
					}
				}
			}
			long := strings.Repeat("a", 60) + "@example.com"
			w.Registered(long)
		}},
		{"E8", "bytes that are no UTF-8", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			for _, bad := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xc3"} {
				for path, body := range map[string]string{
					"/api/auth/login":           `{"username":"` + name + bad + `","password":"` + password + `"}`,
					"/api/auth/register":        `{"email":"v` + bad + `@example.com","password":"` + password + `"}`,
					"/api/auth/forgot-password": `{"email":"v` + bad + `@example.com"}`,
				} {
					w.Client().Post(path, body).Problem(400, "malformed_request")
				}
			}
			w.Client().Post("/api/auth/login", m{"username": name, "password": password}).Want(200)
		}},
	}
}
