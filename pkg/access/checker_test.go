package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

func mustCheck(t testing.TB, c *access.Checker, user string, ref access.Ref, a access.Action, how access.Consistency) access.Decision {
	t.Helper()
	d, err := c.Check(context.Background(), user, ref, a, how)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// reads gives how often the store was read since the last call: facts, facts
// about single resources, resources.
func (w *world) reads() [3]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := [3]int{w.factReads, w.pointReads, w.placeReads}
	w.factReads, w.pointReads, w.placeReads = 0, 0, 0
	return n
}

func (w *world) expectReads(t testing.TB, facts, points, places int) {
	t.Helper()
	if got, want := w.reads(), [3]int{facts, points, places}; got != want {
		t.Errorf("the store was read %v times (facts, facts by resource, resources), want %v", got, want)
	}
}

func TestOneReadOfTheFactsServesEverythingAboutAUser(t *testing.T) {
	w := coastal()
	w.addDocument("log-1", "boat-1", "coastal")
	c := newChecker(t, w, access.Config{})
	mustCheck(t, c, "carol", entity("boat-1"), access.ActionView, access.Cached)
	w.expectReads(t, 1, 0, 1)

	mustCheck(t, c, "carol", entity("boat-1"), access.ActionEdit, access.Cached)
	w.expectReads(t, 0, 0, 0)

	mustCheck(t, c, "carol", entity("boat-2"), access.ActionView, access.Cached)
	w.expectReads(t, 0, 0, 1) // only where the boat belongs

	if _, err := c.CheckMany(context.Background(), "carol", []access.Question{
		{Ref: entity("boat-3"), Action: access.ActionView},
		{Ref: document("log-1"), Action: access.ActionView},
		{Ref: entity("boat-3"), Action: access.ActionEdit},
		{Ref: entity("nowhere"), Action: access.ActionView},
	}, access.Cached); err != nil {
		t.Fatal(err)
	}
	w.expectReads(t, 0, 0, 1) // three resources in one read

	mustCheck(t, c, "carol", entity("boat-1"), access.ActionView, access.Strong)
	w.expectReads(t, 1, 0, 1)
	if _, err := c.CheckMany(context.Background(), "carol", []access.Question{
		{Ref: entity("boat-1"), Action: access.ActionView}, {Ref: entity("boat-3"), Action: access.ActionView},
	}, access.Strong); err != nil {
		t.Fatal(err)
	}
	w.expectReads(t, 1, 0, 1)

	boats := []access.Resource{{Kind: access.KindEntity, ID: "boat-1", OrganizationID: "coastal"}}
	s, err := c.StandingsOn(context.Background(), "carol", boats, access.Cached)
	if err != nil || s[0].Level != access.LevelEditor {
		t.Errorf("standings %v, %v", s, err)
	}
	w.expectReads(t, 0, 0, 0)
}

func TestAStrongAnswerFreshensTheCachedOne(t *testing.T) {
	w := coastal()
	c := newChecker(t, w, access.Config{})
	mustCheck(t, c, "carol", entity("boat-1"), access.ActionEdit, access.Cached)
	w.join("carol", "coastal", access.RoleAdmin) // by another process
	if d := mustCheck(t, c, "carol", entity("boat-1"), access.ActionManage, access.Cached); d.Allowed {
		t.Error("the cache knew what nobody told it")
	}
	if d := mustCheck(t, c, "carol", entity("boat-1"), access.ActionManage, access.Strong); !d.Allowed {
		t.Error("a strong answer was old")
	}
	if d := mustCheck(t, c, "carol", entity("boat-1"), access.ActionManage, access.Cached); !d.Allowed {
		t.Error("a cached answer fell back behind a strong one")
	}
}

