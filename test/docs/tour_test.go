package docs

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestWhatTheDemoPrintsCanBePasted(t *testing.T) {
	bin := build(t)
	cmd := exec.Command(filepath.Join(bin, "lanyard"), "serve", "--demo", "--memory", "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "LANYARD_BCRYPT_COST=4")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() error { ended = true; return cmd.Wait() }
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill() // it may have ended already
			_ = end()
		}
	})
	// Commands are what follows the line that promises them.
	var script strings.Builder
	lines := bufio.NewScanner(out)
	promised := false
	for lines.Scan() {
		line := lines.Text()
		if utf8.RuneCountInString(line) > 80 && !strings.Contains(line, "/api/organizations/") {
			t.Errorf("longer than a terminal is wide: %q", line)
		}
		if promised {
			script.WriteString(line + "\n")
		}
		promised = promised || strings.Contains(line, "ask what she may do:")
		if strings.Contains(line, "/entities") {
			break
		}
	}
	if script.Len() == 0 {
		t.Fatal("no commands were printed")
	}
	pasted := exec.Command("bash", "-eu", "-c", script.String())
	said, err := pasted.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script.String(), said)
	}
	checks, list, _ := strings.Cut(string(said), "\n")
	if got := strings.Count(checks, `"allowed":true`); got != 1 || strings.Count(checks, `"allowed":`) != 3 {
		t.Errorf("carol may edit %d boats, want 1 of 3: %s", got, checks)
	}
	if strings.Count(checks+list, `"type":"boat"`) != 2 {
		t.Errorf("carol sees other than 2 boats: %s", said)
	}
	// The rest of the output has to be read, or the server could not write it.
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer killed.Stop()
	if err := end(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
