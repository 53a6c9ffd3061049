package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

const newPassword = "another horse battery staple"

type m = map[string]any

func TestKnownAddressGetsTheSameAnswerAndItsOwnerAMail(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("ann@example.com")
	before := len(w.Mails("ann@example.com"))
	a := w.Client().Post("/api/auth/register", m{"email": "Ann@Example.com", "username": "ann", "password": newPassword}).Want(201)
	if a.Text("status") != "verification_required" {
		t.Fatalf("answer %s", a.Raw)
	}
	mails := w.Mails("ann@example.com")
	if len(mails) != before+1 || strings.Contains(mails[0].Text, "verify-email") {
		t.Fatalf("%d mails, newest: %s", len(mails), mails[0].Text)
	}
	c.Login(m{"email": "ann@example.com", "password": lanyardtest.Password})
	// The username that came along is held, as if the account had been made.
	w.Client().Post("/api/auth/register", m{"username": "ann", "password": newPassword}).Problem(409, "username_taken")
	w.Clock.Advance(25 * time.Hour)
	w.Client().Post("/api/auth/register", m{"username": "ann", "password": newPassword}).Want(201)
	if len(w.Events(c.UserID, audit.RegisteredAgain)) != 1 {
		t.Error("no event for the owner")
	}
}

func TestUnverifiedAccountIsReplacedWhole(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Client().Post("/api/auth/register", m{"email": "v@example.com", "username": "squatter", "password": "whatever somebody else chose"}).Want(201)
	squatted := w.MailedToken("v@example.com")
	w.Client().Post("/api/auth/register", m{"email": "v@example.com", "username": "squatter", "password": lanyardtest.Password}).Want(201)
	mine := w.MailedToken("v@example.com")
	w.Client().Post("/api/auth/verify-email", m{"token": squatted}).Problem(422, "invalid_or_expired_token")
	w.Client().Post("/api/auth/verify-email", m{"token": mine}).Want(200)
	w.Client().Post("/api/auth/login", m{"email": "v@example.com", "password": "whatever somebody else chose"}).Problem(401, "invalid_credentials")
	w.Client().Login(m{"email": "v@example.com", "password": lanyardtest.Password})
	w.Client().Login(m{"username": "SQUATTER", "password": lanyardtest.Password})
}

func TestAFreshVerificationMailLeavesEarlierLinksWorking(t *testing.T) {
	const address = "slow@example.com"
	for name, tc := range map[string]struct {
		use   int           // which link is opened, in the order of the mails
		after time.Duration // how long after the last mail
		again bool          // whether somebody registers the address anew before
		works bool
	}{
		"the first":                     {use: 0, works: true},
		"one between":                   {use: 2, works: true},
		"the newest":                    {use: 3, works: true},
		"the first, past its own end":   {use: 0, after: 21*time.Hour + 30*time.Minute},
		"the second, not past its own":  {use: 1, after: 21*time.Hour + 30*time.Minute, works: true},
		"the newest, past its end":      {use: 3, after: 25 * time.Hour},
		"the first, of another account": {use: 0, again: true},
		"the last, of another account":  {use: 3, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := lanyardtest.Start(t)
			in := m{"email": address, "password": lanyardtest.Password}
			w.Client().Post("/api/auth/register", in).Want(201)
			links := []string{w.MailedToken(address)}
			for range 3 {
				w.Clock.Advance(time.Hour)
				w.Client().Post("/api/auth/login", in).Problem(401, "invalid_credentials")
				links = append(links, w.MailedToken(address))
			}
			if len(slices.Compact(slices.Sorted(slices.Values(links)))) != 4 {
				t.Fatalf("links %q", links)
			}
			if tc.again {
				w.Client().Post("/api/auth/register", in).Want(201)
			}
			w.Clock.Advance(tc.after)
			a := w.Client().Post("/api/auth/verify-email", m{"token": links[tc.use]})
			if !tc.works {
				a.Problem(422, "invalid_or_expired_token")
				return
			}
			a.Want(200)
			w.Client().Login(in)
			for _, l := range links {
				w.Client().Post("/api/auth/verify-email", m{"token": l}).Problem(422, "invalid_or_expired_token")
			}
		})
	}
}