func TestRevocationIsSeenWithinTheBound(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, time.Minute, access.MaxTTL} {
		w := coastal()
		c := newChecker(t, w, access.Config{TTL: ttl})
		may := func(how access.Consistency) bool {
			return mustCheck(t, c, "carol", entity("boat-1"), access.ActionEdit, how).Allowed
		}
		may(access.Cached)
		w.change("carol", func(f *access.Facts) { delete(f.Grants, "boat-1") }) // by another process
		w.advance(ttl - 1)
		if !may(access.Cached) {
			t.Errorf("%v: the facts were not kept for the bound", ttl)
		}
		w.advance(1)
		if may(access.Cached) {
			t.Errorf("%v: a cached answer outlived the bound", ttl)
		}
	}
}

func TestDeletionIsSeenAtOnceByStrongReadsAndWithinTheBoundByCachedOnes(t *testing.T) {
	w := coastal()
	c := newChecker(t, w, access.Config{})
	may := func(how access.Consistency) bool {
		return mustCheck(t, c, "alice", entity("boat-1"), access.ActionView, how).Allowed
	}
	may(access.Cached)
	w.remove(entity("boat-1")) // by another process
	if !may(access.Cached) {
		t.Error("the place was not kept")
	}
	w.advance(time.Minute)
	if may(access.Cached) {
		t.Error("a deleted entity outlived the bound")
	}
	w.addEntity("boat-1", "coastal")
	if !may(access.Cached) {
		t.Error("that something was missing was kept")
	}
	w.remove(org("coastal"))
	if may(access.Strong) {
		t.Error("an entity outlived its organization")
	}
	if may(access.Cached) {
		t.Error("a strong answer told the cache nothing")
	}
}

func TestAnEntryDoesNotOutliveItsEarliestExpiry(t *testing.T) {
	w := coastal()
	end := w.now.Add(10 * time.Second)
	w.grant("carol", "boat-2", access.LevelViewer, end)
	w.grant("carol", "boat-1", access.LevelViewer, end.Add(time.Second))
	w.share("carol", "log-1", access.LevelViewer, end.Add(2*time.Second))
	w.delegate("carol", "elsewhere", end.Add(3*time.Second))
	w.grant("carol", "boat-3", access.LevelViewer, w.now.Add(-time.Hour)) // long over, not swept yet
	c := newChecker(t, w, access.Config{})
	may := func(boat string) bool {
		return mustCheck(t, c, "carol", entity(boat), access.ActionView, access.Cached).Allowed
	}
	if !may("boat-2") || may("boat-3") {
		t.Error("wrong at the beginning")
	}
	w.reads()
	w.advance(10*time.Second - 1)
	if !may("boat-2") {
		t.Error("over before its time")
	}
	w.expectReads(t, 0, 0, 0)
	w.advance(1)
	if may("boat-2") {
		t.Error("it outlived its end")
	}
	w.expectReads(t, 1, 0, 0)
	w.advance(time.Second - 1)
	may("boat-2")
	w.expectReads(t, 0, 0, 0)
	for range 3 { // the others end one after the other
		w.advance(time.Second)
		may("boat-2")
		w.expectReads(t, 1, 0, 0)
	}
	w.advance(30 * time.Second)
	may("boat-2")
	w.expectReads(t, 0, 0, 0) // what has ended does not keep the rest out of the cache
}

func TestAClockThatGoesBackDoesNotStretchTheBound(t *testing.T) {
	w := coastal()
	c := newChecker(t, w, access.Config{})
	mustCheck(t, c, "alice", entity("boat-1"), access.ActionView, access.Cached)
	w.advance(-time.Hour)
	w.reads()
	mustCheck(t, c, "alice", entity("boat-1"), access.ActionView, access.Cached)
	w.expectReads(t, 1, 0, 1)
}

