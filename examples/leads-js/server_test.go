package leadsjs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// `make test-javascript` installs what this needs.
func TestTheJavaScriptExampleKnowsPeopleByTheirTokens(t *testing.T) {
	if _, err := os.Stat("node_modules/aws-jwt-verify"); err != nil {
		t.Skip("run make test-javascript, which installs the packages of the example")
	}
	// Its issuer must be where its keys are, so the address is taken first.
	w := lanyardtest.Serve(t)
	anna, ben := w.Registered("anna@example.com"), w.Registered("ben@example.com")
	org := anna.Post("/api/organizations", map[string]any{"name": "Coastal"}).Want(201).Text("id")
	boat := anna.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "Aurora"}).Want(201).Text("id")
	leads := start(t, w.URL)
	for _, tc := range []struct {
		what, path, bearer string
		want               int
	}{
		{"a good token", "/leads", anna.Access, 200},
		{"no token", "/leads", "", 401},
		{"a token cut short", "/leads", anna.Access[:len(anna.Access)-4], 401},
		{"an entity of one's own", "/entities/" + boat + "/leads", anna.Access, 200},
		{"somebody else's entity", "/entities/" + boat + "/leads", ben.Access, 403},
		{"an entity of nobody", "/entities/nonsense/leads", anna.Access, 403},
	} {
		req, err := http.NewRequest(http.MethodGet, leads+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.bearer != "" {
			req.Header.Set("Authorization", "Bearer "+tc.bearer)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		_ = res.Body.Close() // read whole
		if res.StatusCode != tc.want {
			t.Errorf("%s: %d %v, want %d", tc.what, res.StatusCode, body, tc.want)
		}
	}
}

// start runs the example for a Lanyard and gives its origin.
func start(t *testing.T, lanyard string) string {
	t.Helper()
	cmd := exec.Command("node", "server.mjs", "--lanyard", lanyard, "--listen", "0")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it serves until then
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the example did not start: %v %s", err, &failed)
	}
	return "http://127.0.0.1:" + port
}
