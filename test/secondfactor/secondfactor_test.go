// Package secondfactor tests the routes of the second factor as clients and
// attackers meet them. Names in brackets are cases of the security yardstick.
package secondfactor

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// victim is a user with an authenticator app.
type victim struct {
	*lanyardtest.Client
	w      *lanyardtest.World
	email  string
	secret string
	codes  []string // recovery codes
}

// code gives the app's code at an offset from now, in steps.
func (v *victim) code(steps int) string {
	v.w.T.Helper()
	c, err := totp.GenerateCode(v.secret, v.w.Clock.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		v.w.T.Fatal(err)
	}
	return c
}

// wrong gives a code that is none of the window's.
func (v *victim) wrong() string {
	for i := range 20 {
		c := fmt.Sprintf("%06d", i*7)
		if c != v.code(-2) && c != v.code(-1) && c != v.code(0) && c != v.code(1) && c != v.code(2) {
			return c
		}
	}
	panic("unreachable")
}

// enrolled makes a user with a second factor in force.
func enrolled(w *lanyardtest.World, email string) *victim {
	w.T.Helper()
	v := &victim{Client: w.Registered(email), w: w, email: email}
	a := v.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200)
	v.secret = a.Text("secret")
	for _, c := range v.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": v.code(0)}).Want(200).Value("recoveryCodes").([]any) {
		v.codes = append(v.codes, c.(string))
	}
	w.Clock.Advance(time.Minute) // the code of the enrolment is used up
	return v
}

// pending signs in with the password and gives the pending token.
func (v *victim) pending(c *lanyardtest.Client) string {
	v.w.T.Helper()
	a := c.Post("/api/auth/login", map[string]any{"email": v.email, "password": lanyardtest.Password, "delivery": "body"}).Want(200)
	if a.Value("mfaRequired") != true || a.Text("mfaToken") == "" {
		v.w.T.Fatalf("login: %s", a.Raw)
	}
	return a.Text("mfaToken")
}

func verify(c *lanyardtest.Client, mfaToken, code string) *lanyardtest.Answer {
	return c.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": mfaToken, "code": code, "delivery": "body"})
}

