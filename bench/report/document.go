package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// document is docs/performance.md in the making.
type document struct {
	t       transcript
	benches benches
	loads   []loads
	sizes   map[string]float64 // of functions, zipped, in bytes

	b       bytes.Buffer
	goals   []goal
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

// write makes the document of a transcript.
func write(t transcript) ([]byte, error) {
	d := &document{t: t}
	var err error
	if d.benches, d.loads, d.sizes, err = read(t); err != nil {
		return nil, err
	}
	for _, section := range []func(){d.access, d.hitRates, d.verification, d.service, d.growth, d.underLoad, d.starts, d.peers} {
		section()
	}
	body := bytes.Clone(d.b.Bytes())
	d.b.Reset()
	d.head()
	d.b.Write(body)
	d.p("## The commands\n\n<!-- not run: they are measurements, and take minutes -->\n```sh")
	for _, s := range t.steps {
		d.p("%s", s.command)
	}
	d.p("```")
	return d.b.Bytes(), errors.Join(d.missing...)
}

// busy is the load average from which others are at work on a machine.
const busy = 1

func (d *document) head() {
	d.p("# Performance\n\n<!-- Written by make performance from bench/report/testdata/transcript.txt; every figure is what its commands printed. -->\n")
	d.p("Measured on %s with %s processors to use, %s, on %s at revision %s, in %s; the machine's load average before was %s. A figure is the median of the measurements, in brackets the lowest and the highest. A *floor* is the least that the thing can cost, measured in the same run: look at the ratios, since another machine has other times.\n",
		d.t.get("processor"), d.t.get("processors"), d.t.get("go"), d.t.get("date"), d.t.get("revision"), d.t.get("took"), d.t.get("load average before"))
	d.p("Again: `make performance`, with a million users `make performance USERS=1000000`; the commands are [below](#the-commands). Requests to the store, capacity and allocations are no matter of a machine: they are asserted by tests and found in [costs.md](costs.md).\n")
	if before, err := strconv.ParseFloat(d.t.get("load average before"), 64); err != nil || before > busy {
		d.p("**The machine was not idle, or it is not known: the times on this page are no measure of anything.**\n")
	}
	met := 0
	for _, g := range d.goals {
		if g.met {
			met++
		}
	}
	d.p("## Goals\n\n%d of %d are met.\n\n| goal | wanted | measured | |\n|---|---|---|---|", met, len(d.goals))
	for _, g := range d.goals {
		d.p("| %s | %s | %s | %s |", g.what, g.want, g.got, g.verdict())
	}
	d.p("")
}

// row is a line of a table with a floor: what, figure, floor, ratio.
func (d *document) row(what, name, floorName, floor string) float64 {
	f, at := d.must(name, "ns/op"), d.must(floorName, "ns/op")
	ratio := f.median / at.median
	d.p("| %s | %s | %s: %s | %.2f |", what, f, floor, at, ratio)
	return ratio
}

func (d *document) access() {
	d.p("## Permission checks\n\nOne world of 1,000 users, 50 organizations, 1,000 entities and 10,000 grants.\n")
	d.p("| | time | floor | ratio |\n|---|---|---|---|")
	const floor, cached = "pkg/access MapLookup", "pkg/access CheckCached"
	ratio := d.row("cached check", cached, floor, "one map lookup")
	d.row("cached check, on every processor", cached+"Parallel", floor, "one map lookup")
	f, at := d.must("pkg/access CheckManyCached", "ns/op"), d.must(floor, "ns/op")
	d.p("| 100 cached checks of one user at once | %s | 100 map lookups: %s | %.2f |", f, duration(100*at.median), f.median/(100*at.median))
	c, allocs := d.must(cached, "ns/op"), d.must(cached, "allocs/op")
	tail := d.must("pkg/access CheckCachedTail", "p99-ns")
	d.atMost("cached check, to a map lookup", ratio, 2.5, times)
	d.atMost("cached check, allocations", allocs.median, 0, whole)
	d.atLeast("cached checks a second on one processor", 1e9/c.median, 5e6, millions)
	d.atMost("cached check, 99th percentile (two readings of the clock included)", tail.median, 1e3, duration)
	d.p("\nThe 99th percentile of single cached checks, two readings of the clock included, is %s.\n", tail)

	d.p("Not cached, on the embedded store:\n\n| check | median | 99th percentile | requests to the store | capacity units | floor | ratio |\n|---|---|---|---|---|---|---|")
	user := d.uncached("the user's facts are not cached", "check-user-uncached")
	all := d.uncached("nothing is cached", "check-uncached")
	d.atMost("check without the user's facts cached, requests to the store", user, 1, significant)
	d.atMost("check with nothing cached, requests to the store", all, 1, significant)
	d.atMost("check with nothing cached, 99th percentile", d.must("bench Service/check-uncached", "p99-ns").median, 1e6, duration)
	d.p("\nWhere nothing is cached, the requests are sent side by side: one round ([decision 13](decisions/0013-one-round-a-miss.md)).\n")
}

func (d *document) uncached(what, name string) (requests float64) {
	name = "bench Service/" + name
	f, floor := d.must(name, "p50-ns"), d.must("bench Read", "p50-ns")
	n := d.must(name, "requests/op").median
	d.p("| %s | %s | %s | %s | %s | one item from the file: %s | %.3g |", what, f, d.must(name, "p99-ns"), significant(n), significant(d.must(name, "units/op").median), floor, f.median/floor.median)
	return n
}

// shapes are the kinds of traffic that hit rates are played for.
var shapes = [][2]string{
	{"uniform", "1,000 people, all as busy"}, {"zipf", "10,000 people, the n-th 1/n as busy as the first"},
	{"one-hot-tenant", "four of five checks in one organization of 200"}, {"burst-of-sign-ins", "every minute 1,000 others come and go"},
}

func (d *document) hitRates() {
	d.p("## Hit rates of the fact cache\n\nA thousand checks a second, played through the real checker with its shipped bounds and a clock of its own, over so many processes, each with a cache of its own and at random, as Lambda spreads them. In a cell: of a hundred checks, for how many the user's facts were cached; in brackets, for how many the resource was, too, so that the store was not asked; then the requests to the store a check. The floor, which is to cache nothing, is two.\n")
	var counts []int
	for _, n := range d.benches.under("bench HitRate/" + shapes[0][0]) {
		if i, err := strconv.Atoi(n); err == nil {
			counts = append(counts, i)
		}
	}
	slices.Sort(counts)
	if len(counts) == 0 {
		d.missing = append(d.missing, errors.New("no hit rate was measured"))
		return
	}
	head, line := "| traffic |", "|---|"
	for _, n := range counts {
		head += fmt.Sprintf(" %d %s |", n, plural(n, "process", "processes"))
		line += "---|"
	}
	d.p("%s\n%s", head, line)
	worst := map[int]float64{}
	for _, s := range shapes {
		row := "| " + s[1] + " |"
		for _, n := range counts {
			name := fmt.Sprintf("bench HitRate/%s/%d", s[0], n)
			facts := d.must(name, "facts-%").median
			row += fmt.Sprintf(" %.0f (%.0f), %.2f |", facts, d.must(name, "whole-%").median, d.must(name, "requests/check").median)
			if w, ok := worst[n]; !ok || facts < w {
				worst[n] = facts
			}
		}
		d.p("%s", row)
	}
	d.p("")
	for _, n := range counts {
		d.atLeast(fmt.Sprintf("facts cached, worst traffic, %d %s", n, plural(n, "process", "processes")), worst[n], 80, percent)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (d *document) verification() {
	d.p("## Access tokens\n\n| | time | floor | ratio |\n|---|---|---|---|")
	d.row("verify, ES256", "pkg/token Verify/ES256", "pkg/token SignatureAlone", "the signature alone")
	d.row("verify again, cached", "pkg/token CachedVerify", "pkg/token MapHit", "digest and map hit")
	for _, alg := range []string{"EdDSA", "HS256"} {
		d.row("verify, "+alg, "pkg/token Verify/"+alg, "pkg/token SignatureAlone", "the signature of ES256")
	}
	d.p("")
}

func (d *document) starts() {
	const at = "test/lambda Start"
	d.p("## Starts of the functions\n\nThe real binaries as processes under a Lambda Runtime API of this machine: from the start of the process to its asking for the first event. The floor is a function that does nothing. Zipped sizes are of the binaries for arm64, as they are shipped.\n")
	d.p("| function | median | worst | to the floor | zipped |\n|---|---|---|---|---|")
	floor := d.must(at+"/bare", "ms-median").median
	names := d.benches.under(at)
	var medians, worsts, sizes []float64
	for _, n := range names {
		m, w := d.must(at+"/"+n, "ms-median").median, d.must(at+"/"+n, "ms-worst").median
		what, zipped := "nothing", ""
		if n != "bare" {
			what, medians, worsts = "`"+n+"`", append(medians, m), append(worsts, w)
		}
		if size, ok := d.sizes[n]; ok {
			zipped = megabytes(size / (1 << 20))
		}
		d.p("| %s | %s | %s | %.2f | %s |", what, duration(m*1e6), duration(w*1e6), m/floor, zipped)
	}
	for _, size := range d.sizes {
		sizes = append(sizes, size/(1<<20))
	}
	d.p("")
	if len(medians) == 0 || len(sizes) == 0 {
		d.missing = append(d.missing, errors.New("no function was started, or none was zipped"))
		return
	}
	slices.Sort(medians)
	slices.Sort(sizes)
	d.p("Of %d functions: the median of the medians is %s, the slowest median %s, the slowest of all starts %s. Zipped, the median of %d is %s.\n",
		len(medians), duration(median(medians)*1e6), duration(slices.Max(medians)*1e6), duration(slices.Max(worsts)*1e6), len(sizes), megabytes(median(sizes)))
	d.atMost("largest function, zipped", slices.Max(sizes), 5, megabytes)
}

func (d *document) peers() {
	d.p("## Beside others\n\nThe same world and the same question, all in one process with their data in memory (`bench/peers`). They are not the same thing: casbin's and Cedar's figures leave out where the data comes from and how it changes, which is most of what Lanyard's cache is; OpenFGA follows relations that Lanyard does not have.\n")
	d.p("| permission check | time | allocations | to a map lookup | to Lanyard cached |\n|---|---|---|---|---|")
	d.beside("Check", "map", "lanyard-cached", "cached check", [][2]string{{"map", "a map lookup"}, {"lanyard-cached", "Lanyard, cached"}, {"lanyard-from-memory", "Lanyard, nothing cached, a store that answers at once"},
		{"casbin-cached", "casbin/v2, the decision cached"}, {"cedar", "cedar-go"}, {"openfga", "OpenFGA, memory store"}, {"casbin", "casbin/v2"}})
	d.p("\n| verification of an access token, ES256 | time | allocations | to Lanyard's cached | to Lanyard |\n|---|---|---|---|---|")
	d.beside("Verify", "lanyard-cached", "lanyard", "verification", [][2]string{{"lanyard-cached", "Lanyard, the token met before"}, {"lanyard", "Lanyard"}, {"golang-jwt", "golang-jwt"}, {"go-oidc", "go-oidc"}})
	d.p("")
}

// beside gives the peers' table, and the goal that none of the others is faster.
func (d *document) beside(bench, floor, own, what string, rows [][2]string) {
	at := func(name string) figure { return d.must("bench/peers "+bench+"/"+name, "ns/op") }
	fastest, base := rows[0], at(own).median
	for _, r := range rows {
		f := at(r[0])
		d.p("| %s | %s | %.0f | %.3g | %.3g |", r[1], f, d.must("bench/peers "+bench+"/"+r[0], "allocs/op").median, f.median/at(floor).median, f.median/base)
		if other := !strings.HasPrefix(r[0], "lanyard") && r[0] != "map"; other && (fastest == rows[0] || f.median < at(fastest[0]).median) {
			fastest = r
		}
	}
	d.atMost(what+", to the fastest of the others ("+fastest[1]+")", base/at(fastest[0]).median, 1, times)
}
