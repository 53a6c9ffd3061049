// Command report runs the benchmarks and the load generator, keeps what they
// print as a transcript, and writes docs/performance.md from that alone: the
// document can be made again from its transcript (-from), which is kept beside
// this command. It knows the benchmarks by name and measures nothing itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"time"
)

type options struct {
	out        string
	transcript string
	from       string
	count      int
	benchtime  string
	runs       int // of the service's benchmarks, a measurement
	mostUsers  int
	checks     time.Duration
	mixed      time.Duration
	signIns    int
	bcrypt     int  // cost of the sign-ins at once as shipped
	functions  bool // start every function, not only those of the round trip
}

func main() {
	var o options
	var short bool
	flag.StringVar(&o.out, "out", "docs/performance.md", "where to write the document")
	flag.StringVar(&o.transcript, "transcript", "bench/report/testdata/transcript.txt", "where to keep everything that was printed")
	flag.StringVar(&o.from, "from", "", "run nothing, and write the document of this transcript")
	flag.IntVar(&o.count, "count", 5, "measurements of each benchmark; the median is given")
	flag.StringVar(&o.benchtime, "benchtime", "300ms", "how long one measurement of a microbenchmark takes")
	flag.IntVar(&o.runs, "runs", 300, "requests in one measurement of the service")
	flag.IntVar(&o.mostUsers, "most-users", 100_000, "1000000 adds a million users, and two minutes")
	flag.DurationVar(&o.checks, "checks", time.Minute, "how long the load generator checks")
	flag.DurationVar(&o.mixed, "mixed", 30*time.Second, "how long the mixed load lasts")
	flag.IntVar(&o.signIns, "sign-ins", 1000, "sign-ins at once")
	flag.IntVar(&o.bcrypt, "bcrypt", 12, "cost of the hashes that the sign-ins at once are measured with again; it takes minutes")
	flag.BoolVar(&o.functions, "functions", true, "start every function, which are to be linked first: minutes")
	flag.BoolVar(&short, "short", false, "everything once and briefly: to try the report out, not to publish it")
	flag.Parse()
	if short {
		o.count, o.benchtime, o.runs, o.mostUsers = 1, "5ms", 20, 1000
		o.checks, o.mixed, o.signIns, o.bcrypt, o.functions = 2*time.Second, 2*time.Second, 100, 6, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		stop()
		os.Exit(1)
	}
}

// command is one to run, in a directory of the project.
type command struct {
	dir  string
	env  string // before it, as one types it: NAME=value
	args []string
}

// plan gives the commands of a run, in their order.
func plan(o options) []command {
	bench := func(pkg, pattern, benchtime string, count int, more ...string) command {
		return command{dir: ".", args: append([]string{"go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", benchtime,
			"-count", strconv.Itoa(count), "-timeout", "40m", pkg}, more...)}
	}
	load := func(bcrypt, users, signIns int, checks, mixed time.Duration) command {
		return command{dir: ".", args: []string{"go", "run", "./test/load", "-serve", "bin/lanyard", "-bcrypt", strconv.Itoa(bcrypt), "-users", strconv.Itoa(users),
			"-sign-ins", strconv.Itoa(signIns), "-checks", checks.String(), "-mixed", mixed.String(), "-json", "-"}}
	}
	runs := strconv.Itoa(o.runs) + "x"
	starts := bench("./test/lambda", "Start", "15x", 1)
	sizes := command{dir: ".", args: []string{"tools/zip-sizes.sh", "arm64"}}
	if o.functions {
		starts.env = "LANYARD_TEST_FUNCTIONS=all"
	} else {
		sizes.args = append(sizes.args, "auth-register", "authorizer")
	}
	peers := bench(".", ".", o.benchtime, o.count)
	peers.dir = "bench/peers"
	return []command{
		bench("./pkg/token", "SignatureAlone|Verify$|MapHit", o.benchtime, o.count),
		bench("./pkg/access", "MapLookup|CheckCached$|CheckCachedParallel|CheckCachedTail|CheckManyCached", o.benchtime, o.count),
		bench("./bench", "Hash$|Commit|Read|Service", runs, o.count),
		bench("./bench", "SignInAsShipped", strconv.Itoa(max(20, o.runs/3))+"x", 1),
		// The table is filled once; its quantiles are of many requests.
		bench("./bench", "Growth", runs, 1, "-most-users="+strconv.Itoa(o.mostUsers)),
		bench("./bench", "HitRate", "1x", 1),
		starts,
		sizes,
		peers,
		{dir: ".", args: []string{"make", "build-cli"}},
		load(4, 200, o.signIns, o.checks, o.mixed),
		load(o.bcrypt, 50, o.signIns, 0, 0),
	}
}

func run(ctx context.Context, o options) error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run it in the project's directory: %w", err)
	}
	var t transcript
	if o.from != "" {
		raw, err := os.ReadFile(o.from)
		if err != nil {
			return fmt.Errorf("read transcript: %w", err)
		}
		if t, err = parseTranscript(string(raw)); err != nil {
			return err
		}
	} else {
		t = transcript{about: machine(ctx)}
		began := time.Now()
		for _, c := range plan(o) {
			s, err := c.run(ctx)
			if err != nil {
				return err
			}
			t.steps = append(t.steps, s)
		}
		t.set("took", time.Since(began).Round(time.Second).String())
		if err := os.WriteFile(o.transcript, []byte(t.String()), 0o644); err != nil {
			return fmt.Errorf("keep transcript: %w", err)
		}
	}
	text, err := write(t)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, text, 0o644); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fmt.Fprintln(os.Stderr, "wrote", o.out)
	return nil
}
