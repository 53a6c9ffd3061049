package cost

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/metrics"
)

var write = flag.Bool("write", false, "write docs/costs.md instead of comparing it")

const path = "../../docs/costs.md"

// theDocument holds docs/costs.md to what was measured.
func theDocument(t *testing.T, measured map[string]measurement) {
	want := document(t, measured)
	if *write {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	was, is := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Errorf("docs/costs.md, line %d, has\n%s\nand measured is\n%s", i+1, was[i], is[i])
		}
	}
	t.Error("docs/costs.md is not what is measured: run make costs if it should be")
}

// bill is what a million calls cost, in dollars.
type bill struct{ store, compute, gateway, logs, traces, mail float64 }

func (b bill) total() float64 { return b.store + b.compute + b.gateway + b.logs + b.traces + b.mail }

// logged is the length of the line that a request leaves in the log.
func logged(t *testing.T, op *api.Spec) float64 {
	t.Helper()
	var b bytes.Buffer
	const id = "01900000-0000-7000-8000-0000000000b1"
	metrics.Observer(&b, slog.New(slog.DiscardHandler), "prod", func() time.Time { return time.UnixMilli(1_800_000_000_000) })(context.Background(),
		api.Observation{Operation: op.ID, RouteKey: op.RouteKey(), RequestID: id, UserID: id, Status: op.Status, Duration: 12345 * time.Microsecond})
	return float64(b.Len())
}

// million gives what a million calls cost.
func million(t *testing.T, op *api.Spec, f figure) bill {
	t.Helper()
	invocations, size := 1.0, memory
	own := overhead + roundTrip*float64(f.Own.Requests)
	if op.Hashes {
		size = hashing
		own += hashTime
	}
	gb := own / 1000 * size / 1024
	bytes := logged(t, op) + platform
	if op.Access != api.Public {
		invocations++
		gb += (overhead + roundTrip*float64(f.Authorizer.Requests)) / 1000 * memory / 1024
		bytes += platform
	}
	if f.After > 0 {
		invocations++
		gb += (overhead + roundTrip*(1+f.After/2)) / 1000 * memory / 1024
		bytes += platform
	}
	s := f.total()
	return bill{
		store:   s.Reads*priceRead.dollars + (s.Writes+f.After)*priceWrite.dollars,
		compute: invocations*priceLambda.dollars + gb*1e6*priceCompute.dollars,
		gateway: priceAPI.dollars,
		logs:    bytes * 1e6 / 1e9 * priceLogs.dollars,
		traces:  sampled * priceTrace.dollars,
		mail:    float64(f.Mails) * 1000 * priceMail.dollars,
	}
}

// habit is how often a monthly user does something, warm or cold.
type habit struct {
	op    string
	times float64
	cold  float64 // the share that finds nothing cached
}

// habits are an ordinary month of one user of a product behind Lanyard.
var habits = []habit{
	{"auth-register", 0.05, 1}, {"auth-verify-email", 0.05, 1}, {"auth-login", 4, 1}, {"auth-refresh", 60, 1}, {"auth-logout", 1, 1},
	{"auth-forgot-password", 0.05, 1}, {"auth-reset-password", 0.05, 1},
	{"auth-me", 30, 0.5}, {"permissions-check", 200, 0.2}, {"entities-list", 20, 0.5}, {"entities-get", 40, 0.5}, {"entities-change", 4, 1},
}

