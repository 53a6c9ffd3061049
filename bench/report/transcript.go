package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// transcript is what was run, where, and what it printed. As text it begins
// with lines "# name: value" about the machine; then each command, as one would
// type it after a "$ ", and its output.
type transcript struct {
	about [][2]string
	steps []step
}

type step struct {
	command string // as one would type it
	output  string
}

func (t *transcript) set(name, value string) { t.about = append(t.about, [2]string{name, value}) }

// get gives what is said about the machine or the run; "" is never said.
func (t *transcript) get(name string) string {
	for _, p := range t.about {
		if p[0] == name {
			return p[1]
		}
	}
	return ""
}

// String gives the text that parseTranscript reads.
func (t *transcript) String() string {
	var b strings.Builder
	for _, p := range t.about {
		fmt.Fprintf(&b, "# %s: %s\n", p[0], p[1])
	}
	for _, s := range t.steps {
		fmt.Fprintf(&b, "$ %s\n%s", s.command, s.output)
		if !strings.HasSuffix(s.output, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func parseTranscript(text string) (transcript, error) {
	var t transcript
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "$ "); ok {
			t.steps = append(t.steps, step{command: strings.TrimSpace(c)})
			continue
		}
		if n := len(t.steps); n > 0 {
			t.steps[n-1].output += line
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "# "), ": ")
		if !ok || !strings.HasPrefix(line, "# ") {
			return transcript{}, fmt.Errorf("transcript: %q before the first command", line)
		}
		t.set(name, value)
	}
	if len(t.steps) == 0 {
		return transcript{}, fmt.Errorf("transcript: no command")
	}
	return t, nil
}

// run runs a command and gives what it printed on its standard output.
func (c command) run(ctx context.Context) (step, error) {
	s := step{command: c.typed()}
	fmt.Fprintln(os.Stderr, "$", s.command)
	began := time.Now()
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	if c.env != "" {
		cmd.Env = append(os.Environ(), c.env)
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(os.Stderr, &complaints)
	if err := cmd.Run(); err != nil {
		return step{}, fmt.Errorf("%s: %w\n%s", s.command, err, out.String())
	}
	fmt.Fprintln(os.Stderr, "  took", time.Since(began).Round(time.Second))
	s.output = out.String()
	return s, nil
}

// typed gives a command as one would type it into a shell.
func (c command) typed() string {
	words := make([]string, len(c.args))
	for i, w := range c.args {
		if words[i] = w; strings.ContainsAny(w, "|$^ ") {
			words[i] = "'" + w + "'"
		}
	}
	line := strings.Join(words, " ")
	if c.env != "" {
		line = c.env + " " + line
	}
	if c.dir != "." {
		line = "cd " + c.dir + " && " + line
	}
	return line
}

// machine says what is measured on. A load average of more than a few tenths
// means that others were at work on it.
func machine(ctx context.Context) [][2]string {
	return [][2]string{
		{"processor", firstAfter("/proc/cpuinfo", "model name", ":")},
		{"processors", fmt.Sprint(runtime.GOMAXPROCS(0))},
		{"go", runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{"date", time.Now().UTC().Format("2 January 2006")},
		{"revision", revision(ctx)},
		{"load average before", firstAfter("/proc/loadavg", "", " ")},
	}
}

const unknown = "unknown"

// firstAfter gives a field of a file of the system: what stands after the
// separator in the line of a name or, without a name, before it in the first.
func firstAfter(path, name, separator string) string {
	f, err := os.Open(path)
	if err != nil {
		return unknown
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), separator)
		switch {
		case !ok:
		case name == "":
			return key
		case strings.TrimSpace(key) == name:
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(out))
}
