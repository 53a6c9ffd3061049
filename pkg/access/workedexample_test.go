package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// coastal is the documented example: an agency with three boats and four people.
func coastal() *world {
	w := newWorld()
	w.addOrganization("coastal")
	for _, boat := range []string{"boat-1", "boat-2", "boat-3"} {
		w.addEntity(boat, "coastal")
	}
	w.join("alice", "coastal", access.RoleAdmin)
	w.join("bob", "coastal", access.RoleManager)
	w.join("carol", "coastal", access.RoleMember)
	w.join("dave", "coastal", access.RoleViewer)
	w.grant("carol", "boat-1", access.LevelEditor, time.Time{})
	w.grant("carol", "boat-3", access.LevelViewer, time.Time{})
	return w
}

func newChecker(t testing.TB, w *world, cfg access.Config) *access.Checker {
	t.Helper()
	cfg.Now = w.clock
	c, err := access.New(w, w, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheWorkedExampleHoldsExactly(t *testing.T) {
	type cell struct {
		level  access.Level
		source access.Origin
	}
	none := cell{}
	byOrg := func(l access.Level) [3]cell {
		c := cell{l, access.FromOrgRole}
		return [3]cell{c, c, c}
	}
	want := map[string][3]cell{
		"alice": byOrg(access.LevelAdmin),
		"bob":   byOrg(access.LevelManager),
		"carol": {{access.LevelEditor, access.FromGrant}, none, {access.LevelViewer, access.FromGrant}},
		"dave":  byOrg(access.LevelViewer),
		"eve":   {}, // nobody
	}
	for _, how := range []access.Consistency{access.Strong, access.Cached} {
		for _, maxFacts := range []int{0, 1} { // 1: Carol's facts are read one by one
			c := newChecker(t, coastal(), access.Config{MaxFacts: maxFacts})
			for range 2 { // the second time from the cache
				for user, row := range want {
					for i, boat := range []string{"boat-1", "boat-2", "boat-3"} {
						for _, a := range access.Actions() {
							d, err := c.Check(context.Background(), user, entity(boat), a, how)
							if err != nil {
								t.Fatal(err)
							}
							if d.Level != row[i].level || d.Source != row[i].source || d.Allowed != row[i].level.Allows(a) {
								t.Errorf("%s %s %s: %+v, want %v", user, a, boat, d, row[i])
							}
						}
					}
				}
			}
		}
	}
}
