package main

import (
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

func TestOnlyThisMachineIsPutUnderLoad(t *testing.T) {
	for raw, ok := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://[::1]:80": true, "http://127.9.9.9": true,
		"https://auth.example.com": false, "http://localhost:8080": false, "http://192.0.2.1": false, "http://0.0.0.0:80": false,
		"https://127.0.0.1": false, "127.0.0.1:8080": false, "http://127.0.0.1.example.com": false, "": false,
	} {
		if err := loopback(raw); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
	if err := run(t.Context(), options{url: "https://auth.example.com"}); !errors.Is(err, errNotHere) {
		t.Errorf("a run against a deployment: %v", err)
	}
}

func TestQuantilesAreOfEveryRequest(t *testing.T) {
	var c tally
	for i := range 1000 {
		var err error
		if i == 7 {
			err = errors.New("broken")
		}
		c.add(time.Duration(1000-i)*time.Millisecond, err)
	}
	r := c.result("x", 2*time.Second)
	if r.P50 != 500*time.Millisecond || r.P99 != 990*time.Millisecond || r.P999 != 999*time.Millisecond || r.Max != time.Second {
		t.Errorf("%+v", r)
	}
	if r.Rate() != 500 || r.Errors != 1 || r.Sample != "broken" {
		t.Errorf("%+v", r)
	}
	if err := (report{Results: []result{r}}).failed(); !errors.Is(err, errFailures) {
		t.Errorf("a run with an error passes: %v", err)
	}
	if (&tally{}).result("none", time.Second).P99 != 0 {
		t.Error("a quantile of nothing")
	}
}

// Every phase against a real server, small: all that is sent is answered well.
func TestEveryPhaseIsAnswered(t *testing.T) {
	w := lanyardtest.Start(t)
	g := newGenerator(options{url: w.URL, users: 3, signIns: 6, rate: 200, batch: 4, checks: 100 * time.Millisecond, mixed: 300 * time.Millisecond, workers: 4})
	t.Cleanup(g.transport.CloseIdleConnections)
	if err := g.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []result{g.allSignIn(t.Context()), g.check(t.Context()), g.mix(t.Context())} {
		if r.Requests == 0 || r.Errors > 0 {
			t.Error(r)
		}
	}
	g.users[0].entities = []string{"01900000-0000-7000-8000-0000000000f1"}
	if err := g.ask(t.Context(), g.users[0], 1); err == nil {
		t.Error("a denied check passes")
	}
}
