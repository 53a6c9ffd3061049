package signin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

// place is one user of a running Lanyard at the moment before a request.
type place struct {
	*lanyardtest.World
	c     *lanyardtest.Client // signed in by bearer token
	b     *lanyardtest.Client // signed in by cookie
	email string
	token string // of the newest mail, once mailed was called
	code  func() string
}

func (p *place) mailed() string { return p.MailedToken(p.email) }

// withSecondFactor gives the user a second factor and both clients sessions.
func (p *place) withSecondFactor() {
	secret := p.c.Post("/api/auth/mfa/totp", m{"password": lanyardtest.Password}).Want(200).Text("secret")
	p.code = func() string {
		p.Clock.Advance(30 * time.Second) // a code works once
		code, err := totp.GenerateCode(secret, p.Clock.Now())
		if err != nil {
			p.T.Fatal(err)
		}
		return code
	}
	p.c.Post("/api/auth/mfa/totp/confirm", m{"code": p.code()}).Want(200)
}

func (p *place) pending() string {
	return p.Client().Post("/api/auth/login", m{"email": p.email, "password": lanyardtest.Password}).Want(200).Text("mfaToken")
}

// row is one case of a route: what is sent, and all that is to come of it.
type row struct {
	operation string
	name      string
	prepare   func(p *place)
	send      func(p *place) *lanyardtest.Answer
	status    int
	code      string   // of the problem, for a refusal
	cookies   string   // "set", "cleared", or "" for none
	events    []string // types and outcomes written about the user, in any order
	mails     int      // to the user's address, when all is settled
}

// forgot asks for a reset mail and keeps its token.
func forgot(p *place) {
	p.Client().Post("/api/auth/forgot-password", m{"email": p.email}).Want(202)
	p.token = p.mailed()
}

