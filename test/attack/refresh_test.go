package attack

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

func refresh(c *lanyardtest.Client, token string) *lanyardtest.Answer {
	return c.Post("/api/auth/refresh", m{"refreshToken": token})
}

// cold is another process on the same table with the same keys, which
// remembers nothing.
func cold(t *testing.T, w *lanyardtest.World) *lanyardtest.World {
	t.Helper()
	return process(t, fresh(w), nil)
}

// process serves an assembly as a process of its own would.
func process(t *testing.T, a *assembly.Assembly, observe func(context.Context, api.Observation)) *lanyardtest.World {
	t.Helper()
	auth, checker, err := a.Authorizer()
	if err != nil {
		t.Fatal(err)
	}
	if checker != nil {
		a.Deps.SessionsEnded = checker.Forget
	}
	services, err := catalog.NewServices(a)
	if err != nil {
		t.Fatal(err)
	}
	h, err := a.Server(catalog.Operations(services, openapi.Document), auth, observe)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &lanyardtest.World{T: t, URL: server.URL}
}

// fresh is a world's assembly without what a process remembers.
func fresh(w *lanyardtest.World) *assembly.Assembly {
	return &assembly.Assembly{Deps: w.Assembly.Deps, Keys: w.Assembly.Keys, Version: w.Assembly.Version}
}

var errLine = errors.New("connection reset by peer")

// losing drops the reply of the first write after it did its work.
func losing(w *lanyardtest.World) *atomic.Int64 {
	var lost atomic.Int64
	w.Store.Transport.Intercept(func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if err == nil && (operation == "UpdateItem" || operation == "TransactWriteItems" || operation == "PutItem") && lost.Add(1) == 1 {
			_ = res.Body.Close()
			return nil, errLine
		}
		return res, err
	})
	return &lost
}

