package entity_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/tenanttest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// fleet is one organization with everybody who can stand in some relation to
// its one entity and document.
type fleet struct {
	*tenanttest.World
	org, entity, document string
	people                map[string]string
}

func newFleet(t *testing.T, changes ...func(*config.Config)) *fleet {
	t.Helper()
	w := tenanttest.New(t, changes...)
	f := &fleet{World: w, org: w.Org()}
	f.people = map[string]string{
		"admin": w.Member(f.org, access.RoleAdmin), "manager": w.Member(f.org, access.RoleManager),
		"viewer": w.Member(f.org, access.RoleViewer), "member": w.Member(f.org, access.RoleMember),
		"outsider": w.Member(w.Org(), access.RoleAdmin), "superadmin": w.SuperAdmin(),
		"delegate": w.Delegate(f.org), "platform delegate": w.Delegate(access.ScopePlatform),
		"foreign delegate": w.Delegate(w.Org()), "share": w.User(), "nobody": "",
	}
	f.entity = w.Entity(f.people["admin"], f.org, "boat", "Sea Breeze")
	f.document = w.Document(f.people["admin"], f.entity, "Insurance")
	for _, l := range access.Levels() {
		name := "grant " + l.String()
		f.people[name] = w.Member(f.org, access.RoleMember)
		w.Grant(f.people["admin"], f.entity, f.people[name], l.String())
	}
	w.Share(f.people["admin"], f.document, f.people["share"], "editor")
	return f
}

// at fills in a sample path.
func (f *fleet) at(spec *api.Spec, org, entityID, docID, user string) string {
	return strings.NewReplacer("{orgId}", org, "{entityId}", entityID, "{documentId}", docID, "{userId}", user).Replace(spec.Path)
}

// routes says, for every operation on entities and documents, what each person
// is answered. It is the documented table, and an operation that is not in it
// fails the test.
func (f *fleet) routes() map[string]struct {
	allowed []string // the others who belong to the organization are refused with 403
	success int
	body    func() any
	user    func() string // for {userId}
} {
	type route = struct {
		allowed []string
		success int
		body    func() any
		user    func() string
	}
	over := []string{"admin", "superadmin", "delegate", "platform delegate"}
	and := func(more ...string) []string { return append(slices.Clone(over), more...) }
	all := and("manager", "viewer", "grant viewer", "grant editor", "grant manager", "grant admin")
	edits := and("manager", "grant editor", "grant manager", "grant admin")
	shares := and("manager", "grant manager", "grant admin")
	grants := and("manager", "grant admin")
	none := func() any { return nil }
	member := func() string { return f.Member(f.org, access.RoleMember) }
	granted := func() string { u := member(); f.Grant(f.people["admin"], f.entity, u, "viewer"); return u }
	shared := func() string { u := f.User(); f.Share(f.people["admin"], f.document, u, "viewer"); return u }
	return map[string]route{
		"entities-list":               {append(all, "member"), 200, none, nil},
		"entities-create":             {and("manager"), 201, func() any { return map[string]any{"type": "boat", "name": "x"} }, nil},
		"entities-get":                {all, 200, none, nil},
		"entities-change":             {edits, 200, func() any { return map[string]any{"name": "y"} }, nil},
		"entities-delete":             {shares, 204, none, nil},
		"entities-permissions-list":   {grants, 200, none, nil},
		"entities-permissions-grant":  {grants, 201, func() any { return map[string]any{"userId": member(), "level": "manager"} }, nil},
		"entities-permissions-change": {grants, 200, func() any { return map[string]any{"level": "editor"} }, granted},
		"entities-permissions-revoke": {grants, 204, none, granted},
		"documents-list":              {all, 200, none, nil},
		"documents-create":            {edits, 201, func() any { return map[string]any{"title": "t"} }, nil},
		"documents-get":               {append(all, "share"), 200, none, nil},
		"documents-change":            {append(edits, "share"), 200, func() any { return map[string]any{"title": "u"} }, nil},
		"documents-delete":            {shares, 204, none, nil},
		"documents-shares-list":       {shares, 200, none, nil},
		"documents-shares-create":     {shares, 201, func() any { return map[string]any{"userId": f.User(), "level": "viewer"} }, nil},
		"documents-shares-revoke":     {shares, 204, none, shared},
	}
}

