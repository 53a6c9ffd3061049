// Package faults runs every operation on a store that throttles, fails, answers
// late or loses its replies, at each of the requests that the operation makes,
// and holds what is left in the table to what a run without trouble leaves.
package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/catalogtest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var errLine = errors.New("connection reset by peer")

// trouble is a way in which requests to the store go wrong: one of them, or
// that one and all after it.
type trouble struct {
	name    string
	lasting bool
	reads   bool // it is told apart from others on requests that only read, too
	meet    func(f *fault, r *http.Request, next http.RoundTripper) (*http.Response, error)
}

// dynamoError is an answer of DynamoDB that names an error.
func dynamoError(r *http.Request, status int, kind string) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `","message":"injected"}`
	return &http.Response{
		StatusCode: status, Request: r, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
	}
}

func throttled(_ *fault, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return dynamoError(r, http.StatusBadRequest, "ProvisionedThroughputExceededException"), nil
}

// refused is a failure that no retry mends, so that runs need not wait for
// retries; what retries meet is the others' matter.
func refused(_ *fault, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	return dynamoError(r, http.StatusBadRequest, "AccessDeniedException"), nil
}

// lost does the work and loses the reply.
func lost(_ *fault, r *http.Request, next http.RoundTripper) (*http.Response, error) {
	res, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	return nil, errLine
}

// late lets the client give the request up and try again; the first try reaches
// the store when all is over.
func late(f *fault, r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	again := r.Clone(context.WithoutCancel(r.Context()))
	again.Body = io.NopCloser(bytes.NewReader(body))
	f.mu.Lock()
	f.held = append(f.held, again)
	f.mu.Unlock()
	return nil, errLine
}

var troubles = []trouble{
	{"throttled once", false, true, throttled},
	{"failing", true, true, refused},
	{"lost once", false, false, lost},
	{"lost, and failing then", true, false, lost},
	{"late", false, false, late},
}

// fault meets the n-th request to the store with trouble.
type fault struct {
	trouble
	n int

	mu    sync.Mutex
	seen  int
	wrote []bool // of each request, whether it could write
	held  []*http.Request
	next  http.RoundTripper
}

func (f *fault) intercept(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
	f.mu.Lock()
	at := f.seen
	f.seen++
	f.next = next
	f.wrote = append(f.wrote, operation != "Query" && operation != "GetItem" && operation != "BatchGetItem")
	f.mu.Unlock()
	switch {
	case f.meet == nil || at < f.n:
	case at == f.n:
		return f.meet(f, r, next)
	case f.lasting:
		return refused(f, r, next)
	}
	return next.RoundTrip(r)
}

// place is a scenario with the state that it goes back to.
type place struct {
	t *testing.T
	*catalogtest.Scenario
	before map[table.Key]table.Record
	text   map[table.Key]string
	ids    map[string]bool // that are in the state, all others being new
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	opaque = regexp.MustCompile(`\$2[ab]\$\d\d\$[./A-Za-z0-9]{53}|\$[a-z0-9-]+\$[./A-Za-z0-9$=,+]{40,}|[A-Za-z0-9+/=_-]{22,}`)
	octets = regexp.MustCompile(`\[\d+( \d+){7,}\]`)
	shards = regexp.MustCompile(`\b(OUTBOX|TASK|USERS|ORGS|ALL)#\d+(#\d+)?`)
)

// plain gives an item's text with what is made up anew each time left out.
func (p *place) plain(s string) string {
	s = uuids.ReplaceAllStringFunc(s, func(id string) string {
		if p.ids[id] {
			return id
		}
		return "NEW"
	})
	s = octets.ReplaceAllString(s, "BYTES")
	s = shards.ReplaceAllString(s, "$1#")
	return opaque.ReplaceAllStringFunc(s, func(x string) string {
		if p.ids[x] || uuids.MatchString(x) {
			return x
		}
		return "OPAQUE"
	})
}

