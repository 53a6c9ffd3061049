package signin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// TestASlowSystemOfRecordDegradesAnswersAndHoldsNobodyUp hangs the system of
// record: readers get the user without a profile, writers a 503, nothing else
// waits for it.
func TestASlowSystemOfRecordDegradesAnswersAndHoldsNobodyUp(t *testing.T) {
	var hangs atomic.Bool
	release := make(chan struct{})
	record := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(record.Close)
	t.Cleanup(func() { close(release) })
	w := lanyardtest.Start(t, "LANYARD_PROFILE_SOURCE=http", "LANYARD_PROFILE_URL="+record.URL, "LANYARD_PROFILE_TIMEOUT=100ms")
	c := w.Registered("slow@example.com")
	hangs.Store(true)
	if me := c.Get("/api/auth/me").Want(200); me.Text("profileStatus") != "unavailable" || me.Text("email") != "slow@example.com" {
		t.Errorf("degraded answer %s", me.Raw)
	}
	c.Patch("/api/auth/me", m{"profile": m{"firstName": "No"}}).Problem(503, "profile_unavailable")
	w.Client().Login(m{"email": "slow@example.com", "password": lanyardtest.Password})
}

// TestANewTokensLifeIsAlwaysTheSame lets time pass between the making of the
// tokens and the answer, which waits for the system of record.
func TestANewTokensLifeIsAlwaysTheSame(t *testing.T) {
	var w *lanyardtest.World
	var passes atomic.Bool
	record := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		if passes.Load() {
			w.Clock.Advance(1700 * time.Millisecond)
		}
		out.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(record.Close)
	w = lanyardtest.Start(t, "LANYARD_PROFILE_SOURCE=http", "LANYARD_PROFILE_URL="+record.URL)
	w.Registered("ann@example.com")
	passes.Store(true)
	before := w.Clock.Now()
	credentials := m{"email": "ann@example.com", "password": lanyardtest.Password}
	a := w.Client().Post("/api/auth/login", credentials).Want(200)
	if w.Clock.Now().Equal(before) {
		t.Fatal("no time passed")
	}
	if len(a.Cookies) == 0 || !strings.Contains(a.Cookies[0].Name, "access") || a.Cookies[0].MaxAge != 900 {
		t.Errorf("cookies %v", a.Cookies)
	}
	credentials["delivery"] = "body"
	a = w.Client().Post("/api/auth/login", credentials).Want(200)
	if got := a.Value("tokens.expiresIn"); got != 900.0 {
		t.Errorf("expiresIn %v", got)
	}
	a = w.Client().Post("/api/auth/refresh", m{"refreshToken": a.Text("tokens.refreshToken")}).Want(200)
	if got := a.Value("tokens.expiresIn"); got != 900.0 {
		t.Errorf("expiresIn %v after a refresh", got)
	}
}
