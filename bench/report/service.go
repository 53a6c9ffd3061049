package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// floors are what the requests cannot do without, by benchmark and unit.
var floors = map[string]struct{ name, unit, what string }{
	"hash":      {"bench Hash", "p50-ns", "the hash"},
	"commit":    {"bench Commit", "p50-ns", "one synced transaction"},
	"read":      {"bench Read", "p50-ns", "one item from the file"},
	"signature": {"pkg/token CachedVerify", "ns/op", "its token, cached"},
}

// services are the requests that are measured, and what floor they have.
var services = []struct{ name, what, floor string }{
	{"sign-in", "sign in", "hash"},
	{"sign-in-full", "sign in, with as many sessions as one may have", "hash"},
	{"refresh", "refresh", "commit"},
	{"me", "the signed-in user", "read"},
	{"register", "register", "hash"},
	{"list-50", "list of 50 entities", "read"},
	{"check-request", "check, cached, as a request", "signature"},
	{"check-user-uncached", "check in the process, the user's facts not cached", "read"},
	{"check-uncached", "check in the process, nothing cached", "read"},
}

func (d *document) floor(key string) (figure, string) {
	f := floors[key]
	return d.must(f.name, f.unit), f.what
}

func (d *document) service() {
	hash := d.must("bench Hash", "p50-ns")
	d.p("## Requests\n\nThe whole API in one process without the network, on the embedded store on disk, every write synced, one request after the other. Passwords are hashed at bcrypt's lowest cost, which takes %s here and is within *sign in* and *register*; each step of cost doubles it.\n", hash)
	d.p("| request | median | 99th percentile | requests to the store | floor | ratio |\n|---|---|---|---|---|---|")
	for _, s := range services {
		name := "bench Service/" + s.name
		d.request(s.what, d.must(name, "p50-ns"), d.must(name, "p99-ns"), significant(d.must(name, "requests/op").median), s.floor)
		if strings.HasPrefix(s.name, "sign-in") {
			d.request("· without its own hash", d.must(name, "rest-p50-ns"), d.must(name, "rest-p99-ns"), "", "commit")
		}
	}
	const shipped = "bench SignInAsShipped"
	took, own := d.must(shipped, "p50-ns"), d.must(shipped, "hash-p50-ns")
	d.p("| sign in, hashed as shipped | %s | %s | %s | its hash: %s | %.3f |", took, d.must(shipped, "p99-ns"), significant(d.must(shipped, "requests/op").median), own, took.median/own.median)
	d.request("· without its own hash", d.must(shipped, "rest-p50-ns"), d.must(shipped, "rest-p99-ns"), "", "commit")
	d.p("\nA sign-in is counted while it is hashed: what it takes beside its hash is less, the longer the hash takes.\n")

	ms := func(v float64) float64 { return v * 1e6 }
	p99 := func(name, unit string) float64 { return d.must(name, unit).median }
	d.atMost("sign in, 99th percentile, without its hash", p99("bench Service/sign-in", "rest-p99-ns"), ms(3), duration)
	d.atMost("sign in, 99th percentile, without its hash, hashed as shipped", p99(shipped, "rest-p99-ns"), ms(3), duration)
	d.atMost("sign in, median, hashed as shipped (its hash alone: "+duration(own.median)+")", took.median, ms(100), duration)
	d.atMost("refresh, 99th percentile", p99("bench Service/refresh", "p99-ns"), ms(3), duration)
	d.atMost("check as a request, cached, 99th percentile", p99("bench Service/check-request", "p99-ns"), ms(5), duration)
}

func (d *document) request(what string, median, tail figure, requests, floor string) {
	at, of := d.floor(floor)
	d.p("| %s | %s | %s | %s | %s: %s | %.3g |", what, median, tail, requests, of, at, median.median/at.median)
}

