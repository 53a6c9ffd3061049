package attack

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// askReset has a reset mailed and gives its token.
func askReset(w *lanyardtest.World, email string) string {
	w.T.Helper()
	w.Client().Post("/api/auth/forgot-password", m{"email": email}).Want(202)
	return w.MailedToken(email)
}

func reset(w *lanyardtest.World, token, pw string) *lanyardtest.Answer {
	return w.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": pw})
}

func mailAttacks() []attack {
	return []attack{
		{"D1", "registering an address that is known", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			before := len(w.Mails(victim))
			known := w.Client().Post("/api/auth/register", m{"email": victim, "password": other}).Want(201)
			fresh := w.Client().Post("/api/auth/register", m{"email": "new@example.com", "password": other}).Want(201)
			if face(known) != face(fresh) {
				t.Errorf("known %s\nnew %s", face(known), face(fresh))
			}
			if n := len(w.Mails(victim)) - before; n != 1 {
				t.Errorf("%d mails to the owner", n)
			}
			signIn(w.Client(), victim, other).Problem(401, "invalid_credentials")
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"D2", "asking resets of all kinds of accounts", false, func(t *testing.T, s *site) {
			w := s.start()
			root := superAdmin(w)
			w.Registered(victim)
			out := w.Registered("suspended@example.com")
			root.Post("/api/users/"+out.UserID+"/suspend", m{"reason": "x"}).Want(204)
			w.Client().Post("/api/auth/register", m{"email": "unverified@example.com", "password": password}).Want(201)
			w.Settle()
			want, calls := "", 0
			for _, who := range []string{victim, "nobody@example.com", "suspended@example.com", "unverified@example.com", strings.ToUpper(victim)} {
				w.Store.Transport.Reset()
				got := face(w.Client().Post("/api/auth/forgot-password", m{"email": who}).Want(202))
				n := w.Store.Transport.Calls()
				if want == "" {
					want, calls = got, n
				}
				if got != want || n != calls { // the same requests to the store take the same time
					t.Errorf("%s: %s, %d requests; want %s, %d", who, got, n, want, calls)
				}
			}
			if len(w.Mails("nobody@example.com")) != 0 {
				t.Error("a mail to nobody")
			}
			reset(w, w.MailedToken(victim), other).Want(204)
		}},
		{"D4", "mailed links and forged hosts", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			org := c.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
			evil := w.Client()
			evil.Access = c.Access
			for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Original-Url", "X-Rewrite-Url", "X-Host"} {
				evil.Header.Set(name, "evil.test")
			}
			evil.Header.Set("Forwarded", "host=evil.test;proto=https")
			host := func(path string, body string) {
				req, err := http.NewRequest(http.MethodPost, w.URL+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Host = "evil.test"
				req.Header = evil.Header.Clone()
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("Authorization", "Bearer "+evil.Access)
				if a := evil.Send(req); a.Status >= 300 {
					t.Fatalf("%s: %d %s", path, a.Status, a.Raw)
				}
			}
			host("/api/auth/forgot-password", `{"email":"`+victim+`"}`)
			host("/api/auth/register", `{"email":"new@example.com","password":"`+password+`"}`)
			host("/api/auth/resend-verification", `{"email":"new@example.com"}`)
			host("/api/auth/change-email", `{"newEmail":"moved@example.com","password":"`+password+`"}`)
			host("/api/organizations/"+org+"/invitations", `{"email":"guest@example.com","role":"viewer"}`)
			links := 0
			for _, to := range []string{victim, "new@example.com", "moved@example.com", "guest@example.com"} {
				for _, mail := range w.Mails(to) {
					if strings.Contains(fmt.Sprint(mail), "evil.test") {
						t.Errorf("a mail to %s names evil.test", to)
					}
					for _, link := range mail.Links {
						links++
						if !strings.HasPrefix(link, w.Config.PublicURL+"/") {
							t.Errorf("link %s", link)
						}
					}
				}
			}
			if links < 4 {
				t.Errorf("%d links", links)
			}
		}},
		{"D5", "a reset token used fifty times", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			token := askReset(w, victim)
			var winner atomic.Int64
			got := together(50, func(i int) int {
				a := reset(w, token, fmt.Sprintf("a rather new password %d", i))
				if a.Status == 204 {
					winner.Store(int64(i))
				}
				return a.Status
			})
			if got[204] != 1 || got[422] != 49 {
				t.Fatalf("statuses %v", got)
			}
			signIn(w.Client(), victim, fmt.Sprintf("a rather new password %d", winner.Load())).Want(200)
			reset(w, token, other).Problem(422, "invalid_or_expired_token")
		}},
		{"D7", "older reset tokens", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			first := askReset(w, victim)
			w.Clock.Advance(time.Minute)
			second := askReset(w, victim)
			reset(w, first, other).Problem(422, "invalid_or_expired_token")
			reset(w, second, other).Want(204)
			reset(w, second, password).Problem(422, "invalid_or_expired_token")
		}},
		{"D8", "what lives after a reset", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			b := w.Browser()
			b.Post("/api/auth/login", m{"email": victim, "password": password}).Want(200)
			secret := c.Post("/api/auth/mfa/totp", m{"password": password}).Want(200).Text("secret")
			code := func() string {
				w.Clock.Advance(time.Minute)
				code, err := totp.GenerateCode(secret, w.Clock.Now())
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			c.Post("/api/auth/mfa/totp/confirm", m{"code": code()}).Want(200)
			a := reset(w, askReset(w, victim), other).Want(204)
			if len(a.Cookies) > 0 {
				t.Error("a reset signs in")
			}
			c.Get("/api/auth/me").Problem(401, "session_revoked")
			b.Get("/api/auth/me").Problem(401, "session_revoked")
			refresh(c, c.Refresh).Problem(401, "invalid_refresh_token")
			pending := signIn(w.Client(), victim, other).Want(200)
			if pending.Value("mfaRequired") != true || pending.Value("tokens") != nil {
				t.Fatalf("after a reset: %s", pending.Raw)
			}
			w.Client().Post("/api/auth/mfa/verify", m{"mfaToken": pending.Text("mfaToken"), "code": code(), "delivery": "body"}).Want(200)
		}},
		{"D10", "links mailed before a change", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			token := askReset(w, victim)
			c.Post("/api/auth/change-password", m{"currentPassword": password, "newPassword": other}).Want(204)
			reset(w, token, password).Problem(422, "invalid_or_expired_token")
			token = askReset(w, victim)
			c.Post("/api/auth/change-email", m{"newEmail": "moved@example.com", "password": other}).Want(202)
			w.Client().Post("/api/auth/verify-email", m{"token": w.MailedToken("moved@example.com")}).Want(200)
			reset(w, token, password).Problem(422, "invalid_or_expired_token")
			reset(w, askReset(w, "moved@example.com"), password).Want(204)
			c.Login(m{"email": "moved@example.com", "password": password})

			// Suspended and taken back: what was asked for before is over.
			root := superAdmin(w)
			token = askReset(w, "moved@example.com")
			c.Post("/api/auth/change-email", m{"newEmail": "mallory@example.com", "password": password}).Want(202)
			change, id := w.MailedToken("mallory@example.com"), c.UserID
			root.Post("/api/users/"+id+"/suspend", m{"reason": "somebody else is in it"}).Want(204)
			root.Post("/api/users/"+id+"/reactivate", m{"reason": "the owner called"}).Want(204)
			reset(w, token, other).Problem(422, "invalid_or_expired_token")
			w.Client().Post("/api/auth/verify-email", m{"token": change}).Problem(422, "invalid_or_expired_token")
			reset(w, askReset(w, "moved@example.com"), other).Want(204)
		}},
		{"D11", "a refused password does not use the link up", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			token := askReset(w, victim)
			for _, weak := range []string{"short", "password1234", victim + "!"} {
				if a := reset(w, token, weak); a.Status != 422 {
					t.Errorf("%s: %d", weak, a.Status)
				}
			}
			reset(w, token, other).Want(204)
		}},
		{"D13", "a hundred resets asked for one address", false, func(t *testing.T, s *site) {
			w := s.start(limited, "LANYARD_LIMIT_FORGOT=1000/15m")
			w.Registered(victim)
			before := len(w.Mails(victim))
			want := ""
			for range 100 {
				got := face(w.Client().Post("/api/auth/forgot-password", m{"email": victim}).Want(202))
				if want == "" {
					want = got
				}
				if got != want {
					t.Fatalf("%s, want %s", got, want)
				}
			}
			if n := len(w.Mails(victim)) - before; n < 1 || n > 5 {
				t.Errorf("%d mails", n)
			}
		}},
		{"D14", "one-time tokens in the table and the log", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			org := c.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
			c.Post("/api/organizations/"+org+"/invitations", m{"email": "guest@example.com", "role": "viewer"}).Want(201)
			w.Client().Post("/api/auth/register", m{"email": "new@example.com", "password": password}).Want(201)
			w.Client().Post("/api/auth/forgot-password", m{"email": victim}).Want(202)
			queued := w.Dump() // with the mails still waiting
			for _, token := range []string{w.MailedToken(victim), w.MailedToken("guest@example.com"), w.MailedToken("new@example.com")} {
				for where, text := range map[string]string{"the queue": queued, "the table": w.Dump(), "the log": w.Logs.String()} {
					if strings.Contains(text, token) || strings.Contains(text, token[len(token)-24:]) {
						t.Errorf("a token is in %s", where)
					}
				}
			}
			if !strings.Contains(queued, c.UserID) {
				t.Error("the dump is empty")
			}
			reset(w, w.MailedToken(victim), other).Want(204)
		}},
		{"D16", "an attacker who registered the victim's address first", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Client().Post("/api/auth/register", m{"email": victim, "username": "mallory", "password": wrong}).Want(201)
			signIn(w.Client(), victim, wrong).Problem(401, "invalid_credentials") // no session before the address is verified
			w.Client().Post("/api/auth/login", m{"username": "mallory", "password": wrong}).Problem(401, "invalid_credentials")
			// By a reset:
			w.Client().Post("/api/auth/forgot-password", m{"email": victim}).Want(202)
			reset(w, w.MailedToken(victim), password)
			// or by registering again:
			if signIn(w.Client(), victim, password).Status != 200 {
				w.Client().Post("/api/auth/register", m{"email": victim, "password": password}).Want(201)
				w.Client().Post("/api/auth/verify-email", m{"token": w.MailedToken(victim)}).Want(200)
			}
			owner := w.Client()
			owner.Login(m{"email": victim, "password": password})
			signIn(w.Client(), victim, wrong).Problem(401, "invalid_credentials")
			w.Client().Post("/api/auth/login", m{"username": "mallory", "password": wrong}).Problem(401, "invalid_credentials")
			if me := owner.Get("/api/auth/me").Want(200); me.Value("mfaEnabled") != false || me.Text("email") != victim {
				t.Errorf("me %s", me.Raw)
			}
		}},
		{"D17", "registering over an attacker's unverified account", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Client().Post("/api/auth/register", m{"email": victim, "password": wrong}).Want(201)
			planted := w.MailedToken(victim)
			w.Client().Post("/api/auth/register", m{"email": victim, "password": password}).Want(201)
			own := w.MailedToken(victim)
			if planted != own {
				w.Client().Post("/api/auth/verify-email", m{"token": planted}).Problem(422, "invalid_or_expired_token")
			}
			w.Client().Post("/api/auth/verify-email", m{"token": own}).Want(200)
			signIn(w.Client(), victim, wrong).Problem(401, "invalid_credentials")
			signIn(w.Client(), victim, password).Want(200)

			// Of registrations at once, the one that stays has its mail, as long as
			// the address may get as many.
			limits := &site{t: t}
			lw := limits.start(limited)
			together(5, func(i int) int {
				return lw.Client().Post("/api/auth/register", m{"email": victim, "password": other + strings.Repeat("!", i)}).Status
			})
			lw.Settle()
			verified := 0
			for _, mail := range lw.Mails(victim) {
				_, link, _ := strings.Cut(mail.Text, "/verify-email/")
				link, _, _ = strings.Cut(link, "\n")
				if lw.Client().Post("/api/auth/verify-email", m{"token": strings.TrimSpace(link)}).Status == 200 {
					verified++
				}
			}
			if verified != 1 {
				t.Errorf("%d of %d mailed links verify the account that stayed", verified, len(lw.Mails(victim)))
			}

			// An account in use is not one to register over, even where an operator
			// has declared its address unverified.
			const owner = "owner@example.com"
			c, root := w.Registered(owner), superAdmin(w)
			org := c.Post("/api/organizations", m{"name": "Coastal"}).Want(201).Text("id")
			root.Patch("/api/users/"+c.UserID, m{"emailVerified": false}).Want(200)
			root.Post("/api/users/"+c.UserID+"/suspend", m{"reason": "in doubt"}).Want(204)
			root.Post("/api/users/"+c.UserID+"/reactivate", m{"reason": "settled"}).Want(204)
			w.Client().Post("/api/auth/register", m{"email": owner, "password": other}).Want(201)
			signIn(w.Client(), owner, other).Problem(401, "invalid_credentials")
			c.Login(m{"email": owner, "password": password})
			c.Get("/api/organizations/" + org).Want(200)
		}},
		{"D19", "another account's link while signed in", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			w.Client().Post("/api/auth/register", m{"email": "first@example.com", "password": password}).Want(201)
			before := string(c.Get("/api/auth/me").Want(200).Raw)
			c.Post("/api/auth/verify-email", m{"token": w.MailedToken("first@example.com")}).Want(200)
			if after := string(c.Get("/api/auth/me").Want(200).Raw); after != before {
				t.Errorf("%s\nwas %s", after, before)
			}
			signIn(w.Client(), "first@example.com", password).Want(200)
		}},
		{"D20", "a change of address", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered(victim)
			c.Post("/api/auth/change-email", m{"newEmail": "moved@example.com", "password": wrong}).Problem(401, "invalid_credentials")
			c.Post("/api/auth/change-email", m{"newEmail": "moved@example.com"}).Problem(422, "validation_failed")
			told := len(w.Mails(victim))
			c.Post("/api/auth/change-email", m{"newEmail": "moved@example.com", "password": password}).Want(202)
			token := w.MailedToken("moved@example.com")
			if len(w.Mails(victim)) != told+1 {
				t.Error("the old address was not told")
			}
			signIn(w.Client(), "moved@example.com", password).Problem(401, "invalid_credentials")
			signIn(w.Client(), victim, password).Want(200)
			w.Registered("moved@example.com") // taken in between
			if a := w.Client().Post("/api/auth/verify-email", m{"token": token}); a.Status != 409 && a.Status != 422 {
				t.Errorf("confirmed a taken address: %d %s", a.Status, a.Raw)
			}
			signIn(w.Client(), victim, password).Want(200)
		}},
		{"D22", "places to go on to", false, func(t *testing.T, s *site) {
			w := s.start()
			w.Registered(victim)
			token := askReset(w, victim)
			for _, param := range []string{"next", "redirect", "redirect_uri", "return", "url"} {
				for _, to := range []string{"//evil.test", "https:evil.test", "/\\evil.test", "https://evil.test"} {
					a := w.Client().Get("/api/auth/reset-password/" + token + "?" + param + "=" + strings.ReplaceAll(to, "\\", "%5C"))
					if a.Status >= 300 && a.Status < 400 || a.Header.Get("Location") != "" || strings.Contains(string(a.Raw), "evil.test") && a.Status < 400 {
						t.Errorf("%s=%s: %d %v", param, to, a.Status, a.Header)
					}
				}
			}
			w.Client().Get("/api/auth/reset-password/" + token).Want(200)
			reset(w, token, other).Want(204)
		}},
	}
}
