package access_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// machine drives a Checker through a random history of one store: facts and
// resources come and go, some written by this process, some by another, time
// moves on, and every answer is compared with the store itself.
type machine struct {
	*world
	c       *access.Checker
	ttl     time.Duration
	foreign bool // writes of other processes happen: cached answers may be old

	// What the store said, and from when on.
	userPast  map[string][]past[access.Facts]
	placePast map[access.Ref][]past[bool]
}

type past[V any] struct {
	from  time.Time
	value V
}

var machineUsers = []string{"u1", "u2"}

func newMachine(t *rapid.T, foreign bool) *machine {
	m := &machine{world: newWorld(), ttl: time.Minute, foreign: foreign,
		userPast: map[string][]past[access.Facts]{}, placePast: map[access.Ref][]past[bool]{}}
	m.addOrganization("o1")
	m.addOrganization("o2")
	for _, r := range universe {
		m.addResource(r)
		m.placePast[r.Ref()] = []past[bool]{{m.now, true}}
	}
	for _, u := range machineUsers {
		m.userPast[u] = []past[access.Facts]{{m.now, access.Facts{}}}
	}
	cfg := access.Config{TTL: m.ttl, Now: m.clock,
		Users:     rapid.SampledFrom([]int{1, 2, 100}).Draw(t, "users"),
		Resources: rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "resources"),
		MaxFacts:  rapid.SampledFrom([]int{1, 4, 100}).Draw(t, "bound on facts"),
	}
	c, err := access.New(m, m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.c = c
	return m
}

func (m *machine) local(t *rapid.T) bool {
	return !m.foreign || rapid.Bool().Draw(t, "by this process")
}

// writeFacts replaces a user's facts.
func (m *machine) writeFacts(t *rapid.T) {
	u := rapid.SampledFrom(machineUsers).Draw(t, "user")
	f := drawFacts(t)
	shift := m.now.Sub(epoch) // ends lie around now, not around the beginning
	for k, g := range f.Grants {
		g.ExpiresAt = later(g.ExpiresAt, shift)
		f.Grants[k] = g
	}
	for k, s := range f.Shares {
		s.ExpiresAt = later(s.ExpiresAt, shift)
		f.Shares[k] = s
	}
	for k, d := range f.Delegations {
		d.ExpiresAt = later(d.ExpiresAt, shift)
		f.Delegations[k] = d
	}
	m.change(u, func(old *access.Facts) { *old = f })
	m.userPast[u] = append(m.userPast[u], past[access.Facts]{m.now, f})
	if m.local(t) {
		m.c.ForgetUsers(u)
		m.userPast[u] = m.userPast[u][len(m.userPast[u])-1:]
	}
}

func later(end time.Time, by time.Duration) time.Time {
	if end.IsZero() {
		return end
	}
	return end.Add(by)
}

// writeResource deletes an entity or a document, or makes it again.
func (m *machine) writeResource(t *rapid.T) {
	r := rapid.SampledFrom(universe).Draw(t, "resource")
	_, there := m.resources[r.Ref()]
	if there {
		m.remove(r.Ref())
	} else {
		m.addResource(r)
	}
	local := m.local(t)
	if local {
		m.c.ForgetResources(r.Ref())
	}
	for _, below := range universe {
		if below.Ref() != r.Ref() && below.EntityID != r.ID {
			continue
		}
		_, exists := m.lookup(below.Ref())
		m.placePast[below.Ref()] = append(m.placePast[below.Ref()], past[bool]{m.now, exists})
		if local {
			m.placePast[below.Ref()] = m.placePast[below.Ref()][len(m.placePast[below.Ref()])-1:]
		}
	}
}

func (m *machine) wait(t *rapid.T) {
	m.advance(rapid.SampledFrom([]time.Duration{1, time.Second, m.ttl - 1, m.ttl, 10 * m.ttl}).Draw(t, "for"))
}

// truths are the decisions that an answer may give: what the store says now or,
// if old answers may be given, said at some moment within the bound.
func (m *machine) truths(u string, r access.Resource, a access.Action, old bool) []access.Decision {
	var out []access.Decision
	for _, f := range within(m.userPast[u], m.now, m.ttl, old) {
		for _, there := range within(m.placePast[r.Ref()], m.now, m.ttl, old) {
			if there {
				out = append(out, access.Decide(&f, &r, a, m.now))
			} else {
				out = append(out, access.Denied())
			}
		}
	}
	return out
}

// within gives the values that held at some moment since now minus the bound.
func within[V any](history []past[V], now time.Time, bound time.Duration, old bool) []V {
	var out []V
	for i, p := range history {
		last := i == len(history)-1
		if last || old && history[i+1].from.Add(bound).After(now) {
			out = append(out, p.value)
		}
	}
	return out
}

func (m *machine) draw(t *rapid.T) (string, access.Resource, access.Action, access.Consistency) {
	return rapid.SampledFrom(machineUsers).Draw(t, "user"), rapid.SampledFrom(universe).Draw(t, "resource"),
		rapid.SampledFrom(access.Actions()).Draw(t, "action"), access.Consistency(rapid.IntRange(0, 1).Draw(t, "consistency"))
}