func TestUsernameAccountIsActiveAtOnce(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	if got := c.Post("/api/auth/register", m{"username": "Leads.Bot", "password": lanyardtest.Password}).Want(201).Text("status"); got != "active" {
		t.Fatalf("status %q", got)
	}
	c.Login(m{"username": "leads.bot", "password": lanyardtest.Password})
	me := c.Get("/api/auth/me").Want(200)
	if me.Value("email") != nil || me.Text("username") != "Leads.Bot" {
		t.Fatalf("me %s", me.Raw)
	}
	c.Post("/api/auth/register", m{"username": "LEADS.BOT", "password": lanyardtest.Password}).Problem(409, "username_taken")
}

func TestBadRegistrationsAreRefusedAndWriteNothing(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	for name, tc := range map[string]struct {
		body   any
		status int
		code   string
	}{
		"neither":          {m{"password": lanyardtest.Password}, 422, "validation_failed"},
		"bad address":      {m{"email": "a b@example.com", "password": lanyardtest.Password}, 422, "validation_failed"},
		"bad username":     {m{"username": "-ab", "password": lanyardtest.Password}, 422, "validation_failed"},
		"short password":   {m{"email": "x@example.com", "password": "short"}, 422, "password_refused"},
		"common password":  {m{"email": "x@example.com", "password": "password1234"}, 422, "password_refused"},
		"own name":         {m{"email": "catherine@example.com", "password": "catherine and more words"}, 422, "password_refused"},
		"unknown property": {m{"email": "x@example.com", "password": lanyardtest.Password, "role": "ADMIN"}, 422, "validation_failed"},
		"another case":     {m{"EMAIL": "x@example.com", "password": lanyardtest.Password}, 422, "validation_failed"},
		"wrong type":       {m{"email": m{"$gt": ""}, "password": lanyardtest.Password}, 422, "validation_failed"},
		"duplicate key":    {`{"email":"x@example.com","email":"y@example.com","password":"correct horse battery staple"}`, 400, "malformed_request"},
		"trailing data":    {`{"email":"x@example.com","password":"correct horse battery staple"} {}`, 400, "malformed_request"},
		"invalid UTF-8":    {"{\"email\":\"x\xff@example.com\",\"password\":\"correct horse battery staple\"}", 400, "malformed_request"},
		"not JSON":         {`email=x`, 400, "malformed_request"},
		"too large":        {`{"password":"` + strings.Repeat("x", 70_000) + `"}`, 413, "body_too_large"},
	} {
		t.Run(name, func(t *testing.T) { c.Post("/api/auth/register", tc.body).Problem(tc.status, tc.code) })
	}
	if strings.Contains(w.Logs.String(), "catherine") {
		t.Error("the log repeats what was refused")
	}
	if got := w.Mails("x@example.com"); len(got) != 0 {
		t.Errorf("%d mails", len(got))
	}
}

func TestResetEndsEverySessionAndWorksOnce(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("r@example.com")
	c.Post("/api/auth/forgot-password", m{"email": "r@example.com"}).Want(202)
	older := w.MailedToken("r@example.com")
	c.Post("/api/auth/forgot-password", m{"email": "r@example.com"}).Want(202)
	token := w.MailedToken("r@example.com")
	c.Post("/api/auth/reset-password", m{"token": older, "newPassword": newPassword}).Problem(422, "invalid_or_expired_token")
	c.Post("/api/auth/reset-password", m{"token": token, "newPassword": "short"}).Problem(422, "password_refused")
	statuses := make([]int, 20)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = w.Client().Post("/api/auth/reset-password", m{"token": token, "newPassword": newPassword}).Status
		})
	}
	wg.Wait()
	won := 0
	for _, s := range statuses {
		if s == 204 {
			won++
		}
	}
	if won != 1 {
		t.Fatalf("%d resets succeeded: %v", won, statuses)
	}
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Problem(401, "invalid_refresh_token")
	c.Access = ""
	c.Post("/api/auth/login", m{"email": "r@example.com", "password": lanyardtest.Password}).Problem(401, "invalid_credentials")
	c.Login(m{"email": "r@example.com", "password": newPassword})
	c.Post("/api/auth/forgot-password", m{"email": "nobody@example.com"}).Want(202)
	if got := w.Mails("nobody@example.com"); len(got) != 0 {
		t.Error("mail to an address without an account")
	}
	w.Clock.Advance(2 * time.Hour)
	c.Post("/api/auth/reset-password", m{"token": "nonsense", "newPassword": newPassword}).Problem(422, "invalid_or_expired_token")
}