func TestAUserWithVeryManyFactsIsReadByResource(t *testing.T) {
	w := coastal()
	w.addDocument("log-1", "boat-1", "coastal")
	for i := range 50 {
		id := fmt.Sprintf("extra-%d", i)
		w.addEntity(id, "coastal")
		w.grant("carol", id, access.LevelViewer, time.Time{})
	}
	c := newChecker(t, w, access.Config{MaxFacts: 10})
	want := func(ref access.Ref, level access.Level, how access.Consistency) {
		t.Helper()
		if d := mustCheck(t, c, "carol", ref, access.ActionView, how); d.Level != level {
			t.Errorf("%v: %+v, want %v", ref, d, level)
		}
	}
	want(entity("boat-1"), access.LevelEditor, access.Cached)
	w.expectReads(t, 1, 1, 1)
	want(entity("boat-1"), access.LevelEditor, access.Cached)
	w.expectReads(t, 0, 0, 0)
	want(document("log-1"), access.LevelEditor, access.Cached)
	w.expectReads(t, 0, 1, 1) // and not all facts again
	want(entity("boat-2"), access.LevelNone, access.Strong)
	w.expectReads(t, 0, 1, 1)
	want(entity("nowhere"), access.LevelNone, access.Cached)
	w.expectReads(t, 0, 0, 1)

	w.change("carol", func(f *access.Facts) { delete(f.Grants, "boat-1") })
	want(entity("boat-1"), access.LevelEditor, access.Cached)
	c.ForgetUsers("carol")
	want(entity("boat-1"), access.LevelNone, access.Cached)
	w.expectReads(t, 0, 1, 0) // that there are very many facts is still known
	w.grant("carol", "boat-1", access.LevelManager, w.clock().Add(30*time.Second))
	w.advance(time.Minute)
	want(entity("boat-1"), access.LevelNone, access.Cached)
	w.grant("carol", "boat-1", access.LevelManager, w.clock().Add(30*time.Second))
	want(entity("boat-1"), access.LevelManager, access.Strong)
	w.advance(30 * time.Second)
	want(entity("boat-1"), access.LevelNone, access.Cached)

	// What is kept about single resources is no older than the bound either.
	w.grant("carol", "boat-2", access.LevelViewer, time.Time{})
	w.advance(time.Minute)
	want(entity("boat-2"), access.LevelViewer, access.Cached)
	w.change("carol", func(f *access.Facts) { delete(f.Grants, "boat-2") })
	w.advance(time.Minute - 1)
	want(entity("boat-2"), access.LevelViewer, access.Cached)
	w.advance(1)
	want(entity("boat-2"), access.LevelNone, access.Cached)

	// After a while somebody looks again, and finds few.
	w.change("carol", func(f *access.Facts) { clear(f.Grants) })
	w.advance(time.Hour)
	w.reads()
	want(entity("boat-2"), access.LevelNone, access.Cached)
	w.expectReads(t, 1, 0, 1)
	if s := c.Stats(); s.PointReads == 0 || s.PointHits == 0 {
		t.Errorf("%+v", s)
	}
}

func TestABatchAnswersInOrderDuplicatesIncluded(t *testing.T) {
	w := coastal()
	for _, how := range []access.Consistency{access.Strong, access.Cached} {
		c := newChecker(t, w, access.Config{})
		var qs []access.Question
		var want []bool
		for i := range access.MaxBatch {
			boat := fmt.Sprintf("boat-%d", i%4+1) // boat-4 does not exist
			qs = append(qs, access.Question{Ref: entity(boat), Action: access.ActionView})
			want = append(want, boat == "boat-1" || boat == "boat-3")
		}
		for range 2 {
			got, err := c.CheckMany(context.Background(), "carol", qs, how)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if got[i].Allowed != want[i] {
					t.Errorf("%v: question %d: %+v, want %v", how, i, got[i], want[i])
				}
				if qs[i].ID == "boat-4" && got[i] != access.Denied() {
					t.Errorf("about what does not exist: %+v", got[i])
				}
			}
		}
		if _, err := c.CheckMany(context.Background(), "carol", append(qs, qs[0]), how); err == nil {
			t.Error("a batch above the bound was answered")
		}
		if got, err := c.CheckMany(context.Background(), "carol", nil, how); err != nil || len(got) != 0 {
			t.Errorf("an empty batch: %v, %v", got, err)
		}
	}
}

