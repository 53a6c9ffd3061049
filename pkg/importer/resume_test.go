package importer_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// bare is an importer on an empty table of its own, whose client gives up at once.
func (w *world) bare(t *testing.T) (*world, *dynamotest.Store) {
	t.Helper()
	s := dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1})
	other := &lanyardtest.World{T: t, Store: s, Clock: w.Clock, Config: w.Config, Ring: w.Ring, Assembly: &assembly.Assembly{
		Keys: w.Assembly.Keys, Version: "test", Deps: service.Deps{
			Config: w.Config, Table: s.Table, Now: w.Clock.Now, Log: w.Assembly.Deps.Log, SessionsEnded: func(string) {},
		}}}
	return &world{other, newImporter(t, other)}, s
}

// crowd is a file of n users, every seventh of whom is refused.
func crowd(n int) string {
	var b strings.Builder
	for i := range n {
		if i%7 == 3 {
			fmt.Fprintf(&b, `{"id":"r%d","email":"user%d@crowd.example"}`+"\n", i, i-1)
			continue
		}
		fmt.Fprintf(&b, `{"id":"c%d","email":"user%d@crowd.example","emailVerified":true,"username":"user%d","organization":"Org %d",`+
			`"profile":{"firstName":"User %d"},"passwordHash":"$2b$04$2G0u7Hmu4r2sNiGJmxC/9e/ump9os8vqHRL27UKyBQfwfL0owjhaa"}`+"\n", i, i, i, i, i)
	}
	return b.String()
}

func TestAnImportCutOffAnywhereAndRunAgainGivesTheSame(t *testing.T) {
	w := start(t)
	file := crowd(110)
	whole, _ := w.bare(t)
	want, err := whole.run(jsonl(file), importer.Options{Kind: importer.Users})
	if err != nil {
		t.Fatal(err)
	}
	table := whole.exported()
	for _, cut := range []int{0, 1, 3, 7, 40, 97, 100, 103} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			part, s := w.bare(t)
			for n := cut; ; n += 60 {
				s.Transport.Intercept(cutAfter(n))
				out, err := part.run(jsonl(file), importer.Options{Kind: importer.Users})
				s.Transport.Intercept(nil)
				if n == cut && err == nil && cut < 100 {
					t.Fatal("not interrupted")
				}
				if err == nil {
					if fmt.Sprint(out.refused) != fmt.Sprint(want.refused) || out.Created+out.Unchanged != want.Created {
						t.Errorf("it ended with %+v, at once it gives %+v", out, want)
					}
					break
				}
			}
			if got := part.exported(); got != table {
				t.Errorf("another table than that of a run at once")
			}
		})
	}
}

func TestARollbackCutOffAnywhereAndRunAgainGivesTheSame(t *testing.T) {
	w := start(t)
	for cut := 0; ; cut += 1 + cut/2 {
		part, s := w.bare(t)
		before := part.exported()
		part.everything()
		if _, err := part.run(jsonl(crowd(30)), importer.Options{Kind: importer.Users}); err != nil {
			t.Fatal(err)
		}
		tasks, err := part.Assembly.Tasks()
		if err != nil {
			t.Fatal(err)
		}
		takeBack := func() error {
			if _, err := part.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1"}); err != nil {
				return err
			}
			for {
				if n, err := tasks.DrainWith(t.Context(), 4); err != nil || n == 0 {
					return err
				}
			}
		}
		s.Transport.Intercept(cutAfter(cut))
		err = takeBack()
		s.Transport.Intercept(nil)
		uncut := err == nil
		if uncut && cut < 40 {
			t.Fatalf("not interrupted after %d requests", cut)
		}
		w.Clock.Advance(3 * time.Minute) // a task that was broken off is held for two
		for range 2 {                    // the second look of what is left
			if err := takeBack(); err != nil {
				t.Fatalf("cut after %d requests and run again: %v", cut, err)
			}
			w.Clock.Advance(3 * time.Minute)
		}
		if after := part.exported(); after != before {
			t.Errorf("cut after %d requests, this is left behind:\n%s", cut, after)
		}
		if uncut {
			return
		}
	}
}

func TestTheWorkOfARollbackGrowsWithItsBatchOnly(t *testing.T) {
	w := start(t)
	perUser := func(n int) float64 {
		part, s := w.bare(t)
		if _, err := part.run(jsonl(crowd(n)), importer.Options{Kind: importer.Users}); err != nil {
			t.Fatal(err)
		}
		tasks, err := part.Assembly.Tasks()
		if err != nil {
			t.Fatal(err)
		}
		var requests, writes atomic.Int64
		s.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
			requests.Add(1)
			switch op {
			case "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems": // each waits for the disk
				writes.Add(1)
			}
			return next.RoundTrip(r)
		})
		out, err := part.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1"})
		for met := 1; met > 0 && err == nil; {
			met, err = tasks.DrainWith(t.Context(), 4)
		}
		s.Transport.Intercept(nil)
		if err != nil || out.Users == 0 || out.Users != out.Organizations || out.Memberships != out.Users {
			t.Fatalf("%+v %v", out, err)
		}
		if got := float64(writes.Load()) / float64(out.Users); got > 1 {
			t.Errorf("%.1f writes for each of %d users", got, out.Users)
		}
		return float64(requests.Load()) / float64(out.Users)
	}
	if few, many := perUser(60), perUser(240); many > 8 || many > few {
		t.Errorf("%.1f requests for each of few users, %.1f for each of many", few, many)
	}
}

func TestALostReplyIsNoRefusal(t *testing.T) {
	w := start(t)
	var seen atomic.Int64
	w.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if op == "TransactWriteItems" && err == nil && seen.Add(1)%3 == 0 {
			_ = res.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return res, err
	})
	out, err := w.run(jsonl(crowd(40)), importer.Options{Kind: importer.Users})
	w.Store.Transport.Intercept(nil)
	if err != nil || out.Created != 34 || out.Refused != 6 || seen.Load() < 40 {
		t.Errorf("%+v %v after %d transactions", out.Report, err, seen.Load())
	}
}

func TestThousandsOfUsersTakeBoundedMemory(t *testing.T) {
	if dynamotest.Endpoint() != "" {
		t.Skip("measures this process with the engine in it")
	}
	w := start(t)
	part, _ := w.bare(t)
	const n = 2000
	var peak uint64
	o := importer.Options{Kind: importer.Users, Progress: func(lines int64) {
		if lines%480 == 0 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}}
	out, err := part.run(jsonl(crowd(n)), o)
	if err != nil || out.Created+out.Refused != n || out.Refused != int64((n+3)/7) {
		t.Fatalf("%+v %v", out.Report, err)
	}
	if peak == 0 || peak > 100<<20 {
		t.Errorf("%d MB of live heap", peak>>20)
	}
}