// rows are the routes of Sign-in and Public, each with its success and with at
// least one refusal where it can refuse.
func rows() []row {
	const pw = lanyardtest.Password
	get := func(path string) func(*place) *lanyardtest.Answer {
		return func(p *place) *lanyardtest.Answer { return p.c.Get(path) }
	}
	nobody := func(method, path string, body any) func(*place) *lanyardtest.Answer {
		return func(p *place) *lanyardtest.Answer { return p.Client().Do(method, path, body) }
	}
	as := func(method, path string, body any) func(*place) *lanyardtest.Answer {
		return func(p *place) *lanyardtest.Answer { return p.c.Do(method, path, body) }
	}
	return []row{
		{operation: "auth-register", name: "a new address", send: nobody("POST", "/api/auth/register", m{"email": "new@example.com", "password": pw}), status: 201},
		{operation: "auth-register", name: "a known address", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/register", m{"email": p.email, "password": pw})
		}, status: 201, events: []string{"account.registered_again failure"}, mails: 1},
		{operation: "auth-register", name: "a common password", send: nobody("POST", "/api/auth/register", m{"email": "new@example.com", "password": "password1234"}), status: 422, code: "password_refused"},
		{operation: "auth-login", name: "by cookie", send: func(p *place) *lanyardtest.Answer {
			return p.Browser().Post("/api/auth/login", m{"email": p.email, "password": pw})
		}, status: 200, cookies: "set", events: []string{"session.signed_in success"}},
		{operation: "auth-login", name: "by body", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/login", m{"email": p.email, "password": pw, "delivery": "body"})
		}, status: 200, events: []string{"session.signed_in success"}},
		{operation: "auth-login", name: "wrong password", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/login", m{"email": p.email, "password": pw + "!"})
		}, status: 401, code: "invalid_credentials", events: []string{"session.sign_in_failed failure"}},
		{operation: "auth-login", name: "with a second factor", prepare: (*place).withSecondFactor, send: func(p *place) *lanyardtest.Answer {
			return p.Browser().Post("/api/auth/login", m{"email": p.email, "password": pw})
		}, status: 200, events: []string{"mfa.pending success"}},
		{operation: "auth-refresh", name: "by cookie", send: func(p *place) *lanyardtest.Answer { return p.b.Post("/api/auth/refresh", nil) }, status: 200, cookies: "set", events: []string{"session.refreshed success"}},
		{operation: "auth-refresh", name: "by body", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/refresh", m{"refreshToken": p.c.Refresh})
		}, status: 200, events: []string{"session.refreshed success"}},
		{operation: "auth-refresh", name: "an ended session", prepare: func(p *place) { p.c.Post("/api/auth/logout", nil).Want(204) }, send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/refresh", m{"refreshToken": p.c.Refresh})
		}, status: 401, code: "invalid_refresh_token", events: []string{"session.refresh_failed failure"}},
		// The family moves on beside the read that finds all sessions ended
		// (docs/decisions/0003): the trail shows both, and nobody is let in.
		{operation: "auth-refresh", name: "after all sessions ended", prepare: func(p *place) { p.c.Post("/api/auth/logout-all", nil).Want(204) }, send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/refresh", m{"refreshToken": p.c.Refresh})
		}, status: 401, code: "invalid_refresh_token", events: []string{"session.refreshed success", "session.refresh_failed failure"}},
		{operation: "auth-logout", name: "by cookie", send: func(p *place) *lanyardtest.Answer { return p.b.Post("/api/auth/logout", nil) }, status: 204, cookies: "cleared", events: []string{"session.signed_out success"}},
		{operation: "auth-logout", name: "by access token", send: as("POST", "/api/auth/logout", nil), status: 204, cookies: "cleared", events: []string{"session.signed_out success"}},
		{operation: "auth-logout", name: "nobody", send: nobody("POST", "/api/auth/logout", nil), status: 204, cookies: "cleared"},
		{operation: "auth-logout-all", name: "everywhere", send: as("POST", "/api/auth/logout-all", nil), status: 204, cookies: "cleared", events: []string{"session.signed_out_everywhere success"}},
		{operation: "auth-logout-all", name: "nobody", send: nobody("POST", "/api/auth/logout-all", nil), status: 401, code: "unauthenticated"},
		{operation: "auth-forgot-password", name: "a known address", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/forgot-password", m{"email": p.email})
		}, status: 202, events: []string{"password.reset_requested success"}, mails: 1},
		{operation: "auth-forgot-password", name: "an unknown address", send: nobody("POST", "/api/auth/forgot-password", m{"email": "nobody@example.com"}), status: 202},
		{operation: "auth-reset-password", name: "by the mailed token", prepare: forgot, send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/reset-password", m{"token": p.token, "newPassword": newPassword})
		}, status: 204, events: []string{"password.reset success"}, mails: 1},
		{operation: "auth-reset-password", name: "a token of nobody", send: nobody("POST", "/api/auth/reset-password", m{"token": "lyr_nonsense", "newPassword": newPassword}), status: 422, code: "invalid_or_expired_token"},
		{operation: "auth-reset-password-link", name: "the page", prepare: forgot, send: func(p *place) *lanyardtest.Answer { return p.Client().Get("/api/auth/reset-password/" + p.token) }, status: 200},
		{operation: "auth-change-password", name: "with the present one", send: as("POST", "/api/auth/change-password", m{"currentPassword": pw, "newPassword": newPassword}), status: 204, events: []string{"password.changed success"}, mails: 1},
		{operation: "auth-change-password", name: "with another", send: as("POST", "/api/auth/change-password", m{"currentPassword": pw + "!", "newPassword": newPassword}), status: 401, code: "invalid_credentials", events: []string{"password.changed failure"}},
		{operation: "auth-check-password-needed", name: "known", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/check-password-needed", m{"email": p.email})
		}, status: 200, events: []string{"password.needed_checked success"}},
		{operation: "auth-verify-email-link", name: "the page", prepare: unverified, send: func(p *place) *lanyardtest.Answer { return p.Client().Get("/api/auth/verify-email/" + p.token) }, status: 200},
		{operation: "auth-verify-email", name: "by the mailed token", prepare: unverified, send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/verify-email", m{"token": p.token})
		}, status: 200},
		{operation: "auth-verify-email", name: "a token of nobody", send: nobody("POST", "/api/auth/verify-email", m{"token": "lyv_nonsense"}), status: 422, code: "invalid_or_expired_token"},
		{operation: "auth-resend-verification", name: "verified already", send: func(p *place) *lanyardtest.Answer {
			return p.Client().Post("/api/auth/resend-verification", m{"email": p.email})
		}, status: 202, events: []string{"account.verification_requested failure"}},
		{operation: "auth-me", name: "by token", send: get("/api/auth/me"), status: 200},
		{operation: "auth-me", name: "by cookie", send: func(p *place) *lanyardtest.Answer { return p.b.Get("/api/auth/me") }, status: 200},
		{operation: "auth-me", name: "nobody", send: nobody("GET", "/api/auth/me", nil), status: 401, code: "unauthenticated"},
		{operation: "auth-me-change", name: "a profile", send: as("PATCH", "/api/auth/me", m{"profile": m{"firstName": "Ann"}}), status: 200, events: []string{"account.profile_changed success"}},
		{operation: "auth-me-change", name: "an unknown field", send: as("PATCH", "/api/auth/me", m{"role": "ADMIN"}), status: 422, code: "validation_failed"},
		{operation: "auth-me-delete", name: "with the password", send: as("DELETE", "/api/auth/me", m{"password": pw}), status: 204, cookies: "cleared", events: []string{"account.deleted success"}},
		{operation: "auth-me-delete", name: "with another", send: as("DELETE", "/api/auth/me", m{"password": pw + "!"}), status: 401, code: "invalid_credentials", events: []string{"account.deleted failure"}},
		{operation: "auth-change-email", name: "with the password", send: as("POST", "/api/auth/change-email", m{"newEmail": "next@example.com", "password": pw}), status: 202, events: []string{"account.email_change_requested success"}, mails: 1},
		{operation: "auth-change-email", name: "with another", send: as("POST", "/api/auth/change-email", m{"newEmail": "next@example.com", "password": pw + "!"}), status: 401, code: "invalid_credentials", events: []string{"account.email_change_requested failure"}},
		{operation: "auth-sessions-list", name: "both", send: get("/api/auth/sessions"), status: 200},
		{operation: "auth-sessions-end", name: "one", send: func(p *place) *lanyardtest.Answer {
			return p.c.Delete("/api/auth/sessions/"+p.b.Get("/api/auth/sessions").Want(200).Text("items.0.id"), nil)
		}, status: 204, events: []string{"session.ended success"}},
		{operation: "auth-sessions-end", name: "of nobody", send: as("DELETE", "/api/auth/sessions/01900000-0000-7000-8000-0000000000f1", nil), status: 404, code: "not_found"},
		{operation: "auth-activity", name: "own", send: get("/api/auth/activity"), status: 200},
		{operation: "auth-mfa-verify", name: "by cookie", prepare: (*place).withSecondFactor, send: func(p *place) *lanyardtest.Answer {
			pending := p.pending()
			return p.Browser().Post("/api/auth/mfa/verify", m{"mfaToken": pending, "code": p.code()})
		}, status: 200, cookies: "set", events: []string{"mfa.pending success", "mfa.verified success", "session.signed_in success"}},
		{operation: "auth-mfa-verify", name: "a wrong code", prepare: (*place).withSecondFactor, send: func(p *place) *lanyardtest.Answer {
			return p.Browser().Post("/api/auth/mfa/verify", m{"mfaToken": p.pending(), "code": wrong(p.code())})
		}, status: 401, code: "invalid_mfa_code", events: []string{"mfa.pending success", "mfa.failed failure"}},
		{operation: "auth-mfa-totp-enrol", name: "with the password", send: as("POST", "/api/auth/mfa/totp", m{"password": pw}), status: 200, events: []string{"mfa.enrolled success"}},
		{operation: "auth-mfa-totp-enrol", name: "with another", send: as("POST", "/api/auth/mfa/totp", m{"password": pw + "!"}), status: 401, code: "invalid_credentials", events: []string{"mfa.enrolled failure"}},
		{operation: "auth-mfa-totp-confirm", name: "without enrolment", send: as("POST", "/api/auth/mfa/totp/confirm", m{"code": "123456"}), status: 409, code: "mfa_not_active"},
		{operation: "auth-mfa-totp-confirm", name: "with a code", send: func(p *place) *lanyardtest.Answer {
			secret := p.c.Post("/api/auth/mfa/totp", m{"password": pw}).Want(200).Text("secret")
			code, err := totp.GenerateCode(secret, p.Clock.Now())
			if err != nil {
				p.T.Fatal(err)
			}
			return p.c.Post("/api/auth/mfa/totp/confirm", m{"code": code})
		}, status: 200, events: []string{"mfa.enrolled success", "mfa.enabled success"}, mails: 1},
		{operation: "auth-mfa-totp-disable", name: "with both", prepare: (*place).withSecondFactor, send: func(p *place) *lanyardtest.Answer {
			return p.c.Delete("/api/auth/mfa/totp", m{"password": pw, "code": p.code()})
		}, status: 204, events: []string{"mfa.disabled success"}, mails: 1},
		{operation: "auth-mfa-recovery-codes", name: "with both", prepare: (*place).withSecondFactor, send: func(p *place) *lanyardtest.Answer {
			return p.c.Post("/api/auth/mfa/recovery-codes", m{"password": pw, "code": p.code()})
		}, status: 200, events: []string{"mfa.recovery_codes_renewed success"}, mails: 1},
		{operation: "public-jwks", name: "keys", send: nobody("GET", "/.well-known/jwks.json", nil), status: 200},
		{operation: "public-metadata", name: "metadata", send: nobody("GET", "/.well-known/oauth-authorization-server", nil), status: 200},
		{operation: "public-health", name: "health", send: nobody("GET", "/healthz", nil), status: 200},
		{operation: "public-openapi", name: "document", send: nobody("GET", "/openapi.json", nil), status: 200},
		{operation: "public-docs", name: "page", send: nobody("GET", "/docs", nil), status: 200},
	}
}

