package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// start runs `lanyard serve --demo` on a port of its own and gives its origin.
func start(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "lanyard")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/lanyard").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "serve", "--demo", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--log", "json")
	cmd.Env = append(os.Environ(), "LANYARD_BCRYPT_COST=4", "LANYARD_THROTTLE=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended already
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve ended badly: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // until it ends
			return line.URL
		}
	}
	t.Fatal("serve did not say where it listens")
	return ""
}

// client is one user of both services.
type client struct {
	t      *testing.T
	bearer string
}

func (c client) send(method, target string, body any) (int, map[string]any) {
	c.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, target, bytes.NewReader(raw))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			c.t.Fatal(err)
		}
	}
	return res.StatusCode, out
}

func signIn(t *testing.T, lanyard, name string) client {
	t.Helper()
	status, a := client{t: t}.send(http.MethodPost, lanyard+"/api/auth/login", map[string]any{
		"email": name + "@coastal.example", "password": "four boats in the harbour", "delivery": "body",
	})
	if status != http.StatusOK {
		t.Fatalf("sign in as %s: %d %v", name, status, a)
	}
	return client{t, a["tokens"].(map[string]any)["accessToken"].(string)}
}

// The example of a resource server, against a running Lanyard: who somebody is
// costs no call, what they may do is what the worked table says.
func TestLeadsKnowPeopleByTheirTokensAndAskForTheirRights(t *testing.T) {
	lanyard := start(t)
	origin, err := url.Parse(lanyard)
	if err != nil {
		t.Fatal(err)
	}
	var calls, checks atomic.Int64 // what the service asks of Lanyard
	proxy := httputil.NewSingleHostReverseProxy(origin)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.URL.Path == "/api/permissions/check" {
			checks.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer between.Close()
	handler, err := newHandler(lanyard, between.URL, "lanyard")
	if err != nil {
		t.Fatal(err)
	}
	leads := httptest.NewServer(handler)
	defer leads.Close()

	people := map[string]client{}
	for _, name := range []string{"alice", "bob", "carol", "dave", "erin"} {
		people[name] = signIn(t, lanyard, name)
	}
	_, orgs := people["alice"].send(http.MethodGet, lanyard+"/api/organizations", nil)
	orgID := orgs["items"].([]any)[0].(map[string]any)["id"].(string)
	_, list := people["alice"].send(http.MethodGet, lanyard+"/api/organizations/"+orgID+"/entities?type=boat", nil)
	boats := map[string]string{}
	for _, it := range list["items"].([]any) {
		boat := it.(map[string]any)
		boats[boat["name"].(string)] = boat["id"].(string)
	}

	t.Run("own leads need the token alone", func(t *testing.T) {
		before := calls.Load()
		for range 5 {
			if status, a := people["carol"].send(http.MethodPost, leads.URL+"/leads", map[string]any{"title": "Ms Petrov wants a mooring"}); status != http.StatusCreated {
				t.Fatalf("%d %v", status, a)
			}
		}
		if status, a := people["dave"].send(http.MethodGet, leads.URL+"/leads", nil); status != http.StatusOK || len(a["items"].([]any)) != 0 {
			t.Errorf("dave sees %v", a)
		}
		if status, a := people["carol"].send(http.MethodGet, leads.URL+"/leads", nil); status != http.StatusOK || len(a["items"].([]any)) != 5 {
			t.Errorf("carol sees %d %v", status, a)
		}
		if n := calls.Load() - before; n != 1 {
			t.Errorf("%d calls to Lanyard, want one for the keys", n)
		}
	})
	t.Run("a token that is not good opens nothing", func(t *testing.T) {
		good := people["carol"].bearer
		cut := strings.LastIndexByte(good, '.')
		for name, bearer := range map[string]string{
			"none": "", "garbage": "x.y.z", "another signature": good[:cut+1] + strings.Repeat("A", len(good)-cut-1), "no signature": good[:cut+1],
		} {
			if status, _ := (client{t, bearer}).send(http.MethodGet, leads.URL+"/leads", nil); status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, status)
			}
		}
	})
	t.Run("leads about a boat follow the worked table", func(t *testing.T) {
		// view, edit by person and boat: DESIGN's example.
		table := map[string]map[string][2]bool{}
		for name := range people {
			table[name] = map[string][2]bool{}
			for boat := range boats {
				switch name {
				case "alice", "bob":
					table[name][boat] = [2]bool{true, true}
				case "dave":
					table[name][boat] = [2]bool{true, false}
				}
			}
		}
		names := boatNames(t, boats)
		table["carol"][names[0]] = [2]bool{true, true}
		table["carol"][names[2]] = [2]bool{true, false}
		for name, who := range people {
			for boat, boatID := range boats {
				target := fmt.Sprintf("%s/entities/%s/leads", leads.URL, boatID)
				view, _ := who.send(http.MethodGet, target, nil)
				edit, _ := who.send(http.MethodPost, target, map[string]any{"title": "asks for the price"})
				if (view == http.StatusOK) != table[name][boat][0] || (edit == http.StatusCreated) != table[name][boat][1] {
					t.Errorf("%s on %s: view %d, edit %d, want %v", name, boat, view, edit, table[name][boat])
				}
			}
		}
		if checks.Load() == 0 {
			t.Error("no right was asked for")
		}
	})
	t.Run("a right that was taken away is gone for changes at once", func(t *testing.T) {
		names := boatNames(t, boats)
		boat := boats[names[0]]
		target := leads.URL + "/entities/" + boat + "/leads"
		_, me := people["carol"].send(http.MethodGet, lanyard+"/api/auth/me", nil)
		if status, a := people["alice"].send(http.MethodDelete, lanyard+"/api/entities/"+boat+"/permissions/"+me["id"].(string), nil); status != http.StatusNoContent {
			t.Fatalf("take away: %d %v", status, a)
		}
		if status, _ := people["carol"].send(http.MethodPost, target, map[string]any{"title": "late"}); status != http.StatusForbidden {
			t.Errorf("carol still edits: %d", status)
		}
	})
	t.Run("who signed out asks for rights in vain", func(t *testing.T) {
		if status, a := people["bob"].send(http.MethodPost, lanyard+"/api/auth/logout", nil); status != http.StatusNoContent {
			t.Fatalf("sign out: %d %v", status, a)
		}
		target := leads.URL + "/entities/" + boats[boatNames(t, boats)[1]] + "/leads"
		if status, _ := people["bob"].send(http.MethodPost, target, map[string]any{"title": "late"}); status != http.StatusUnauthorized {
			t.Errorf("bob still edits: %d", status)
		}
	})
	t.Run("an entity that does not exist is nobody's", func(t *testing.T) {
		for _, id := range []string{"01900000-0000-7000-8000-0000000000d1", "nonsense"} {
			if status, _ := people["alice"].send(http.MethodGet, leads.URL+"/entities/"+id+"/leads", nil); status != http.StatusForbidden {
				t.Errorf("%s: %d", id, status)
			}
		}
	})
	t.Run("without Lanyard no right is given", func(t *testing.T) {
		between.Close()
		target := leads.URL + "/entities/" + boats[boatNames(t, boats)[1]] + "/leads"
		if status, _ := people["alice"].send(http.MethodGet, target, nil); status != http.StatusServiceUnavailable {
			t.Errorf("%d, want 503", status)
		}
		if status, _ := people["alice"].send(http.MethodGet, leads.URL+"/leads", nil); status != http.StatusOK {
			t.Errorf("own leads: %d, though the keys are known", status)
		}
	})
}

// boatNames gives the three boats in the order of the worked table, which is
// that of their names.
func boatNames(t *testing.T, boats map[string]string) []string {
	t.Helper()
	if len(boats) != 3 {
		t.Fatalf("the example has %d boats", len(boats))
	}
	return slices.Sorted(maps.Keys(boats))
}
