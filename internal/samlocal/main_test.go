package main

import (
	"encoding/json"
	"errors"
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

// TestScriptLeadsSamToTheStoreAndEndsWithIt runs the script itself, with
// stand-ins that write down how they were called for every command it uses.
func TestScriptLeadsSamToTheStoreAndEndsWithIt(t *testing.T) {
	for _, command := range []string{"bash", "sleep"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("no %s here", command)
		}
	}
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join(root, "tools/sam-local.sh"))
	if err != nil {
		t.Fatal(err)
	}
	const says = "#!/bin/bash\necho \"$(basename \"$0\") $*\" >>\"$SAID\"\n"
	for name, text := range map[string]string{
		"tools/sam-local.sh": string(script),
		"path/make":          says,
		"path/go":            says,
		"path/docker":        says + "echo 172.18.0.1\n",
		"path/uname":         "#!/bin/bash\ncase $1 in -m) echo aarch64 ;; *) echo Linux ;; esac\n",
		// The store runs until it is told to end.
		"bin/lanyard": says + "trap 'echo lanyard ends >>\"$SAID\"; kill %1; exit' TERM\necho lanyard runs >>\"$SAID\"\nsleep 60 & wait\n",
		"path/sam": "#!/bin/bash\nuntil ((SECONDS > 30)) || grep -q 'lanyard runs' \"$SAID\"; do sleep 0.01; done\n" + strings.TrimPrefix(says, "#!/bin/bash\n") +
			"echo \"with $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY:${AWS_SESSION_TOKEN-none}:${AWS_PROFILE-none}:$AWS_SHARED_CREDENTIALS_FILE:$AWS_CONFIG_FILE:$AWS_EC2_METADATA_DISABLED\" >>\"$SAID\"\nexit 3\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	said := filepath.Join(dir, "said")
	cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(dir, "tools/sam-local.sh"))
	cmd.Env = []string{
		"PATH=" + filepath.Join(dir, "path") + ":" + os.Getenv("PATH"), "SAID=" + said, "PORT=3001", "DB_PORT=8001",
		"AWS_PROFILE=production", "AWS_ACCESS_KEY_ID=AKIAREAL", "AWS_SECRET_ACCESS_KEY=real", "AWS_SESSION_TOKEN=real",
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("sam ended with 3, the script with %v: %s", err, out)
	}
	raw, err := os.ReadFile(said)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := string(raw)
	at := -1
	for _, want := range []string{ // in this order
		"make --no-print-directory build ARCH=arm64\n",
		"make --no-print-directory build-cli\n",
		"sam local start-api --template template.yaml --port 3001 --env-vars .lanyard/sam/env.json --parameter-overrides Architecture=arm64 --add-host host.docker.internal:host-gateway",
		"with local:local:none:none:/dev/null:/dev/null:true\n",
		"lanyard ends\n",
	} {
		i := strings.Index(log, want)
		if i <= at {
			t.Errorf("no %q where it belongs in\n%s", want, log)
		}
		at = i
	}
	for _, want := range []string{
		"lanyard db --listen 172.18.0.1:8001 --data .lanyard/sam\n",
		"go run ./internal/samlocal -store http://172.18.0.1:8001 -store-of-functions http://host.docker.internal:8001 -public-url http://127.0.0.1:3001 -keys .lanyard/sam/keys.json -out .lanyard/sam/env.json\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	if strings.Contains(log, "AKIAREAL") {
		t.Error("an account's credentials came through")
	}
}
