package access_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// The small universe every generated case lives in: two organizations, three
// entities, three documents, one of which has the id of an entity: ids name
// things of one kind only.
var universe = []access.Resource{
	{Kind: access.KindEntity, ID: "e1", OrganizationID: "o1"},
	{Kind: access.KindEntity, ID: "e2", OrganizationID: "o1"},
	{Kind: access.KindEntity, ID: "e3", OrganizationID: "o2"},
	{Kind: access.KindDocument, ID: "d1", EntityID: "e1", OrganizationID: "o1"},
	{Kind: access.KindDocument, ID: "e2", EntityID: "e1", OrganizationID: "o1"},
	{Kind: access.KindDocument, ID: "d3", EntityID: "e3", OrganizationID: "o2"},
}

// caseCount is how many cases a property of the rules tries: as many as it
// should, or a tenth under the race detector, which makes each ten times as
// slow and has nothing to find in pure functions. LANYARD_RULE_CASES sets it.
func caseCount(n int) int {
	if n, err := strconv.Atoi(os.Getenv("LANYARD_RULE_CASES")); err == nil && n > 0 {
		return n
	}
	if raceDetector || testing.Short() {
		return n / 10
	}
	return n
}

// checkN runs a property over a number of cases.
func checkN(t *testing.T, n int, property func(*rapid.T)) {
	t.Helper()
	old := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := flag.Set("rapid.checks", old); err != nil {
			t.Error(err)
		}
	}()
	rapid.Check(t, property)
}

// ends are the ends a fact can have around the moments that are looked at.
var ends = []time.Time{
	{}, {}, epoch.Add(-time.Hour), epoch.Add(-1), epoch, epoch.Add(1), epoch.Add(time.Minute), epoch.Add(time.Hour),
}

// moments are when a case is looked at: before, at and after the ends.
var moments = []time.Time{epoch.Add(-1), epoch, epoch.Add(1), epoch.Add(time.Minute)}

var endGen = rapid.SampledFrom(ends)

// drawFacts draws one user's facts over the universe.
func drawFacts(t *rapid.T) access.Facts {
	f := clone(access.Facts{Complete: true})
	f.SuperAdmin = rapid.IntRange(0, 9).Draw(t, "super admin") == 9
	for _, o := range []string{"o1", "o2"} {
		if role := access.OrgRole(rapid.IntRange(0, 4).Draw(t, "role")); role != access.RoleNone {
			f.Memberships[o] = access.Membership{OrganizationID: o, Role: role}
		}
	}
	for _, e := range []string{"e1", "e2", "e3"} {
		if level := access.Level(rapid.IntRange(0, 4).Draw(t, "grant")); level != access.LevelNone {
			f.Grants[e] = access.Grant{EntityID: e, Level: level, ExpiresAt: endGen.Draw(t, "end")}
		}
	}
	for _, d := range []string{"d1", "e2", "d3"} {
		if level := access.Level(rapid.IntRange(0, 2).Draw(t, "share")); level != access.LevelNone {
			f.Shares[d] = access.Share{DocumentID: d, Level: level, ExpiresAt: endGen.Draw(t, "end")}
		}
	}
	for _, scope := range []string{access.ScopePlatform, "o1", "o2"} {
		if rapid.IntRange(0, 5).Draw(t, "delegation") == 5 {
			f.Delegations[scope] = access.Delegation{Scope: scope, ExpiresAt: endGen.Draw(t, "end")}
		}
	}
	return f
}

// disagreement compares the resolver with rules on everything in the universe,
// at one moment, and says where they differ; empty: nowhere.
func disagreement(o *oracleRules, f access.Facts, now time.Time) string {
	for i := range universe {
		r := &universe[i]
		s := situationOf(f, *r, now)
		want := o.standing(s)
		got := access.Resolve(&f, r, now)
		if got.Level.String() != want.level || got.Source.String() != want.source || factText(got.Because) != want.fact {
			return fmt.Sprintf("%s %s at %v: got %v by %v from %q, want %+v", r.Kind, r.ID, now, got.Level, got.Source, factText(got.Because), want)
		}
		for _, a := range access.Actions() {
			if got, want := access.Decide(&f, r, a, now), o.allowed(s, a.String()); got.Allowed != want {
				return fmt.Sprintf("%s on %s %s at %v: got %+v, want %v", a, r.Kind, r.ID, now, got, want)
			}
		}
	}
	return ""
}

func TestResolverAgreesWithTheOracle(t *testing.T) {
	o := documentedRules()
	checkN(t, caseCount(100_000), func(t *rapid.T) {
		f := drawFacts(t)
		if d := disagreement(o, f, rapid.SampledFrom(moments).Draw(t, "now")); d != "" {
			t.Fatal(d)
		}
	})
}

// What a cached check reads is the facts in another form; both must always say
// the same, reason and deciding fact included.
func TestIndexedFactsDecideAsTheFactsThemselves(t *testing.T) {
	checkN(t, caseCount(20_000), func(t *rapid.T) {
		f := drawFacts(t)
		now := rapid.SampledFrom(moments).Draw(t, "now")
		a := rapid.SampledFrom(access.Actions()).Draw(t, "action")
		got := access.DecideIndexed(&f, universe, a, now)
		for i := range universe {
			if want := access.Decide(&f, &universe[i], a, now); got[i] != want {
				t.Fatalf("%v %v: indexed %+v, plain %+v", a, universe[i], got[i], want)
			}
		}
	})
}

// Adding a fact never takes access away.
func TestAddingAFactNeverTakesAccessAway(t *testing.T) {
	checkN(t, caseCount(20_000), func(t *rapid.T) {
		less := drawFacts(t)
		more := add(less, drawFacts(t))
		now := rapid.SampledFrom(moments).Draw(t, "now")
		for i := range universe {
			a, b := access.Resolve(&less, &universe[i], now), access.Resolve(&more, &universe[i], now)
			if b.Level < a.Level {
				t.Fatalf("%v: %v with fewer facts, %v with more", universe[i], a, b)
			}
		}
	})
}

// add gives facts that say all the first say, and what the second say besides.
// Of two about the same thing the one that gives more stays.
func add(f, others access.Facts) access.Facts {
	out := clone(f)
	out.SuperAdmin = f.SuperAdmin || others.SuperAdmin
	for k, v := range others.Memberships {
		if v.Role > out.Memberships[k].Role {
			out.Memberships[k] = v
		}
	}
	for k, v := range others.Grants {
		if old, ok := out.Grants[k]; !ok || v.Level >= old.Level && outlasts(v.ExpiresAt, old.ExpiresAt) {
			out.Grants[k] = v
		}
	}
	for k, v := range others.Shares {
		if old, ok := out.Shares[k]; !ok || v.Level >= old.Level && outlasts(v.ExpiresAt, old.ExpiresAt) {
			out.Shares[k] = v
		}
	}
	for k, v := range others.Delegations {
		if old, ok := out.Delegations[k]; !ok || v.ExpiresAt.After(old.ExpiresAt) {
			out.Delegations[k] = v
		}
	}
	return out
}

func outlasts(a, b time.Time) bool { return a.IsZero() || !b.IsZero() && !a.Before(b) }
