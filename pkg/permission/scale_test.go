package permission_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/tenanttest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// mostRequests is what one page may cost, whatever there is: a bounded number
// of rounds of a few reads.
const mostRequests = 60

// fill writes many items, a hundred at a time.
func fill(w *tenanttest.World, n int, item func(i int) any) {
	w.Helper()
	for from := 0; from < n; from += table.MaxTransaction {
		var writes []*table.Write
		for i := from; i < min(n, from+table.MaxTransaction); i++ {
			writes = append(writes, table.Put(item(i)))
		}
		if err := w.Store.Transact(w.Context(), writes...); err != nil {
			w.Fatal(err)
		}
	}
	w.Access.ForgetAll()
}

type bulk struct {
	table.Key
	table.IndexKey
	facts.EntityPlace
	Type string `dynamo:"type"`
	Name string `dynamo:"name"`
}

// pages reads every page and gives the items' ids and the most requests that
// one page took.
func pages(w *tenanttest.World, user, path, field string) (ids []string, most int) {
	w.Helper()
	cursor := ""
	for range 2000 {
		var page struct {
			Items      []map[string]any
			NextCursor string
		}
		w.Store.Transport.Reset()
		w.Want(200, user, "GET", path+cursor, nil, &page)
		most = max(most, w.Store.Transport.Calls())
		for _, it := range page.Items {
			ids = append(ids, it[field].(string))
		}
		if page.NextCursor == "" {
			return ids, most
		}
		cursor = "&cursor=" + page.NextCursor
	}
	w.Fatalf("%s does not end", path)
	return nil, 0
}

// With thousands of entities, grants and members, lists still come page by page
// at a bounded cost each, and a check costs what it costs with ten.
func TestAtTenThousand(t *testing.T) {
	n := 10_000
	if testing.Short() || raceDetector {
		n = 1_500
	}
	w := tenanttest.New(t)
	org := w.Org()
	admin := w.Member(org, access.RoleAdmin)
	few, many := w.Member(org, access.RoleMember), w.Member(org, access.RoleMember)
	ids := make([]string, n)
	fill(w, n, func(i int) any {
		ids[i] = w.ID()
		typ := "boat"
		if i%1000 == 7 {
			typ = "rare"
		}
		return bulk{table.Entity(ids[i]), table.InOrgEntities(org, typ, ids[i]), facts.EntityPlace{ID: ids[i], OrgID: org}, typ, fmt.Sprint(i)}
	})
	fill(w, n, func(i int) any {
		return facts.NewGrant(many, ids[i], org, access.LevelEditor, admin, w.Now(), time.Time{})
	})
	fill(w, 10, func(i int) any {
		return facts.NewGrant(few, ids[i], org, access.LevelEditor, admin, w.Now(), time.Time{})
	})
	fill(w, n, func(i int) any {
		u := w.ID()
		return facts.NewMembership(u, org, access.RoleMember, admin, w.Now())
	})

	cost := func(user, entityID string) int {
		t.Helper()
		w.Access.ForgetUsers(user)
		w.Access.ForgetResources(access.Ref{Kind: access.KindEntity, ID: entityID})
		w.Store.Transport.Reset()
		if d := w.Check(user, entityID, "edit", "strong"); !d.Allowed || d.Source != "grant" {
			t.Errorf("%+v", d)
		}
		return w.Store.Transport.Calls()
	}
	cost(many, ids[0]) // finds out that there are many
	if a, b := cost(few, ids[3]), cost(many, ids[n-1]); a != b {
		t.Errorf("a check with ten grants takes %d requests, with %d it takes %d", a, n, b)
	}
	lists := map[string]struct {
		user, path, field string
		want              int
	}{
		"an admin's entities":          {admin, "/api/organizations/" + org + "/entities?limit=100", "id", n},
		"few of many":                  {few, "/api/organizations/" + org + "/entities?limit=100", "id", 10},
		"a rare type":                  {admin, "/api/organizations/" + org + "/entities?limit=100&type=rare", "id", (n + 992) / 1000},
		"a rare type among the grants": {many, "/api/organizations/" + org + "/entities?limit=100&type=rare", "id", (n + 992) / 1000},
		"on which editing is allowed":  {many, "/api/permissions/entities?limit=100&action=edit", "id", n},
		"everyone with access":         {admin, "/api/entities/" + ids[0] + "/permissions?limit=100", "userId", 3},
	}
	for name, l := range lists {
		got, most := pages(w, l.user, l.path, l.field)
		slices.Sort(got)
		if len(got) != l.want || len(slices.Compact(got)) != l.want {
			t.Errorf("%s: %d, want %d", name, len(got), l.want)
		}
		if most > mostRequests {
			t.Errorf("%s: a page took %d requests", name, most)
		}
	}
}