// unverified registers an address whose mail was not answered yet.
func unverified(p *place) {
	p.Client().Post("/api/auth/register", m{"email": "second@example.com", "password": lanyardtest.Password}).Want(201)
	p.token = p.MailedToken("second@example.com")
}

// wrong changes a code.
func wrong(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return string(code[0]+1) + code[1:]
}

// Every route of Sign-in and Public: its status, the cookies it sets or clears,
// the events it writes with their outcome, the mails it sends - and nothing else.
func TestEveryRowOfSignInAndPublicDoesWhatItSaysAndNoMore(t *testing.T) {
	tried := map[string]bool{}
	for _, r := range rows() {
		tried[r.operation] = true
		t.Run(r.operation+" "+r.name, func(t *testing.T) {
			w := lanyardtest.Start(t)
			p := &place{World: w, email: "row@example.com"}
			p.c = w.Registered(p.email)
			p.b = w.Browser()
			p.b.Post("/api/auth/login", m{"email": p.email, "password": lanyardtest.Password}).Want(200)
			if r.prepare != nil {
				r.prepare(p)
			}
			before, mails := p.written(), len(w.Mails(p.email))
			a := r.send(p)
			if r.code != "" {
				a.Problem(r.status, r.code)
			}
			a.Want(r.status)
			if got := cookieChange(t, a); got != r.cookies {
				t.Errorf("cookies %q, want %q: %v", got, r.cookies, a.Cookies)
			}
			if got := len(w.Mails(p.email)) - mails; got != r.mails {
				t.Errorf("%d mails, want %d", got, r.mails)
			}
			got := p.written()[len(before):]
			slices.Sort(got)
			want := slices.Sorted(slices.Values(r.events))
			if !slices.Equal(got, want) {
				t.Errorf("events %q, want %q", got, want)
			}
			for _, s := range lanyardtest.Operations() {
				if s.ID == r.operation && len(r.events) == 1 && !slices.Contains(s.Audit, strings.Fields(r.events[0])[0]) {
					t.Errorf("%s is not among the events that the operation declares: %q", r.events[0], s.Audit)
				}
			}
		})
	}
	for _, s := range lanyardtest.Operations() {
		if (strings.HasPrefix(s.ID, "auth-") || strings.HasPrefix(s.ID, "public-")) && !tried[s.ID] {
			t.Errorf("no row for %s", s.ID)
		}
	}
}

