package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/migrate"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// clock stands until it is moved.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) Advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

func newClock() *clock {
	c := &clock{}
	c.at.Store(1_800_000_000_000)
	return c
}

func migrator(t *testing.T, s *table.Table, now func() time.Time) *migrate.Migrator {
	t.Helper()
	m, err := migrate.New(s, migrate.Options{Now: now, Progress: func(int64) {}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func status(t *testing.T, m *migrate.Migrator) migrate.State {
	t.Helper()
	st, err := m.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func to(t *testing.T, m *migrate.Migrator, version int) int64 {
	t.Helper()
	n, err := m.To(t.Context(), version)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wrong(t *testing.T, m *migrate.Migrator) []string {
	t.Helper()
	out := []string{}
	n, err := m.Verify(t.Context(), func(f migrate.Finding) error { out = append(out, f.Item); return nil })
	if err != nil || int(n) != len(out) {
		t.Fatal(n, err)
	}
	return out
}

// document is a document as the programs of before wrote it.
type document struct {
	table.Key
	ID      string `dynamo:"id"`
	Title   string `dynamo:"title"`
	Content int64  `dynamo:"contentVersion"`
	Version int64  `dynamo:"version"`
	Bytes   *int64 `dynamo:"contentBytes,omitempty"`
	BytesOf int64  `dynamo:"contentBytesOf,omitempty"`
}

type content struct {
	table.Key
	Content string `dynamo:"content,omitempty"`
	Version int64  `dynamo:"version"`
}

// before writes n documents with the program of before.
func before(t *testing.T, s *table.Table, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%04d", i)
		if err := s.Transact(t.Context(),
			table.Create(document{Key: table.Document(id), ID: id, Title: "Log", Content: 1, Version: 1}),
			table.Put(content{Key: table.DocumentContent(id), Content: fmt.Sprintf("%0*d", i, 0), Version: 1})); err != nil {
			t.Fatal(err)
		}
	}
}

// rewrite gives a document new content with the program of before.
func rewrite(t *testing.T, s *table.Table, id, text string) {
	t.Helper()
	d := get(t, s, id)
	if err := s.Transact(t.Context(),
		table.Update(table.Document(id)).Set("contentVersion", d.Content+1).Set("version", d.Version+1).If("version = ?", d.Version),
		table.Put(content{Key: table.DocumentContent(id), Content: text, Version: d.Content + 1})); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *table.Table, id string) document {
	t.Helper()
	var d document
	if err := s.Get(t.Context(), table.Document(id), table.Strong, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestUpAndDownLeaveTheDataAsTheyShould(t *testing.T) {
	s, c := dynamotest.New(t), newClock()
	before(t, s.Table, 30)
	was := make([]document, 30)
	for i := range was {
		was[i] = get(t, s.Table, fmt.Sprintf("%04d", i))
	}
	m := migrator(t, s.Table, c.Now)
	if st := status(t, m); st.Version != 1 {
		t.Errorf("a table without a version is at %d", st.Version)
	}
	if n, err := m.Pending(t.Context(), 2); err != nil || n != 30 {
		t.Errorf("%d would change: %v", n, err)
	}
	if n := to(t, m, 2); n != 30 {
		t.Errorf("%d changed", n)
	}
	if st := status(t, m); st.Version != 2 || st.Running != 0 || !st.HeldUntil.IsZero() {
		t.Errorf("%+v", st)
	}
	for i := range was {
		d := get(t, s.Table, was[i].ID)
		var body content
		if err := s.Get(t.Context(), table.DocumentContent(d.ID), table.Strong, &body); err != nil {
			t.Fatal(err)
		}
		if d.Bytes == nil || *d.Bytes != int64(len(body.Content)) || d.BytesOf != 1 || d.Title != "Log" || d.Version != 1 {
			t.Errorf("after up: %+v", d)
		}
	}
	if found := wrong(t, m); len(found) != 0 {
		t.Errorf("wrong: %v", found)
	}
	if n := to(t, m, 2); n != 0 {
		t.Errorf("%d changed by a migration that has been", n)
	}
	if n := to(t, m, 1); n != 30 {
		t.Errorf("%d changed back", n)
	}
	for i := range was {
		if d := get(t, s.Table, was[i].ID); d != was[i] {
			t.Errorf("after down: %+v, was %+v", d, was[i])
		}
	}
	if st := status(t, m); st.Version != 1 {
		t.Errorf("%+v", st)
	}
}

func TestProgramsOfBeforeAndAfterWorkSideBySide(t *testing.T) {
	w := lanyardtest.Start(t)
	ada := w.Registered("ada@example.com")
	org := ada.Post("/api/organizations", map[string]any{"name": "Coastal"}).Want(http.StatusCreated).Text("id")
	boat := ada.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "Aurora"}).Want(http.StatusCreated).Text("id")
	doc := ada.Post("/api/entities/"+boat+"/documents", map[string]any{"title": "Log", "content": "twelve bytes"}).Want(http.StatusCreated).Text("id")
	m := migrator(t, w.Store.Table, w.Clock.Now)
	listed := func() any {
		t.Helper()
		return ada.Get("/api/entities/" + boat + "/documents").Want(http.StatusOK).Value("items.0.size")
	}
	want := func(when string, list, single any) {
		t.Helper()
		if got := listed(); got != list {
			t.Errorf("%s: listed %v, want %v", when, got, list)
		}
		if got := ada.Get("/api/documents/" + doc).Want(http.StatusOK).Value("size"); got != single {
			t.Errorf("%s: shown %v, want %v", when, got, single)
		}
	}
	want("written by the new program", 12.0, 12.0)
	rewrite(t, w.Store.Table, doc, "older")
	want("rewritten by the old one", nil, 5.0)
	if n := to(t, m, 2); n != 1 {
		t.Errorf("%d changed", n)
	}
	want("after up", 5.0, 5.0)
	rewrite(t, w.Store.Table, doc, "older still")
	want("rewritten by an old one that still runs", nil, 11.0)
	if found := wrong(t, m); len(found) != 1 || found[0] != doc {
		t.Errorf("found %v", found)
	}
	if n, err := m.Repair(t.Context()); err != nil || n != 1 {
		t.Errorf("%d repaired: %v", n, err)
	}
	want("repaired", 11.0, 11.0)
	to(t, m, 1)
	want("after down", nil, 11.0)
	ada.Patch("/api/documents/"+doc, map[string]any{"content": "new"}).Want(http.StatusOK)
	want("changed by the new program after down", 3.0, 3.0)
	ada.Patch("/api/documents/"+doc, map[string]any{"title": "Other"}).Want(http.StatusOK)
	want("renamed", 3.0, 3.0)
}

var errCut = errors.New("the line was cut")

func TestACrashInTheMiddleResumes(t *testing.T) {
	for _, direction := range []string{migrate.Up, migrate.Down} {
		for _, cut := range []int{0, 1, 2, 3, 4, 10, 31, 60, 61, 62} {
			t.Run(fmt.Sprintf("%s cut after %d", direction, cut), func(t *testing.T) {
				s, c := dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}), newClock()
				before(t, s.Table, 30)
				target := 2
				if direction == migrate.Down {
					to(t, migrator(t, s.Table, c.Now), 2)
					target = 1
				}
				var seen atomic.Int64
				s.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
					if seen.Add(1) > int64(cut) {
						return nil, errCut
					}
					return next.RoundTrip(r)
				})
				_, err := migrator(t, s.Table, c.Now).To(t.Context(), target)
				s.Transport.Intercept(nil)
				if err == nil && int64(cut) < seen.Load() {
					t.Fatal("not interrupted")
				}
				m := migrator(t, s.Table, c.Now)
				if status(t, m).Running != 0 { // a process that died holds the lease; one that failed has not been able to give it back
					if _, err := m.To(t.Context(), target); !errors.Is(err, migrate.ErrHeld) {
						t.Errorf("went on beside a run that may still live: %v", err)
					}
				}
				c.Advance(2 * time.Minute)
				to(t, m, target)
				for i := range 30 {
					d := get(t, s.Table, fmt.Sprintf("%04d", i))
					if (d.Bytes != nil) != (direction == migrate.Up) || direction == migrate.Up && *d.Bytes != int64(max(i, 1)) {
						t.Fatalf("document %d: %+v", i, d)
					}
				}
				if st := status(t, m); st.Version != target || st.Running != 0 {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

// pages is a migration that counts what it is given.
func pages(n *atomic.Int64, fail func(page []table.Record) error) []migrate.Migration {
	step := func(_ context.Context, _ *table.Table, page []table.Record) (int64, error) {
		n.Add(int64(len(page)))
		if fail != nil {
			return 0, fail(page)
		}
		return int64(len(page)), nil
	}
	return []migrate.Migration{{Version: 1}, {Version: 2, Items: &migrate.Items{PK: "X#", Up: step, Down: step,
		Wrong: func(context.Context, *table.Table, []table.Record) ([]string, error) { return nil, nil }}}}
}

// wide fills a table with more than one page of a scan, which is a megabyte.
func wide(t *testing.T, s *table.Table) {
	t.Helper()
	for i := range 12 {
		r, err := table.ParseRecord(fmt.Appendf(nil, `{"PK":{"S":"X#%02d"},"SK":{"S":"META"},"fill":{"S":"%0*d"}}`, i, 300<<10, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutAll(t.Context(), []table.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABrokenOffRunGoesOnWhereItWas(t *testing.T) {
	s, c := dynamotest.New(t), newClock()
	wide(t, s.Table)
	var first, second atomic.Int64
	stop := errors.New("stop")
	failing, err := migrate.New(s.Table, migrate.Options{Now: c.Now, Versions: pages(&first, func(page []table.Record) error {
		if first.Load() > 6 {
			return stop
		}
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := failing.To(t.Context(), 2); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if st := status(t, failing); st.Running != 2 || st.Direction != migrate.Up || !st.HeldUntil.IsZero() || st.Version != 1 {
		t.Errorf("a run that failed keeps others away: %+v", st)
	}
	m, err := migrate.New(s.Table, migrate.Options{Now: c.Now, Versions: pages(&second, nil)})
	if err != nil {
		t.Fatal(err)
	}
	to(t, m, 2)
	if second.Load() >= 12 || second.Load() < 12-first.Load() {
		t.Errorf("%d looked at first, then %d of 12", first.Load(), second.Load())
	}
}

func TestABrokenOffRunCanBeTurnedRound(t *testing.T) {
	s, c := dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}), newClock()
	before(t, s.Table, 10)
	var reads atomic.Int64
	s.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "BatchGetItem" && reads.Add(1) == 5 {
			return nil, errCut
		}
		return next.RoundTrip(r)
	})
	m := migrator(t, s.Table, c.Now)
	_, err := m.To(t.Context(), 2)
	s.Transport.Intercept(nil)
	if err == nil {
		t.Fatal("not interrupted")
	}
	to(t, m, 1)
	for i := range 10 {
		if d := get(t, s.Table, fmt.Sprintf("%04d", i)); d.Bytes != nil {
			t.Errorf("left over: %+v", d)
		}
	}
	if st := status(t, m); st.Version != 1 || st.Running != 0 {
		t.Errorf("%+v", st)
	}
}

func TestARunThatLostItsLeaseStops(t *testing.T) {
	s, c := dynamotest.New(t), newClock()
	wide(t, s.Table)
	var slow, quick atomic.Int64
	other, err := migrate.New(s.Table, migrate.Options{Now: c.Now, Versions: pages(&quick, nil)})
	if err != nil {
		t.Fatal(err)
	}
	once := false
	m, err := migrate.New(s.Table, migrate.Options{Now: c.Now, Versions: pages(&slow, nil), Pace: func(context.Context, int) error {
		if !once && slow.Load() > 0 {
			once = true
			if _, err := other.To(t.Context(), 2); !errors.Is(err, migrate.ErrHeld) {
				t.Errorf("two at once: %v", err)
			}
			c.Advance(time.Hour) // it hangs
			to(t, other, 2)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.To(t.Context(), 2); !errors.Is(err, migrate.ErrHeld) {
		t.Errorf("went on without its lease: %v", err)
	}
	if st := status(t, other); st.Version != 2 || st.Running != 0 {
		t.Errorf("%+v", st)
	}
}

func TestTheTableItselfIsTheFirstMigration(t *testing.T) {
	e, err := localdynamo.Open(localdynamo.Options{TTLEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	s := table.New(dynamotest.Config(), "fresh", table.Options{Transport: e.RoundTripper()})
	m := migrator(t, s, time.Now)
	if st := status(t, m); st.Version != 0 {
		t.Errorf("no table: %+v", st)
	}
	if n, err := m.Pending(t.Context(), 2); err != nil || n != 1 {
		t.Errorf("pending %d %v", n, err)
	}
	for range 2 {
		if err := migrate.Prepare(t.Context(), s, time.Now); err != nil {
			t.Fatal(err)
		}
	}
	if st := status(t, m); st.Version != m.Latest() {
		t.Errorf("%+v", st)
	}
	if there, err := s.Exists(t.Context()); err != nil || !there {
		t.Errorf("no table was made: %v", err)
	}
	before(t, s, 1)
	if _, err := m.To(t.Context(), 0); !errors.Is(err, migrate.ErrInUse) {
		t.Errorf("a table in use was deleted: %v", err)
	}
	for _, k := range []table.Key{table.Document("0000"), table.DocumentContent("0000")} {
		if err := s.Write(t.Context(), table.Delete(k)); err != nil {
			t.Fatal(err)
		}
	}
	to(t, m, 0)
	if there, err := s.Exists(t.Context()); err != nil || there {
		t.Errorf("the table is still there: %v", err)
	}
}

func TestATableThatHoldsNothingToMigrateIsAtTheNewestVersion(t *testing.T) {
	user := func(id, fill string) table.Record {
		r, err := table.ParseRecord(fmt.Appendf(nil, `{"PK":{"S":"USER#%s"},"SK":{"S":"STATE"},"fill":{"S":"%s"}}`, id, fill))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, c := range map[string]struct {
		fill    func(t *testing.T, s *table.Table)
		settled bool
		version int
	}{
		"empty":            {func(*testing.T, *table.Table) {}, true, 2},
		"users":            {func(t *testing.T, s *table.Table) { put(t, s, user("1", "x")) }, true, 2},
		"documents":        {func(t *testing.T, s *table.Table) { before(t, s, 1) }, false, 1},
		"more than a page": {func(t *testing.T, s *table.Table) { wide(t, s) }, false, 1},
		"it says where": {func(t *testing.T, s *table.Table) {
			to(t, migrator(t, s, time.Now), 2)
			to(t, migrator(t, s, time.Now), 1)
		}, false, 1},
		"it has been done": {func(t *testing.T, s *table.Table) { before(t, s, 3); to(t, migrator(t, s, time.Now), 2) }, false, 2},
		"it is under way":  {func(t *testing.T, s *table.Table) { held(t, s) }, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := dynamotest.New(t).Table
			c.fill(t, s)
			for round := range 2 {
				settled, err := migrate.Settle(t.Context(), s, time.Now)
				if err != nil || settled != (c.settled && round == 0) {
					t.Errorf("settled %v: %v", settled, err)
				}
			}
			if st := status(t, migrator(t, s, time.Now)); st.Version != c.version {
				t.Errorf("%+v", st)
			}
		})
	}
	absent := table.New(dynamotest.Config(), "absent", table.Options{Endpoint: dynamotest.Endpoint(), Transport: dynamotest.New(t).Transport})
	if settled, err := migrate.Settle(t.Context(), absent, time.Now); err != nil || settled {
		t.Errorf("no table: %v %v", settled, err)
	}
}

// put writes a record.
func put(t *testing.T, s *table.Table, r table.Record) {
	t.Helper()
	if err := s.PutAll(t.Context(), []table.Record{r}); err != nil {
		t.Fatal(err)
	}
}

// held leaves what a migration under way leaves.
func held(t *testing.T, s *table.Table) {
	t.Helper()
	if err := s.Write(t.Context(), table.Update(table.SchemaVersion()).Set("version", 1).Set("running", 2).Set("holder", "another")); err != nil {
		t.Fatal(err)
	}
}

func TestVersionsThatAreNoneAreRefused(t *testing.T) {
	s, c := dynamotest.New(t), newClock()
	m := migrator(t, s.Table, c.Now)
	for _, v := range []int{-1, m.Latest() + 1} {
		if _, err := m.To(t.Context(), v); err == nil {
			t.Errorf("went to %d", v)
		}
	}
	if err := s.Write(t.Context(), table.Put(struct {
		table.Key
		Version int `dynamo:"version"`
	}{table.SchemaVersion(), 99})); err != nil {
		t.Fatal(err)
	}
	if _, err := m.To(t.Context(), 2); err == nil {
		t.Error("a table of a newer program was changed")
	}
	for _, o := range []migrate.Options{{}, {Now: c.Now, Versions: []migrate.Migration{{Version: 2}}}} {
		if _, err := migrate.New(s.Table, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestWhatIsDeletedMeanwhileIsLetGo(t *testing.T) {
	s, c := dynamotest.New(t), newClock()
	before(t, s.Table, 3)
	gone := false
	s.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "BatchGetItem" && !gone {
			gone = true
			for _, k := range []table.Key{table.Document("0001"), table.DocumentContent("0001")} {
				if err := s.Write(t.Context(), table.Delete(k)); err != nil {
					t.Error(err)
				}
			}
		}
		return next.RoundTrip(r)
	})
	m := migrator(t, s.Table, c.Now)
	if n := to(t, m, 2); n != 2 {
		t.Errorf("%d changed", n)
	}
	if found := wrong(t, m); len(found) != 0 {
		t.Errorf("wrong %v", found)
	}
}