func TestExpiredLinksDoNotWork(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	c.Post("/api/auth/register", m{"email": "late@example.com", "password": lanyardtest.Password}).Want(201)
	token := w.MailedToken("late@example.com")
	w.Clock.Advance(24*time.Hour + time.Second)
	c.Post("/api/auth/verify-email", m{"token": token}).Problem(422, "invalid_or_expired_token")
	c.Post("/api/auth/resend-verification", m{"email": "late@example.com"}).Want(202)
	c.Post("/api/auth/verify-email", m{"token": w.MailedToken("late@example.com")}).Want(200)
	c.Post("/api/auth/resend-verification", m{"email": "late@example.com"}).Want(202)
	c.Post("/api/auth/resend-verification", m{"email": "nobody@example.com"}).Want(202)
	w.Settle()
}

func TestLinkPageConsumesNothing(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	c.Post("/api/auth/register", m{"email": "p@example.com", "password": lanyardtest.Password}).Want(201)
	token := w.MailedToken("p@example.com")
	c.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	page := c.Get("/api/auth/verify-email/" + token).Want(200)
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "script-src 'sha256-") {
		t.Fatalf("page: %v", page.Header)
	}
	if strings.Contains(string(page.Raw), token) {
		t.Error("the page repeats the token")
	}
	c.Do(http.MethodHead, "/api/auth/verify-email/"+token, nil).Want(405)
	c.Header.Set("Accept", "application/json")
	if got := c.Get("/api/auth/verify-email/" + token).Want(200).Text("status"); got != "active" {
		t.Fatalf("status %q", got)
	}
	c.Get("/api/auth/verify-email/"+token).Problem(422, "invalid_or_expired_token")
	c.Header.Set("Accept", "text/html")
	if page := c.Get("/api/auth/reset-password/whatever").Want(200); !strings.Contains(string(page.Raw), "new-password") {
		t.Error("no password field")
	}
}

func TestLinkPagesSpeakTheLanguageOfTheBrowser(t *testing.T) {
	for _, c := range []struct{ setting, accept, lang string }{
		{"en", "", "en"}, {"de", "", "de"}, {"en", "fr-CH, de-AT;q=0.8, en;q=0.5", "de"}, {"de", "EN-gb,de;q=0.9", "en"}, {"de", "fr", "de"}, {"en", "*, ;q=x,,", "en"},
	} {
		w := lanyardtest.Start(t, "LANYARD_MAIL_LANGUAGE="+c.setting)
		browser := w.Client()
		browser.Header.Set("Accept", "text/html")
		if c.accept != "" {
			browser.Header.Set("Accept-Language", c.accept)
		}
		for path, words := range map[string]map[string]string{
			"/api/auth/verify-email/x":       {"en": "Confirm your e-mail address", "de": "E-Mail-Adresse bestätigen"},
			"/api/auth/reset-password/x":     {"en": "At least 12 characters", "de": "Mindestens 12 Zeichen"},
			"/api/invitations/accept/lyi_xx": {"en": "You are invited", "de": "Sie sind eingeladen"},
		} {
			page := browser.Get(path).Want(200)
			if text := string(page.Raw); !strings.Contains(text, `<html lang="`+c.lang+`">`) || !strings.Contains(text, words[c.lang]) ||
				strings.Contains(text, `=""`) || !strings.Contains(page.Header.Get("Vary"), "Accept-Language") {
				t.Errorf("%+v: %s: %s\n%s", c, path, page.Header, text)
			}
		}
	}
}

func TestChangePasswordKeepsThisSessionAndEndsOthers(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("cp@example.com")
	other := w.Client()
	other.Login(m{"email": "cp@example.com", "password": lanyardtest.Password})
	c.Post("/api/auth/change-password", m{"currentPassword": "not this one at all", "newPassword": newPassword}).Problem(401, "invalid_credentials")
	c.Post("/api/auth/change-password", m{"currentPassword": lanyardtest.Password, "newPassword": "short"}).Problem(422, "password_refused")
	c.Post("/api/auth/change-password", m{"currentPassword": lanyardtest.Password, "newPassword": newPassword}).Want(204)
	c.Get("/api/auth/me").Want(200)
	c.Keep(c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(200))
	other.Get("/api/auth/me").Problem(401, "session_revoked")
	other.Post("/api/auth/refresh", m{"refreshToken": other.Refresh}).Problem(401, "invalid_refresh_token")
	if len(w.Events(c.UserID, audit.PasswordChanged)) != 2 {
		t.Error("want an event for the failure and the success")
	}
	if newest := w.Mails("cp@example.com")[0]; !strings.Contains(strings.ToLower(newest.Subject), "password") {
		t.Errorf("newest mail: %s", newest.Subject)
	}
}

