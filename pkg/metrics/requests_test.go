package metrics_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

// watched is a running Lanyard with the lines of its requests.
type watched struct {
	*lanyardtest.World
	t     *testing.T
	lines *lanyardtest.Buffer
	seen  int
}

func watch(t *testing.T, env ...string) *watched {
	t.Helper()
	w := &watched{World: lanyardtest.Start(t, env...), t: t, lines: &lanyardtest.Buffer{}}
	w.OnRequest(metrics.Observer(w.lines, w.Assembly.Deps.Log, "test", w.Clock.Now))
	return w
}

// after gives the line of the one request that do makes.
func (w *watched) after(do func() *lanyardtest.Answer) map[string]any {
	w.t.Helper()
	a := do()
	all := strings.Split(strings.TrimSpace(w.lines.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(all[len(all)-1]), &line); err != nil || len(all) <= w.seen {
		w.t.Fatalf("no new line after %s (%v)", a.Raw, err)
	}
	w.seen = len(all)
	if line["status"] != float64(a.Status) {
		w.t.Fatalf("the line is of another request: %v, answered was %d", line, a.Status)
	}
	return line
}

// is compares members of a line.
func is(t *testing.T, what string, line map[string]any, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got := line[name]; fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("%s: %s is %v, want %v", what, name, got, value)
		}
	}
}

func TestOnlyReuseCountsAsReuse(t *testing.T) {
	w := watch(t)
	thief, owner := w.Client(), w.Registered("reuse@example.com")
	thief.Header.Set("User-Agent", "elsewhere")
	copied := owner.Refresh
	refresh := func(c *lanyardtest.Client, raw string) func() *lanyardtest.Answer {
		return func() *lanyardtest.Answer { return c.Post("/api/auth/refresh", map[string]any{"refreshToken": raw}) }
	}
	none := map[string]any{"status": 401, metrics.Refused: 1, metrics.RefreshReuse: 0, "reason": nil, "code": "invalid_refresh_token"}
	is(t, "rotation", w.after(func() *lanyardtest.Answer {
		a := refresh(owner, copied)()
		owner.Keep(a.Want(http.StatusOK))
		return a
	}), map[string]any{metrics.RefreshReuse: 0, metrics.Refused: 0, "operation": "auth-refresh"})
	is(t, "nobody's token", w.after(refresh(thief, "lr1.nothing")), none)
	is(t, "no token", w.after(refresh(thief, "")), none)
	w.Clock.Advance(time.Hour)
	is(t, "the copy, used after the owner", w.after(refresh(thief, copied)), map[string]any{
		"status": 401, metrics.Refused: 1, metrics.RefreshReuse: 1, "reason": "refresh_reuse", "code": "invalid_refresh_token",
	})
	is(t, "the copy again: the session has ended", w.after(refresh(thief, copied)), none)
	is(t, "the owner's", w.after(refresh(owner, owner.Refresh)), none)
}

func TestALockoutIsCountedOnceAndWhatItRefusesNamesItsLimit(t *testing.T) {
	const email = "locked@example.com"
	const at = 5 // LANYARD_LIMIT_SIGNIN, _PASSWORD and _MFA
	w := watch(t, "LANYARD_THROTTLE=on")
	owner := w.Registered(email)
	secret := owner.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(200).Text("secret")
	code, err := totp.GenerateCode(secret, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	owner.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": code}).Want(200)
	login := func(who, password string) func() *lanyardtest.Answer {
		return func() *lanyardtest.Answer {
			return w.Client().Post("/api/auth/login", map[string]any{"email": who, "password": password, "delivery": "body"})
		}
	}
	// Half a sign-in: a right password is forgotten at the second factor only.
	pending := login(email, lanyardtest.Password)().Want(200).Text("mfaToken")
	for _, tc := range []struct {
		name, limit string
		before      int // attempts that count already
		guess       func() *lanyardtest.Answer
	}{
		{"password of an account", "signin", 1, login(email, "wrong horse battery staple")},
		{"password of nobody", "signin", 0, login("nobody@example.com", "wrong horse battery staple")},
		{"password of a signed-in user", "password", 0, func() *lanyardtest.Answer {
			return owner.Post("/api/auth/change-password", map[string]any{"currentPassword": "wrong horse battery staple", "newPassword": "another horse battery staple"})
		}},
		{"second factor", "mfa", 0, func() *lanyardtest.Answer {
			return w.Client().Post("/api/auth/mfa/verify", map[string]any{"mfaToken": pending, "code": "abcde-fghij", "delivery": "body"})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := tc.before + 1; i <= at+2; i++ {
				want := map[string]any{"status": 401, metrics.Lockouts: 0, metrics.Throttled: 0, "reason": nil}
				switch {
				case i == at:
					want[metrics.Lockouts], want["reason"] = 1, "lockout"
				case i > at:
					want = map[string]any{"status": 429, metrics.Lockouts: 0, metrics.Throttled: 1, "reason": tc.limit}
				}
				is(t, fmt.Sprintf("guess %d", i), w.after(tc.guess), want)
			}
		})
	}
}