// written gives the events about the user, oldest first.
func (p *place) written() []string {
	p.T.Helper()
	p.Settle()
	events, _, err := p.Audit.List(context.Background(), audit.UserStream(p.c.UserID), audit.Filter{}, 100, "")
	if err != nil {
		p.T.Fatal(err)
	}
	var out []string
	for _, e := range slices.Backward(events) {
		out = append(out, string(e.Type)+" "+string(e.Outcome))
	}
	return out
}

// cookieChange says what an answer does to the session's cookies, and fails the
// test if their attributes are not those of the contract.
func cookieChange(t *testing.T, a *lanyardtest.Answer) string {
	t.Helper()
	set, cleared := 0, 0
	for _, k := range a.Cookies {
		if !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Domain != "" {
			t.Errorf("attributes of %v", k)
		}
		switch k.Name {
		case "lanyard_access", "lanyard_refresh":
			if path := map[string]string{"lanyard_access": "/", "lanyard_refresh": "/api/auth"}[k.Name]; k.Path != path {
				t.Errorf("path of %s: %s", k.Name, k.Path)
			}
			if k.MaxAge < 0 {
				cleared++
			} else {
				set++
			}
		case "lanyard_device":
			if k.Path != "/api/auth" {
				t.Errorf("path of %s: %s", k.Name, k.Path)
			}
		default:
			t.Errorf("unknown cookie %s", k.Name)
		}
	}
	switch {
	case set == 2 && cleared == 0:
		return "set"
	case cleared == 2 && set == 0:
		return "cleared"
	case set == 0 && cleared == 0:
		return ""
	}
	return "mixed"
}