func TestChangeOfAddressTakesEffectWhenTheNewOneConfirms(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("old@example.com")
	w.Registered("taken@example.com")
	c.Post("/api/auth/change-email", m{"newEmail": "new@example.com", "password": "not this one at all"}).Problem(401, "invalid_credentials")
	c.Post("/api/auth/change-email", m{"newEmail": "old@example.com", "password": lanyardtest.Password}).Problem(422, "validation_failed")
	c.Post("/api/auth/change-email", m{"newEmail": "taken@example.com", "password": lanyardtest.Password}).Want(202)
	if newest := w.Mails("taken@example.com")[0]; strings.Contains(newest.Text, "verify-email") {
		t.Error("a link went to somebody else's address")
	}
	c.Post("/api/auth/change-email", m{"newEmail": "New@example.com", "password": lanyardtest.Password}).Want(202)
	token := w.MailedToken("new@example.com")
	w.Client().Login(m{"email": "old@example.com", "password": lanyardtest.Password})
	w.Client().Post("/api/auth/verify-email", m{"token": token}).Want(200)
	if got := c.Get("/api/auth/me").Want(200).Text("email"); got != "new@example.com" {
		t.Errorf("address %q", got)
	}
	w.Client().Post("/api/auth/login", m{"email": "old@example.com", "password": lanyardtest.Password}).Problem(401, "invalid_credentials")
	w.Client().Login(m{"email": "new@example.com", "password": lanyardtest.Password})
	w.Client().Post("/api/auth/verify-email", m{"token": token}).Problem(422, "invalid_or_expired_token")
	if len(w.Mails("old@example.com")) < 3 {
		t.Error("the old address was not told")
	}
}

func TestAddressTakenMeanwhileFailsAtConfirmation(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("a1@example.com")
	c.Post("/api/auth/change-email", m{"newEmail": "a2@example.com", "password": lanyardtest.Password}).Want(202)
	token := w.MailedToken("a2@example.com")
	w.Registered("a2@example.com")
	w.Client().Post("/api/auth/verify-email", m{"token": token}).Problem(409, "email_taken")
	if got := c.Get("/api/auth/me").Want(200).Text("email"); got != "a1@example.com" {
		t.Errorf("address %q", got)
	}
}

func TestNamesFitOnOneLineWhereverTheyAreGiven(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("me@example.com")
	org := c.Post("/api/organizations", m{"name": "Family"}).Want(201).Text("id")
	boat := c.Post("/api/organizations/"+org+"/entities", m{"type": "boat", "name": "Aurora"}).Want(201).Text("id")
	n := 0
	give := map[string]func(name string) *lanyardtest.Answer{
		"first name": func(name string) *lanyardtest.Answer {
			return c.Patch("/api/auth/me", m{"profile": m{"firstName": name}})
		},
		"last name": func(name string) *lanyardtest.Answer {
			return c.Patch("/api/auth/me", m{"profile": m{"lastName": name}})
		},
		"city": func(name string) *lanyardtest.Answer {
			return c.Patch("/api/auth/me", m{"profile": m{"address": m{"city": name}}})
		},
		"street": func(name string) *lanyardtest.Answer {
			return c.Patch("/api/auth/me", m{"profile": m{"address": m{"street": name}}})
		},
		"organization": func(name string) *lanyardtest.Answer { return c.Post("/api/organizations", m{"name": name}) },
		"entity": func(name string) *lanyardtest.Answer {
			return c.Post("/api/organizations/"+org+"/entities", m{"type": "boat", "name": name})
		},
		"document": func(name string) *lanyardtest.Answer {
			return c.Post("/api/entities/"+boat+"/documents", m{"title": name})
		},
		"registration": func(name string) *lanyardtest.Answer {
			n++
			return w.Client().Post("/api/auth/register", m{"username": fmt.Sprintf("someone-%d", n), "password": newPassword, "profile": m{"firstName": name}})
		},
	}
	for what, give := range give {
		for _, name := range []string{"two\nlines", "\x1b[31mred", "nul\x00", "evil\u202egnp", "line\u2028separator"} {
			if a := give(name); a.Status != 422 || a.Text("code") != "validation_failed" {
				t.Errorf("%s %q: %d %s", what, name, a.Status, a.Raw)
			}
		}
		for _, name := range []string{"O'Neill-Smith", "Łukasz", "山田太郎", "می\u200cخواهم", "👩\u200d👩\u200d👧", "ශ්\u200dරී"} {
			if a := give(name); a.Status != 200 && a.Status != 201 {
				t.Errorf("%s %q: %d %s", what, name, a.Status, a.Raw)
			}
		}
	}
}

