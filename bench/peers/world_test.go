package peers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// pair is a user and an entity.
type pair struct{ user, entity string }

// world is who holds what.
type world struct {
	users, entities []string
	organization    map[string]string // of an entity
	member          map[string]string // organization of a user
	grants          []pair
	held            map[pair]bool
	questions       []pair // about grants, in random order
	refused         pair
}

func uuidLike(kind, n int) string { return fmt.Sprintf("0190b2f4-%04x-7abc-8def-%012x", kind, n) }

func newWorld() *world {
	w := &world{organization: map[string]string{}, member: map[string]string{}, held: map[pair]bool{}}
	for e := range 1000 {
		id := uuidLike(1, e)
		w.entities, w.organization[id] = append(w.entities, id), uuidLike(0, e%50)
	}
	for u := range 1000 {
		id := uuidLike(2, u)
		w.users, w.member[id] = append(w.users, id), uuidLike(0, u%50)
		for g := range 10 {
			p := pair{id, w.entities[(u%50)+50*((u/50+g*2)%20)]}
			w.grants = append(w.grants, p)
			w.held[p] = true
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 1 << 12 {
		q := w.grants[random.IntN(len(w.grants))]
		w.questions = append(w.questions, pair{strings.Clone(q.user), strings.Clone(q.entity)})
	}
	w.refused = pair{w.users[0], w.entities[1]} // another organization's
	return w
}

// measure asks the world's questions in turn, after the peer has shown that it
// allows every one of the first hundred and refuses what is not granted.
func measure(b *testing.B, w *world, ask func(pair) (bool, error)) {
	b.Helper()
	for _, q := range w.questions[:100] {
		if ok, err := ask(q); err != nil || !ok {
			b.Fatalf("a grant is refused: %v", err)
		}
	}
	if ok, err := ask(w.refused); err != nil || ok {
		b.Fatalf("what is not granted is allowed: %v", err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ok, err := ask(w.questions[i&(1<<12-1)])
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		i++
	}
}

// source gives Lanyard the world from memory, as the others have it.
type source struct {
	facts     map[string]access.Facts
	resources map[access.Ref]access.Resource
}

func newSource(w *world) *source {
	s := &source{facts: map[string]access.Facts{}, resources: map[access.Ref]access.Resource{}}
	for _, id := range w.entities {
		r := access.Resource{Kind: access.KindEntity, ID: id, OrganizationID: w.organization[id]}
		s.resources[r.Ref()] = r
	}
	for _, u := range w.users {
		o := w.member[u]
		s.facts[u] = access.Facts{Complete: true, Grants: map[string]access.Grant{},
			Memberships: map[string]access.Membership{o: {OrganizationID: o, Role: access.RoleMember}}}
	}
	for _, g := range w.grants {
		s.facts[g.user].Grants[g.entity] = access.Grant{EntityID: g.entity, OrganizationID: w.organization[g.entity], Level: access.LevelEditor}
	}
	return s
}

func (s *source) Facts(_ context.Context, userID string, _ int) (access.Facts, error) {
	return s.facts[userID], nil
}

func (s *source) FactsAbout(_ context.Context, userID string, _ []access.Resource) (access.Facts, error) {
	return s.facts[userID], nil
}

func (s *source) Held(context.Context, string, access.Kind, string, int) ([]access.Resource, error) {
	return nil, nil
}

func (s *source) Resources(_ context.Context, refs []access.Ref) ([]access.Resource, error) {
	var out []access.Resource
	for _, r := range refs {
		if p, ok := s.resources[r]; ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func newChecker(b *testing.B, w *world) *access.Checker {
	b.Helper()
	s := newSource(w)
	c, err := access.New(s, s, access.Config{TTL: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	return c
}
