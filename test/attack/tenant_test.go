package attack

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/catalogtest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// rows gives what the table holds, by key, without the trail and the counters,
// which refusals may write.
func rows(t *testing.T, w *lanyardtest.World) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := w.Store.Scan(context.Background(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			k := r.Key()
			if strings.HasPrefix(k.PK, "AUDIT#") || strings.HasPrefix(k.PK, "THROTTLE#") {
				continue
			}
			var it map[string]any
			if err := r.Decode(&it); err != nil {
				return err
			}
			out[k.PK+" "+k.SK] = fmt.Sprint(it)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("the table is empty")
	}
	return out
}

// unchanged fails the test when the table is not as it was.
func unchanged(t *testing.T, w *lanyardtest.World, before map[string]string, what string) {
	t.Helper()
	after := rows(t, w)
	for k, v := range before {
		if after[k] != v {
			t.Errorf("%s changed %s\nfrom %s\nto   %s", what, k, v, after[k])
		}
	}
	for k := range after {
		if _, was := before[k]; !was {
			t.Errorf("%s made %s", what, k)
		}
	}
}

// foreigner makes the admin of another tenant, with a full set of things.
func foreigner(s *catalogtest.Scenario) (c *lanyardtest.Client, org, entity string) {
	c = s.Registered("foreign@example.com")
	org = c.Post("/api/organizations", m{"name": "Elsewhere"}).Want(201).Text("id")
	entity = c.Post("/api/organizations/"+org+"/entities", m{"type": "boat", "name": "Zephyr"}).Want(201).Text("id")
	c.Post("/api/entities/"+entity+"/documents", m{"title": "Log"}).Want(201)
	return c, org, entity
}