func document(t *testing.T, measured map[string]measurement) []byte {
	t.Helper()
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Costs\n\n<!-- Written by make costs from what test/cost measures. -->\n")
	p("Every figure here follows from a measurement that `make costs` repeats: `test/cost` makes a call of every operation on a tenant of %d members, %d entities and %d documents, cold (nothing cached, as on an instance that has just started) and warm, and sums the `ConsumedCapacity` of every call to the store. `make test` compares this page with it, and fails when an operation exceeds the budget in its declaration ([operations.md](operations.md)).\n", members+1, entities, documents)
	p("## At rest\n\nNothing runs where nobody asks: no instance, no connection, no cluster. What is left is the stored gigabytes ($%.2f each a month beyond DynamoDB's free 25), nine alarms ($%.2f a month), and two schedules: the mailer looks once a minute for what the stream did not bring it, and a key is looked after once a day. That is %s calls of Lambda a month, and $%.2f with the capacity units of looking into the sixteen empty queues.\n",
		priceStorage.dollars, 9*priceAlarm.dollars, thousands(idleCalls), idle())
	p("## Each operation\n\nRequests to the store, read and write request units, of one successful call, the authorizer's included; *after* is the write units of what the call leaves to the mailer. Dollars are for a million warm calls, everything in: store, Lambda, HTTP API, logs, traces, mail.\n")
	p("| operation | cold: requests | read | write | warm: requests | read | write | after | mails | $ a million |\n|---|---|---|---|---|---|---|---|---|---|")
	ops := map[string]*api.Spec{}
	for _, op := range lanyardtest.Operations() {
		m, ok := measured[op.ID]
		if !ok {
			continue
		}
		ops[op.ID] = &op
		c, w := m.Cold.total(), m.Warm.total()
		p("| `%s` | %d | %v | %v | %d | %v | %v | %v | %d | %.2f |", op.ID, c.Requests, c.Reads, c.Writes, w.Requests, w.Reads, w.Writes, m.Warm.After, m.Warm.Mails, million(t, &op, m.Warm).total())
	}
	p("\nA list's cost is that of its first page on that tenant; `admin-audit` and `users-list` are asked for one row, since how many rounds a longer page takes depends on how ids are spread; they and `auth-activity` grow with what there is to look through, up to the requests that they declare.\n")
	p("## 100,000 monthly users\n\nWhat one user does in a month is an assumption; replace it with yours. *Cold* is the share of calls that find nothing cached.\n")
	p("| operation | times a user | cold | store | Lambda | HTTP API | logs and traces | mail | together |\n|---|---|---|---|---|---|---|---|---|")
	var sum bill
	for _, h := range habits {
		op, m := ops[h.op], measured[h.op]
		cold, warm := million(t, op, m.Cold), million(t, op, m.Warm)
		scale := func(c, w float64) float64 { return (c*h.cold + w*(1-h.cold)) * h.times / 10 }
		x := bill{scale(cold.store, warm.store), scale(cold.compute, warm.compute), scale(cold.gateway, warm.gateway),
			scale(cold.logs, warm.logs), scale(cold.traces, warm.traces), scale(cold.mail, warm.mail)}
		p("| `%s` | %v | %.0f %% | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |", h.op, h.times, h.cold*100, x.store, x.compute, x.gateway, x.logs+x.traces, x.mail, x.total())
		sum.store += x.store
		sum.compute += x.compute
		sum.gateway += x.gateway
		sum.logs += x.logs
		sum.traces += x.traces
		sum.mail += x.mail
	}
	p("| **all** | | | %.2f | %.2f | %.2f | %.2f | %.2f | **%.2f** |\n", sum.store, sum.compute, sum.gateway, sum.logs+sum.traces, sum.mail, sum.total())
	series := 4 * (len(habits) + 1)
	metricsCost := float64(series) * priceMetric.dollars
	p("To this come the metrics: four for the stage and four for each operation in use, %d series here, at most $%.2f a month however many users there are; and what is said under *At rest*. A month with 100,000 users so costs **$%.2f**.\n", series, metricsCost, sum.total()+metricsCost+9*priceAlarm.dollars+idle())
	p("Beside it, as published for 100,000 monthly users, without single sign-on, SMS or support:\n\n| service | a month | how it is made | source |\n|---|---|---|---|")
	p("| Lanyard | $%.2f | the table above | this page |", sum.total()+metricsCost+9*priceAlarm.dollars+idle())
	for _, s := range services {
		p("| %s | %s | %s | %s |", s.name, s.month, s.how, s.source)
	}
	p("\nThey are not the same thing: the others run it for you, and most leave the permission checks, the largest line of the bill above, to you. Pages of others were read in November 2026, in a store of public pages: the date given is the page's own.\n")
	p("## What was assumed\n\n- A request to DynamoDB takes %.0f ms within a region, a function %.0f ms besides, a password hash %.0f ms; functions have %.0f MB, those that hash %.0f MB. Requests made at the same time are counted one after the other. None of this can be measured without an account.\n- The request's log line is measured; Lambda's own lines take %d bytes an invocation. One request in %.0f is traced.\n- Prices are those of us-east-1, free allowances left out:\n",
		roundTrip, overhead, hashTime, memory, hashing, platform, 1/sampled)
	p("| what | $ | per | source |\n|---|---|---|---|")
	for _, x := range prices {
		p("| %s | %v | %s | %s |", x.what, x.dollars, x.per, x.source)
	}
	return []byte(b.String())
}

// idleCalls is how often the schedules call in a month of 30 days.
const idleCalls = 30*24*60 + 30

// idle is what they cost: each time the mailer reads every shard of both
// queues, one strongly consistent query each.
func idle() float64 {
	const queries = 16
	gb := (overhead + roundTrip*queries) / 1000 * memory / 1024
	return idleCalls * (priceLambda.dollars/1e6 + gb*priceCompute.dollars + queries*priceRead.dollars/1e6)
}

func thousands(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
