package attack

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/catalogtest"
)

func inputAttacks() []attack {
	return []attack{
		{"L1", "text that is part of keys", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			for _, id := range []string{"USER%23" + s.Owner.UserID, "ORG%23" + s.Organization, "x%7Cy", "%23", "%2523", "x%00y", strings.Repeat("a", 2049), "META", s.Organization + "%23MEMBERS"} {
				for _, path := range []string{"/api/organizations/", "/api/entities/", "/api/documents/", "/api/users/"} {
					a := s.Owner.Get(path + id)
					if a.Status < 400 || a.Status >= 500 {
						t.Errorf("%s%.40s: %d", path, id, a.Status)
					}
				}
			}
			for _, name := range []string{"USER#x", "a#b", "a|b", "a/b", "a%23b", "a\x00b", "#" + s.Organization, strings.Repeat("a", 2049)} {
				if a := s.Client().Post("/api/auth/register", m{"username": name, "password": password}); a.Status != 422 && a.Status != 400 {
					t.Errorf("username %.20q: %d", name, a.Status)
				}
				if a := s.Client().Post("/api/auth/register", m{"email": name + "@example.com", "password": password}); a.Status >= 500 {
					t.Errorf("address %.20q: %d", name, a.Status)
				}
				for _, kind := range []string{name, "boat#" + name} {
					a := s.Owner.Post("/api/organizations/"+s.Organization+"/entities", m{"type": kind, "name": name})
					if a.Status >= 500 {
						t.Errorf("entity of type %.20q: %d %s", kind, a.Status, a.Raw)
					}
				}
			}
			// A type that looks like the index's key of another finds its own only.
			s.Owner.Post("/api/organizations/"+s.Organization+"/entities", m{"type": "boat#x", "name": "Odd"}).Want(201)
			if a := s.Owner.Get("/api/organizations/" + s.Organization + "/entities?type=boat").Want(200); strings.Contains(string(a.Raw), "Odd") || !strings.Contains(string(a.Raw), s.Entity) {
				t.Errorf("boats: %s", a.Raw)
			}
		}},
		{"L2", "text that is part of expressions", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			for _, text := range []string{":x", "#y", "attribute_exists(a) OR 1=1", "begins_with(PK, :x)", "' OR '1'='1", "{{7*7}}", "${jndi:ldap://x}", "$(id)"} {
				q := strings.NewReplacer(" ", "%20", "#", "%23", "{", "%7B", "}", "%7D", "$", "%24").Replace(text)
				if a := s.Owner.Get("/api/organizations/" + s.Organization + "/entities?type=" + q); a.Status != 200 || strings.Contains(string(a.Raw), s.Entity) {
					t.Errorf("type %s: %d %s", text, a.Status, a.Raw)
				}
				for _, path := range []string{"/api/users?email=" + q, "/api/users?username=" + q, "/api/users?status=" + q, "/api/organizations/" + s.Organization + "/audit?type=" + q, "/api/organizations/" + s.Organization + "/audit?actorId=" + q} {
					a := s.Root.Get(path)
					if items, _ := a.Value("items").([]any); a.Status >= 500 || len(items) > 0 {
						t.Errorf("%s: %d, %d items", path, a.Status, len(items))
					}
				}
				id := s.Owner.Post("/api/organizations/"+s.Organization+"/entities", m{"type": "odd", "name": text}).Want(201).Text("id")
				if got := s.Owner.Get("/api/entities/" + id).Want(200).Text("name"); got != text {
					t.Errorf("%q became %q", text, got)
				}
			}
		}},
		{"L4", "fifty creations of one thing at once", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			for _, tc := range []struct {
				what string
				do   func() int
			}{
				{"membership", func() int { return s.Request("orgs-members-add").Do().Status }},
				{"grant", func() int { return s.Request("entities-permissions-grant").Do().Status }},
				{"share", func() int { return s.Request("documents-shares-create").Do().Status }},
				{"acceptance", func() int { return s.Request("invitations-accept").Do().Status }},
				{"username", func() int {
					return s.Client().Post("/api/auth/register", m{"username": "only.one", "password": password}).Status
				}},
			} {
				got := together(50, func(int) int { return tc.do() })
				once := got[200]+got[201] == 1 || tc.what == "acceptance" && got[200] > 0 // by the same user: the same answer again
				if !once || got[500]+got[503] != 0 {
					t.Errorf("%s: statuses %v", tc.what, got)
				}
			}
			items, _ := s.Owner.Get("/api/organizations/" + s.Organization + "/members").Want(200).Value("items").([]any)
			if len(items) != 4 {
				t.Errorf("%d members", len(items))
			}
		}},
		{"L5", "reading at once what was just revoked", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			member := s.Member
			member.Get("/api/entities/" + s.Entity).Want(200)
			for range 5 {
				s.Owner.Delete("/api/entities/"+s.Entity+"/permissions/"+member.UserID, nil).Want(204)
				member.Patch("/api/entities/"+s.Entity, m{"name": "x"}).Problem(403, "forbidden")
				a := member.Post("/api/permissions/check", m{"checks": []m{{"entityId": s.Entity, "action": "view"}}, "consistency": "strong"}).Want(200)
				if a.Value("results.0.allowed") != false {
					t.Errorf("revoked: %s", a.Raw)
				}
				s.Owner.Post("/api/entities/"+s.Entity+"/permissions", m{"userId": member.UserID, "level": "editor"}).Want(201)
				member.Patch("/api/entities/"+s.Entity, m{"name": "x"}).Want(200)
			}
			s.Owner.Delete("/api/organizations/"+s.Organization, nil).Want(204)
			s.Owner.Get("/api/organizations/"+s.Organization).Problem(404, "not_found")
			s.Owner.Get("/api/entities/"+s.Entity).Problem(404, "not_found")
			member.Get("/api/documents/"+s.Document).Problem(404, "not_found")
		}},
		{"L7", "keys that fold onto fields", true, func(t *testing.T, s *site) {
			w := s.start()
			_, name := newcomer(w)
			for _, body := range []string{
				`{"Username":"%s","password":"` + password + `"}`, `{"username":"%s","PASSWORD":"` + password + `"}`, `{"u\u017fername":"%s","password":"` + password + `"}`,
				`{"username":"%s","pa\u017fsword":"` + password + `"}`, `{"username":"%s","username":"nobody","password":"` + password + `"}`,
				`{"username":"nobody","username":"%s","password":"` + password + `"}`, `{"username":"%s","password":"x","Password":"` + password + `"}`,
				`{"username":"%s","password":"` + password + `","to\u212aen":"x"}`,
			} {
				if a := w.Client().Post("/api/auth/login", strings.ReplaceAll(body, "%s", name)); a.Status != 400 && a.Status != 422 {
					t.Errorf("%s: %d", body, a.Status)
				}
			}
			w.Client().Post("/api/auth/login", `{"username":"`+name+`","password":"`+password+`"}`).Want(200)
		}},
		{"L8", "unknown fields and text after the end", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			tried := 0
			for _, r := range s.Requests() {
				body, isObject := r.Body.(m)
				if !isObject {
					continue
				}
				tried++
				more := m{"superAdmin": true}
				for k, v := range body {
					more[k] = v
				}
				with := r
				with.Body = more
				if strings.HasPrefix(r.Operation, "authzen-") {
					with.Do().Want(r.Status) // AuthZEN 1.0 has members that are unknown ignored
				} else {
					with.Do().Problem(422, "validation_failed")
				}
				for _, tail := range []string{"{}", "x", ",", "\x00", "]"} {
					a := raw(s.World, r.By, r.Method, r.Path, jsonOf(t, body)+tail)
					if a.Status != 400 {
						t.Errorf("%s with %q after its end: %d", r.Operation, tail, a.Status)
					}
				}
				a := raw(s.World, r.By, r.Method, r.Path, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000))
				if a.Status < 400 || a.Status >= 500 {
					t.Errorf("%s nested: %d", r.Operation, a.Status)
				}
			}
			if tried < 35 {
				t.Errorf("%d bodies", tried)
			}
			s.Request("orgs-change").Do().Want(200)
		}},
		{"L11", "a transaction cancelled by another", false, func(t *testing.T, _ *site) {
			s := catalogtest.New(t)
			for _, lasting := range []bool{false, true} {
				var met atomic.Int64
				s.Store.Transport.Intercept(func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
					if operation == "TransactWriteItems" && (met.Add(1) == 1 || lasting) {
						return cancelled(r), nil
					}
					return next.RoundTrip(r)
				})
				a := s.Request("entities-create").Do()
				s.Store.Transport.Intercept(nil)
				switch {
				case met.Load() == 0:
					t.Error("no transaction was cancelled")
				case !lasting && a.Status != 201:
					t.Errorf("cancelled once: %d %s", a.Status, a.Raw)
				case lasting && a.Status != 409 && a.Status != 503:
					t.Errorf("cancelled each time: %d %s", a.Status, a.Raw)
				}
			}
			items, _ := s.Owner.Get("/api/organizations/" + s.Organization + "/entities").Want(200).Value("items").([]any)
			if len(items) != 2 {
				t.Error(fmt.Sprint(len(items), " entities"))
			}
		}},
	}
}
