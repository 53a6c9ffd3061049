package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benches are measurements by benchmark ("pkg/token Verify/ES256") and unit.
type benches map[string]map[string][]float64

// module is what the packages' names begin with.
const module = "github.com/lanyard-auth/lanyard/"

// processors is what Go adds to a benchmark's name: how many it could use.
var processors = regexp.MustCompile(`-\d+$`)

// parse takes what `go test -bench` printed ("Go Benchmark Data Format").
func (b benches) parse(out string) error {
	pkg, found := "", false
	for line := range strings.SplitSeq(out, "\n") {
		if p, ok := strings.CutPrefix(line, "pkg: "); ok {
			pkg = strings.TrimPrefix(strings.TrimSpace(p), module)
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			continue
		}
		name := pkg + " " + processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
		if b[name] == nil {
			b[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("benchmark line %q: %w", line, err)
			}
			b[name][fields[i+1]] = append(b[name][fields[i+1]], v)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no benchmark was printed:\n%s", out)
	}
	return nil
}

// under gives the names of the benchmarks below one, without that, in order.
func (b benches) under(name string) []string {
	var out []string
	for n := range b {
		if rest, ok := strings.CutPrefix(n, name+"/"); ok {
			out = append(out, rest)
		}
	}
	slices.Sort(out)
	return out
}

// figure is the median of measurements and how far they lie apart.
type figure struct {
	median, low, high float64
	n                 int
}

// get gives the figure of a benchmark, and whether it was measured.
func (b benches) get(name, unit string) (figure, bool) {
	v := slices.Sorted(slices.Values(b[name][unit]))
	if len(v) == 0 {
		return figure{}, false
	}
	return figure{median(v), v[0], v[len(v)-1], len(v)}, true
}

// median is of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// duration is a number of nanoseconds as people read it.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e6:
		return significant(ns/1e3) + " µs"
	case ns < 1e9:
		return significant(ns/1e6) + " ms"
	default:
		return significant(ns/1e9) + " s"
	}
}

// significant gives three digits of a number, and all before the point.
func significant(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func (f figure) String() string {
	if f.n < 2 || f.median == 0 {
		return duration(f.median)
	}
	return fmt.Sprintf("%s (%s – %s)", duration(f.median), duration(f.low), duration(f.high))
}

// loads is a report of the load generator.
type loads struct {
	Bcrypt  int `json:"bcryptCost"`
	Users   int
	Results []loaded
}

type loaded struct {
	Name                 string
	Requests, PerRequest int
	Errors               int
	Took                 time.Duration `json:"tookNanoseconds"`
	P50                  time.Duration `json:"p50Nanoseconds"`
	P99                  time.Duration `json:"p99Nanoseconds"`
	P999                 time.Duration `json:"p999Nanoseconds"`
	Peak                 int64         `json:"peakMemoryBytes"`
	Kinds                []loaded
}

// rate is what was done a second.
func (l loaded) rate() float64 { return float64(l.Requests*max(1, l.PerRequest)) / l.Took.Seconds() }

// readSizes takes what tools/zip-sizes.sh printed: functions and bytes.
func readSizes(out string) (map[string]float64, error) {
	sizes := map[string]float64{}
	for line := range strings.Lines(out) {
		name, bytes, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(bytes, 64)
		if err != nil {
			return nil, fmt.Errorf("size %q: %w", line, err)
		}
		sizes[name] = n
	}
	return sizes, nil
}

// read sorts what the commands printed.
func read(t transcript) (b benches, all []loads, sizes map[string]float64, err error) {
	b = benches{}
	for _, s := range t.steps {
		switch {
		case strings.Contains(s.command, "-bench "):
			if err := b.parse(s.output); err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", s.command, err)
			}
		case strings.Contains(s.command, "./test/load"):
			var l loads
			if err := json.Unmarshal([]byte(s.output), &l); err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", s.command, err)
			}
			all = append(all, l)
		case strings.Contains(s.command, "zip-sizes"):
			if sizes, err = readSizes(s.output); err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %w", s.command, err)
			}
		}
	}
	return b, all, sizes, nil
}
