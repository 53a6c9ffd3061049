package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// The traffic that BenchmarkHitRate plays, and for how long after a first
// minute, which fills the caches.
const (
	simUsers         = 10_000
	simOrganizations = 500
	simEntities      = 20_000
	simPerSecond     = 1_000
	simMinutes       = 3
)

// instances is over how many processes requests are spread, each with a cache
// of its own, and at random, as Lambda does.
var instances = []int{1, 4, 16, 64}

// shapes are how users and what they ask about come about. ask gives the user
// and the entity of a check at a second of the simulated time.
var shapes = []struct {
	name string
	make func(r *rand.Rand) (ask func(second int) (user, entity int))
}{
	{"uniform", func(r *rand.Rand) func(int) (int, int) {
		// A thousand people at work, each of whom asks once a second.
		return func(int) (int, int) { u := r.IntN(1000); return u, own(r, u) }
	}},
	{"zipf", func(r *rand.Rand) func(int) (int, int) {
		// All users, the n-th of them 1/n as often as the first.
		rank := zipf(simUsers)
		return func(int) (int, int) { u := rank(r); return u, own(r, u) }
	}},
	{"one-hot-tenant", func(r *rand.Rand) func(int) (int, int) {
		// Four of five checks are of the 200 members of one organization about
		// its entities; the rest are of anybody.
		return func(int) (int, int) {
			if r.IntN(5) == 0 {
				u := r.IntN(simUsers)
				return u, own(r, u)
			}
			u := r.IntN(200) * simOrganizations % simUsers // members of organization 0
			return u, own(r, u)
		}
	}},
	{"burst-of-sign-ins", func(r *rand.Rand) func(int) (int, int) {
		// Every minute 1,000 others sign in within ten seconds, ask thirty
		// times in half a minute, and go; 500 are there all the time.
		return func(second int) (int, int) {
			if minute := second / 60; second%60 < 40 && r.IntN(2) == 0 {
				u := 500 + (minute*1000+r.IntN(1000))%(simUsers-500)
				return u, own(r, u)
			}
			u := r.IntN(500)
			return u, own(r, u)
		}
	}},
}

// own picks one of the entities of a user's organization, those first in its
// list more often.
func own(r *rand.Rand, user int) int {
	const each = simEntities / simOrganizations
	return user%simOrganizations + simOrganizations*int(each*math.Pow(r.Float64(), 3))
}

// zipf draws ranks with weights 1/(rank+1).
func zipf(n int) func(*rand.Rand) int {
	sums := make([]float64, n)
	total := 0.0
	for i := range sums {
		total += 1 / float64(i+1)
		sums[i] = total
	}
	return func(r *rand.Rand) int {
		x := r.Float64() * total
		low, high := 0, n-1
		for low < high {
			if mid := (low + high) / 2; sums[mid] < x {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return low
	}
}

// simulated answers as a store would that holds the simulation's world.
type simulated struct {
	users, entities []string
	organizations   []string
	number          map[string]int // of a user or an entity
	requests        atomic.Int64
}

func newSimulated() *simulated {
	s := &simulated{number: map[string]int{}}
	ids := func(kind, n int) (out []string) {
		for i := range n {
			id := fmt.Sprintf("0190b2f4-%04x-7abc-8def-%012x", kind, i)
			s.number[id] = i
			out = append(out, id)
		}
		return out
	}
	s.organizations, s.users, s.entities = ids(0, simOrganizations), ids(1, simUsers), ids(2, simEntities)
	return s
}

func (s *simulated) Facts(_ context.Context, userID string, _ int) (access.Facts, error) {
	s.requests.Add(1)
	org := s.organizations[s.number[userID]%simOrganizations]
	return access.Facts{Complete: true, Memberships: map[string]access.Membership{org: {OrganizationID: org, Role: access.RoleManager}}}, nil
}

func (s *simulated) FactsAbout(ctx context.Context, userID string, _ []access.Resource) (access.Facts, error) {
	return s.Facts(ctx, userID, 0)
}

func (s *simulated) Held(context.Context, string, access.Kind, string, int) ([]access.Resource, error) {
	return nil, nil
}

func (s *simulated) Resources(_ context.Context, refs []access.Ref) ([]access.Resource, error) {
	s.requests.Add(1)
	var out []access.Resource
	for _, r := range refs {
		out = append(out, access.Resource{Kind: r.Kind, ID: r.ID, OrganizationID: s.organizations[s.number[r.ID]%simOrganizations]})
	}
	return out, nil
}

// BenchmarkHitRate plays traffic through the real checker with its shipped
// bounds and a clock of its own, and says for how many of a hundred checks the
// user's facts were cached, for how many everything was, and how many requests
// to the store there were. It measures no time: run it once (-benchtime 1x).
func BenchmarkHitRate(b *testing.B) {
	for _, shape := range shapes {
		for _, n := range instances {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				var got rates
				for b.Loop() {
					got = play(b, shape.make, n)
				}
				b.ReportMetric(100*float64(got.facts)/float64(got.checks), "facts-%")
				b.ReportMetric(100*float64(got.whole)/float64(got.checks), "whole-%")
				b.ReportMetric(float64(got.requests)/float64(got.checks), "requests/check")
			})
		}
	}
}

// rates count checks.
type rates struct {
	checks, facts, whole int
	requests             int64 // to the store
}

// play counts what happens after the first minute.
func play(b *testing.B, shape func(*rand.Rand) func(int) (int, int), n int) rates {
	b.Helper()
	world := newSimulated()
	r := rand.New(rand.NewPCG(8, uint64(n)))
	now := time.Unix(1_700_000_000, 0)
	checkers := make([]*access.Checker, n)
	for i := range checkers {
		var err error
		if checkers[i], err = access.New(world, world, access.Config{Now: func() time.Time { return now }}); err != nil {
			b.Fatal(err)
		}
	}
	ask := shape(r)
	var got rates
	for second := range (1 + simMinutes) * 60 {
		if second == 60 {
			got = rates{facts: -factHits(checkers), requests: -world.requests.Load()}
		}
		for range simPerSecond {
			now = now.Add(time.Second / simPerSecond)
			user, entity := ask(second)
			asked := world.requests.Load()
			d, err := checkers[r.IntN(n)].Check(context.Background(), world.users[user], access.Ref{Kind: access.KindEntity, ID: world.entities[entity]}, access.ActionEdit, access.Cached)
			if err != nil || !d.Allowed {
				b.Fatal(user, entity, d, err)
			}
			got.checks++
			if world.requests.Load() == asked {
				got.whole++
			}
		}
	}
	got.facts += factHits(checkers)
	got.requests += world.requests.Load()
	return got
}

func factHits(checkers []*access.Checker) int {
	n := 0
	for _, c := range checkers {
		n += int(c.Stats().FactHits)
	}
	return n
}
