package access_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// benchWorld is the world of the documented figures: 1,000 users, 50
// organizations, 1,000 entities, 10,000 grants.
type benchWorld struct {
	*world
	users, entities []string
	grants          [][2]string // every (user, entity) that carries a grant
	questions       [][2]string // what is asked, in random order
}

func uuidLike(kind, n int) string {
	return fmt.Sprintf("0190b2f4-%04x-7abc-8def-%012x", kind, n)
}

func newBenchWorld() *benchWorld {
	w := &benchWorld{world: newWorld()}
	random := rand.New(rand.NewPCG(1, 2))
	for o := range 50 {
		w.addOrganization(uuidLike(0, o))
	}
	for e := range 1000 {
		id := uuidLike(1, e)
		w.addEntity(id, uuidLike(0, e%50))
		w.entities = append(w.entities, id)
	}
	for u := range 1000 {
		id := uuidLike(2, u)
		w.users = append(w.users, id)
		w.join(id, uuidLike(0, u%50), access.RoleMember)
		for g := range 10 {
			e := w.entities[(u%50)+50*((u/50+g*2)%20)]
			w.grant(id, e, access.LevelEditor, time.Time{})
			w.grants = append(w.grants, [2]string{id, e})
		}
	}
	for range 1 << 14 {
		// Copies: what a request brings never lies where the cache's own keys
		// lie, so comparing two equal strings means reading both.
		q := w.grants[random.IntN(len(w.grants))]
		w.questions = append(w.questions, [2]string{strings.Clone(q[0]), strings.Clone(q[1])})
	}
	return w
}

func (w *benchWorld) warm(b *testing.B) *access.Checker {
	b.Helper()
	c, err := access.New(w, w, access.Config{TTL: access.MaxTTL}) // the real clock: reading it is part of a check
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range w.grants {
		if _, err := c.Check(context.Background(), q[0], entity(q[1]), access.ActionView, access.Cached); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

// BenchmarkMapLookup is the floor: one lookup in a map from the pair to its level.
func BenchmarkMapLookup(b *testing.B) {
	w := newBenchWorld()
	floor := make(map[[2]string]access.Level)
	for _, g := range w.grants {
		floor[g] = access.LevelEditor
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := w.questions[i&(1<<14-1)]
		i++
		if !floor[q].Allows(access.ActionEdit) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkCheckCached(b *testing.B) {
	w := newBenchWorld()
	c := w.warm(b)
	ctx := context.Background()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := w.questions[i&(1<<14-1)]
		i++
		d, err := c.Check(ctx, q[0], access.Ref{Kind: access.KindEntity, ID: q[1]}, access.ActionEdit, access.Cached)
		if err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkCheckCachedParallel(b *testing.B) {
	w := newBenchWorld()
	c := w.warm(b)
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(1 << 14)
		for pb.Next() {
			q := w.questions[i&(1<<14-1)]
			i++
			d, err := c.Check(ctx, q[0], access.Ref{Kind: access.KindEntity, ID: q[1]}, access.ActionEdit, access.Cached)
			if err != nil || !d.Allowed {
				b.Fatal(d, err)
			}
		}
	})
}

// BenchmarkCheckCachedTail times each check by itself, which adds two readings
// of the clock to it, and reports what the slowest of a hundred takes.
func BenchmarkCheckCachedTail(b *testing.B) {
	w := newBenchWorld()
	c := w.warm(b)
	ctx := context.Background()
	var counts [1 << 16]int // by nanosecond
	i, n := 0, 0
	for b.Loop() {
		q := w.questions[i&(1<<14-1)]
		i++
		start := time.Now()
		d, err := c.Check(ctx, q[0], access.Ref{Kind: access.KindEntity, ID: q[1]}, access.ActionEdit, access.Cached)
		took := time.Since(start)
		if err != nil || !d.Allowed {
			b.Fatal(d, err)
		}
		counts[min(took, time.Duration(len(counts)-1))]++
		n++
	}
	seen := 0
	for ns, count := range counts {
		for name, share := range map[string]float64{"p50-ns": 0.5, "p99-ns": 0.99, "p999-ns": 0.999} {
			if at := int(share * float64(n)); seen <= at && at < seen+count {
				b.ReportMetric(float64(ns), name)
			}
		}
		seen += count
	}
}

// BenchmarkDecide is the resolver alone.
func BenchmarkDecide(b *testing.B) {
	w := newBenchWorld()
	f := w.facts[w.users[7]]
	var r access.Resource
	for id := range f.Grants {
		r = w.resources[entity(id)]
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if !access.Decide(&f, &r, access.ActionEdit, now).Allowed {
			b.Fatal("refused")
		}
	}
}

// BenchmarkCheckUncached is a check whose every read goes to a store that
// answers at once: what the checker itself adds to the round trip.
func BenchmarkCheckUncached(b *testing.B) {
	w := newBenchWorld()
	c, err := access.New(w, w, access.Config{TTL: access.MaxTTL})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		q := w.questions[i&(1<<14-1)]
		i++
		if _, err := c.Check(context.Background(), q[0], entity(q[1]), access.ActionEdit, access.Strong); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckManyCached is a batch of 100 questions about one user.
func BenchmarkCheckManyCached(b *testing.B) {
	w := newBenchWorld()
	c := w.warm(b)
	var questions []access.Question
	for i := range 100 {
		questions = append(questions, access.Question{Ref: entity(w.entities[i]), Action: access.ActionView})
	}
	if _, err := c.CheckMany(context.Background(), w.users[0], questions, access.Cached); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.CheckMany(context.Background(), w.users[0], questions, access.Cached); err != nil {
			b.Fatal(err)
		}
	}
}
