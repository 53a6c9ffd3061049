package access_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// crowded is a user with more of everything than one batch holds: roles in
// some organizations, grants in others, shares anywhere, a good part of it
// expired, without membership, or about what is gone.
func crowded() *world {
	w := newWorld()
	for o := range 150 {
		w.addOrganization(fmt.Sprintf("o%03d", o))
		if o%10 != 9 {
			w.join("u", fmt.Sprintf("o%03d", o), access.OrgRole(1+o%4))
		}
	}
	for e := range 600 {
		o := fmt.Sprintf("o%03d", e%150)
		id := fmt.Sprintf("e%03d", e)
		w.addEntity(id, o)
		w.addDocument("d"+id, id, o)
		end := time.Time{}
		if e%7 == 0 {
			end = w.now.Add(-time.Second)
		}
		if e%3 != 0 {
			w.grant("u", id, access.Level(1+e%4), end)
		}
		if e%2 == 0 {
			w.share("u", "d"+id, access.Level(1+e/2%2), end)
		}
	}
	for _, gone := range []access.Ref{entity("e010"), document("de020"), org("o017")} {
		w.remove(gone)
	}
	w.delegate("u", "o009", w.now.Add(time.Hour))
	w.delegate("u", "o149", w.now.Add(time.Hour))
	w.delegate("u", "o029", w.now.Add(-time.Hour))
	return w
}

func TestEveryListIsTheSetForWhichCheckAllows(t *testing.T) {
	w := crowded()
	ctx := context.Background()
	for name, maxFacts := range map[string]int{"all facts at once": 5_000, "very many facts": 100} {
		t.Run(name, func(t *testing.T) {
			c := newChecker(t, w, access.Config{MaxFacts: maxFacts})
			for _, a := range access.Actions() {
				want := map[access.Ref]bool{}
				for ref, r := range w.resources {
					if r.Kind == access.KindOrganization {
						continue
					}
					if mustCheck(t, c, "u", ref, a, access.Cached).Allowed {
						want[ref] = true
					}
				}
				if len(want) < 50 {
					t.Fatalf("%s is allowed on %d things only: a poor test", a, len(want))
				}
				for _, organization := range []string{"", "o000", "o001", "o009", "o017", "o029", "nowhere"} {
					for _, size := range []int{1, 7, 100, 1000} {
						if organization == "" && size == 1 && a != access.ActionView {
							continue // slow, and nothing new
						}
						got := pagesOf(t, ctx, c, w, "u", a, access.Selection{OrganizationID: organization, Documents: true}, size)
						for ref, r := range w.resources {
							expected := 0
							if want[ref] && (organization == "" || r.OrganizationID == organization) {
								expected = 1
							}
							if got[ref] != expected {
								t.Fatalf("%s in %q, pages of %d: %v is listed %d times, want %d", a, organization, size, ref, got[ref], expected)
							}
						}
					}
				}
				for ref := range pagesOf(t, ctx, c, w, "u", a, access.Selection{}, 1000) {
					if r := w.resources[ref]; r.Kind == access.KindDocument && !mustCheck(t, c, "u", entity(r.EntityID), a, access.Cached).Allowed {
						t.Fatalf("%v is listed by a share, which was not asked for", ref)
					}
				}
			}
		})
	}
}

// pagesOf goes through a list in pages of candidates and counts what they stand for.
func pagesOf(t *testing.T, ctx context.Context, c *access.Checker, w *world, user string, a access.Action, sel access.Selection, size int) map[access.Ref]int {
	t.Helper()
	below := map[string][]access.Resource{} // by organization
	for ref, r := range w.resources {
		if _, exists := w.lookup(ref); exists && r.Kind != access.KindOrganization {
			below[r.OrganizationID] = append(below[r.OrganizationID], r)
		}
	}
	got := map[access.Ref]int{}
	var last access.Candidate
	for {
		given, more := 0, false
		for candidate, err := range c.Allowed(ctx, user, a, sel, access.Cached) {
			if err != nil {
				t.Fatal(err)
			}
			if given++; given > size {
				sel.From, more = candidate.Position(), true
				break
			}
			if last != (access.Candidate{}) && (candidate.Kind < last.Kind || candidate.Kind == last.Kind && candidate.ID <= last.ID) {
				t.Fatalf("%v comes after %v", candidate, last)
			}
			last = candidate
			for _, r := range below[candidate.OrganizationID] {
				if covers(candidate, r) {
					got[r.Ref()]++
				}
			}
		}
		if !more {
			return got
		}
	}
}

