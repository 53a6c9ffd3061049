package signin

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

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
