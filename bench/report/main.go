// Command report runs the benchmarks and the load generator and writes
// docs/performance.md from what they print, naming the machine. It knows the
// benchmarks by name and measures nothing itself.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

type options struct {
	out        string
	count      int
	benchtime  string
	runs       int // of the service's benchmarks, a measurement
	mostUsers  int
	checks     time.Duration
	mixed      time.Duration
	signIns    int
	skipPeers  bool
	transcript string
}

func main() {
	var o options
	flag.StringVar(&o.out, "out", "docs/performance.md", "where to write")
	flag.IntVar(&o.count, "count", 5, "measurements of each benchmark; the median is given")
	flag.StringVar(&o.benchtime, "benchtime", "300ms", "how long one measurement of a microbenchmark takes")
	flag.IntVar(&o.runs, "runs", 300, "requests in one measurement of the service")
	flag.IntVar(&o.mostUsers, "most-users", 100_000, "1000000 adds a million users, and some minutes")
	flag.DurationVar(&o.checks, "checks", time.Minute, "how long the load generator checks")
	flag.DurationVar(&o.mixed, "mixed", 30*time.Second, "how long the mixed load lasts")
	flag.IntVar(&o.signIns, "sign-ins", 1000, "sign-ins at once")
	flag.BoolVar(&o.skipPeers, "skip-peers", false, "leave out bench/peers, which takes minutes to compile the first time")
	flag.StringVar(&o.transcript, "transcript", "", "keep everything that was printed here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		stop()
		os.Exit(1)
	}
}

// runner runs commands in the project and keeps what they print.
type runner struct {
	ctx  context.Context
	kept bytes.Buffer
	said []string // the commands, as one would type them
}

func (r *runner) run(dir string, command ...string) (string, error) {
	line := typed(command)
	if dir != "." {
		line = "cd " + dir + " && " + line
	}
	r.said = append(r.said, line)
	fmt.Fprintln(os.Stderr, "$", line)
	began := time.Now()
	cmd := exec.CommandContext(r.ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, &r.kept), io.MultiWriter(os.Stderr, &r.kept)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", line, err, out.String())
	}
	fmt.Fprintln(os.Stderr, "  took", time.Since(began).Round(time.Second))
	return out.String(), nil
}

// typed gives a command as one would type it into a shell.
func typed(command []string) string {
	words := make([]string, len(command))
	for i, w := range command {
		if words[i] = w; strings.ContainsAny(w, "|$^") {
			words[i] = "'" + w + "'"
		}
	}
	return strings.Join(words, " ")
}

func run(ctx context.Context, o options) error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run it in the project's directory: %w", err)
	}
	began := time.Now()
	r := &runner{ctx: ctx}
	d := &document{o: o, began: began, benches: benches{}}
	for _, b := range []struct{ dir, pkg, pattern, benchtime, extra string }{
		{".", "./pkg/token", "SignatureAlone|Verify$|MapHit", o.benchtime, ""},
		{".", "./pkg/access", "MapLookup|CheckCached$|CheckCachedParallel|CheckCachedTail|CheckManyCached", o.benchtime, ""},
		{".", "./bench", "Hash|Service", strconv.Itoa(o.runs) + "x", ""},
		{".", "./bench", "Growth", strconv.Itoa(o.runs) + "x", "-most-users=" + strconv.Itoa(o.mostUsers)},
		{"bench/peers", ".", ".", o.benchtime, ""},
	} {
		if b.dir != "." && o.skipPeers {
			continue
		}
		count := o.count
		if b.extra != "" {
			count = 1 // the table is filled once; its quantiles are of many requests
		}
		command := []string{"go", "test", "-run", "^$", "-bench", b.pattern, "-benchmem", "-benchtime", b.benchtime, "-count", strconv.Itoa(count), "-timeout", "30m", b.pkg}
		if b.extra != "" {
			command = append(command, b.extra)
		}
		out, err := r.run(b.dir, command...)
		if err != nil {
			return err
		}
		prefix := strings.TrimPrefix(b.pkg, "./")
		if b.dir != "." {
			prefix = b.dir
		}
		if err := d.benches.parse(prefix, out); err != nil {
			return err
		}
	}
	if err := d.load(r); err != nil {
		return err
	}
	d.commands, d.took = r.said, time.Since(began)
	text, err := d.text(ctx)
	if o.transcript != "" {
		err = errors.Join(err, os.WriteFile(o.transcript, r.kept.Bytes(), 0o600))
	}
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, text, 0o644); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fmt.Fprintln(os.Stderr, "wrote", o.out, "in", time.Since(began).Round(time.Second))
	return nil
}

// load builds the binary and puts it under load.
func (d *document) load(r *runner) error {
	dir, err := os.MkdirTemp("", "lanyard-report-")
	if err != nil {
		return fmt.Errorf("directory for the report: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // leftovers in a temporary directory
	if _, err := r.run(".", "make", "build-cli"); err != nil {
		return err
	}
	file := filepath.Join(dir, "load.json")
	_, err = r.run(".", "go", "run", "./test/load", "-serve", "bin/lanyard", "-sign-ins", strconv.Itoa(d.o.signIns),
		"-checks", d.o.checks.String(), "-mixed", d.o.mixed.String(), "-json", file)
	r.said[len(r.said)-1] = strings.TrimSuffix(r.said[len(r.said)-1], " -json "+file)
	if err != nil {
		return err
	}
	return d.loads.read(file)
}