func (p *place) read() (map[table.Key]table.Record, map[table.Key]string) {
	p.t.Helper()
	records, text := map[table.Key]table.Record{}, map[table.Key]string{}
	err := p.Store.Scan(context.Background(), 0, 1, nil, func(page []table.Record, _ table.Position) error {
		for _, r := range page {
			var it map[string]any
			if err := r.Decode(&it); err != nil {
				return err
			}
			records[r.Key()], text[r.Key()] = r, fmt.Sprint(it)
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return records, text
}

// change is what a run did to the table: the trail and all else, as sorted
// lines. The limiter's counters may count a try that failed, so they are not in
// it.
type change struct{ state, trail string }

// undo reads what a run changed and puts the table back.
func (p *place) undo() change {
	p.t.Helper()
	records, text := p.read()
	var state, trail []string
	var back []table.Record
	note := func(k table.Key, what, was, is string) {
		switch line := p.plain(what + " " + k.PK + " " + k.SK + " " + was + " -> " + is); {
		case strings.HasPrefix(k.PK, table.ThrottlePrefix):
		case strings.HasPrefix(k.PK, "AUDIT#"):
			trail = append(trail, line)
		default:
			state = append(state, line)
		}
	}
	for k, is := range text {
		was, known := p.text[k]
		if !known {
			note(k, "new", "", is)
			if err := p.Store.Write(context.Background(), table.Delete(k)); err != nil {
				p.t.Fatal(err)
			}
		} else if was != is {
			note(k, "changed", was, is)
			back = append(back, p.before[k])
		}
	}
	for k, was := range p.text {
		if _, there := records[k]; !there {
			note(k, "gone", was, "")
			back = append(back, p.before[k])
		}
	}
	if len(back) > 0 {
		if err := p.Store.PutAll(context.Background(), back); err != nil {
			p.t.Fatal(err)
		}
	}
	slices.Sort(state)
	slices.Sort(trail)
	return change{strings.Join(state, "\n"), strings.Join(trail, "\n")}
}

// run sends a request with trouble at the n-th request to the store.
func (p *place) run(r catalogtest.Request, tr trouble, n int) (*lanyardtest.Answer, *fault, change) {
	p.t.Helper()
	f := &fault{trouble: tr, n: n}
	p.Store.Transport.Intercept(f.intercept)
	a := r.Do()
	p.Store.Transport.Intercept(nil)
	for _, held := range f.held {
		if res, err := f.next.RoundTrip(held); err == nil {
			_ = res.Body.Close()
		}
	}
	if !slices.Contains(f.wrote, true) {
		return a, f, change{}
	}
	return a, f, p.undo()
}

// groups is how many worlds the operations are shared among, in parallel.
const groups = 4

// A client may be told that it failed, and still it happened, since a reply can
// be lost; it may never be told that it happened when it did not; and it
// happens whole, with its event in the trail, or not at all. Trouble that
// passes is not noticed, and after trouble the same request does its work.
func TestEveryOperationEndsInTheStateOfASerialExecution(t *testing.T) {
	for g := range groups {
		t.Run(fmt.Sprint(g), func(t *testing.T) {
			t.Parallel()
			p := &place{t: t, Scenario: catalogtest.New(t, "LANYARD_THROTTLE=on", "LANYARD_ACCESS_CACHE_TTL=0",
				"LANYARD_LIMIT_PASSWORD=1000/15m", "LANYARD_LIMIT_SIGNIN=1000/15m", "LANYARD_LIMIT_MAIL=1000/1h")}
			p.Settle()
			p.before, p.text = p.read()
			p.ids = map[string]bool{}
			for _, text := range p.text {
				for _, id := range uuids.FindAllString(text, -1) {
					p.ids[id] = true
				}
				for _, x := range opaque.FindAllString(text, -1) {
					p.ids[x] = true
				}
			}
			for i, r := range p.Requests() {
				if i%groups == g {
					p.operation(r)
				}
			}
		})
	}
}

// mostReads bounds the reads of one operation that are met with trouble, since
// long is the only one that makes more: it looks through the shards of days that
// have nothing, one like the other. Its first reads are met, and its last.
const (
	mostReads = 24
	long      = "admin-audit"
)

// troubled gives the requests of a calm run that a trouble is tried at.
func troubled(calm *fault, tr trouble) (out []int) {
	reads := 0
	for n := range calm.seen {
		if calm.wrote[n] {
			out = append(out, n)
			continue
		}
		if reads++; tr.reads && (reads <= mostReads || n == calm.seen-1) {
			out = append(out, n)
		}
	}
	return out
}

func (p *place) operation(r catalogtest.Request) {
	p.t.Helper()
	warm, _, _ := p.run(r, trouble{}, 0)
	warm.Want(r.Status)
	_, calm, want := p.run(r, trouble{}, 0)
	if r.Method != http.MethodGet && !slices.Contains(calm.wrote, true) && !reads(r.Operation) {
		p.t.Errorf("%s changes nothing", r.Operation)
	}
	if calm.seen > mostReads && r.Operation != long {
		p.t.Errorf("%s makes %d requests, and not all of them are met with trouble", r.Operation, calm.seen)
	}
	for _, tr := range troubles {
		for _, n := range troubled(calm, tr) {
			a, _, got := p.run(r, tr, n)
			where := fmt.Sprintf("%s, %s at request %d: %d", r.Operation, tr.name, n, a.Status)
			if a.Status != r.Status && (!tr.lasting || a.Status < 500) {
				p.t.Errorf("%s %s", where, a.Raw)
			}
			if a.Status >= 400 && (a.Value("tokens") != nil || a.Value("user") != nil || a.Value("mfaToken") != nil || slices.ContainsFunc(a.Cookies, func(k *http.Cookie) bool { return k.MaxAge >= 0 })) {
				p.t.Errorf("%s: something was issued: %s", where, a.Raw)
			}
			switch {
			case got == want:
			case got == change{} && a.Status != r.Status:
			case want.state == "" && got.state == "" && strings.HasPrefix(want.trail, got.trail): // a read that was recorded, or not
			default:
				p.t.Errorf("%s: it did\n%s\n%s\nand without trouble it does\n%s\n%s", where, got.state, got.trail, want.state, want.trail)
			}
		}
	}
	again, _, got := p.run(r, trouble{}, 0)
	if again.Status != r.Status || got != want {
		p.t.Errorf("%s after trouble: %d %s\n%s", r.Operation, again.Status, again.Raw, got.state)
	}
}

// reads reports whether an operation asks a question by a method other than GET.
func reads(operation string) bool {
	return strings.HasPrefix(operation, "authzen-") || strings.HasPrefix(operation, "permissions-")
}