func TestWhatFailsToLoadIsNeverAllowed(t *testing.T) {
	broken := errors.New("the store is away")
	w := coastal()
	c := newChecker(t, w, access.Config{})
	w.err = broken
	ctx := context.Background()
	q := access.Question{Ref: entity("boat-1"), Action: access.ActionView}
	for _, how := range []access.Consistency{access.Strong, access.Cached} {
		calls := map[string]func() (any, error){
			"check":     func() (any, error) { return c.Check(ctx, "alice", q.Ref, q.Action, how) },
			"batch":     func() (any, error) { return c.CheckMany(ctx, "alice", []access.Question{q, q}, how) },
			"standing":  func() (any, error) { s, _, err := c.Standing(ctx, "alice", q.Ref, how); return s, err },
			"role":      func() (any, error) { return c.Role(ctx, "alice", "coastal", how) },
			"explain":   func() (any, error) { return c.Explain(ctx, "alice", q, how) },
			"standings": func() (any, error) { return c.StandingsOn(ctx, "alice", []access.Resource{{}}, how) },
		}
		for name, call := range calls {
			got, err := call()
			if !errors.Is(err, broken) {
				t.Errorf("%s, %v: answered %+v, error %v", name, how, got, err)
			}
			if d, ok := got.(access.Decision); ok && d.Allowed {
				t.Errorf("%s, %v: allowed in spite of an error", name, how)
			}
		}
		for range c.Allowed(ctx, "alice", q.Action, access.Selection{}, how) {
		}
	}
	if c.Stats().LoadErrors == 0 {
		t.Error("no error was counted")
	}
	w.err = nil
	for _, how := range []access.Consistency{access.Cached, access.Strong} {
		if d := mustCheck(t, c, "alice", q.Ref, q.Action, how); !d.Allowed {
			t.Errorf("%v: an error was remembered: %+v", how, d)
		}
	}
}

// misplaced answers with resources that belong nowhere, or that nobody asked for.
type misplaced struct {
	*world
	answer []access.Resource
}

func (m misplaced) Resources(context.Context, []access.Ref) ([]access.Resource, error) {
	return m.answer, nil
}

