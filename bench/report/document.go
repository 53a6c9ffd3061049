package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// document is docs/performance.md in the making.
type document struct {
	o        options
	began    time.Time
	took     time.Duration
	benches  benches
	loads    loads
	commands []string

	b       bytes.Buffer
	missing []error
}

func (d *document) p(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// must gives a figure that every run has; one that is missing fails the report.
func (d *document) must(name, unit string) figure {
	f, ok := d.benches.get(name, unit)
	if !ok {
		d.missing = append(d.missing, fmt.Errorf("%s was not measured in %s", name, unit))
	}
	return f
}

// row is a line of a table with a floor: what, figure, floor, ratio.
func (d *document) row(what, name, unit, floorName, floorUnit, floor, goal string) {
	f, at := d.must(name, unit), d.must(floorName, floorUnit)
	d.p("| %s | %s | %s: %s | %.2f | %s |", what, f, floor, at, f.median/at.median, goal)
}

func (d *document) text(ctx context.Context) ([]byte, error) {
	d.p("# Performance\n\n<!-- Written by make performance; every figure is what its commands printed. -->\n")
	d.p("Measured on %s with %d processors to use, %s, %s/%s, on %s at revision %s, in %s. A figure is the median of %d measurements, in brackets the lowest and the highest. A *floor* is the least that the thing can cost, measured in the same run: look at the ratios, since another machine has other times.\n",
		cpu(), runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH, d.began.UTC().Format("2 January 2006"), revision(ctx), d.took.Round(time.Second), d.o.count)
	d.p("Again: `make performance`; the commands are [below](#the-commands). Requests to the store, capacity and allocations are no matter of a machine: they are asserted by tests and found in [costs.md](costs.md).\n")
	d.access()
	d.verification()
	d.service()
	d.growth()
	d.underLoad()
	d.peers()
	d.p("## The commands\n\n```sh")
	for _, c := range d.commands {
		d.p("%s", c)
	}
	d.p("```")
	return d.b.Bytes(), errors.Join(d.missing...)
}

func (d *document) access() {
	d.p("## Permission checks\n\nOne world of 1,000 users, 50 organizations, 1,000 entities and 10,000 grants.\n")
	d.p("| | time | floor | ratio | goal |\n|---|---|---|---|---|")
	d.row("cached check", "pkg/access CheckCached", "ns/op", "pkg/access MapLookup", "ns/op", "one map lookup", "≤ 2.5")
	d.row("cached check, on every processor", "pkg/access CheckCachedParallel", "ns/op", "pkg/access MapLookup", "ns/op", "one map lookup", "")
	d.row("100 cached checks at once", "pkg/access CheckManyCached", "ns/op", "pkg/access MapLookup", "ns/op", "one map lookup", "")
	c, allocs := d.must("pkg/access CheckCached", "ns/op"), d.must("pkg/access CheckCached", "allocs/op")
	tail := d.must("pkg/access CheckCachedTail", "p99-ns")
	d.p("\nThat is %.1f million a second on one processor (goal 5), with %.0f allocations; the 99th percentile of single checks, two readings of the clock included, is %s (goal 1 µs).\n", 1e3/c.median, allocs.median, tail)
	d.p("A check that finds nothing cached, on the embedded store: median %s, 99th percentile %s (goal 1 ms). It takes one parallel round of requests where the process has met the resource before ([decision 13](decisions/0013-one-round-a-miss.md)).\n",
		d.must("bench Service/check-uncached", "p50-ns"), d.must("bench Service/check-uncached", "p99-ns"))
}

func (d *document) verification() {
	d.p("## Access tokens\n\n| | time | floor | ratio | goal |\n|---|---|---|---|---|")
	d.row("verify, ES256", "pkg/token Verify/ES256", "ns/op", "pkg/token SignatureAlone", "ns/op", "the signature alone", "")
	d.row("verify again, cached", "pkg/token CachedVerify", "ns/op", "pkg/token MapHit", "ns/op", "digest and map hit", "")
	for _, alg := range []string{"EdDSA", "HS256"} {
		d.p("| verify, %s | %s | | | |", alg, d.must("pkg/token Verify/"+alg, "ns/op"))
	}
	d.p("")
}

// services are the requests that are measured, and their goals.
var services = []struct{ name, what, goal string }{
	{"sign-in", "sign in", "99th, without the hash: 3 ms"},
	{"refresh", "refresh", "99th: 3 ms"},
	{"me", "the signed-in user", ""},
	{"register", "register", ""},
	{"list-50", "list of 50 entities", ""},
	{"check-request", "check, cached, as a request", ""},
	{"check-uncached", "check, nothing cached, in the process", "99th: 1 ms"},
}

func (d *document) service() {
	hash, tail := d.must("bench Hash", "p50-ns"), d.must("bench Hash", "p99-ns")
	d.p("## Requests\n\nThe whole API in one process without the network, on the embedded store on disk, every write synced, one request after the other. Passwords are hashed at bcrypt's lowest cost, which takes %s (99th percentile %s) here and is within *sign in* and *register*; at the default cost of 12 it takes 256 times as long, whatever we do.\n", hash, tail)
	d.p("| request | median | 99th percentile | goal |\n|---|---|---|---|")
	for _, s := range services {
		d.p("| %s | %s | %s | %s |", s.what, d.must("bench Service/"+s.name, "p50-ns"), d.must("bench Service/"+s.name, "p99-ns"), s.goal)
	}
	in, out := d.must("bench Service/sign-in", "p50-ns"), d.must("bench Service/sign-in", "p99-ns")
	d.p("\nA sign-in without its hash: %s at the median, %s at the 99th percentile.\n", duration(in.median-hash.median), duration(out.median-hash.median))
}

func (d *document) growth() {
	sizes := []int{1_000, 100_000, 1_000_000}
	d.p("## Growth\n\nThe median with so many users in the table (writes not synced, so that the disk does not hide the difference), and what the most are to the fewest. Goal: within 1.5.\n")
	head, line := "| request |", "|---|"
	var have []int
	for _, n := range sizes {
		if n <= d.o.mostUsers {
			have = append(have, n)
			head += fmt.Sprintf(" %d users |", n)
			line += "---|"
		}
	}
	d.p("%s ratio |\n%s---|", head, line)
	for _, s := range services {
		row := "| " + s.what + " |"
		var first, last float64
		for i, n := range have {
			f := d.must(fmt.Sprintf("bench Growth/%d/%s", n, s.name), "p50-ns")
			if i == 0 {
				first = f.median
			}
			last = f.median
			row += " " + f.String() + " |"
		}
		d.p("%s %.2f |", row, last/first)
	}
	d.p("")
}

func (d *document) underLoad() {
	d.p("## Under load\n\n`lanyard serve` as it is shipped, and the load generator on the same machine, sharing its processors; %d users, bcrypt at cost %d, abuse limits off. The checks come at a constant rate however long the answers take; each request asks several.\n", d.loads.Users, d.loads.Bcrypt)
	d.p("| load | requests | a second | median | 99th | 99.9th | errors | server's peak memory |\n|---|---|---|---|---|---|---|---|")
	for _, r := range d.loads.Results {
		d.loaded(r, r.Name)
		for _, k := range r.Kinds {
			d.loaded(k, "· "+k.Name)
		}
	}
	d.p("")
}

func (d *document) loaded(r loaded, name string) {
	memory := ""
	if r.Peak > 0 {
		memory = fmt.Sprintf("%d MB", r.Peak>>20)
	}
	unit := ""
	if r.PerRequest > 1 {
		unit = " checks"
	}
	d.p("| %s | %d | %.0f%s | %s | %s | %s | %d | %s |", name, r.Requests, float64(r.Requests*max(1, r.PerRequest))/r.Took.Seconds(), unit,
		duration(float64(r.P50)), duration(float64(r.P99)), duration(float64(r.P999)), r.Errors, memory)
}

func (d *document) peers() {
	if d.o.skipPeers {
		return
	}
	d.p("## Beside others\n\nThe same world and the same question, all in one process with their data in memory (`bench/peers`). They are not the same thing: casbin's and Cedar's figures leave out where the data comes from and how it changes, which is most of what Lanyard's cache is; OpenFGA follows relations that Lanyard does not have.\n")
	d.p("| permission check | time | allocations | to Lanyard cached |\n|---|---|---|---|")
	d.beside("Check", "lanyard-cached", [][2]string{{"map", "a map lookup"}, {"lanyard-cached", "Lanyard, cached"}, {"lanyard-from-memory", "Lanyard, nothing cached, a store that answers at once"},
		{"casbin-cached", "casbin/v2, the decision cached"}, {"cedar", "cedar-go"}, {"openfga", "OpenFGA, memory store"}, {"casbin", "casbin/v2"}})
	d.p("\n| verification of an access token, ES256 | time | allocations | to Lanyard |\n|---|---|---|---|")
	d.beside("Verify", "lanyard", [][2]string{{"lanyard-cached", "Lanyard, the token met before"}, {"lanyard", "Lanyard"}, {"golang-jwt", "golang-jwt"}, {"go-oidc", "go-oidc"}})
	d.p("")
}

func (d *document) beside(bench, own string, rows [][2]string) {
	base := d.must("bench/peers "+bench+"/"+own, "ns/op")
	for _, r := range rows {
		name := "bench/peers " + bench + "/" + r[0]
		f := d.must(name, "ns/op")
		d.p("| %s | %s | %.0f | %.3g |", r[1], f, d.must(name, "allocs/op").median, f.median/base.median)
	}
}

// cpu names the processor, as far as the system says.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "a processor that the system does not name"
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "a processor that the system does not name"
}

func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
