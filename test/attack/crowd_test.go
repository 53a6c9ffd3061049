package attack

import (
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// A thousand sign-ins at once, of ten users: each is served, and each is a
// session of its own that works and is listed.
func TestAThousandSignInsAtOnceAreNeitherLostNorDouble(t *testing.T) {
	w := lanyardtest.Start(t, "LANYARD_SESSION_LIMIT=1000")
	const users, each = 10, 100
	var names [users]string
	for i := range names {
		_, names[i] = newcomer(w)
	}
	var mu sync.Mutex
	access, refreshes := map[string]string{}, map[string]bool{}
	got := together(users*each, func(i int) int {
		a := w.Client().Post("/api/auth/login", m{"username": names[i%users], "password": password, "delivery": "body"})
		mu.Lock()
		defer mu.Unlock()
		access[a.Text("tokens.accessToken")] = names[i%users]
		refreshes[a.Text("tokens.refreshToken")] = true
		return a.Status
	})
	if got[200] != users*each || len(access) != users*each || len(refreshes) != users*each {
		t.Fatalf("statuses %v, %d access tokens, %d refresh tokens", got, len(access), len(refreshes))
	}
	for token, name := range access {
		if me := bearing(w, token).Get("/api/auth/me").Want(200); me.Text("username") != name {
			t.Fatalf("%s got the session of %s", name, me.Text("username"))
		}
	}
	for _, name := range names {
		c := w.Client()
		c.Login(m{"username": name, "password": password})
		listed := map[any]bool{}
		for cursor := "?limit=100"; ; {
			a := c.Get("/api/auth/sessions" + cursor).Want(200)
			items, _ := a.Value("items").([]any)
			for _, it := range items {
				listed[it.(map[string]any)["id"]] = true
			}
			next := a.Text("nextCursor")
			if next == "" {
				break
			}
			cursor = "?limit=100&cursor=" + next
		}
		if len(listed) != each+2 { // the crowd's, that of registering and this one
			t.Errorf("%s has %d sessions", name, len(listed))
		}
	}
}