func TestProfileAndUsernameChange(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("me@example.com")
	a := c.Patch("/api/auth/me", m{"username": "Captain", "profile": m{"firstName": "Grace", "language": "de", "address": m{"city": "Kiel", "country": "DE"}}}).Want(200)
	if a.Text("username") != "Captain" || a.Text("profile.firstName") != "Grace" || a.Text("profile.address.city") != "Kiel" {
		t.Fatalf("answer %s", a.Raw)
	}
	c.Patch("/api/auth/me", m{"username": "captain"}).Want(200)
	c.Patch("/api/auth/me", m{"username": "admiral", "profile": m{"lastName": "Hopper"}}).Want(200)
	me := c.Get("/api/auth/me").Want(200)
	if me.Text("profile.firstName") != "Grace" || me.Text("profile.lastName") != "Hopper" || me.Text("username") != "admiral" || me.Value("profileStatus") != nil {
		t.Fatalf("me %s", me.Raw)
	}
	w.Client().Post("/api/auth/register", m{"username": "captain", "password": newPassword}).Want(201)
	c.Patch("/api/auth/me", m{"username": "captain"}).Problem(409, "username_taken")
	c.Patch("/api/auth/me", m{"profile": m{"currency": "euros"}}).Problem(422, "validation_failed")
	c.Patch("/api/auth/me", m{"emailVerified": true}).Problem(422, "validation_failed")
	if len(w.Events(c.UserID, audit.ProfileChanged)) != 3 {
		t.Error("want three events")
	}
}

func TestDeletedUserIsGone(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("gone@example.com")
	c.Patch("/api/auth/me", m{"username": "goner"}).Want(200)
	c.Delete("/api/auth/me", m{"password": "not this one at all"}).Problem(401, "invalid_credentials")
	c.Delete("/api/auth/me", m{"password": lanyardtest.Password}).Want(204)
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Problem(401, "invalid_refresh_token")
	w.Settle()
	page, err := w.Store.Query(context.Background(), table.Query{PK: table.User(c.UserID), Strong: table.Strong})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("left behind: %v %v", page.Records, err)
	}
	w.Registered("gone@example.com")
	w.Client().Post("/api/auth/register", m{"username": "goner", "password": newPassword}).Want(201)
}