func TestEveryRoleOnEveryRoute(t *testing.T) {
	f := newFleet(t)
	routes := f.routes()
	for _, op := range entity.Operations(f.Entities) {
		r, ok := routes[op.ID]
		if !ok {
			t.Errorf("%s is not in the table of who may", op.ID)
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(f.people)) {
			t.Run(op.ID+"/"+name, func(t *testing.T) {
				e, d, user := f.entity, f.document, ""
				if r.user != nil {
					user = r.user()
				}
				if slices.Contains(r.allowed, name) && op.Method == http.MethodDelete && user == "" {
					// What is deleted is a fresh one, with the same people on it.
					if strings.HasPrefix(op.ID, "documents") {
						d = f.Document(f.people["admin"], f.entity, "Another")
					} else {
						e = f.Entity(f.people["admin"], f.org, "boat", "Another")
						if level, ok := strings.CutPrefix(name, "grant "); ok {
							f.Grant(f.people["admin"], e, f.people[name], level)
						}
					}
				}
				body := r.body()
				f.Pass(time.Second)
				since := f.Now()
				status, raw := f.Raw(f.people[name], op.Method, f.at(&op.Spec, f.org, e, d, user), body)
				want := http.StatusForbidden
				switch {
				case name == "nobody":
					want = http.StatusUnauthorized
				case slices.Contains(r.allowed, name):
					want = r.success
				case name == "outsider", name == "foreign delegate":
					want = http.StatusNotFound
				case name == "share" && !strings.Contains(op.Path, "{documentId}"):
					want = http.StatusNotFound
				}
				if status != want {
					t.Fatalf("%d, want %d: %s", status, want, raw)
				}
				events := f.Trail(f.org, since)
				if want == http.StatusForbidden && (len(events) != 1 || events[0].Type != audit.AccessDenied || events[0].Outcome != audit.Failure) {
					t.Errorf("a refusal is recorded as %v", events)
				}
				if want >= 200 && want < 300 && len(events) > 0 {
					if !slices.Contains(op.Audit, string(events[0].Type)) {
						t.Errorf("%s is recorded, and not declared", events[0].Type)
					}
					power := map[string]string{"superadmin": "super_admin", "delegate": "delegation", "platform delegate": "delegation"}[name]
					if events[0].Details["power"] != power || events[0].ActorID != f.people[name] {
						t.Errorf("recorded for %s by power %q, want %q", events[0].ActorID, events[0].Details["power"], power)
					}
				}
				if want >= 200 && want < 300 && len(events) == 0 && (op.Writes() || strings.Contains(name, "delegate") || name == "superadmin") {
					t.Error("not recorded")
				}
			})
		}
	}
}

// Another tenant's ids in every position answer exactly as ids of nothing, to
// everyone who does not belong there, and nothing changes.
func TestForeignIdsAnswerAsMissingOnes(t *testing.T) {
	f := newFleet(t)
	own := newTenant(f.World)
	routes := f.routes()
	for _, op := range f.Operations {
		if !strings.Contains(op.Path, "{") {
			continue
		}
		r := routes[op.ID]
		for _, who := range []string{own.admin, f.people["foreign delegate"], f.User()} {
			user, gone := f.people["grant viewer"], f.ID()
			body := r.body
			if body == nil {
				body = func() any { return nil }
			}
			f.Pass(time.Second)
			since := f.Now()
			foreignStatus, foreign := f.Raw(who, op.Method, f.at(&op.Spec, f.org, f.entity, f.document, user), body())
			missingStatus, missing := f.Raw(who, op.Method, f.at(&op.Spec, gone, gone, gone, gone), body())
			malformedStatus, malformed := f.Raw(who, op.Method, f.at(&op.Spec, "USER%23x", "a'b", "%00", "..x"), body())
			if foreignStatus != 404 || missingStatus != 404 || malformedStatus != 404 || string(foreign) != string(missing) || string(missing) != string(malformed) {
				t.Errorf("%s: foreign %d %s, missing %d %s, malformed %d %s", op.ID, foreignStatus, foreign, missingStatus, missing, malformedStatus, malformed)
			}
			for _, e := range f.Trail(f.org, since) {
				if e.ActorID == who {
					t.Errorf("%s: %s was recorded", op.ID, e.Type)
				}
			}
		}
	}
	// Somebody of another tenant in the body of one's own request.
	f.Want(422, own.admin, "POST", "/api/entities/"+own.entity+"/permissions", map[string]any{"userId": f.people["member"], "level": "viewer"}, nil)
	f.Want(422, own.admin, "POST", "/api/entities/"+own.entity+"/permissions", map[string]any{"userId": f.ID(), "level": "viewer"}, nil)
	f.Want(404, own.admin, "DELETE", "/api/entities/"+own.entity+"/permissions/"+f.people["grant viewer"], nil, nil)
	if got := f.Pages(own.admin, "/api/permissions/entities?action=view&organizationId="+f.org, "id"); len(got) > 0 {
		t.Errorf("a foreign organization lists %v", got)
	}
}