func refreshAttacks() []attack {
	return []attack{
		{"B1", "replay of a used refresh token", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			first := c.Refresh
			c.Keep(refresh(c, first).Want(200))
			w.Clock.Advance(11 * time.Second)
			c.Get("/api/auth/me").Want(200)
			refresh(w.Client(), first).Problem(401, "invalid_refresh_token")
			refresh(w.Client(), c.Refresh).Problem(401, "invalid_refresh_token")
			c.Get("/api/auth/me").Problem(401, "session_revoked")
			if n := len(w.Events(c.UserID, audit.RefreshReuse)); n != 1 {
				t.Errorf("%d reuse events", n)
			}
		}},
		{"B2", "fifty refreshes of one token at once", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			for range 100 {
				var mu sync.Mutex
				successors := map[string]bool{}
				together(50, func(int) int {
					a := refresh(c, c.Refresh)
					mu.Lock()
					defer mu.Unlock()
					successors[a.Want(200).Text("tokens.refreshToken")] = true
					return a.Status
				})
				if len(successors) != 1 {
					t.Fatalf("%d successors", len(successors))
				}
				for next := range successors {
					c.Refresh = next
				}
				w.Clock.Advance(time.Minute)
			}
		}},
		{"B4", "a thief who refreshes first", false, func(t *testing.T, s *site) {
			w := s.start()
			v := w.Registered("v@example.com")
			thief := w.Client()
			thief.Header.Set("User-Agent", "thief")
			thief.Keep(refresh(thief, v.Refresh).Want(200))
			thief.Get("/api/auth/me").Want(200)
			refresh(v, v.Refresh).Problem(401, "invalid_refresh_token")
			refresh(thief, thief.Refresh).Problem(401, "invalid_refresh_token")
			thief.Get("/api/auth/me").Problem(401, "session_revoked")
			v.Get("/api/auth/me").Problem(401, "session_revoked")
		}},
		{"B5", "reuse remembered by another process", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			first := c.Refresh
			refresh(cold(t, w).Client(), first).Want(200) // the control: it knows families it never saw
			c.Keep(refresh(c, first).Want(200))
			w.Clock.Advance(11 * time.Second)
			refresh(c, first).Problem(401, "invalid_refresh_token")
			elsewhere := cold(t, w)
			refresh(elsewhere.Client(), first).Problem(401, "invalid_refresh_token")
			refresh(elsewhere.Client(), c.Refresh).Problem(401, "invalid_refresh_token")
			bearing(elsewhere, c.Access).Get("/api/auth/me").Problem(401, "session_revoked")
		}},
		{"B7", "the reply to a rotation is lost", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			lost := losing(w)
			first := refresh(c, c.Refresh).Want(200).Text("tokens.refreshToken")
			w.Store.Transport.Intercept(nil)
			if lost.Load() < 2 {
				t.Errorf("%d writes: the reply was not lost", lost.Load())
			}
			if again := refresh(c, c.Refresh).Want(200).Text("tokens.refreshToken"); again != first {
				t.Error("two successors")
			}
			refresh(c, first).Want(200)
		}},
		{"B8", "the store fails in a rotation", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			w.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) { return nil, errLine })
			a := refresh(c, c.Refresh).Problem(503, "temporarily_unavailable")
			w.Store.Transport.Intercept(nil)
			if a.Value("tokens") != nil || len(a.Cookies) > 0 {
				t.Errorf("something was issued: %s", a.Raw)
			}
			refresh(c, c.Refresh).Want(200)
		}},
		{"B10", "refresh tokens that are nearly right", false, func(t *testing.T, s *site) {
			w := s.start()
			c := w.Registered("v@example.com")
			r := c.Refresh
			swapped := strings.Map(func(x rune) rune {
				switch {
				case x >= 'a' && x <= 'z':
					return x - 32
				case x >= 'A' && x <= 'Z':
					return x + 32
				}
				return x
			}, r)
			for _, bad := range []string{r[:len(r)-1], r + "A", swapped, r + "#", r + " ", " " + r, r + "\n", r + "\x00", r[:10] + "#" + r[11:], r + "=", strings.Repeat("A", len(r))} {
				if a := refresh(w.Client(), bad); a.Status != 401 && a.Status != 422 {
					t.Errorf("%q: %d", bad, a.Status)
				}
			}
			if a := refresh(w.Client(), strings.Repeat("A", 1<<20)); a.Status != 413 && a.Status != 422 && a.Status != 400 {
				t.Errorf("1 MB: %d", a.Status)
			}
			if n := len(w.Events(c.UserID, audit.RefreshReuse)); n != 0 {
				t.Errorf("%d reuse events", n)
			}
			refresh(c, r).Want(200)
		}},
		{"B11", "a refresh token in other places", true, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			if a := bearing(w, c.Refresh).Get("/api/auth/me"); a.Status != 401 && a.Status != 403 {
				t.Errorf("as an access token: %d", a.Status)
			}
			if a := w.Client().Post("/api/auth/refresh?refreshToken="+c.Refresh, m{}); a.Status < 400 {
				t.Errorf("in the query: %d", a.Status)
			}
			w.Client().Get("/api/auth/refresh?refreshToken="+c.Refresh).Problem(405, "method_not_allowed")
			if a := refresh(w.Client(), c.Access); a.Status != 401 {
				t.Errorf("an access token for refreshing: %d", a.Status)
			}
			refresh(c, c.Refresh).Want(200)
		}},
		{"B13", "signing out, twice, and with another's token", true, func(t *testing.T, s *site) {
			w := s.start()
			c, _ := newcomer(w)
			v, _ := newcomer(w)
			first := c.Refresh
			c.Keep(refresh(c, first).Want(200))
			w.Client().Post("/api/auth/logout", m{"refreshToken": first}).Want(204)
			w.Client().Post("/api/auth/logout", m{"refreshToken": first}).Want(204)
			refresh(c, c.Refresh).Problem(401, "invalid_refresh_token")
			w.Client().Post("/api/auth/logout", m{"refreshToken": v.Refresh[:len(v.Refresh)-4] + "AAAA"})
			v.Get("/api/auth/me").Want(200)
			refresh(v, v.Refresh).Want(200)
		}},
		{"B14", "more sessions than a user may have", false, func(t *testing.T, s *site) {
			w := s.start("LANYARD_SESSION_LIMIT=3")
			first := w.Registered("v@example.com")
			w.Clock.Advance(time.Minute)
			var rest []*lanyardtest.Client
			for range 3 {
				c := w.Client()
				c.Login(m{"email": "v@example.com", "password": password})
				rest = append(rest, c)
				w.Clock.Advance(time.Second)
			}
			first.Get("/api/auth/me").Problem(401, "session_revoked") // the one longest unused
			items, _ := rest[2].Get("/api/auth/sessions").Want(200).Value("items").([]any)
			if len(items) != 3 {
				t.Fatalf("%d sessions", len(items))
			}
			for _, it := range items {
				if session := it.(map[string]any); session["current"] == false {
					rest[2].Delete("/api/auth/sessions/"+session["id"].(string), nil).Want(204)
					break
				}
			}
			alive := 0
			for _, c := range rest {
				if c.Get("/api/auth/me").Status == 200 {
					alive++
				}
			}
			if alive != 2 || rest[2].Get("/api/auth/me").Status != 200 {
				t.Errorf("%d sessions left", alive)
			}
		}},
		{"B16", "a role changed between refreshes", false, func(t *testing.T, s *site) {
			w := s.start()
			root := superAdmin(w)
			c := w.Registered("v@example.com")
			c.Get("/api/users").Problem(403, "forbidden")
			root.Put("/api/users/"+c.UserID+"/role", m{"role": "ADMIN", "reason": "promoted"}).Want(200)
			if a := refresh(c, c.Refresh); a.Status == 200 {
				c.Keep(a)
			} else {
				c.Login(m{"email": "v@example.com", "password": password})
			}
			c.Get("/api/users").Want(200)
			root.Put("/api/users/"+c.UserID+"/role", m{"role": "USER", "reason": "demoted"}).Want(200)
			if a := c.Get("/api/users"); a.Status != 401 && a.Status != 403 {
				t.Errorf("demoted, with the earlier token: %d", a.Status)
			}
		}},
		{"B17", "the refresh token of a browser", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			b := w.Browser()
			a := b.Post("/api/auth/login", m{"username": name, "password": password}).Want(200)
			found := false
			for _, k := range a.Cookies {
				if strings.HasSuffix(k.Name, "lanyard_refresh") {
					found = true
					if !k.HttpOnly || k.Path != "/api/auth" || strings.Contains(string(a.Raw), k.Value) {
						t.Errorf("cookie %v", k)
					}
				}
			}
			r := b.Post("/api/auth/refresh", nil).Want(200)
			if !found || a.Value("tokens") != nil || r.Value("tokens") != nil {
				t.Errorf("cookie: %v, %s", found, r.Raw)
			}
			b.Post("/api/auth/refresh", m{"delivery": "body"}).Problem(400, "invalid_request")
			b = w.Browser()
			for _, k := range b.Post("/api/auth/login", m{"username": name, "password": password}).Want(200).Cookies {
				if strings.HasSuffix(k.Name, "lanyard_refresh") {
					b.Post("/api/auth/refresh", m{"refreshToken": k.Value, "delivery": "body"}).Problem(400, "invalid_request")
					if r := b.Post("/api/auth/refresh", m{"refreshToken": k.Value}).Want(200); r.Value("tokens") != nil {
						t.Errorf("the cookie's token is answered in a body: %s", r.Raw)
					}
				}
			}
			stranger, _ := newcomer(w)
			b.Post("/api/auth/refresh", m{"refreshToken": stranger.Refresh}).Problem(400, "invalid_request")
			w.Client().Post("/api/auth/refresh", m{"refreshToken": stranger.Refresh}).Want(200)
		}},
	}
}

// superAdmin makes one.
func superAdmin(w *lanyardtest.World) *lanyardtest.Client {
	w.T.Helper()
	if _, err := w.Services.Operators.Bootstrap(context.Background(), "root@example.com", password); err != nil {
		w.T.Fatal(err)
	}
	c := w.Client()
	c.Login(m{"email": "root@example.com", "password": password})
	return c
}