func tenantAttacks() []attack {
	return []attack{
		{"G1", "another tenant's ids on every route", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			c, _, _ := foreigner(s)
			before, tried := rows(t, s.World), 0
			for _, r := range s.Requests() {
				if !strings.Contains(r.Route, "{orgId}") && !strings.Contains(r.Route, "{entityId}") && !strings.Contains(r.Route, "{documentId}") && r.Operation != "auth-sessions-end" {
					continue
				}
				tried++
				r.By = c
				foreign := r.Do()
				foreign.Problem(404, "not_found")
				r.Path = strings.NewReplacer(s.Organization, nowhere, s.Entity, nowhere, s.Document, nowhere).Replace(r.Path)
				if missing := r.Do(); r.Operation != "auth-sessions-end" && face(missing) != face(foreign) {
					t.Errorf("%s: foreign %s\nmissing %s", r.Operation, face(foreign), face(missing))
				}
			}
			if tried < 25 {
				t.Errorf("%d routes tried", tried)
			}
			for name, body := range map[string]m{
				"entity":   {"checks": []m{{"entityId": s.Entity, "action": "view"}}},
				"document": {"checks": []m{{"documentId": s.Document, "action": "view"}}},
				"another":  {"userId": s.Member.UserID, "checks": []m{{"entityId": s.Entity, "action": "view"}}},
			} {
				a := c.Post("/api/permissions/check", body)
				if a.Status == 200 && (a.Value("results.0.allowed") != false || a.Text("results.0.source") != "none") {
					t.Errorf("check of a foreign %s: %s", name, a.Raw)
				}
			}
			c.Post("/api/invitations/accept", m{"token": s.Secrets["invitation token"]}).Problem(403, "forbidden") // it is for another address
			unchanged(t, s.World, before, "the foreign admin")
			s.Owner.Get("/api/entities/" + s.Entity).Want(200)
			s.Request("orgs-change").Do().Want(200)
		}},
		{"G2", "functions above one's role", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			before := rows(t, s.World)
			tried := 0
			for _, r := range s.Requests() {
				change := r.Method != "GET" && (strings.Contains(r.Route, "{orgId}") || strings.Contains(r.Route, "{entityId}"))
				if !change || strings.HasPrefix(r.Operation, "orgs-members-remove") {
					continue
				}
				tried++
				r.By = s.Member // may view one entity, nothing more
				r.Do().Problem(403, "forbidden")
			}
			for _, r := range s.Requests() {
				if strings.HasPrefix(r.Operation, "users-") || strings.HasPrefix(r.Operation, "admin-") {
					tried++
					r.By = s.Owner
					r.Do().Problem(403, "forbidden")
				}
			}
			if tried < 20 {
				t.Errorf("%d functions tried", tried)
			}
			unchanged(t, s.World, before, "a member")
			s.Member.Get("/api/entities/" + s.Entity).Want(200)
		}},
		{"G4", "raising oneself", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			org := "/api/organizations/" + s.Organization
			s.Owner.Patch(org+"/members/"+s.Member.UserID, m{"role": "manager"}).Want(200)
			before := rows(t, s.World)
			manager := s.Member
			manager.Patch(org+"/members/"+manager.UserID, m{"role": "admin"}).Problem(403, "forbidden")
			manager.Patch(org+"/members/"+s.Owner.UserID, m{"role": "viewer"}).Problem(403, "forbidden")
			manager.Delete(org+"/members/"+s.Owner.UserID, nil).Problem(403, "forbidden")
			manager.Post(org+"/members", m{"userId": s.Spare.UserID, "role": "admin"}).Problem(403, "forbidden")
			manager.Post(org+"/invitations", m{"email": "x@example.com", "role": "admin"}).Problem(403, "forbidden")
			manager.Post("/api/entities/"+s.Entity+"/permissions", m{"userId": s.Owner.UserID, "level": "admin"}).Problem(403, "forbidden")
			manager.Patch("/api/entities/"+s.Entity+"/permissions/"+manager.UserID, m{"level": "admin"}).Problem(403, "forbidden")
			unchanged(t, s.World, before, "a manager")
			manager.Patch("/api/entities/"+s.Entity+"/permissions/"+manager.UserID, m{"level": "editor"}).Want(200)

			// Power that was given for a time does not lengthen itself.
			s.Owner.Patch(org+"/members/"+s.Member.UserID, m{"role": "member"}).Want(200)
			own := "/api/entities/" + s.Entity + "/permissions/" + s.Member.UserID
			in := func(d time.Duration) string { return s.Clock.Now().Add(d).Format(time.RFC3339) }
			s.Owner.Patch(own, m{"level": "admin", "expiresAt": in(time.Hour)}).Want(200)
			before = rows(t, s.World)
			s.Member.Patch(own, m{"expiresAt": nil}).Problem(403, "forbidden")
			s.Member.Patch(own, m{"level": "admin", "expiresAt": in(2 * time.Hour)}).Problem(403, "forbidden")
			unchanged(t, s.World, before, "an admin for an hour")
			s.Member.Patch(own, m{"expiresAt": in(time.Minute)}).Want(200)
			s.Owner.Patch(own, m{"expiresAt": nil}).Want(200)
		}},
		{"G5", "the last admin", false, func(t *testing.T, s *site) {
			w := s.start()
			a := w.Registered("a@example.com")
			b := w.Registered("b@example.com")
			for range 20 {
				org := a.Post("/api/organizations", m{"name": "Two"}).Want(201).Text("id")
				path := "/api/organizations/" + org + "/members"
				a.Post(path, m{"userId": b.UserID, "role": "admin"}).Want(201)
				got := together(2, func(i int) int {
					if i == 0 {
						return a.Patch(path+"/"+b.UserID, m{"role": "viewer"}).Status
					}
					return b.Patch(path+"/"+a.UserID, m{"role": "viewer"}).Status
				})
				admins := 0
				for _, c := range []*lanyardtest.Client{a, b} {
					if c.Get("/api/organizations/"+org).Want(200).Text("role") == "admin" {
						admins++
					}
				}
				if admins != 1 || got[200] != 1 {
					t.Fatalf("%d admins, statuses %v", admins, got)
				}
			}
			org := a.Post("/api/organizations", m{"name": "One"}).Want(201).Text("id")
			path := "/api/organizations/" + org + "/members/" + a.UserID
			a.Delete(path, nil).Problem(409, "last_admin")
			a.Patch(path, m{"role": "viewer"}).Problem(409, "last_admin")
			a.Delete("/api/auth/me", m{"password": password}).Problem(409, "last_admin")
			a.Get("/api/organizations/" + org).Want(200)
			b.Delete("/api/auth/me", m{"password": password}).Problem(409, "last_admin") // of one of the twenty
			root := superAdmin(w)
			root.Delete("/api/auth/me", m{"password": password}).Problem(409, "last_admin")
			second := w.Registered("second@example.com")
			root.Put("/api/users/"+second.UserID+"/role", m{"role": "ADMIN", "reason": "cover"}).Want(200)
			root.Delete("/api/auth/me", m{"password": password}).Want(204)
		}},
		{"G7", "lists and counts", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			c, org, entity := foreigner(s)
			for _, path := range []string{
				"/api/organizations", "/api/permissions/entities?action=view", "/api/permissions/entities?action=view&organizationId=" + s.Organization,
				"/api/organizations/" + org + "/entities", "/api/organizations/" + org + "/members", "/api/organizations/" + org + "/audit", "/api/auth/activity",
			} {
				a := c.Get(path)
				for _, foreign := range []string{s.Organization, s.Entity, s.Document, s.Owner.UserID, "Coastal", "Aurora"} {
					if strings.Contains(string(a.Raw), foreign) {
						t.Errorf("%s shows %s: %s", path, foreign, a.Raw)
					}
				}
			}
			found := c.Post("/access/v1/search/resource", m{"subject": m{"type": "user", "id": c.UserID}, "action": m{"name": "view"}, "resource": m{"type": "entity"}}).Want(200)
			if strings.Contains(string(found.Raw), s.Entity) || !strings.Contains(string(found.Raw), entity) {
				t.Errorf("search: %s", found.Raw)
			}
			if !strings.Contains(string(c.Get("/api/permissions/entities?action=view").Want(200).Raw), entity) {
				t.Error("the own entity is not listed")
			}
		}},
		{"G8", "cursors changed and carried over", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			org := "/api/organizations/" + s.Organization
			for range 3 {
				s.Owner.Post(org+"/entities", m{"type": "boat", "name": "More"}).Want(201)
			}
			cursor := s.Owner.Get(org + "/entities?limit=1").Want(200).Text("nextCursor")
			s.Owner.Get(org + "/entities?limit=1&cursor=" + cursor).Want(200)
			c, foreign, _ := foreigner(s)
			c.Get("/api/organizations/"+foreign+"/entities?cursor="+cursor).Problem(400, "invalid_cursor")
			s.Member.Get(org+"/entities?cursor="+cursor).Problem(400, "invalid_cursor")
			s.Owner.Get(org+"/entities?type=boat&cursor="+cursor).Problem(400, "invalid_cursor")
			s.Owner.Get(org+"/members?cursor="+cursor).Problem(400, "invalid_cursor")
			for i := 0; i < len(cursor); i += max(1, len(cursor)/20) {
				swap := byte('A')
				if cursor[i] == 'A' {
					swap = 'B'
				}
				s.Owner.Get(org+"/entities?cursor="+cursor[:i]+string(swap)+cursor[i+1:]).Problem(400, "invalid_cursor")
			}
		}},
		{"G10", "one of two ways revoked", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			org := "/api/organizations/" + s.Organization
			doc, entity := "/api/documents/"+s.Document, "/api/entities/"+s.Entity
			s.Owner.Post(doc+"/shares", m{"userId": s.Member.UserID, "level": "editor"}).Want(201)
			s.Owner.Delete(entity+"/permissions/"+s.Member.UserID, nil).Want(204)
			s.Member.Get(entity).Problem(403, "forbidden")
			s.Member.Patch(doc, m{"title": "By share"}).Want(200)
			s.Owner.Post(entity+"/permissions", m{"userId": s.Member.UserID, "level": "viewer"}).Want(201)
			s.Owner.Delete(doc+"/shares/"+s.Member.UserID, nil).Want(204)
			s.Member.Get(doc).Want(200)
			s.Member.Patch(doc, m{"title": "No more"}).Problem(403, "forbidden")
			s.Owner.Delete(org+"/members/"+s.Member.UserID, nil).Want(204)
			s.Member.Get(doc).Problem(404, "not_found")
		}},
		{"G11", "things above themselves", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			// Nothing has a parent but an entity its organization and a document
			// its entity, both for good: there is no way to make a cycle.
			for _, field := range []string{"parentId", "parent", "entityId", "id", "organizationId"} {
				s.Owner.Patch("/api/entities/"+s.Entity, m{field: s.Entity}).Problem(422, "validation_failed")
				s.Owner.Patch("/api/organizations/"+s.Organization, m{field: s.Organization}).Problem(422, "validation_failed")
			}
			s.Owner.Patch("/api/entities/"+s.Entity, m{"attributes": m{"parentId": s.Entity}}).Want(200) // free data decides nothing
			a := s.Member.Post("/api/permissions/check", m{"checks": []m{{"entityId": s.Entity, "action": "edit"}}, "consistency": "strong"}).Want(200)
			if a.Value("results.0.allowed") != false {
				t.Errorf("decision %s", a.Raw)
			}
		}},
		{"G13", "two invitations accepted at once", false, func(t *testing.T, s *site) {
			w := s.start()
			owner := w.Registered("owner@example.com")
			guest := w.Registered("guest@example.com")
			org := owner.Post("/api/organizations", m{"name": "O"}).Want(201).Text("id")
			var tokens [2]string
			for i, role := range []string{"viewer", "manager"} {
				owner.Post("/api/organizations/"+org+"/invitations", m{"email": "guest@example.com", "role": role}).Want(201)
				tokens[i] = w.MailedToken("guest@example.com")
				w.Clock.Advance(time.Second)
			}
			together(2, func(i int) int { return guest.Post("/api/invitations/accept", m{"token": tokens[i]}).Status })
			items, _ := owner.Get("/api/organizations/" + org + "/members").Want(200).Value("items").([]any)
			role := guest.Get("/api/organizations/" + org).Want(200).Text("role")
			if len(items) != 2 || role != "viewer" && role != "manager" {
				t.Errorf("%d members, role %s", len(items), role)
			}
		}},
		{"G14", "moving things between tenants", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			c, org, entity := foreigner(s)
			s.Owner.Patch("/api/entities/"+s.Entity, m{"organizationId": org}).Problem(422, "validation_failed")
			c.Patch("/api/entities/"+entity, m{"organizationId": s.Organization}).Problem(422, "validation_failed")
			s.Owner.Patch("/api/documents/"+s.Document, m{"entityId": entity}).Problem(422, "validation_failed")
			s.Owner.Post("/api/entities/"+s.Entity+"/documents", m{"title": "x", "entityId": entity}).Problem(422, "validation_failed")
			s.Owner.Post("/api/organizations/"+org+"/entities", m{"type": "boat", "name": "x"}).Problem(404, "not_found")
			s.Owner.Patch("/api/entities/"+s.Entity, m{"name": "Mine"}).Want(200)
		}},
		{"G16", "conditional requests of a stranger", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			etag := s.Owner.Get("/api/entities/" + s.Entity).Want(200).Header.Get("ETag")
			for _, path := range []string{"/api/entities/" + s.Entity, "/api/organizations/" + s.Organization, "/api/documents/" + s.Document} {
				for _, tag := range []string{"*", `"1"`, `W/"1"`, etag} {
					if tag == "" {
						continue
					}
					raw(s.World, s.Spare, "GET", path, "", "If-None-Match", tag).Problem(404, "not_found")
					raw(s.World, s.Spare, "GET", path, "", "If-Modified-Since", time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")).Problem(404, "not_found")
				}
			}
		}},
		{"G17", "roles in two tenants", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			org := s.Member.Post("/api/organizations", m{"name": "Own"}).Want(201).Text("id") // admin here, member there
			for _, headers := range [][]string{{"X-Organization-Id", org}, {"X-Org", org}, {"X-Tenant", org}, {"X-Role", "admin"}} {
				raw(s.World, s.Member, "PATCH", "/api/organizations/"+s.Organization, `{"name":"Taken"}`, headers...).Problem(403, "forbidden")
			}
			raw(s.World, s.Member, "PATCH", "/api/organizations/"+s.Organization+"?organizationId="+org, `{"name":"Taken"}`).Problem(422, "validation_failed")
			s.Member.Patch("/api/organizations/"+s.Organization, m{"name": "Taken", "organizationId": org}).Problem(422, "validation_failed")
			s.Member.Patch("/api/organizations/"+org, m{"name": "Mine"}).Want(200)
		}},
		{"G19", "batches of own and foreign ids", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			c, _, entity := foreigner(s)
			checks := []m{{"entityId": entity, "action": "manage"}, {"entityId": s.Entity, "action": "view"}, {"entityId": nowhere, "action": "view"}, {"documentId": s.Document, "action": "view"}}
			a := c.Post("/api/permissions/check", m{"checks": checks}).Want(200)
			for i, allowed := range []bool{true, false, false, false} {
				if got := a.Value(fmt.Sprintf("results.%d.allowed", i)); got != allowed {
					t.Errorf("check %d: %v", i, got)
				}
			}
			if fmt.Sprint(a.Value("results.1")) != fmt.Sprint(a.Value("results.2")) {
				t.Errorf("foreign %v, missing %v", a.Value("results.1"), a.Value("results.2"))
			}
		}},
	}
}

// nowhere is the id of nothing.
const nowhere = "01900000-0000-7000-8000-0000000000f1"