// claims reads an access token without checking it.
func claims(t *testing.T, access string) map[string]any {
	t.Helper()
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		t.Fatalf("access token of %d parts", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSignInNeedsTheSecondFactor(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	c := w.Client()
	a := verify(c, v.pending(c), v.code(0)).Want(200)
	c.Keep(a)
	if c.Get("/api/auth/me").Want(200).Value("mfaEnabled") != true {
		t.Error("mfaEnabled is not shown")
	}
	if amr := claims(t, c.Access)["amr"]; fmt.Sprint(amr) != "[pwd otp mfa]" {
		t.Errorf("amr %v", amr)
	}
	for _, e := range []audit.Type{audit.MFAEnrolled, audit.MFAEnabled, audit.MFAPending, audit.MFAVerified, audit.SignedIn} {
		if len(w.Events(v.UserID, e)) == 0 {
			t.Errorf("no %s event", e)
		}
	}
}

func TestBrowserGetsCookiesAfterTheSecondFactorOnly(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	b := w.Browser()
	a := b.Post("/api/auth/login", map[string]any{"email": v.email, "password": lanyardtest.Password}).Want(200)
	if len(a.Cookies) != 0 {
		t.Fatalf("[F1] cookies before the second factor: %v", a.Cookies)
	}
	b.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": a.Text("mfaToken"), "code": v.code(0)}).Want(200)
	b.Get("/api/auth/me").Want(200)
}

func TestF1_PasswordAloneOpensNothing(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	c := w.Client()
	a := c.Post("/api/auth/login", map[string]any{"email": v.email, "password": lanyardtest.Password, "delivery": "body"}).Want(200)
	for _, k := range []string{"user", "session", "tokens"} {
		if a.Value(k) != nil {
			t.Errorf("the answer holds %s", k)
		}
	}
	pending := a.Text("mfaToken")
	c.Access = pending
	for _, path := range []string{"/api/auth/me", "/api/auth/sessions", "/api/organizations"} {
		if got := c.Get(path); got.Status != 401 {
			t.Errorf("%s with a pending token: %d", path, got.Status)
		}
	}
	c.Access = ""
	c.Post("/api/auth/refresh", map[string]any{"refreshToken": pending}).Problem(401, "invalid_refresh_token")
	c.Post("/api/auth/reset-password", map[string]any{"token": pending, "newPassword": "another horse battery staple"}).Want(422)
	w.Clock.Advance(10 * time.Minute)
	verify(c, pending, v.code(0)).Problem(401, "invalid_mfa_code")
	again := v.pending(c)
	verify(c, again, v.code(0)).Want(200)
	w.Clock.Advance(time.Minute)
	verify(c, again, v.code(0)).Problem(401, "invalid_mfa_code") // once
	for name, forged := range map[string]string{"noise": "x", "cut": pending[:len(pending)-1], "refresh token": v.Refresh, "flipped": "B" + pending[1:]} {
		if got := verify(c, forged, v.code(0)); got.Status != 401 {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
}

func TestF1_APendingSignInEndsWithItsPassword(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	c := w.Client()
	pending := v.pending(c)
	v.Post("/api/auth/change-password", map[string]any{"currentPassword": lanyardtest.Password, "newPassword": "another horse battery staple"}).Want(204)
	verify(c, pending, v.code(0)).Problem(401, "invalid_mfa_code")
}

func TestF2_ACodeWorksOnce(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	c := w.Client()
	first, second := v.pending(c), v.pending(c)
	used := v.code(0)
	done := verify(c, first, used).Want(200)
	verify(c, second, used).Problem(401, "invalid_mfa_code")
	c.Keep(done)
	c.Delete("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password, "code": used}).Problem(401, "invalid_mfa_code")
	verify(c, second, v.code(-1)).Problem(401, "invalid_mfa_code") // an earlier one neither
	verify(c, second, v.code(1)).Want(200)                         // control
}

func TestF2_OneOfManyParallelUsesOfACodeWins(t *testing.T) {
	for _, method := range []string{"totp", "recovery"} {
		t.Run(method, func(t *testing.T) {
			w := lanyardtest.Start(t)
			v := enrolled(w, "alice@example.com")
			code := v.code(0)
			if method == "recovery" {
				code = v.codes[3]
			}
			var tokens []string
			for range 8 {
				tokens = append(tokens, v.pending(w.Client()))
			}
			won := make(chan int, len(tokens))
			var g sync.WaitGroup
			for _, p := range tokens {
				g.Go(func() { won <- verify(w.Client(), p, code).Status })
			}
			g.Wait()
			close(won)
			ok := 0
			for status := range won {
				switch status {
				case 200:
					ok++
				case 401:
				default:
					t.Errorf("status %d", status)
				}
			}
			if ok != 1 {
				t.Errorf("%d uses of one code succeeded", ok)
			}
		})
	}
}

func TestF4_GuessesAreBoundedPerAccountOverAllSessions(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_THROTTLE=on", "LANYARD_LIMIT_SIGNIN=1000/15m", "LANYARD_LIMIT_SIGNIN_ACCOUNT=1000/15m", "LANYARD_LIMIT_SIGNIN_CONSECUTIVE=1000/15m")
	v := enrolled(w, "alice@example.com")
	wrong := v.wrong()
	var tokens []string
	for range 20 {
		tokens = append(tokens, v.pending(w.Client()))
	}
	var mu sync.Mutex
	seen := map[int]int{}
	var g sync.WaitGroup
	for _, p := range tokens {
		g.Go(func() {
			a := verify(w.Client(), p, wrong)
			mu.Lock()
			seen[a.Status]++
			mu.Unlock()
			if a.Status == 429 && a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	g.Wait()
	if seen[401] != 5 || seen[429] != 15 {
		t.Errorf("20 guesses in parallel: %v, expected 5 evaluated", seen)
	}
	verify(w.Client(), v.pending(w.Client()), v.code(0)).Problem(429, "too_many_requests") // the right one tells nothing
	told := 0
	for _, m := range w.Mails(v.email) {
		if strings.Contains(strings.ToLower(m.Subject), "code") || strings.Contains(strings.ToLower(m.Subject), "second") || strings.Contains(strings.ToLower(m.Subject), "password") {
			told++
		}
	}
	if told == 0 {
		var subjects []string
		for _, m := range w.Mails(v.email) {
			subjects = append(subjects, m.Subject)
		}
		t.Errorf("the owner was not told: %v", subjects)
	}
	// The owner's own device has a budget of its own.
	w.Clock.Advance(16 * time.Minute)
	owner := w.Client()
	done := verify(owner, v.pending(owner), v.code(0)).Want(200)
	device := done.Text("tokens.deviceToken")
	w.Clock.Advance(time.Minute)
	for range 8 {
		c := w.Client()
		verify(c, v.pending(c), wrong)
	}
	again := w.Client()
	again.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": v.pending(again), "code": v.code(0), "delivery": "body", "deviceToken": device}).Want(200)
}

func TestF5_OnlyTheStepBesideIsAccepted(t *testing.T) {
	for steps := -3; steps <= 3; steps++ {
		w := lanyardtest.Start(t)
		v := enrolled(w, "alice@example.com")
		w.Clock.Advance(5 * time.Minute)
		got := verify(w.Client(), v.pending(w.Client()), v.code(steps)).Status
		want := 401
		if steps >= -1 && steps <= 1 {
			want = 200
		}
		if got != want {
			t.Errorf("step %+d: %d, want %d", steps, got, want)
		}
	}
}

func TestF7_GuessesStayCountedWhateverComesOfTheSignIn(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_THROTTLE=on")
	v := enrolled(w, "alice@example.com")
	wrong := v.wrong()
	for range 4 {
		verify(w.Client(), v.pending(w.Client()), wrong).Problem(401, "invalid_mfa_code")
	}
	pending := v.pending(w.Client())
	w.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "TransactWriteItems" {
			return nil, context.DeadlineExceeded
		}
		return next.RoundTrip(r)
	})
	if a := verify(w.Client(), pending, v.code(0)); a.Status < 500 {
		t.Fatalf("a sign-in whose transaction fails: %d", a.Status)
	}
	w.Store.Transport.Intercept(nil)
	verify(w.Client(), pending, wrong).Problem(429, "too_many_requests")
}

func TestF8_ASecretIsInForceAfterConfirmationAndNeverShownAgain(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("alice@example.com")
	c.Post("/api/auth/mfa/totp", map[string]any{"password": "wrong horse battery staple"}).Problem(401, "invalid_credentials")
	a := c.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200)
	secret := a.Text("secret")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil || len(raw) < 20 {
		t.Fatalf("secret of %d bytes, %v", len(raw), err)
	}
	link, err := url.Parse(a.Text("otpauthUrl"))
	if err != nil || link.Scheme != "otpauth" || link.Query().Get("secret") != secret {
		t.Errorf("otpauthUrl %v", link)
	}
	w.Client().Login(map[string]any{"email": "alice@example.com", "password": lanyardtest.Password}) // not in force yet
	if me := c.Get("/api/auth/me").Want(200); strings.Contains(string(me.Raw), secret) || me.Value("mfaEnabled") != false {
		t.Errorf("me: %s", me.Raw)
	}
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": "000000"}).Problem(401, "invalid_mfa_code")
	w.Clock.Advance(16 * time.Minute)
	c.Keep(c.Post("/api/auth/refresh", map[string]any{"refreshToken": c.Refresh}).Want(200))
	late, err := totp.GenerateCode(secret, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": late}).Problem(409, "mfa_not_active")
	dump := w.Dump()
	for _, form := range []string{secret, string(raw), fmt.Sprintf("%x", raw)} {
		if strings.Contains(dump, form) || strings.Contains(w.Logs.String(), form) {
			t.Errorf("the secret is readable in the table or the log")
		}
	}
}

func TestF10_NothingElseGivesASessionWithoutTheSecondFactor(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	c := w.Client()
	c.Post("/api/auth/forgot-password", map[string]any{"email": v.email}).Want(202)
	next := "another horse battery staple"
	a := c.Post("/api/auth/reset-password", map[string]any{"token": w.MailedToken(v.email), "newPassword": next}).Want(204)
	if len(a.Cookies) > 0 {
		t.Errorf("a reset set cookies: %v", a.Cookies)
	}
	for _, delivery := range []string{"cookie", "body"} {
		a := c.Post("/api/auth/login", map[string]any{"email": v.email, "password": next, "delivery": delivery}).Want(200)
		if a.Value("mfaRequired") != true || a.Value("tokens") != nil || len(a.Cookies) > 0 {
			t.Errorf("sign-in after a reset, by %s: %s", delivery, a.Raw)
		}
	}
	v.Post("/api/auth/refresh", map[string]any{"refreshToken": v.Refresh}).Problem(401, "invalid_refresh_token")
}

func TestF11_RecoveryCodesWorkOnceAndAreReplacedWhole(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	if len(v.codes) != 10 {
		t.Fatalf("%d recovery codes", len(v.codes))
	}
	c := w.Client()
	typed := strings.ToUpper(strings.ReplaceAll(v.codes[0], "-", " "))
	c.Keep(verify(c, v.pending(c), typed).Want(200))
	verify(c, v.pending(c), v.codes[0]).Problem(401, "invalid_mfa_code")
	verify(c, v.pending(c), "aaaa-aaaa-aaaa").Problem(401, "invalid_mfa_code")
	verify(c, v.pending(c), "not a code").Problem(401, "invalid_mfa_code")
	c.Post("/api/auth/mfa/recovery-codes", map[string]any{"password": "wrong horse battery staple", "code": v.code(0)}).Problem(401, "invalid_credentials")
	c.Post("/api/auth/mfa/recovery-codes", map[string]any{"password": lanyardtest.Password, "code": v.wrong()}).Problem(401, "invalid_mfa_code")
	fresh := c.Post("/api/auth/mfa/recovery-codes", map[string]any{"password": lanyardtest.Password, "code": v.code(0)}).Want(200).Value("recoveryCodes").([]any)
	verify(c, v.pending(c), v.codes[1]).Problem(401, "invalid_mfa_code")
	verify(c, v.pending(c), fresh[1].(string)).Want(200)
	// A recovery code can renew the set too, and is used up by it.
	again := c.Post("/api/auth/mfa/recovery-codes", map[string]any{"password": lanyardtest.Password, "code": fresh[2].(string)}).Want(200).Value("recoveryCodes").([]any)
	verify(c, v.pending(c), fresh[2].(string)).Problem(401, "invalid_mfa_code")
	dump := w.Dump()
	for _, code := range append(v.codes, again[0].(string)) {
		if strings.Contains(dump, code) || strings.Contains(dump, strings.ReplaceAll(code, "-", "")) {
			t.Error("a recovery code is readable in the table")
		}
	}
	if len(w.Events(v.UserID, audit.RecoveryCodesRenewed)) < 2 {
		t.Error("no event of the renewal")
	}
}

func TestF13_EnablingEndsTheOtherSessions(t *testing.T) {
	w := lanyardtest.Start(t)
	here := w.Registered("alice@example.com")
	there := w.Client()
	there.Login(map[string]any{"email": "alice@example.com", "password": lanyardtest.Password})
	v := &victim{Client: here, w: w, email: "alice@example.com"}
	v.secret = here.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200).Text("secret")
	here.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": v.code(0)}).Want(200)
	there.Get("/api/auth/me").Problem(401, "session_revoked")
	there.Post("/api/auth/refresh", map[string]any{"refreshToken": there.Refresh}).Problem(401, "invalid_refresh_token")
	here.Get("/api/auth/me").Want(200)
	here.Keep(here.Post("/api/auth/refresh", map[string]any{"refreshToken": here.Refresh}).Want(200))
	if amr := fmt.Sprint(claims(t, here.Access)["amr"]); !strings.Contains(amr, "otp") || !strings.Contains(amr, "pwd") {
		t.Errorf("amr after enabling: %s", amr)
	}
	here.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Problem(409, "mfa_already_active")
	here.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": v.code(1)}).Problem(409, "mfa_already_active")
}

func TestRemovingNeedsPasswordAndCode(t *testing.T) {
	w := lanyardtest.Start(t)
	v := enrolled(w, "alice@example.com")
	off := func(password, code string) *lanyardtest.Answer {
		return v.Delete("/api/auth/mfa/totp", map[string]any{"password": password, "code": code})
	}
	off("wrong horse battery staple", v.code(0)).Problem(401, "invalid_credentials")
	off(lanyardtest.Password, v.wrong()).Problem(401, "invalid_mfa_code")
	pending := v.pending(w.Client())
	off(lanyardtest.Password, v.code(0)).Want(204)
	verify(w.Client(), pending, v.code(1)).Problem(401, "invalid_mfa_code")
	w.Client().Login(map[string]any{"email": v.email, "password": lanyardtest.Password})
	off(lanyardtest.Password, v.code(1)).Problem(409, "mfa_not_active")
	err := w.Store.Get(context.Background(), table.RecoveryCodes(v.UserID), table.Strong, &struct{}{})
	if err == nil {
		t.Error("recovery codes are left")
	}
	var subjects []string
	for _, m := range w.Mails(v.email) {
		subjects = append(subjects, m.Subject)
	}
	if len(subjects) < 3 {
		t.Errorf("mails: %v", subjects)
	}
	if len(w.Events(v.UserID, audit.MFADisabled)) == 0 {
		t.Error("no event")
	}
	// With a recovery code, when the app is lost.
	u := enrolled(w, "bob@example.com")
	u.Delete("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password, "code": u.codes[9]}).Want(204)
}

func TestC14_ACodeOrAPendingSignInDoesNotForgivePasswords(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_THROTTLE=on")
	v := enrolled(w, "alice@example.com")
	wrongPassword := func() int {
		return w.Client().Post("/api/auth/login", map[string]any{"email": v.email, "password": "wrong horse battery staple"}).Status
	}
	for range 3 {
		if got := wrongPassword(); got != 401 {
			t.Fatal(got)
		}
	}
	c := w.Client()
	pending := v.pending(c) // the password is right: the fourth attempt
	verify(c, pending, v.wrong()).Problem(401, "invalid_mfa_code")
	if got := []int{wrongPassword(), wrongPassword()}; got[0] != 401 || got[1] != 429 {
		t.Fatalf("after a pending sign-in: %v; its attempt was forgiven", got)
	}
	verify(c, pending, v.code(0)).Want(200)
	if got := wrongPassword(); got != 401 {
		t.Errorf("after a complete sign-in: %d", got)
	}
}

func TestUsernameOnlyUsersCanHaveOne(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Client()
	c.Post("/api/auth/register", map[string]any{"username": "harbourmaster", "password": lanyardtest.Password}).Want(201)
	c.Login(map[string]any{"username": "harbourmaster", "password": lanyardtest.Password})
	secret := c.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200).Text("secret")
	code, err := totp.GenerateCode(secret, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": code}).Want(200)
	a := w.Client().Post("/api/auth/login", map[string]any{"username": "harbourmaster", "password": lanyardtest.Password}).Want(200)
	if a.Value("mfaRequired") != true {
		t.Errorf("login: %s", a.Raw)
	}
}