type tenant struct{ org, admin, entity string }

func newTenant(w *tenanttest.World) tenant {
	o := w.Org()
	a := w.Member(o, access.RoleAdmin)
	return tenant{o, a, w.Entity(a, o, "boat", "Other")}
}

func TestAnEntityIsKeptAsItWasSent(t *testing.T) {
	f := newFleet(t)
	admin := f.people["admin"]
	var made, got, changed entity.Entity
	attributes := `{"hull":"GRP","length":12.50,"sold":false,"empty":"","big":12345678901234567890,"ünïcode \" quote":"<&>"}`
	f.Want(201, admin, "POST", "/api/organizations/"+f.org+"/entities", `{"type":"Motor yacht / 40ft #1","name":"Zoë","attributes":`+attributes+`}`, &made)
	_, raw := f.Raw(admin, "GET", "/api/entities/"+made.ID, nil)
	for _, want := range []string{`"length":12.50`, `"big":12345678901234567890`, `"empty":""`, `"sold":false`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing from %s", want, raw)
		}
	}
	f.Want(200, admin, "GET", "/api/entities/"+made.ID, nil, &got)
	if fmt.Sprint(made) != fmt.Sprint(got) || got.OrganizationID != f.org || got.Level != "admin" || got.Type != "Motor yacht / 40ft #1" {
		t.Errorf("made %+v\ngot  %+v", made, got)
	}
	f.Pass(time.Second)
	f.Want(200, admin, "PATCH", "/api/entities/"+made.ID, `{"attributes":{"n":-1e3}}`, &changed)
	if len(changed.Attributes) != 1 || changed.Name != "Zoë" || !changed.UpdatedAt.After(changed.CreatedAt) {
		t.Errorf("%+v", changed)
	}
	f.Want(200, admin, "PATCH", "/api/entities/"+made.ID, `{"name":"Zoe","attributes":{}}`, nil)
	got = entity.Entity{}
	f.Want(200, admin, "GET", "/api/entities/"+made.ID, nil, &got)
	if got.Name != "Zoe" || len(got.Attributes) != 0 {
		t.Errorf("%+v", got)
	}
	if got := f.Pages(admin, "/api/organizations/"+f.org+"/entities?type=Motor+yacht+%2F+40ft+%231", "id"); len(got) != 1 || got[0] != made.ID {
		t.Errorf("its type lists %v", got)
	}
}

