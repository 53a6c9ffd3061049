package signin

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// family is the model of one refresh token family: what DESIGN says of it and
// nothing of how it is stored.
type family struct {
	w        *lanyardtest.World
	username string
	password string

	issued    []string // issued[i] is generation i+1; the last one is current
	rotatedAt time.Time
	rotatedBy string // the user agent that rotated last
	began     time.Time
	dead      bool
}

const grace, sliding, absolute = 10 * time.Second, 7 * 24 * time.Hour, 30 * 24 * time.Hour

// expect says what presenting a generation (from 0) must give: the successor's
// index, or -1 for a refusal. It moves the model on.
func (f *family) expect(gen int, agent string) int {
	now := f.w.Clock.Now()
	last := len(f.issued) - 1
	switch {
	case f.dead, now.Sub(f.rotatedAt) >= sliding, now.Sub(f.began) >= absolute:
		return -1
	case gen == last:
		f.rotatedAt, f.rotatedBy = now, agent
		return last + 1
	case gen == last-1 && now.Sub(f.rotatedAt) <= grace && f.rotatedBy == agent:
		return last
	}
	f.dead = true
	return -1
}

// present sends a generation and holds the answer to the model.
func (f *family) present(t *rapid.T, gen int, agent string) {
	c := f.client(agent)
	raw := f.issued[gen]
	f.judge(t, f.expect(gen, agent), c.Post("/api/auth/refresh", m{"refreshToken": raw}))
}

// judge holds one answer to what was expected.
func (f *family) judge(t *rapid.T, want int, a *lanyardtest.Answer) {
	if want < 0 {
		if a.Status != http.StatusUnauthorized || a.Text("code") != "invalid_refresh_token" {
			t.Fatalf("status %d, want a refusal: %s", a.Status, a.Raw)
		}
		return
	}
	if a.Status != http.StatusOK {
		t.Fatalf("status %d, want generation %d: %s", a.Status, want+1, a.Raw)
	}
	next := a.Text("tokens.refreshToken")
	if want == len(f.issued) {
		f.issued = append(f.issued, next)
	}
	if next != f.issued[want] {
		t.Fatalf("two successors of generation %d", want)
	}
	me := f.client("check")
	me.Access = a.Text("tokens.accessToken")
	if got := me.Get("/api/auth/me").Status; got != http.StatusOK {
		t.Fatalf("the new access token gives %d", got)
	}
}

func (f *family) client(agent string) *lanyardtest.Client {
	c := f.w.Client()
	c.Header.Set("User-Agent", agent)
	return c
}

const honest, thief = "honest", "thief"

// TestRotationAgreesWithItsModel drives one family with every kind of trouble
// against the model. Invariants held at every step: a generation has one
// successor, never two; reuse ends the family; the honest client that repeats
// itself within the grace window stays signed in.
func TestRotationAgreesWithItsModel(t *testing.T) {
	w := lanyardtest.Start(t)
	var users atomic.Int64
	// Each run is dozens of requests; a larger -rapid.checks is taken as asked.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("30"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
	}
	rapid.Check(t, func(t *rapid.T) {
		f := &family{w: w, username: fmt.Sprintf("rotates-%d", users.Add(1)), password: lanyardtest.Password}
		w.Client().Post("/api/auth/register", m{"username": f.username, "password": f.password}).Want(201)
		first := f.client(honest)
		first.Login(m{"username": f.username, "password": f.password})
		f.issued, f.rotatedAt, f.rotatedBy, f.began = []string{first.Refresh}, w.Clock.Now(), honest, w.Clock.Now()

		other := func() *lanyardtest.Client {
			c := f.client("elsewhere")
			c.Login(m{"username": f.username, "password": f.password})
			return c
		}
		recent := func(t *rapid.T) int {
			return max(0, len(f.issued)-1-rapid.IntRange(0, 2).Draw(t, "back"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"refreshes": func(t *rapid.T) { f.present(t, len(f.issued)-1, honest) },
			"loses the answer and retries": func(t *rapid.T) {
				gen := len(f.issued) - 1
				f.present(t, gen, honest)
				f.present(t, gen, honest)
			},
			"store loses the reply": func(t *rapid.T) {
				var once sync.Once
				w.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
					res, err := next.RoundTrip(r)
					if op == "TransactWriteItems" && err == nil {
						once.Do(func() { _ = res.Body.Close(); res, err = nil, errors.New("connection reset") })
					}
					return res, err
				})
				defer w.Store.Transport.Intercept(nil)
				f.present(t, len(f.issued)-1, honest)
			},
			"repeats an earlier token": func(t *rapid.T) { f.present(t, recent(t), honest) },
			"parallel tabs": func(t *rapid.T) {
				gen := len(f.issued) - 1
				raw, answers := f.issued[gen], make([]*lanyardtest.Answer, 5)
				var wg sync.WaitGroup
				for i := range answers {
					wg.Go(func() { answers[i] = f.client(honest).Post("/api/auth/refresh", m{"refreshToken": raw}) })
				}
				wg.Wait()
				for _, a := range answers {
					f.judge(t, f.expect(gen, honest), a)
				}
			},
			"thief": func(t *rapid.T) { f.present(t, recent(t), thief) },
			"time passes": func(t *rapid.T) {
				w.Clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second, grace, grace + time.Second, time.Hour, 3 * 24 * time.Hour, sliding}).Draw(t, "by"))
			},
			"signs out": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				w.Client().Post("/api/auth/logout", m{"refreshToken": f.issued[recent(t)]}).Want(204)
				f.dead = true
			},
			"signs out everywhere": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				other().Post("/api/auth/logout-all", nil).Want(204)
				f.dead = true
			},
			"changes the password elsewhere": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				next := newPassword
				if f.password == newPassword {
					next = lanyardtest.Password
				}
				other().Post("/api/auth/change-password", m{"currentPassword": f.password, "newPassword": next}).Want(204)
				f.password, f.dead = next, true
			},
		})
	})
}
