package signin

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// waves counts round trips that wait for one another: it holds every request to
// the store until no further one has come for a while, lets all of them go and
// counts one. What runs in parallel counts once.
type waves struct {
	mu   sync.Mutex
	held []chan struct{}
	n    int
	last time.Time
	done chan struct{}
}

// lull is how long no further request must come before a wave goes. It is far
// longer than goroutines of one process need to send what they have.
const lull = 400 * time.Millisecond

func (w *waves) hold(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
	gate := make(chan struct{})
	w.mu.Lock()
	w.held = append(w.held, gate)
	w.last = time.Now()
	w.mu.Unlock()
	<-gate
	return next.RoundTrip(r)
}

func (w *waves) run() {
	tick := time.NewTicker(lull / 10)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			w.mu.Lock()
			if len(w.held) > 0 && time.Since(w.last) >= lull {
				w.n++
				for _, gate := range w.held {
					close(gate)
				}
				w.held = nil
			}
			w.mu.Unlock()
		}
	}
}

// With everything on that is on by default - the limiter, known devices, a
// session check at every request - requests to the store that wait for one
// another are few, whatever their number.
func TestRoundTripsThatWaitForOneAnotherAreFew(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_THROTTLE=on")
	const email = "wave@example.com"
	c := w.Registered(email)
	credentials := m{"email": email, "password": lanyardtest.Password}
	for _, tc := range []struct {
		what string
		most int
		do   func()
	}{
		{"login", 3, func() { w.Client().Post("/api/auth/login", credentials).Want(200) }},
		{"login of nobody", 3, func() {
			w.Client().Post("/api/auth/login", m{"email": "nobody@example.com", "password": lanyardtest.Password}).Want(401)
		}},
		{"refresh", 1, func() { c.Keep(c.Post("/api/auth/refresh", m{"refreshToken": c.Refresh}).Want(200)) }},
		{"me, the session check included", 2, func() { c.Get("/api/auth/me").Want(200) }},
	} {
		held := &waves{done: make(chan struct{})}
		var wg sync.WaitGroup
		wg.Go(held.run)
		w.Store.Transport.Intercept(held.hold)
		tc.do()
		w.Store.Transport.Intercept(nil)
		close(held.done)
		wg.Wait()
		t.Logf("%s: %d", tc.what, held.n)
		if held.n > tc.most || held.n == 0 {
			t.Errorf("%s: %d round trips one after another, want at most %d", tc.what, held.n, tc.most)
		}
	}
}
