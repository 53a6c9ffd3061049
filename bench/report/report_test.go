package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func kept(t *testing.T) transcript {
	t.Helper()
	raw, err := os.ReadFile("testdata/transcript.txt")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := parseTranscript(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// What is published is what the kept transcript says, and nothing else.
func TestThePublishedDocumentFollowsFromItsTranscript(t *testing.T) {
	want, err := write(kept(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/performance.md is not what bench/report/testdata/transcript.txt gives: go run ./bench/report -from bench/report/testdata/transcript.txt")
	}
}

// A run and its text are the same thing.
func TestATranscriptIsReadAsItWasWritten(t *testing.T) {
	was := transcript{about: [][2]string{{"processor", "A: 9"}, {"took", "1s"}}, steps: []step{
		{"go test -bench 'A|B' .", "pkg: x\nBenchmarkA 1 2 ns/op\n"}, {"make build-cli", ""}, {"go run ./test/load", "{\n # \"a\": 1\n}\n"},
	}}
	is, err := parseTranscript(was.String())
	if err != nil || !slices.Equal(is.about, was.about) || len(is.steps) != 3 || is.steps[0] != was.steps[0] || is.steps[2] != was.steps[2] {
		t.Errorf("%+v, %v", is, err)
	}
	if is.get("processor") != "A: 9" || is.get("weather") != "" {
		t.Errorf("%q", is.about)
	}
	for _, bad := range []string{"", "# a: b\n", "hello\n$ ls\n", "# nothing\n$ ls\n"} {
		if _, err := parseTranscript(bad); err == nil {
			t.Errorf("%q is taken for a transcript", bad)
		}
	}
}

const printed = `goos: linux
pkg: github.com/lanyard-auth/lanyard/pkg/token
BenchmarkMapHit-2   	 1000	 200.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkMapHit-2   	 1000	 100.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkMapHit-2   	 1000	 400.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkService/sign-in-2 	 300	 9492691 ns/op	 4546639 p50-ns	 153216649 p99-ns
PASS
`

func TestMediansAndSpreadsAreOfWhatWasPrinted(t *testing.T) {
	b := benches{}
	if err := b.parse(printed); err != nil {
		t.Fatal(err)
	}
	f, ok := b.get("pkg/token MapHit", "ns/op")
	if !ok || f != (figure{200, 100, 400, 3}) || f.String() != "200 ns (100 ns – 400 ns)" {
		t.Errorf("%+v %v", f, f)
	}
	if f, ok := b.get("pkg/token Service/sign-in", "p50-ns"); !ok || f.String() != "4.55 ms" {
		t.Errorf("%v", f)
	}
	if _, ok := b.get("pkg/token Other", "ns/op"); ok {
		t.Error("a figure of nothing")
	}
	if got := b.under("pkg/token Service"); !slices.Equal(got, []string{"sign-in"}) {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"", "PASS\n", "BenchmarkX-2 100 fast ns/op\n"} {
		if err := (benches{}).parse(bad); err == nil {
			t.Errorf("%q is taken for measurements", bad)
		}
	}
	for ns, want := range map[float64]string{0: "0 ns", 67: "67 ns", 1_500: "1.5 µs", 3e6: "3 ms", 1.12173e9: "1.12 s", 123_456_789_000: "123 s", 950e6: "950 ms"} {
		if got := duration(ns); got != want {
			t.Errorf("%v: %s, want %s", ns, got, want)
		}
	}
	if got := thousands(1_000_000) + " " + thousands(20) + " " + thousands(12_345); got != "1,000,000 20 12,345" {
		t.Error(got)
	}
}

// A goal's verdict is computed: one figure moved in the transcript moves it.
func TestVerdictsFollowFromTheFigures(t *testing.T) {
	line := func(tr transcript, goal string) string {
		t.Helper()
		text, err := write(tr)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(text)) {
			if strings.HasPrefix(l, "| "+goal) {
				return strings.TrimSpace(l)
			}
		}
		t.Fatalf("no goal %q in\n%.3000s", goal, text)
		return ""
	}
	for name, c := range map[string]struct {
		in         string // the command it is printed by
		from, with string // a benchmark and the line instead of all of its
		goal       string
		met        bool
	}{
		"slow check":    {"./pkg/access", "BenchmarkCheckCached-", "BenchmarkCheckCached-2 1 900000 ns/op 0 B/op 0 allocs/op", "cached check, to a map lookup", false},
		"quick check":   {"./pkg/access", "BenchmarkCheckCached-", "BenchmarkCheckCached-2 1 2 ns/op 0 B/op 0 allocs/op", "cached check, to a map lookup", true},
		"allocation":    {"./pkg/access", "BenchmarkCheckCached-", "BenchmarkCheckCached-2 1 2 ns/op 8 B/op 1 allocs/op", "cached check, allocations", false},
		"large zip":     {"zip-sizes", "auth-register ", "auth-register 5300000", "largest function, zipped", false},
		"cold caches":   {"HitRate", "BenchmarkHitRate/zipf/4-", "BenchmarkHitRate/zipf/4-2 1 1 ns/op 12.0 facts-% 1 requests/check 3.0 whole-%", "facts cached, worst traffic, 4 processes", false},
		"slow refresh":  {"Service", "BenchmarkService/refresh-", "BenchmarkService/refresh-2 1 1 ns/op 1 p50-ns 3100000 p99-ns 2 requests/op 9 units/op", "refresh, 99th percentile", false},
		"quick refresh": {"Service", "BenchmarkService/refresh-", "BenchmarkService/refresh-2 1 1 ns/op 1 p50-ns 2900000 p99-ns 2 requests/op 9 units/op", "refresh, 99th percentile", true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := kept(t)
			changed := false
			for i := range tr.steps {
				if strings.Contains(tr.steps[i].command, c.in) {
					var ok bool
					tr.steps[i].output, ok = replaced(tr.steps[i].output, c.from, c.with)
					changed = changed || ok
				}
			}
			if !changed {
				t.Fatalf("the transcript has no line %q", c.from)
			}
			if got := line(tr, c.goal); strings.HasSuffix(got, "| met |") != c.met || strings.HasSuffix(got, "| **missed** |") == c.met {
				t.Error(got)
			}
		})
	}
}

// replaced puts a line in the place of those that begin with a prefix.
func replaced(text, prefix, line string) (string, bool) {
	var b strings.Builder
	done := false
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, prefix) {
			b.WriteString(l)
		} else if !done {
			b.WriteString(line + "\n")
			done = true
		}
	}
	return b.String(), done
}