func TestSuperAdminPowerIsOneCandidate(t *testing.T) {
	w := coastal()
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	w.delegate("lent", access.ScopePlatform, w.now.Add(time.Hour))
	for i := range 20 {
		w.share("lent", fmt.Sprintf("d%d", i), access.LevelViewer, time.Time{})
	}
	for _, maxFacts := range []int{0, 5} {
		c := newChecker(t, w, access.Config{MaxFacts: maxFacts})
		for _, user := range []string{"root", "lent"} {
			for organization, want := range map[string]access.Candidate{
				"":        {Kind: access.KindPlatform},
				"coastal": {Kind: access.KindOrganization, ID: "coastal", OrganizationID: "coastal"},
			} {
				var got []access.Candidate
				for candidate, err := range c.Allowed(context.Background(), user, access.ActionManage, access.Selection{OrganizationID: organization, Documents: true}, access.Strong) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, candidate)
				}
				if len(got) != 1 || got[0] != want {
					t.Errorf("%s in %q: %v", user, organization, got)
				}
			}
		}
	}
}

func TestAListEndsWithItsError(t *testing.T) {
	broken := errors.New("the store is away")
	for _, maxFacts := range []int{5_000, 100} {
		w := crowded()
		c := newChecker(t, w, access.Config{MaxFacts: maxFacts})
		// It breaks at one read after another, as far as reads go.
		for fail := 1; ; fail++ {
			reads, failed := 0, 0
			w.hook(func(context.Context) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if reads++; reads == fail {
					w.err = broken
				}
			}, nil)
			var last error
			for _, err := range c.Allowed(context.Background(), "u", access.ActionView, access.Selection{Documents: true}, access.Strong) {
				if last != nil {
					t.Fatal("the list went on after an error")
				}
				if last = err; err != nil {
					failed++
				}
			}
			w.mu.Lock()
			w.err = nil
			w.mu.Unlock()
			if reads < fail {
				break
			}
			// The world looks at w.err before its hook runs; the next read fails.
			if failed > 1 || failed == 1 && !errors.Is(last, broken) {
				t.Fatalf("read %d of %d: %d errors, the last %v", fail, reads, failed, last)
			}
		}
		w.hook(nil, nil)
	}
}

func TestAnUnknownActionListsNothing(t *testing.T) {
	w := coastal()
	w.change("root", func(f *access.Facts) { f.SuperAdmin = true })
	c := newChecker(t, w, access.Config{})
	for candidate, err := range c.Allowed(context.Background(), "root", 0, access.Selection{}, access.Cached) {
		t.Errorf("%v, %v", candidate, err)
	}
}

// A list costs what its page needs, however much there is.
func TestTheFirstPageOfAListReadsLittle(t *testing.T) {
	w := newWorld()
	w.addOrganization("o")
	w.join("u", "o", access.RoleMember)
	for e := range 10_000 {
		id := fmt.Sprintf("e%05d", e)
		w.addResource(access.Resource{Kind: access.KindEntity, ID: id, OrganizationID: "o"})
	}
	w.change("u", func(f *access.Facts) {
		for e := range 10_000 {
			id := fmt.Sprintf("e%05d", e)
			f.Grants[id] = access.Grant{EntityID: id, OrganizationID: "o", Level: access.LevelViewer}
		}
	})
	c := newChecker(t, w, access.Config{})
	for _, from := range []string{"", "e05000", "e09900"} {
		w.reads()
		given := 0
		for _, err := range c.Allowed(context.Background(), "u", access.ActionView, access.Selection{From: access.Position{Kind: access.KindEntity, ID: from}}, access.Cached) {
			if err != nil {
				t.Fatal(err)
			}
			if given++; given == 50 {
				break
			}
		}
		if n := w.reads(); n[0] > 2 || n[1] > 4 || n[2] > 2 {
			t.Errorf("from %q: %v reads", from, n)
		}
	}
}