func TestSessionsAreListedAndEndOneByOne(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_SESSION_LIMIT=3")
	c := w.Registered("s@example.com")
	var others []*lanyardtest.Client
	for range 3 {
		w.Clock.Advance(time.Minute)
		o := w.Client()
		o.Login(m{"email": "s@example.com", "password": lanyardtest.Password})
		others = append(others, o)
	}
	c.Get("/api/auth/me").Problem(401, "session_revoked") // the fourth made it make room
	if ended := w.Events(c.UserID, audit.SessionEnded); len(ended) != 1 || ended[0].Details["reason"] != "session limit" {
		t.Errorf("events of the session that made room: %+v", ended)
	}
	last := others[2]
	list := last.Get("/api/auth/sessions?limit=2").Want(200)
	if len(list.Value("items").([]any)) != 2 || list.Value("items.0.current") != true {
		t.Fatalf("list %s", list.Raw)
	}
	rest := last.Get("/api/auth/sessions?limit=2&cursor=" + list.Text("nextCursor")).Want(200)
	if len(rest.Value("items").([]any)) != 1 || rest.Text("nextCursor") != "" {
		t.Fatalf("rest %s", rest.Raw)
	}
	others[1].Get("/api/auth/sessions?cursor=forged").Problem(400, "invalid_cursor")
	last.Delete("/api/auth/sessions/"+rest.Text("items.0.id"), nil).Want(204)
	last.Delete("/api/auth/sessions/"+rest.Text("items.0.id"), nil).Problem(404, "not_found")
	last.Delete("/api/auth/sessions/nonsense", nil).Problem(404, "not_found")
	others[0].Get("/api/auth/me").Problem(401, "session_revoked")
	stranger := w.Registered("stranger@example.com")
	stranger.Delete("/api/auth/sessions/"+list.Text("items.1.id"), nil).Problem(404, "not_found")
	others[1].Get("/api/auth/me").Want(200)
	activity := last.Get("/api/auth/activity?limit=3").Want(200)
	if len(activity.Value("items").([]any)) != 3 || activity.Text("nextCursor") == "" {
		t.Fatalf("activity %s", activity.Raw)
	}
	last.Get("/api/auth/activity?limit=3&cursor=" + activity.Text("nextCursor")).Want(200)
	stranger.Get("/api/auth/activity?limit=3&cursor="+activity.Text("nextCursor")).Problem(400, "invalid_cursor")
	last.Post("/api/auth/logout-all", nil).Want(204)
	others[1].Get("/api/auth/me").Problem(401, "session_revoked")
	others[1].Post("/api/auth/logout", m{"refreshToken": others[1].Refresh}).Want(204)
	w.Client().Post("/api/auth/logout", nil).Want(204)
	w.Client().Post("/api/auth/logout", m{"refreshToken": "garbage"}).Want(204)
	w.Client().Post("/api/auth/refresh", m{"refreshToken": "garbage"}).Problem(401, "invalid_refresh_token")
	w.Client().Post("/api/auth/refresh", nil).Problem(401, "invalid_refresh_token")
}

func TestSessionsEndByThemselves(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("t@example.com")
	w.Clock.Advance(16 * time.Minute)
	c.Get("/api/auth/me").Problem(401, "token_expired")
	for range 5 {
		w.Clock.Advance(6 * 24 * time.Hour)
		a := c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh})
		if a.Status != 200 {
			break
		}
		c.Keep(a)
	}
	c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Problem(401, "invalid_refresh_token") // 30 days are over
}

func TestOnlyImportedAccountsNeedAPassword(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("known@example.com")
	imported := w.Registered("imported@example.com")
	if err := w.Store.Write(context.Background(), table.Update(table.UserState(imported.UserID)).Set("needsPassword", true)); err != nil {
		t.Fatal(err)
	}
	for email, want := range map[string]bool{"known@example.com": false, "nobody@example.com": false, "imported@example.com": true} {
		if got := c.Post("/api/auth/check-password-needed", m{"email": email}).Want(200).Value("needsPasswordSet"); got != want {
			t.Errorf("%s: %v", email, got)
		}
	}
}

func TestProfilesOfASystemOfRecord(t *testing.T) {
	var mu sync.Mutex
	kept, down := map[string]string{}, false
	record := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case down:
			rw.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("Authorization") != "Bearer s3cret":
			rw.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPut:
			b := new(strings.Builder)
			if _, err := b.WriteString(readAll(r)); err != nil {
				t.Error(err)
			}
			kept[r.URL.Path] = b.String()
		case kept[r.URL.Path] == "":
			rw.WriteHeader(http.StatusNotFound)
		default:
			_, _ = rw.Write([]byte(kept[r.URL.Path]))
		}
	}))
	t.Cleanup(record.Close)
	w := lanyardtest.Start(t, "LANYARD_PROFILE_SOURCE=http", "LANYARD_PROFILE_URL="+record.URL+"/people", "LANYARD_PROFILE_TOKEN=s3cret")
	c := w.Registered("ext@example.com")
	if me := c.Get("/api/auth/me").Want(200); me.Value("profileStatus") != nil {
		t.Errorf("answer %s", me.Raw)
	}
	c.Patch("/api/auth/me", m{"profile": m{"firstName": "Ext"}}).Want(200)
	if got := c.Get("/api/auth/me").Want(200).Text("profile.firstName"); got != "Ext" {
		t.Errorf("first name %q", got)
	}
	mu.Lock()
	down = true
	mu.Unlock()
	me := c.Get("/api/auth/me").Want(200)
	if me.Text("profileStatus") != "unavailable" || me.Text("profile.firstName") != "" {
		t.Errorf("degraded answer %s", me.Raw)
	}
	c.Patch("/api/auth/me", m{"profile": m{"firstName": "No"}}).Problem(503, "profile_unavailable")
	w.Client().Login(m{"email": "ext@example.com", "password": lanyardtest.Password})
}