// A figure that was not measured is no figure: the document is not written.
func TestADocumentWithoutItsFiguresFails(t *testing.T) {
	whole := kept(t)
	for i, s := range whole.steps {
		if strings.HasPrefix(s.command, "make ") {
			continue
		}
		part := transcript{about: whole.about, steps: slices.Delete(slices.Clone(whole.steps), i, i+1)}
		if _, err := write(part); err == nil && !strings.Contains(s.command, "./test/load") {
			t.Errorf("a document without %s", s.command)
		}
	}
	if _, err := write(transcript{steps: []step{{"go run ./test/load", "no JSON"}}}); err == nil {
		t.Error("a load report that is none")
	}
}

// What the document tells readers to type is what a run types.
func TestTheCommandsOfARunAreTypedAsTheyAreRun(t *testing.T) {
	var lines []string
	for _, c := range plan(options{count: 5, benchtime: "300ms", runs: 300, mostUsers: 1_000_000, checks: time.Minute, mixed: 30 * time.Second, signIns: 1000, bcrypt: 12, functions: true}) {
		lines = append(lines, c.typed())
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"cd bench/peers && go test -run '^$' -bench .", "-most-users=1000000", "LANYARD_TEST_FUNCTIONS=all go test", "-bench 'Hash$|Commit|Read|Service'",
		"-bcrypt 12 -users 50 -sign-ins 1000 -checks 0s -mixed 0s", "-bcrypt 4 -users 200 -sign-ins 1000 -checks 1m0s -mixed 30s",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among\n%s", want, all)
		}
	}
	s, err := command{dir: "testdata", env: "SAID=hello", args: []string{"sh", "-c", "echo $SAID"}}.run(t.Context())
	if err != nil || s.output != "hello\n" || s.command != "cd testdata && SAID=hello sh -c 'echo $SAID'" {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := (command{dir: ".", args: []string{"false"}}).run(t.Context()); err == nil {
		t.Error("a command that fails is kept")
	}
}
