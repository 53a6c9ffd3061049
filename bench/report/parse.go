package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benches are measurements by benchmark ("pkg/token Verify/ES256") and unit.
type benches map[string]map[string][]float64

// processors is what Go adds to a benchmark's name: how many it could use.
var processors = regexp.MustCompile(`-\d+$`)

// parse takes what `go test -bench` printed ("Go Benchmark Data Format").
func (b benches) parse(prefix, out string) error {
	found := false
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			continue
		}
		name := prefix + " " + processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
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
		return fmt.Errorf("%s printed no benchmark:\n%s", prefix, out)
	}
	return nil
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
	m := v[len(v)/2]
	if len(v)%2 == 0 {
		m = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return figure{m, v[0], v[len(v)-1], len(v)}, true
}

// time is a figure of nanoseconds as people read it.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3g µs", ns/1e3)
	default:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
}

func (f figure) String() string {
	if f.n < 2 || f.median == 0 {
		return duration(f.median)
	}
	return fmt.Sprintf("%s (%s – %s)", duration(f.median), duration(f.low), duration(f.high))
}

// loads is the load generator's report.
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

func (l *loads) read(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read load report: %w", err)
	}
	if err := json.Unmarshal(raw, l); err != nil {
		return fmt.Errorf("read load report: %w", err)
	}
	return nil
}