func TestWhatBreaksTheRulesIsRefused(t *testing.T) {
	f := newFleet(t)
	many := map[string]any{}
	for i := range 65 {
		many[fmt.Sprint(i)] = i
	}
	large := map[string]any{}
	for i := range 20 {
		large[fmt.Sprint(i)] = strings.Repeat("x", 1000)
	}
	entities, one := "/api/organizations/"+f.org+"/entities", "/api/entities/"+f.entity
	documents, grants, shares := one+"/documents", one+"/permissions", "/api/documents/"+f.document+"/shares"
	who := f.people["member"]
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"no type":                 {"POST", entities, map[string]any{"name": "x"}, 422},
		"blank name":              {"POST", entities, map[string]any{"type": "boat", "name": "  "}, 422},
		"two lines":               {"POST", entities, map[string]any{"type": "boat", "name": "a\nb"}, 422},
		"blank type":              {"POST", entities, map[string]any{"type": "\t", "name": "b"}, 422},
		"unknown property":        {"POST", entities, map[string]any{"type": "boat", "name": "b", "id": "x"}, 422},
		"key in another case":     {"POST", entities, map[string]any{"type": "boat", "Name": "b"}, 422},
		"nested attribute":        {"POST", entities, `{"type":"boat","name":"b","attributes":{"a":{"b":1}}}`, 422},
		"list attribute":          {"POST", entities, `{"type":"boat","name":"b","attributes":{"a":[1]}}`, 422},
		"null attribute":          {"POST", entities, `{"type":"boat","name":"b","attributes":{"a":null}}`, 422},
		"huge number":             {"POST", entities, `{"type":"boat","name":"b","attributes":{"a":1e999}}`, 400},
		"long number":             {"POST", entities, `{"type":"boat","name":"b","attributes":{"a":1.` + strings.Repeat("1", 60) + `}}`, 422},
		"nameless attribute":      {"POST", entities, `{"type":"boat","name":"b","attributes":{"":1}}`, 422},
		"control in its name":     {"POST", entities, map[string]any{"type": "b", "name": "b", "attributes": map[string]any{"a\x01": 1}}, 422},
		"long attribute":          {"POST", entities, map[string]any{"type": "b", "name": "b", "attributes": map[string]any{"a": strings.Repeat("x", 1025)}}, 422},
		"many attributes":         {"POST", entities, map[string]any{"type": "b", "name": "b", "attributes": many}, 422},
		"large attributes":        {"PATCH", one, map[string]any{"attributes": large}, 422},
		"change of type":          {"PATCH", one, map[string]any{"type": "car"}, 422},
		"change of organization":  {"PATCH", one, map[string]any{"organizationId": f.ID()}, 422},
		"change to blank":         {"PATCH", one, map[string]any{"name": " "}, 422},
		"not JSON":                {"PATCH", one, `{`, 400},
		"twice the same key":      {"PATCH", one, `{"name":"a","name":"b"}`, 400},
		"unknown level":           {"POST", grants, map[string]any{"userId": who, "level": "owner"}, 422},
		"level none":              {"POST", grants, map[string]any{"userId": who, "level": "none"}, 422},
		"end in the past":         {"POST", grants, map[string]any{"userId": who, "level": "viewer", "expiresAt": f.Now().Add(-time.Hour)}, 422},
		"end at this moment":      {"POST", grants, map[string]any{"userId": who, "level": "viewer", "expiresAt": f.Now()}, 422},
		"end that is no moment":   {"POST", grants, map[string]any{"userId": who, "level": "viewer", "expiresAt": "soon"}, 422},
		"grant to no id":          {"POST", grants, map[string]any{"userId": "USER#x", "level": "viewer"}, 422},
		"change of grant, past":   {"PATCH", grants + "/" + f.people["grant viewer"], map[string]any{"expiresAt": "2020-01-01T00:00:00Z"}, 422},
		"change to unknown level": {"PATCH", grants + "/" + f.people["grant viewer"], map[string]any{"level": "x"}, 422},
		"share as manager":        {"POST", shares, map[string]any{"userId": who, "level": "manager"}, 422},
		"share in the past":       {"POST", shares, map[string]any{"userId": who, "level": "viewer", "expiresAt": "2020-01-01T00:00:00Z"}, 422},
		"share with no user":      {"POST", shares, map[string]any{"userId": f.ID(), "level": "viewer"}, 404},
		"share with no id":        {"POST", shares, map[string]any{"userId": "x", "level": "viewer"}, 422},
		"document without title":  {"POST", documents, map[string]any{"content": "x"}, 422},
		"title of two lines":      {"POST", documents, map[string]any{"title": "a\r\nb"}, 422},
		"no media type":           {"POST", documents, map[string]any{"title": "a", "contentType": "text"}, 422},
		"broken media type":       {"PATCH", "/api/documents/" + f.document, map[string]any{"contentType": "text/;"}, 422},
		"long content":            {"POST", documents, map[string]any{"title": "a", "content": strings.Repeat("x", 262145)}, 422},
		"many bytes of content":   {"POST", documents, map[string]any{"title": "a", "content": strings.Repeat("é", 200000)}, 422},
		"far too long":            {"POST", documents, map[string]any{"title": "a", "content": strings.Repeat("x", 2<<20)}, 413},
		"limit 0":                 {"GET", entities + "?limit=0", nil, 422},
		"limit 101":               {"GET", documents + "?limit=101", nil, 422},
		"no cursor of ours":       {"GET", entities + "?cursor=eyJrIjoxfQ", nil, 400},
	} {
		t.Run(name, func(t *testing.T) {
			if status, raw := f.Raw(f.people["admin"], c.method, c.path, c.body); status != c.status {
				t.Errorf("%d, want %d: %s", status, c.status, raw)
			}
		})
	}
	if got := f.Pages(f.people["admin"], entities+"?limit=100", "id"); len(got) != 1 {
		t.Errorf("%d entities, want the one", len(got))
	}
}

