// Package attack attacks a Lanyard over HTTP. Every case has an id; docs/security.md
// lists them with what is held and by which test, and each stands beside its
// positive control: the same request without the attack works, so that a server
// that refuses everything fails too.
//
// The world runs in process behind a loopback listener. With LANYARD_TEST_ATTACK_URL
// the cases that need nothing but HTTP run against the deployment there; use one
// that holds nobody's data.
package attack

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// attack is one case.
type attack struct {
	id   string
	does string
	// remote cases use a target's public routes only.
	remote bool
	run    func(t *testing.T, s *site)
}

// attacks are all cases of this package, by chapter.
func attacks() []attack {
	return slices.Concat(jwtAttacks(), refreshAttacks(), passwordAttacks(), mailAttacks(), addressAttacks(),
		tenantAttacks(), browserAttacks(), gatewayAttacks(), limitAttacks(), trailAttacks(), inputAttacks(), operatorAttacks())
}

func TestAttacks(t *testing.T) {
	url := strings.TrimSuffix(os.Getenv("LANYARD_TEST_ATTACK_URL"), "/")
	for _, a := range attacks() {
		t.Run(a.id+" "+a.does, func(t *testing.T) {
			if url != "" && !a.remote {
				t.Skip("needs to see inside the target")
			}
			t.Parallel()
			a.run(t, &site{t: t, url: url})
		})
	}
}

// site is where an attack takes place.
type site struct {
	t   *testing.T
	url string
	w   *lanyardtest.World
}

// start runs the target; env are settings beyond the kit's.
func (s *site) start(env ...string) *lanyardtest.World {
	s.t.Helper()
	if s.w == nil {
		if s.url != "" {
			s.w = &lanyardtest.World{T: s.t, URL: s.url}
		} else {
			s.w = lanyardtest.Start(s.t, env...)
		}
	}
	return s.w
}

type m = map[string]any

const (
	password = lanyardtest.Password
	other    = "incorrect pony charger tack"
)

// serial makes the names of users unlike one another, also over several runs
// against one deployment.
var serial atomic.Int64

// newcomer registers somebody with a username, who is active at once, and signs
// them in: it works on any deployment.
func newcomer(w *lanyardtest.World) (c *lanyardtest.Client, username string) {
	w.T.Helper()
	username = fmt.Sprintf("attack.%d.%d", os.Getpid(), serial.Add(1))
	c = w.Client()
	c.Post("/api/auth/register", m{"username": username, "password": password}).Want(http.StatusCreated)
	c.Login(m{"username": username, "password": password})
	return c, username
}

// together runs do n times at once and counts what came of it.
func together[K comparable](n int, do func(i int) K) map[K]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	counts, start := map[K]int{}, make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			k := do(i)
			mu.Lock()
			defer mu.Unlock()
			counts[k]++
		})
	}
	close(start)
	wg.Wait()
	return counts
}

// bearing gives a client with an access token.
func bearing(w *lanyardtest.World, access string) *lanyardtest.Client {
	c := w.Client()
	c.Access = access
	return c
}

// raw sends a request as it is written.
func raw(w *lanyardtest.World, c *lanyardtest.Client, method, path, body string, headers ...string) *lanyardtest.Answer {
	w.T.Helper()
	req, err := http.NewRequest(method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Access != "" {
		req.Header.Set("Authorization", "Bearer "+c.Access)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	return c.Send(req)
}