func readAll(r *http.Request) string {
	b := new(strings.Builder)
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func TestParallelRegistrationsOfOneNameMakeOne(t *testing.T) {
	w := lanyardtest.Start(t)
	statuses := make([]int, 20)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			statuses[i] = w.Client().Post("/api/auth/register", m{"username": "only.one", "password": lanyardtest.Password}).Status
		})
	}
	wg.Wait()
	won := 0
	for _, s := range statuses {
		if s == 201 {
			won++
		} else if s != 409 {
			t.Errorf("status %d", s)
		}
	}
	if won != 1 {
		t.Errorf("%d registrations succeeded", won)
	}
}

func TestConcurrentSignInsAreNeitherLostNorDouble(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_SESSION_LIMIT=1000")
	c := w.Registered("crowd@example.com")
	const n = 300
	var wg sync.WaitGroup
	ids := make([]string, n)
	limit := make(chan struct{}, 64)
	for i := range n {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			ids[i] = w.Client().Post("/api/auth/login", m{"email": "crowd@example.com", "password": lanyardtest.Password, "delivery": "body"}).Want(200).Text("session.id")
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, s := range ids {
		seen[s] = true
	}
	if len(seen) != n || seen[""] {
		t.Errorf("%d sessions for %d sign-ins", len(seen), n)
	}
	_ = c
}

func TestSuspendedUserCannotSignIn(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("sus@example.com")
	if err := w.Store.Write(context.Background(), table.Update(table.UserState(c.UserID)).Set("status", account.Suspended)); err != nil {
		t.Fatal(err)
	}
	c.Get("/api/auth/me").Problem(401, "session_revoked")
	c.Access = ""
	c.Post("/api/auth/login", m{"email": "sus@example.com", "password": lanyardtest.Password}).Problem(401, "invalid_credentials")
	c.Post("/api/auth/forgot-password", m{"email": "sus@example.com"}).Want(202)
	before := len(w.Mails("sus@example.com"))
	if before != 1 { // the verification of the beginning
		t.Errorf("%d mails", before)
	}
}

func TestPublicDocuments(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	keys := c.Get("/.well-known/jwks.json").Want(200)
	if keys.Text("keys.0.kid") == "" || keys.Value("keys.0.d") != nil || keys.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("keys %s", keys.Raw)
	}
	if got := c.Get("/.well-known/oauth-authorization-server").Want(200).Text("jwks_uri"); got != w.Config.PublicURL+"/.well-known/jwks.json" {
		t.Errorf("jwks_uri %q", got)
	}
	if got := c.Get("/openapi.json").Want(200).Text("openapi"); !strings.HasPrefix(got, "3.1") {
		t.Errorf("openapi %q", got)
	}
	docs := c.Get("/docs").Want(200)
	if !strings.Contains(string(docs.Raw), "/api/auth/login") || strings.Contains(string(docs.Raw), "<script") {
		t.Error("docs page")
	}
	if got := c.Get("/healthz").Want(200).Text("status"); got != "ok" {
		t.Errorf("health %q", got)
	}
	c.Get("/nowhere").Problem(404, "not_found")
	c.Get("/.git/config").Problem(404, "not_found")
	c.Get("/api/auth/login").Problem(405, "method_not_allowed")
	c.Do(http.MethodHead, "/healthz", nil).Want(405)
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_CORS_ORIGINS=https://app.example.com")
	w.Registered("x@example.com")
	for name, tc := range map[string]struct {
		header map[string]string
		status int
	}{
		"own origin":         {map[string]string{"Origin": "http://127.0.0.1:8080"}, 200},
		"other own name":     {map[string]string{"Origin": "http://localhost:8080"}, 200},
		"listed origin":      {map[string]string{"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}, 200},
		"no header":          {map[string]string{}, 200},
		"evil origin":        {map[string]string{"Origin": "https://evil.example"}, 403},
		"null origin":        {map[string]string{"Origin": "null"}, 403},
		"listed, plain http": {map[string]string{"Origin": "http://app.example.com"}, 403},
		"cross-site":         {map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"same-site":          {map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.Browser()
			b.Header.Del("Sec-Fetch-Site")
			for k, v := range tc.header {
				b.Header.Set(k, v)
			}
			b.Post("/api/auth/login", m{"email": "x@example.com", "password": lanyardtest.Password}).Want(tc.status)
		})
	}
	c := w.Client()
	c.Header.Set("Origin", "https://app.example.com")
	c.Header.Set("Access-Control-Request-Method", "POST")
	a := c.Do(http.MethodOptions, "/api/auth/login", nil).Want(204)
	if a.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || a.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight %v", a.Header)
	}
	form := w.Client()
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	form.Post("/api/auth/login", "email=x").Problem(415, "unsupported_media_type")
	form.Header.Set("Content-Type", "Application/JSON; charset=utf-8") // media types have no case
	form.Post("/api/auth/login", m{"email": "x@example.com", "password": lanyardtest.Password}).Want(200)
}

func TestCredentialsInOddFormsAreRefused(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("o1@example.com")
	d := w.Registered("o2@example.com")
	try := func(name string, status int, code string, set func(h http.Header)) {
		t.Run(name, func(t *testing.T) {
			x := w.Client()
			set(x.Header)
			a := x.Get("/api/auth/me?x=1")
			if status == 200 {
				x.Get("/api/auth/me").Want(200)
				return
			}
			_ = a
			x.Get("/api/auth/me").Problem(status, code)
		})
	}
	try("lower case scheme", 200, "", func(h http.Header) { h.Set("Authorization", "bearer "+c.Access) })
	try("basic", 401, "invalid_token", func(h http.Header) { h.Set("Authorization", "Basic Zm9v") })
	try("tab", 401, "invalid_token", func(h http.Header) { h.Set("Authorization", "Bearer\t"+c.Access) })
	try("two headers", 400, "invalid_request", func(h http.Header) { h["Authorization"] = []string{"Bearer " + c.Access, "Bearer " + d.Access} })
	try("two subjects", 400, "invalid_request", func(h http.Header) {
		h.Set("Authorization", "Bearer "+c.Access)
		h.Set("Cookie", "lanyard_access="+d.Access)
	})
	try("one subject twice", 200, "", func(h http.Header) {
		h.Set("Authorization", "Bearer "+c.Access)
		h.Set("Cookie", "lanyard_access="+c.Access)
	})
	try("two cookies", 400, "invalid_request", func(h http.Header) { h.Set("Cookie", "lanyard_access="+c.Access+"; lanyard_access="+d.Access) })
	try("refresh token as access token", 401, "invalid_token", func(h http.Header) { h.Set("Authorization", "Bearer "+c.Refresh) })
	try("nothing", 401, "unauthenticated", func(http.Header) {})
	x := w.Client()
	x.Get("/api/auth/me?access_token="+c.Access).Problem(401, "unauthenticated")
}

func TestRoundTripsStayWithinWhatOperationsDeclare(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("rt@example.com")
	for _, tc := range []struct {
		what string
		most int
		do   func()
	}{
		{"me", 2, func() { c.Get("/api/auth/me").Want(200) }},
		{"refresh", 2, func() { c.Keep(c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(200)) }},
		{"login", 3, func() {
			w.Client().Post("/api/auth/login", m{"email": "rt@example.com", "password": lanyardtest.Password}).Want(200)
		}},
		{"forgot-password", 1, func() { c.Post("/api/auth/forgot-password", m{"email": "rt@example.com"}).Want(202) }},
		{"logout", 2, func() { c.Post("/api/auth/logout", m{"refreshToken": c.Refresh}).Want(204) }},
	} {
		w.Store.Transport.Reset()
		tc.do()
		if n := w.Store.Transport.Calls(); n > tc.most {
			t.Errorf("%s: %d requests to the store, want at most %d", tc.what, n, tc.most)
		}
	}
	cached := lanyardtest.Start(t, "LANYARD_SESSION_CHECK_TTL=60s")
	d := cached.Registered("rt@example.com")
	d.Get("/api/auth/me").Want(200)
	cached.Store.Transport.Reset()
	d.Get("/api/auth/me").Want(200)
	if n := cached.Store.Transport.Calls(); n != 1 {
		t.Errorf("me with a cached session check: %d requests", n)
	}
	d.Post("/api/auth/logout", m{"refreshToken": d.Refresh}).Want(204)
	d.Get("/api/auth/me").Problem(401, "session_revoked") // this process forgets at once
}