func (m *machine) verify(t *rapid.T, what string, got access.Decision, u string, r access.Resource, a access.Action, how access.Consistency) {
	truths := m.truths(u, r, a, m.foreign && how == access.Cached)
	if !slices.Contains(truths, got) {
		t.Fatalf("%s, %v: may %s %s %s %s? got %+v, true are %+v", what, how, u, a, r.Kind, r.ID, got, truths)
	}
}

func (m *machine) check(t *rapid.T) {
	u, r, a, how := m.draw(t)
	got, err := m.c.Check(context.Background(), u, r.Ref(), a, how)
	if err != nil {
		t.Fatal(err)
	}
	m.verify(t, "check", got, u, r, a, how)
}

func (m *machine) standing(t *rapid.T) {
	u, r, a, how := m.draw(t)
	s, at, err := m.c.Standing(context.Background(), u, r.Ref(), how)
	if err != nil {
		t.Fatal(err)
	}
	if at != (access.Resource{}) && at != r {
		t.Fatalf("%v lies at %v", r, at)
	}
	m.verify(t, "standing", s.Decide(a), u, r, a, how)
}

// batch asks about several things at once, the same more than once, and with
// nothing else happening each answer equals that of a single check.
func (m *machine) batch(t *rapid.T) {
	u, _, _, how := m.draw(t)
	var qs []access.Question
	for range rapid.IntRange(0, 8).Draw(t, "questions") {
		_, r, a, _ := m.draw(t)
		qs = append(qs, access.Question{Ref: r.Ref(), Action: a})
	}
	got, err := m.c.CheckMany(context.Background(), u, qs, how)
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range qs {
		r := universe[slices.IndexFunc(universe, func(r access.Resource) bool { return r.Ref() == q.Ref })]
		m.verify(t, fmt.Sprintf("question %d of a batch", i), got[i], u, r, q.Action, how)
		if m.foreign && how == access.Cached {
			continue // what one may remember of the past, another may not
		}
		single, err := m.c.Check(context.Background(), u, q.Ref, q.Action, how)
		if err != nil {
			t.Fatal(err)
		}
		if single != got[i] {
			t.Fatalf("%v: %+v in a batch, %+v alone", q, got[i], single)
		}
	}
}

func (m *machine) explain(t *rapid.T) {
	u, r, a, how := m.draw(t)
	e, err := m.c.Explain(context.Background(), u, access.Question{Ref: r.Ref(), Action: a}, how)
	if err != nil {
		t.Fatal(err)
	}
	m.verify(t, "explain", e.Decision, u, r, a, how)
}

// list compares the list of everything the user is allowed an action on with
// the answers of strong checks.
func (m *machine) list(t *rapid.T) {
	u, _, a, _ := m.draw(t)
	organization := rapid.SampledFrom([]string{"", "o1", "o2"}).Draw(t, "in")
	got := m.listAll(t, u, a, organization, rapid.IntRange(1, 4).Draw(t, "page"))
	for _, r := range universe {
		d := m.truths(u, r, a, false)[0]
		_, exists := m.lookup(r.Ref())
		want := d.Allowed && exists && (organization == "" || r.OrganizationID == organization)
		if n := got[r.Ref()]; (n == 1) != want || n > 1 {
			t.Fatalf("%s of %s in %q: %v is listed %d times; allowed: %v", a, u, organization, r, n, want)
		}
	}
}

// listAll pages through a list as the lists of entities do, and counts how
// often each resource turns up.
func (m *machine) listAll(t *rapid.T, u string, a access.Action, organization string, size int) map[access.Ref]int {
	got := map[access.Ref]int{}
	sel := access.Selection{OrganizationID: organization, Documents: true}
	for range 100 {
		given, more := 0, false
		for c, err := range m.c.Allowed(context.Background(), u, a, sel, access.Strong) {
			if err != nil {
				t.Fatal(err)
			}
			if given++; given > size {
				sel.From, more = c.Position(), true
				break
			}
			for ref, r := range m.resources {
				if _, exists := m.lookup(ref); !exists || r.Kind == access.KindOrganization {
					continue
				}
				if covers(c, r) {
					got[ref]++
				}
			}
		}
		if !more {
			return got
		}
	}
	t.Fatal("the list does not end")
	return nil
}

// covers reports whether a candidate stands for a resource.
func covers(c access.Candidate, r access.Resource) bool {
	switch c.Kind {
	case access.KindPlatform:
		return true
	case access.KindOrganization:
		return r.OrganizationID == c.ID
	case access.KindEntity:
		return r.Kind == access.KindEntity && r.ID == c.ID || r.Kind == access.KindDocument && r.EntityID == c.ID
	default:
		return r.Kind == access.KindDocument && r.ID == c.ID
	}
}

func (m *machine) run(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"write facts":    m.writeFacts,
		"write resource": m.writeResource,
		"wait":           m.wait,
		"check":          m.check,
		"check again":    m.check,
		"standing":       m.standing,
		"batch":          m.batch,
		"explain":        m.explain,
		"list":           m.list,
	})
}

// With every write announced, cached answers are those of the store itself.
func TestCachedEqualsUncachedUnderLocalWrites(t *testing.T) {
	checkN(t, caseCount(1_000), func(t *rapid.T) { newMachine(t, false).run(t) })
}

// With writes by other processes, strong answers are those of the store, and
// cached answers what it said within the bound.
func TestCachedAnswersAreNoOlderThanTheBound(t *testing.T) {
	checkN(t, caseCount(1_000), func(t *rapid.T) { newMachine(t, true).run(t) })
}
