package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// environ is what the commands of a test run with.
func environ() []string { return []string{"LANYARD_BCRYPT_COST=4"} }

// withAdmin is a data directory with one super admin in its store.
func withAdmin(t *testing.T) string {
	t.Helper()
	dir := shortDir(t)
	lanyard(t, "a phrase nobody has used before\n", "admin", "create", "--email", "root@example.com", "--data", dir).want(t, exitDone)
	return dir
}

// shortDir is a directory whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lanyard")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func exportTo(t *testing.T, dir, file string, secrets bool) []byte {
	t.Helper()
	c := &exportCommand{where: where{Data: dir}, File: file, WithSecrets: secrets}
	if err := c.run(t.Context(), environ(), &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestABackupMovesADeploymentWithItsKeys(t *testing.T) {
	from, to := withAdmin(t), shortDir(t)
	file := filepath.Join(t.TempDir(), "backup.jsonl")
	first := exportTo(t, from, file, true)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file can be read by others: %v %v", info.Mode(), err)
	}
	var out bytes.Buffer
	for _, c := range []*restoreCommand{
		{where: where{Data: to}, File: file, DryRun: true},
		{where: where{Data: to}, File: file},
		{where: where{Data: to}, File: file, Verify: true},
	} {
		if err := c.run(t.Context(), environ(), &out, &bytes.Buffer{}); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
	}
	for _, want := range []string{"nothing was written", "items restored, key ring in", "the table is that of"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not said: %q in %q", want, out.String())
		}
	}
	second := exportTo(t, to, filepath.Join(t.TempDir(), "again.jsonl"), true)
	if !bytes.Equal(first, second) {
		t.Error("the copy's export differs")
	}
}

func TestARestoreKeepsKeysThatAreThere(t *testing.T) {
	from, to := withAdmin(t), withAdmin(t)
	file := filepath.Join(t.TempDir(), "backup.jsonl")
	exportTo(t, from, file, true)
	before, err := os.ReadFile(filepath.Join(to, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := &restoreCommand{where: where{Data: to}, File: file}
	if err := c.run(t.Context(), environ(), &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "--replace-keys") {
		t.Errorf("other keys were replaced: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(to, "keys.json")); !bytes.Equal(before, after) {
		t.Error("the keys changed")
	}
	if err := os.Remove(filepath.Join(to, "dynamo.db")); err != nil {
		t.Fatal(err)
	}
	c.ReplaceKeys = true
	if err := c.run(t.Context(), environ(), &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(to, "keys.json.2*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the old keys are not kept: %v %v", kept, err)
	}
	elsewhere := filepath.Join(t.TempDir(), "ring.json")
	c = &restoreCommand{where: where{Data: shortDir(t)}, File: file, KeysTo: elsewhere}
	if err := c.run(t.Context(), environ(), &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(elsewhere); err != nil {
		t.Error(err)
	}
}

func TestCommandsWorkOnAStoreThatIsBeingServed(t *testing.T) {
	dir := withAdmin(t)
	stopped := exportTo(t, dir, filepath.Join(t.TempDir(), "stopped.jsonl"), true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- (&serveCommand{Listen: address, Data: dir, Log: "json", Drain: time.Second}).Run(ctx, &process{environ: environ(), out: io.Discard, err: io.Discard})
	}()
	for range 200 {
		if res, err := http.Get("http://" + address + "/.well-known/jwks.json"); err == nil {
			_ = res.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	running := exportTo(t, dir, filepath.Join(t.TempDir(), "running.jsonl"), true)
	if !bytes.Equal(stopped, running) {
		t.Error("the export of a running server differs")
	}
	users, err := filepath.Abs("../../pkg/importer/testdata/users.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lanyard(t, "", "import", "users", users, "--dry-run", "--data", dir).want(t, exitDone).says(t, "7 would be imported")
	info, err := os.Stat(socketOf(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v %v", info, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if again := exportTo(t, dir, filepath.Join(t.TempDir(), "after.jsonl"), true); !bytes.Equal(stopped, again) {
		t.Error("the export after the server differs")
	}
}

func TestAFileAppearsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	c := &exportCommand{where: where{Data: filepath.Join(dir, "data")}, File: filepath.Join(dir, "nowhere", "backup.jsonl")}
	if err := c.run(t.Context(), environ(), &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("written into a directory that is not there")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.File = filepath.Join(dir, "backup.jsonl")
	if err := c.run(ctx, environ(), &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("exported after it was cancelled")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*jsonl*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