func (d *document) growth() {
	const limit = 1.5
	var sizes []int
	for _, n := range d.benches.under("bench Growth") {
		users, name, _ := strings.Cut(n, "/")
		if i, err := strconv.Atoi(users); err == nil && name == services[0].name {
			sizes = append(sizes, i)
		}
	}
	slices.Sort(sizes)
	if len(sizes) == 0 {
		d.missing = append(d.missing, errors.New("no growth was measured"))
		return
	}
	d.p("## Growth\n\nThe median with so many users in the table (writes not synced, so that the disk does not hide the difference), and what the most are to the fewest.\n")
	head, line := "| request |", "|---|"
	for _, n := range sizes {
		head += fmt.Sprintf(" %s users |", thousands(n))
		line += "---|"
	}
	d.p("%s ratio |\n%s---|", head, line)
	worst, of := 0.0, ""
	for _, s := range services {
		row := "| " + s.what + " |"
		var first, last float64
		for i, n := range sizes {
			f := d.must(fmt.Sprintf("bench Growth/%d/%s", n, s.name), "p50-ns")
			if last = f.median; i == 0 {
				first = last
			}
			row += " " + f.String() + " |"
		}
		d.p("%s %.2f |", row, last/first)
		if last/first > worst {
			worst, of = last/first, s.what
		}
	}
	d.p("")
	d.atMost(fmt.Sprintf("%s users to %s, the request that grows most (%s)", thousands(sizes[len(sizes)-1]), thousands(sizes[0]), of), worst, limit, times)
}

// thousands gives a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// alone names what a kind of request takes when nothing else is under way.
var alone = map[string]string{"check": "check-request", "me": "me", "refresh": "refresh", "sign-in": "sign-in"}

func (d *document) underLoad() {
	if len(d.loads) == 0 {
		d.missing = append(d.missing, errors.New("no load was put on a server"))
		return
	}
	d.p("## Under load\n\n`lanyard serve` as it is shipped but for abuse limits, which are off, and the load generator on the same machine, sharing its processors. Checks come at a constant rate however long the answers take, and are late from the moment they were due; each request asks several. *To the floor* is, for sign-ins, how long the processors would take for the hashes alone, and for single requests their median with nothing else under way.\n")
	d.p("| load | requests | a second | median | 99th | 99.9th | errors | server's peak memory | to the floor |\n|---|---|---|---|---|---|---|---|---|")
	for _, l := range d.loads {
		for _, r := range l.Results {
			d.loaded(r, r.Name, d.toHashes(l, r))
			for _, k := range r.Kinds {
				ratio := ""
				if a, ok := alone[k.Name]; ok && k.P50 > 0 {
					ratio = significant(float64(k.P50) / d.must("bench Service/"+a, "p50-ns").median)
				}
				d.loaded(k, "· "+k.Name, ratio)
			}
			d.loadGoals(r)
		}
		first, last := l.Results[0], l.Results[len(l.Results)-1]
		if len(l.Results) > 1 && first.Peak > 0 {
			d.atMost("memory after "+last.Name+", to that after "+first.Name, float64(last.Peak)/float64(first.Peak), 1.25, times)
		}
	}
	d.p("")
}

// toHashes is what a burst of sign-ins took, to what its hashes alone would take
// on all processors.
func (d *document) toHashes(l loads, r loaded) string {
	n, err := strconv.Atoi(d.t.get("processors"))
	if !strings.Contains(r.Name, "sign-ins") || err != nil {
		return ""
	}
	const lowest = 4 // bcrypt's, of the benchmark; each step doubles the work
	hashes := d.must("bench Hash", "p50-ns").median * float64(int(1)<<(l.Bcrypt-lowest)) * float64(r.Requests) / float64(n)
	return significant(float64(r.Took) / hashes)
}

func (d *document) loadGoals(r loaded) {
	d.atMost(r.Name+", errors", float64(r.Errors), 0, whole)
	if asked, _, ok := strings.Cut(r.Name, " checks a second"); ok {
		if n, err := strconv.Atoi(asked); err == nil {
			// What was sent last is answered after the time is over.
			d.atLeast("checks a second, sustained", r.rate(), 0.995*float64(n), whole)
		}
	}
}

func (d *document) loaded(r loaded, name, ratio string) {
	memory, unit := "", ""
	if r.Peak > 0 {
		memory = fmt.Sprintf("%d MB", r.Peak>>20)
	}
	if r.PerRequest > 1 {
		unit = " checks"
	}
	d.p("| %s | %d | %s%s | %s | %s | %s | %d | %s | %s |", name, r.Requests, significant(r.rate()), unit,
		duration(float64(r.P50)), duration(float64(r.P99)), duration(float64(r.P999)), r.Errors, memory, ratio)
}