func TestAResourceThatBelongsNowhereIsAnError(t *testing.T) {
	w := coastal()
	w.change("alice", func(f *access.Facts) { f.SuperAdmin = true })
	for _, r := range []access.Resource{
		{Kind: access.KindEntity, ID: "boat-1"},
		{Kind: access.KindDocument, ID: "log-1", OrganizationID: "coastal"},
	} {
		c, err := access.New(w, misplaced{w, []access.Resource{r}}, access.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range []access.Consistency{access.Cached, access.Strong} {
			if d, err := c.Check(context.Background(), "alice", r.Ref(), access.ActionView, how); err == nil || d.Allowed {
				t.Errorf("%v: %+v, %v", r, d, err)
			}
		}
	}
	// What was not asked for is not taken for what was.
	other := access.Resource{Kind: access.KindEntity, ID: "boat-2", OrganizationID: "coastal"}
	c, err := access.New(w, misplaced{w, []access.Resource{other}}, access.Config{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Check(context.Background(), "alice", entity("boat-1"), access.ActionView, access.Cached)
	if err != nil || d != access.Denied() {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestKindsThatCannotBeAskedAboutAreDenied(t *testing.T) {
	w := coastal()
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	c := newChecker(t, w, access.Config{})
	for _, ref := range []access.Ref{{}, {Kind: access.KindPlatform, ID: "x"}, {Kind: 99, ID: "boat-1"}, org("coastal"), entity("")} {
		for _, how := range []access.Consistency{access.Cached, access.Strong} {
			for range 2 {
				if d := mustCheck(t, c, "root", ref, access.ActionView, how); d != access.Denied() {
					t.Errorf("%v: %+v", ref, d)
				}
				got, err := c.CheckMany(context.Background(), "root", []access.Question{{Ref: ref, Action: access.ActionView}}, how)
				if err != nil || got[0] != access.Denied() {
					t.Errorf("%v: %+v, %v", ref, got, err)
				}
			}
		}
	}
}

// Whatever lies in another tenant answers exactly as what does not exist,
// whatever the user may still hold there.
func TestForeignAnswersExactlyAsMissing(t *testing.T) {
	w := coastal()
	w.addOrganization("rival")
	w.addEntity("rival-boat", "rival")
	w.addDocument("rival-log", "rival-boat", "rival")
	w.grant("carol", "rival-boat", access.LevelAdmin, time.Time{})   // left over: she is no member
	w.share("carol", "rival-log", access.LevelEditor, w.now.Add(-1)) // ended
	w.delegate("carol", "rival", w.now.Add(-1))                      // ended
	w.grant("carol", "gone-boat", access.LevelAdmin, time.Time{})    // of a boat that is gone
	w.share("carol", "gone-log", access.LevelEditor, w.now.Add(-1))  // of a document that is gone
	ctx := context.Background()
	for _, maxFacts := range []int{0, 1} {
		for _, how := range []access.Consistency{access.Cached, access.Strong} {
			c := newChecker(t, w, access.Config{MaxFacts: maxFacts})
			for range 2 {
				for _, pair := range [][2]access.Ref{{entity("rival-boat"), entity("gone-boat")}, {document("rival-log"), document("gone-log")}} {
					var answers [2]access.Explanation
					for i, ref := range pair {
						var err error
						if answers[i], err = c.Explain(ctx, "carol", access.Question{Ref: ref, Action: access.ActionView}, how); err != nil {
							t.Fatal(err)
						}
						if d := mustCheck(t, c, "carol", ref, access.ActionView, how); d != access.Denied() {
							t.Errorf("%v: %+v", ref, d)
						}
					}
					if answers[0] != answers[1] {
						t.Errorf("foreign %+v, missing %+v", answers[0], answers[1])
					}
				}
			}
		}
	}
}

func TestExplainShowsTheFactsBehindADecision(t *testing.T) {
	w := coastal()
	w.addDocument("log-1", "boat-1", "coastal")
	end := w.now.Add(time.Hour)
	over := w.now.Add(-time.Hour)
	w.grant("carol", "boat-2", access.LevelAdmin, over)
	w.share("carol", "log-1", access.LevelViewer, end)
	w.share("eve", "log-1", access.LevelViewer, end)
	w.delegate("eve", "coastal", end)
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	c := newChecker(t, w, access.Config{})
	explain := func(user string, ref access.Ref) access.Explanation {
		t.Helper()
		e, err := c.Explain(context.Background(), user, access.Question{Ref: ref, Action: access.ActionView}, access.Strong)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := explain("carol", document("log-1"))
	if !e.Decision.Allowed || e.Role != access.RoleMember || e.Grant == nil || e.Grant.Level != access.LevelEditor ||
		e.Grant.GrantedBy != "giver" || e.Share == nil || !e.Share.ExpiresAt.Equal(end) || e.Delegation != nil || e.SuperAdmin {
		t.Errorf("carol: %+v", e)
	}
	e = explain("carol", entity("boat-2"))
	if e.Decision.Allowed || e.Decision.Reason != "the grant has expired" || e.Grant == nil || !e.Grant.ExpiresAt.Equal(over) {
		t.Errorf("carol on what has ended: %+v", e)
	}
	e = explain("eve", document("log-1"))
	if e.Decision.Source != access.FromSuperAdmin || e.Delegation == nil || e.Delegation.GrantedBy != "giver" || e.Share == nil || e.Role != access.RoleNone {
		t.Errorf("eve: %+v", e)
	}
	if e = explain("root", entity("boat-1")); !e.SuperAdmin || e.Decision.Because.Kind != access.FactSuperAdmin {
		t.Errorf("root: %+v", e)
	}
}

func TestRoleInAnOrganization(t *testing.T) {
	w := coastal()
	w.addOrganization("rival")
	end := w.now.Add(time.Minute)
	w.delegate("carol", "coastal", end)
	w.delegate("frank", access.ScopePlatform, end)
	w.join("gina", "coastal", access.RoleManager)
	w.delegate("gina", "coastal", end)
	w.change("alice", func(f *access.Facts) { f.SuperAdmin = true })
	cases := []struct {
		user, organization string
		role               access.OrgRole
		source             access.Origin
	}{
		{"alice", "coastal", access.RoleAdmin, access.FromOrgRole}, // needs no other power here
		{"alice", "rival", access.RoleAdmin, access.FromSuperAdmin},
		{"bob", "coastal", access.RoleManager, access.FromOrgRole},
		{"bob", "rival", access.RoleNone, access.FromNone},
		{"carol", "coastal", access.RoleAdmin, access.FromSuperAdmin},
		{"carol", "rival", access.RoleNone, access.FromNone},
		{"gina", "coastal", access.RoleAdmin, access.FromSuperAdmin},
		{"frank", "rival", access.RoleAdmin, access.FromSuperAdmin},
		{"alice", "gone", access.RoleNone, access.FromNone},
		{"alice", "", access.RoleNone, access.FromNone},
		{"nobody", "coastal", access.RoleNone, access.FromNone},
	}
	for _, maxFacts := range []int{0, 1} {
		for _, how := range []access.Consistency{access.Strong, access.Cached} {
			c := newChecker(t, w, access.Config{MaxFacts: maxFacts})
			for range 2 {
				for _, k := range cases {
					got, err := c.Role(context.Background(), k.user, k.organization, how)
					if err != nil || got.Role != k.role || got.Source != k.source {
						t.Errorf("%s in %q: %+v, %v; want %v by %v", k.user, k.organization, got, err, k.role, k.source)
					}
				}
			}
		}
	}
	if got := access.ResolveRole(nil, "coastal", w.now); got != (access.OrgStanding{}) {
		t.Errorf("of no facts: %+v", got)
	}
}

func TestForgettingDropsEverythingBelow(t *testing.T) {
	w := coastal()
	w.addDocument("log-1", "boat-1", "coastal")
	w.addOrganization("rival")
	w.addEntity("rival-boat", "rival")
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	refs := []access.Ref{entity("boat-1"), entity("boat-2"), document("log-1"), entity("rival-boat")}
	cases := []struct {
		forget func(*access.Checker)
		reads  int // of resources, when all four are asked about one by one
	}{
		{func(*access.Checker) {}, 0},
		{func(c *access.Checker) { c.ForgetResources(document("log-1")) }, 1},
		{func(c *access.Checker) { c.ForgetResources(entity("boat-1")) }, 2},
		{func(c *access.Checker) { c.ForgetResources(org("coastal")) }, 3},
		{func(c *access.Checker) { c.ForgetResources(org("coastal"), entity("rival-boat")) }, 4},
		{func(c *access.Checker) { c.ForgetAll() }, 4},
	}
	for i, k := range cases {
		c := newChecker(t, w, access.Config{})
		for _, ref := range refs {
			mustCheck(t, c, "root", ref, access.ActionView, access.Cached)
		}
		k.forget(c)
		w.reads()
		for _, ref := range refs {
			mustCheck(t, c, "root", ref, access.ActionView, access.Cached)
		}
		if got := w.reads(); got[2] != k.reads {
			t.Errorf("case %d: %v reads, want %d of resources", i, got, k.reads)
		}
	}
}

func TestWithoutACacheEveryAnswerIsRead(t *testing.T) {
	w := coastal()
	c := newChecker(t, w, access.Config{TTL: -1})
	for range 3 {
		mustCheck(t, c, "alice", entity("boat-1"), access.ActionView, access.Cached)
		w.expectReads(t, 1, 0, 1)
	}
	// Nor may an answer come from a read that somebody else began earlier.
	w.join("dave", "coastal", access.RoleMember)
	entered, release := make(chan struct{}), make(chan struct{})
	first := true
	w.after = func(context.Context) {
		w.mu.Lock()
		mine := first
		first = false
		w.mu.Unlock()
		if mine {
			close(entered)
			<-release
		}
	}
	done := make(chan error)
	go func() {
		_, err := c.Check(context.Background(), "dave", entity("boat-1"), access.ActionView, access.Cached)
		done <- err
	}()
	<-entered
	w.join("dave", "coastal", access.RoleAdmin)
	if d := mustCheck(t, c, "dave", entity("boat-1"), access.ActionManage, access.Cached); !d.Allowed {
		t.Error("the answer is older than the question")
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	w := newWorld()
	for _, cfg := range []access.Config{{TTL: access.MaxTTL + 1}, {Users: -1}, {Resources: -1}, {MaxFacts: -1}} {
		if _, err := access.New(w, w, cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	if _, err := access.New(nil, w, access.Config{}); err == nil {
		t.Error("no facts were taken")
	}
	if _, err := access.New(w, nil, access.Config{}); err == nil {
		t.Error("no resources were taken")
	}
}

func TestTheCacheStaysWithinItsBoundAndCounts(t *testing.T) {
	w := newWorld()
	w.addOrganization("o")
	w.addEntity("e", "o")
	c := newChecker(t, w, access.Config{Users: 10})
	for i := range 100 {
		user := fmt.Sprintf("u%d", i)
		mustCheck(t, c, user, entity("e"), access.ActionView, access.Cached)
		mustCheck(t, c, user, entity("e"), access.ActionView, access.Cached)
	}
	s := c.Stats()
	if s.Users != 10 || s.Evictions != 90 || s.FactMisses != 100 || s.FactLoads != 100 || s.FactHits != 100 {
		t.Errorf("%+v", s)
	}
	if s.PlaceMisses != 1 || s.PlaceLoads != 1 || s.PlaceHits != 199 {
		t.Errorf("%+v", s)
	}
}

func TestACachedCheckAllocatesNothing(t *testing.T) {
	w := coastal()
	w.addDocument("log-1", "boat-2", "coastal")
	w.share("carol", "log-1", access.LevelViewer, time.Time{})
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	w.delegate("lent", "coastal", w.now.Add(time.Hour))
	c, err := access.New(w, w, access.Config{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, user := range []string{"alice", "bob", "carol", "dave", "eve", "root", "lent"} {
		for _, ref := range []access.Ref{entity("boat-1"), entity("boat-2"), document("log-1")} {
			mustCheck(t, c, user, ref, access.ActionEdit, access.Cached)
			if _, err := c.Role(ctx, user, "coastal", access.Cached); err != nil {
				t.Fatal(err)
			}
			if n := testing.AllocsPerRun(100, func() {
				if _, err := c.Check(ctx, user, ref, access.ActionEdit, access.Cached); err != nil {
					t.Fatal(err)
				}
				if _, _, err := c.Standing(ctx, user, ref, access.Cached); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Role(ctx, user, "coastal", access.Cached); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s on %v: %v allocations", user, ref, n)
			}
		}
	}
	f, r := w.facts["carol"], w.resources[document("log-1")]
	if n := testing.AllocsPerRun(100, func() { access.Decide(&f, &r, access.ActionEdit, epoch) }); n != 0 {
		t.Errorf("the resolver: %v allocations", n)
	}
	qs := slices.Repeat([]access.Question{{Ref: entity("boat-1"), Action: access.ActionView}}, access.MaxBatch)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := c.CheckMany(ctx, "carol", qs, access.Cached); err != nil {
			t.Fatal(err)
		}
	}); n != 1 {
		t.Errorf("a batch: %v allocations besides its answer", n-1)
	}
}
