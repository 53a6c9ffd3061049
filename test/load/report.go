package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// report is what a run found.
type report struct {
	Bcrypt  int      `json:"bcryptCost"`
	Users   int      `json:"users"`
	Results []result `json:"results"`
}

// errFailures says that not every request was answered as it should be.
var errFailures = errors.New("requests failed")

func (r report) failed() error {
	for _, x := range r.Results {
		if x.Errors > 0 {
			return fmt.Errorf("%s: %d %w, such as: %s", x.Name, x.Errors, errFailures, x.Sample)
		}
	}
	return nil
}

// result is what one kind of load found.
type result struct {
	Name       string        `json:"name"`
	Requests   int           `json:"requests"`
	PerRequest int           `json:"perRequest"` // what is counted as one: checks in a request
	Errors     int           `json:"errors"`
	Sample     string        `json:"sample,omitempty"` // of an error
	Took       time.Duration `json:"tookNanoseconds"`
	P50        time.Duration `json:"p50Nanoseconds"`
	P99        time.Duration `json:"p99Nanoseconds"`
	P999       time.Duration `json:"p999Nanoseconds"`
	Max        time.Duration `json:"maxNanoseconds"`
	PeakMemory int64         `json:"peakMemoryBytes,omitempty"` // of the server so far
	Kinds      []result      `json:"kinds,omitempty"`
}

// Rate is what was done a second.
func (r result) Rate() float64 { return float64(r.Requests*max(1, r.PerRequest)) / r.Took.Seconds() }

func (r result) String() string {
	s := fmt.Sprintf("%-28s %8d requests in %6s, %8.0f a second, p50 %9s, p99 %9s, p99.9 %9s, max %9s, %d errors",
		r.Name, r.Requests, r.Took.Round(100*time.Millisecond), r.Rate(), short(r.P50), short(r.P99), short(r.P999), short(r.Max), r.Errors)
	if r.PeakMemory > 0 {
		s += fmt.Sprintf(", server's peak memory %d MB", r.PeakMemory>>20)
	}
	if r.Sample != "" {
		s += "\n  such as: " + r.Sample
	}
	for _, k := range r.Kinds {
		s += "\n  " + k.String()
	}
	return s
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// tally collects latencies. It keeps every one: a run is bounded, and a
// quantile of them all needs no estimate.
type tally struct {
	mu     sync.Mutex
	times  []time.Duration
	errors int
	sample string
}

func (t *tally) add(d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.times = append(t.times, d)
	if err != nil {
		t.errors++
		if t.sample == "" {
			t.sample = err.Error()
		}
	}
}

// result gives what was collected.
func (t *tally) result(name string, took time.Duration) result {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.times)
	r := result{Name: name, Requests: len(t.times), Errors: t.errors, Sample: t.sample, Took: took}
	r.P50, r.P99, r.P999, r.Max = quantile(t.times, 0.5), quantile(t.times, 0.99), quantile(t.times, 0.999), quantile(t.times, 1)
	return r
}

// quantile gives the smallest of the sorted times that at least the share q of
// them do not exceed; 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
