package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

const root = "../.."

func TestEnvironmentLeadsEveryFunctionToTheStoreOfThisMachine(t *testing.T) {
	engine, err := localdynamo.Open(localdynamo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	db := httptest.NewServer(engine)
	t.Cleanup(db.Close)
	dir := t.TempDir()
	s := settings{
		store: db.URL, functions: "http://host.docker.internal:8000", publicURL: "http://127.0.0.1:3000",
		keys: filepath.Join(dir, "keys.json"), out: filepath.Join(dir, "new", "env.json"),
	}
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var first string
	for range 2 { // a second start finds the table and the keys
		if err := run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(s.out)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Parameters map[string]string }
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		var environ []string
		for name, value := range file.Parameters {
			if !regexp.MustCompile(`(?m)^        ` + name + `:`).Match(template) {
				t.Errorf("the template does not declare %s, so sam local leaves it out", name)
			}
			environ = append(environ, name+"="+value)
		}
		c, err := config.Load(environ)
		if err != nil {
			t.Fatal(err)
		}
		if c.Dynamo != s.functions || c.Table != tableName || c.Keys.Source != "env" || !c.Local() {
			t.Errorf("store %q, table %q, keys from %q", c.Dynamo, c.Table, c.Keys.Source)
		}
		ring, err := keystore.FromString(c.Keys.Ring)
		if err != nil {
			t.Fatal(err)
		}
		if id := ring.Active().ID; first == "" {
			first = id
		} else if id != first {
			t.Error("the second start has other keys: every session would end")
		}
	}
	info, err := os.Stat(s.out)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the keys has mode %v (%v)", info.Mode(), err)
	}
}

func TestScriptRunsFunctionsWithoutAnAccount(t *testing.T) {
	cmd := exec.Command("bash", filepath.Join(root, "tools/sam-local.sh"), "--dry-run")
	cmd.Env = append(os.Environ(), "DB_LISTEN=172.17.0.1", "PORT=3001")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		"bin/lanyard db --listen 172.17.0.1:8000", "-store-of-functions http://host.docker.internal:8000", "sam local start-api --template template.yaml --port 3001",
		"--env-vars .lanyard/sam/env.json", "--add-host host.docker.internal:host-gateway", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "Architecture=",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
