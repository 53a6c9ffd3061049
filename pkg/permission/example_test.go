package permission_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/tenanttest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/permission"
)

// The worked example of the documentation, exactly, for four verticals: nothing
// knows what a boat is.
func TestTheWorkedExample(t *testing.T) {
	for _, vertical := range []string{"boat", "aircraft", "marina", "lead"} {
		t.Run(vertical, func(t *testing.T) {
			w := tenanttest.New(t)
			org := w.Org()
			users := map[string]string{
				"Alice": w.Member(org, access.RoleAdmin), "Bob": w.Member(org, access.RoleManager),
				"Carol": w.Member(org, access.RoleMember), "Dave": w.Member(org, access.RoleViewer),
			}
			var things [3]string
			for i := range things {
				things[i] = w.Entity(users["Alice"], org, vertical, fmt.Sprint(vertical, " ", i+1))
			}
			w.Grant(users["Alice"], things[0], users["Carol"], "editor")
			w.Grant(users["Bob"], things[2], users["Carol"], "viewer")
			table := []struct {
				user   string
				levels [3]string
				source string
			}{
				{"Alice", [3]string{"admin", "admin", "admin"}, "org_role"},
				{"Bob", [3]string{"manager", "manager", "manager"}, "org_role"},
				{"Carol", [3]string{"editor", "none", "viewer"}, "grant"},
				{"Dave", [3]string{"viewer", "viewer", "viewer"}, "org_role"},
			}
			for _, row := range table {
				var all []any
				var want []permission.Decision
				for i, thing := range things {
					level, err := access.ParseLevel(row.levels[i])
					if err != nil {
						t.Fatal(err)
					}
					for _, a := range access.Actions() {
						for _, how := range []string{"cached", "strong"} {
							d := w.Check(users[row.user], thing, a.String(), how)
							source := row.source
							if level == access.LevelNone {
								source = "none"
							}
							if d.Allowed != level.Allows(a) || d.Level != row.levels[i] || d.Source != source || d.Reason == "" {
								t.Errorf("%s, %s %d, %s (%s): %+v, want %s by %s", row.user, vertical, i+1, a, how, d, row.levels[i], source)
							}
							if how == "strong" {
								all = append(all, map[string]any{"entityId": thing, "action": a.String()}, map[string]any{"entityId": thing, "action": a.String()})
								want = append(want, d, d)
							}
						}
					}
					status := w.Do(users[row.user], http.MethodGet, "/api/entities/"+thing, nil, nil)
					if (status == http.StatusOK) != level.Allows(access.ActionView) {
						t.Errorf("%s reads %s %d: %d", row.user, vertical, i+1, status)
					}
				}
				var batch struct{ Results []permission.Decision }
				w.Want(http.StatusOK, users[row.user], http.MethodPost, "/api/permissions/check", map[string]any{"checks": all}, &batch)
				if fmt.Sprint(batch.Results) != fmt.Sprint(want) {
					t.Errorf("%s: the batch answers %v, one by one %v", row.user, batch.Results, want)
				}
			}
		})
	}
}