func TestWhatIsUnderADeletedEntityIsGoneAtOnceAndClearedLater(t *testing.T) {
	f := newFleet(t)
	other := tenanttest.On(t, f.Store) // another process, with a warm cache of its own
	carol, share := f.people["grant editor"], f.people["share"]
	other.Want(200, carol, "GET", "/api/entities/"+f.entity, nil, nil)
	other.Want(200, share, "GET", "/api/documents/"+f.document, nil, nil)
	f.Want(204, f.people["admin"], "DELETE", "/api/entities/"+f.entity, nil, nil)
	for _, w := range []*tenanttest.World{f.World, other} {
		for _, path := range []string{"/api/entities/" + f.entity, "/api/entities/" + f.entity + "/documents", "/api/documents/" + f.document} {
			w.Want(404, carol, "GET", path, nil, nil)
		}
		w.Want(404, share, "GET", "/api/documents/"+f.document, nil, nil)
		w.Want(404, share, "PATCH", "/api/documents/"+f.document, map[string]any{"title": "x"}, nil)
		w.Want(404, f.people["admin"], "DELETE", "/api/entities/"+f.entity, nil, nil)
	}
	f.Drain()
	for _, k := range []table.Key{
		table.Entity(f.entity), table.Document(f.document), table.DocumentContent(f.document),
		table.Grant(carol, f.entity), table.Share(share, f.document),
	} {
		var it struct{ table.Key }
		if err := f.Store.Get(t.Context(), k, table.Strong, &it); err != table.ErrNotFound {
			t.Errorf("%v is left: %v", k, err)
		}
	}
}

func TestADeletedOrganizationTakesEverythingWithIt(t *testing.T) {
	f := newFleet(t)
	for _, p := range []string{"admin", "grant editor", "share"} {
		f.Do(f.people[p], "GET", "/api/entities/"+f.entity, nil, nil)
		f.Do(f.people[p], "GET", "/api/permissions/entities?action=view", nil, nil)
		f.Do(f.people[p], "GET", "/api/documents/"+f.document, nil, nil)
	}
	f.Remove(table.Organization(f.org)) // by another process: no cache here hears of it
	for _, p := range []string{"admin", "grant editor", "superadmin"} {
		if got := f.Pages(f.people[p], "/api/permissions/entities?action=view", "id"); slices.Contains(got, f.entity) {
			t.Errorf("its entity is listed to %s", p)
		}
	}
	for _, p := range []string{"admin", "manager", "grant editor", "share", "superadmin"} {
		for _, path := range []string{
			"/api/organizations/" + f.org + "/entities", "/api/entities/" + f.entity, "/api/entities/" + f.entity + "/documents", "/api/documents/" + f.document,
		} {
			if status := f.Do(f.people[p], "GET", path, nil, nil); status != 404 {
				t.Errorf("%s, %s: %d", p, path, status)
			}
		}
		f.Want(404, f.people[p], "PATCH", "/api/entities/"+f.entity, map[string]any{"name": "x"}, nil)
		f.Want(404, f.people[p], "POST", "/api/organizations/"+f.org+"/entities", map[string]any{"type": "boat", "name": "x"}, nil)
	}
}

func TestSuperAdminPowerNeedsASecondFactorWhereTheDeploymentSaysSo(t *testing.T) {
	f := newFleet(t, func(c *config.Config) { c.MFA.RequireForAdmins = true })
	for _, p := range []string{"superadmin", "delegate"} {
		for _, path := range []string{"/api/entities/" + f.entity, "/api/organizations/" + f.org + "/entities", "/api/permissions/entities?action=view"} {
			var problem struct{ Code string }
			f.Want(403, f.people[p], "GET", path, nil, &problem)
			if problem.Code != "mfa_required" {
				t.Errorf("%s %s: %s", p, path, problem.Code)
			}
			r := f.Request(f.people[p], "GET", path, nil)
			r.Header.Set("X-Test-Otp", "1")
			rec := &recorder{header: http.Header{}}
			f.Handler.ServeHTTP(rec, r)
			if rec.status != 200 {
				t.Errorf("%s %s with a second factor: %d", p, path, rec.status)
			}
		}
		f.Want(403, f.people[p], "POST", "/api/organizations/"+f.org+"/entities", map[string]any{"type": "b", "name": "b"}, nil)
	}
	f.Want(200, f.people["admin"], "GET", "/api/entities/"+f.entity, nil, nil)
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int)   { r.status = s }
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return len(b), nil
}
