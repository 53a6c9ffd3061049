package permission_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/tenanttest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/permission"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// world is two organizations with entities of two types, documents, and people
// in every relation to some of them.
type world struct {
	*tenanttest.World
	orgs      [2]string
	admins    [2]string
	entities  []string
	documents []string
	people    map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: tenanttest.New(t)}
	for i := range w.orgs {
		w.orgs[i] = w.Org()
		w.admins[i] = w.Member(w.orgs[i], access.RoleAdmin)
		for n := range 7 {
			e := w.Entity(w.admins[i], w.orgs[i], []string{"boat", "marina"}[n%2], fmt.Sprint("entity ", i, n))
			w.entities = append(w.entities, e)
			for d := range n % 3 {
				w.documents = append(w.documents, w.Document(w.admins[i], e, fmt.Sprint("document ", d)))
			}
		}
	}
	org := w.orgs[0]
	w.people = map[string]string{
		"admin": w.admins[0], "other admin": w.admins[1], "manager": w.Member(org, access.RoleManager),
		"viewer": w.Member(org, access.RoleViewer), "member": w.Member(org, access.RoleMember),
		"granted": w.Member(org, access.RoleMember), "mixed": w.Member(org, access.RoleViewer),
		"both": w.Member(org, access.RoleManager), "shared": w.User(), "nothing": w.User(),
		"superadmin": w.SuperAdmin(), "delegate": w.Delegate(w.orgs[1]),
	}
	w.Put(facts.NewMembership(w.people["both"], w.orgs[1], access.RoleMember, "", w.Now()))
	for i, l := range []string{"viewer", "editor", "manager", "admin"} {
		w.Grant(w.admins[0], w.entities[i], w.people["granted"], l)
		w.Grant(w.admins[0], w.entities[6-i], w.people["mixed"], l)
		w.Grant(w.admins[1], w.entities[7+i], w.people["both"], l)
	}
	w.Share(w.admins[0], w.documents[0], w.people["shared"], "viewer")
	w.Share(w.admins[1], w.documents[len(w.documents)-1], w.people["shared"], "editor")
	w.Share(w.admins[1], w.documents[len(w.documents)-1], w.people["granted"], "viewer")
	ended := facts.NewGrant(w.people["member"], w.entities[0], org, access.LevelAdmin, "x", w.Now().Add(-2*time.Hour), w.Now().Add(-time.Hour))
	w.Put(ended)
	return w
}

type tuple = map[string]any

func user(id string) tuple    { return tuple{"type": "user", "id": id} }
func act(name string) tuple   { return tuple{"name": name} }
func thing(k, i string) tuple { return tuple{"type": k, "id": i} }

// allowed asks about many things at once, by AuthZEN.
func (w *world) allowed(asker, subject, kind string, ids []string, a access.Action) []string {
	w.Helper()
	var out []string
	for chunk := range slices.Chunk(ids, 100) {
		evaluations := make([]tuple, len(chunk))
		for i, e := range chunk {
			evaluations[i] = tuple{"resource": thing(kind, e)}
		}
		var answer struct{ Evaluations []permission.Outcome }
		w.Want(200, asker, "POST", "/access/v1/evaluations", tuple{"subject": user(subject), "action": act(a.String()), "evaluations": evaluations}, &answer)
		for i, o := range answer.Evaluations {
			if o.Decision {
				out = append(out, chunk[i])
			}
		}
	}
	slices.Sort(out)
	return out
}

// found reads every page of an AuthZEN search.
func (w *world) found(asker, kind string, body tuple, limit int) []string {
	w.Helper()
	var out []string
	token := ""
	for range 1000 {
		body["page"] = tuple{"limit": limit, "token": token}
		var r permission.Results
		w.Want(200, asker, "POST", "/access/v1/search/"+kind, body, &r)
		if r.Page.Count != len(r.Results) || len(r.Results) > limit {
			w.Errorf("%d results with a limit of %d are counted as %d", len(r.Results), limit, r.Page.Count)
		}
		for _, x := range r.Results {
			out = append(out, x.ID+x.Name)
		}
		if token = r.Page.NextToken; token == "" {
			slices.Sort(out)
			return out
		}
	}
	w.Fatal("the search does not end")
	return nil
}

func sorted(s []string) []string { slices.Sort(s); return s }

// Every list is the set for which a check allows, at every page size.
func TestEveryListIsWhatChecksAllow(t *testing.T) {
	w := newWorld(t)
	sizes, actions := []int{1, 3, 100}, access.Actions()
	if raceDetector {
		sizes, actions = sizes[1:2], actions[:2]
	}
	for name, u := range w.people {
		for _, a := range actions {
			want := w.allowed(u, u, "entity", w.entities, a)
			documents := w.allowed(u, u, "document", w.documents, a)
			for _, size := range sizes {
				path := fmt.Sprintf("/api/permissions/entities?limit=%d&action=%s", size, a)
				if got := sorted(w.Pages(u, path, "id")); !slices.Equal(got, want) {
					t.Errorf("%s may %s, by %d: %d entities, want %d", name, a, size, len(got), len(want))
				}
				for i, org := range w.orgs {
					in := sorted(w.Pages(u, path+"&organizationId="+org, "id"))
					of := slices.DeleteFunc(slices.Clone(want), func(e string) bool { return slices.Index(w.entities, e)/7 != i })
					if !slices.Equal(in, of) {
						t.Errorf("%s may %s in organization %d, by %d: %d entities, want %d", name, a, i, size, len(in), len(of))
					}
				}
				if got := w.found(u, "resource", tuple{"subject": user(u), "action": act(a.String()), "resource": tuple{"type": "entity"}}, size); !slices.Equal(got, want) {
					t.Errorf("search: %s may %s, by %d: %d entities, want %d", name, a, size, len(got), len(want))
				}
				if got := w.found(u, "resource", tuple{"subject": user(u), "action": act(a.String()), "resource": tuple{"type": "document"}}, size); !slices.Equal(got, documents) {
					t.Errorf("search: %s may %s, by %d: %d documents, want %d", name, a, size, len(got), len(documents))
				}
			}
		}
		for i, org := range w.orgs {
			want := slices.DeleteFunc(w.allowed(u, u, "entity", w.entities, access.ActionView), func(e string) bool { return slices.Index(w.entities, e)/7 != i })
			for _, size := range sizes {
				path := fmt.Sprintf("/api/organizations/%s/entities?limit=%d", org, size)
				if s := w.Do(u, "GET", path, nil, nil); s == http.StatusNotFound {
					if len(want) > 0 {
						t.Errorf("%s does not see organization %d", name, i)
					}
					continue
				}
				got := sorted(w.Pages(u, path, "id"))
				byType := sorted(append(w.Pages(u, path+"&type=boat", "id"), w.Pages(u, path+"&type=marina", "id")...))
				if !slices.Equal(got, want) || !slices.Equal(byType, want) {
					t.Errorf("%s lists %d entities of organization %d, by %d, and %d by type, want %d", name, len(got), i, size, len(byType), len(want))
				}
			}
		}
		for _, e := range append(slices.Clone(w.entities[:3]), w.documents[0]) {
			kind := "entity"
			if e == w.documents[0] {
				kind = "document"
			}
			want := []string{}
			for _, a := range access.Actions() {
				if len(w.allowed(u, u, kind, []string{e}, a)) > 0 {
					want = append(want, a.String())
				}
			}
			if got := w.found(u, "action", tuple{"subject": user(u), "resource": thing(kind, e)}, 10); !slices.Equal(got, sorted(want)) {
				t.Errorf("%s may %v on %s, want %v", name, got, kind, want)
			}
		}
	}
	for _, a := range actions {
		for _, r := range []tuple{thing("entity", w.entities[0]), thing("entity", w.entities[3]), thing("document", w.documents[0])} {
			var want []string
			for name, u := range w.people {
				if name == "superadmin" || name == "delegate" {
					continue
				}
				if len(w.allowed(w.admins[0], u, r["type"].(string), []string{r["id"].(string)}, a)) > 0 {
					want = append(want, u)
				}
			}
			for _, size := range sizes {
				if got := w.found(w.admins[0], "subject", tuple{"subject": tuple{"type": "user"}, "action": act(a.String()), "resource": r}, size); !slices.Equal(got, sorted(want)) {
					t.Errorf("%d subjects may %s on %v, by %d, want %d", len(got), a, r, size, len(want))
				}
			}
		}
	}
}

// Who asks about another is told what they could see themselves, and no more.
func TestAskingAboutAnother(t *testing.T) {
	w := newWorld(t)
	granted, visible := w.people["granted"], w.entities[1]
	for name, want := range map[string]int{
		"admin": 200, "manager": 200, "superadmin": 200, "both": 200,
		"viewer": 403, "other admin": 200, "nothing": 200, "member": 200, "delegate": 200, "shared": 200,
	} {
		asker := w.people[name]
		told := name == "admin" || name == "manager" || name == "superadmin" || name == "both"
		var out struct{ Results []permission.Decision }
		body := tuple{"checks": []tuple{{"entityId": visible, "action": "edit"}, {"entityId": w.ID(), "action": "edit"}}, "userId": granted}
		w.Want(want, asker, "POST", "/api/permissions/check", body, nil)
		if want == 200 {
			w.Want(200, asker, "POST", "/api/permissions/check", body, &out)
			if d := out.Results[0]; d.Allowed != told || (d.Source == "grant") != told {
				t.Errorf("%s is told %+v", name, d)
			}
			if d := out.Results[1]; d.Allowed || d.Source != "none" || d.Level != "none" {
				t.Errorf("%s is told %+v of nothing", name, d)
			}
			if !told && out.Results[0] != out.Results[1] {
				t.Errorf("%s: %+v of another's, %+v of nothing", name, out.Results[0], out.Results[1])
			}
		}
		var e permission.Explanation
		status := w.Do(asker, "POST", "/api/permissions/explain", tuple{"entityId": visible, "action": "edit", "userId": granted}, &e)
		if status != want || status == 200 && (e.Facts.Grant != nil) != told {
			t.Errorf("%s: explain %d, %+v", name, status, e)
		}
		evaluation := tuple{"subject": user(granted), "action": act("edit"), "resource": thing("entity", visible)}
		var o permission.Outcome
		if status := w.Do(asker, "POST", "/access/v1/evaluation", evaluation, &o); status != want || o.Decision != told {
			t.Errorf("%s: evaluation %d, %+v", name, status, o)
		}
		if status := w.Do(asker, "POST", "/access/v1/search/action", tuple{"subject": user(granted), "resource": thing("entity", visible)}, nil); status != want {
			t.Errorf("%s: actions %d", name, status)
		}
		if status := w.Do(asker, "POST", "/access/v1/search/subject", tuple{"subject": tuple{"type": "user"}, "action": act("view"), "resource": thing("entity", visible)}, nil); status != want {
			t.Errorf("%s: subjects %d", name, status)
		}
	}
	// An entity admin may ask about their entity, and so is told of it alone.
	mixed := w.people["mixed"] // admin of entities[3], where "granted" is admin too
	if got := w.Pages(mixed, "/api/permissions/entities?action=view&limit=1&userId="+granted, "id"); !slices.Equal(got, []string{w.entities[3]}) {
		t.Errorf("an entity admin is told of %v", got)
	}
	if got := sorted(w.Pages(w.people["manager"], "/api/permissions/entities?action=view&limit=2&userId="+granted, "id")); !slices.Equal(got, sorted(slices.Clone(w.entities[:4]))) {
		t.Errorf("an organization manager is told of %v", got)
	}
	if got := w.Pages(w.people["other admin"], "/api/permissions/entities?action=view&userId="+granted, "id"); len(got) > 0 {
		t.Errorf("another organization's admin is told of %v", got)
	}
	for _, name := range []string{"viewer", "member", "nothing", "shared"} {
		w.Want(403, w.people[name], "GET", "/api/permissions/entities?action=view&userId="+granted, nil, nil)
		w.Want(403, w.people[name], "POST", "/access/v1/search/resource", tuple{"subject": user(granted), "action": act("view"), "resource": tuple{"type": "document"}}, nil)
	}
	if got := w.found(w.people["superadmin"], "resource", tuple{"subject": user(w.people["shared"]), "action": act("view"), "resource": tuple{"type": "document"}}, 1); len(got) != 2 {
		t.Errorf("a super admin is told of %v", got)
	}
	events, _, err := audit.New(w.Deps).List(t.Context(), audit.UserStream(granted), audit.Filter{Type: audit.PowerUsed}, 10, "")
	if err != nil || len(events) == 0 || events[0].ActorID != w.people["superadmin"] || events[0].Details["power"] != "super_admin" {
		t.Errorf("asking by super-admin power is recorded as %+v, %v", events, err)
	}
}

func TestExplanationsNameTheFacts(t *testing.T) {
	w := newWorld(t)
	explain := func(u string, q tuple) permission.Explanation {
		t.Helper()
		var e permission.Explanation
		w.Want(200, u, "POST", "/api/permissions/explain", q, &e)
		return e
	}
	view := func(kind, id string) tuple { return tuple{kind + "Id": id, "action": "view"} }
	if e := explain(w.people["mixed"], view("entity", w.entities[5])); e.Facts.OrgRole != "viewer" || e.Facts.Grant == nil || e.Facts.Grant.Level != "editor" || e.Facts.Grant.GrantedBy != w.admins[0] || e.Decision.Source != "grant" {
		t.Errorf("%+v", e)
	}
	if e := explain(w.people["member"], view("entity", w.entities[0])); e.Decision.Allowed || e.Facts.Grant == nil || e.Facts.Grant.ExpiresAt == nil || !strings.Contains(e.Decision.Reason, "expired") {
		t.Errorf("an ended grant: %+v", e)
	}
	if e := explain(w.people["shared"], view("document", w.documents[0])); e.Facts.Share == nil || e.Facts.OrgRole != "" || e.Decision.Source != "share" {
		t.Errorf("%+v", e)
	}
	if e := explain(w.people["delegate"], view("entity", w.entities[7])); e.Facts.Delegation == nil || e.Facts.Delegation.Scope != w.orgs[1] || e.Facts.Delegation.Reason != "incident 7" || e.Decision.Source != "super_admin" {
		t.Errorf("%+v", e)
	}
	if e := explain(w.people["superadmin"], view("entity", w.entities[7])); !e.Facts.SuperAdmin {
		t.Errorf("%+v", e)
	}
	other := view("entity", w.entities[7])
	other["userId"] = w.people["delegate"]
	if e := explain(w.admins[1], other); e.Facts.Delegation == nil || e.Facts.Delegation.Reason != "" {
		t.Errorf("another's delegation: %+v", e.Facts.Delegation)
	}
	for _, id := range []string{w.ID(), w.entities[7], "x"} {
		if e := explain(w.people["member"], view("entity", id)); e != (permission.Explanation{Decision: permission.Decision{Level: "none", Source: "none", Reason: access.ReasonNone}}) {
			t.Errorf("%+v", e)
		}
	}
}

func TestWhatIsNoQuestionIsRefused(t *testing.T) {
	w := newWorld(t)
	e := w.entities[0]
	many := make([]tuple, 101)
	for i := range many {
		many[i] = tuple{"entityId": e, "action": "view"}
	}
	for name, body := range map[string]any{
		"no checks": tuple{}, "empty": tuple{"checks": []tuple{}}, "null": `{"checks":null}`, "too many": tuple{"checks": many},
		"neither id": tuple{"checks": []tuple{{"action": "view"}}}, "both ids": tuple{"checks": []tuple{{"action": "view", "entityId": e, "documentId": e}}},
		"unknown action": tuple{"checks": []tuple{{"action": "own", "entityId": e}}}, "no action": tuple{"checks": []tuple{{"entityId": e}}},
		"unknown consistency": tuple{"checks": many[:1], "consistency": "eventual"}, "unknown property": tuple{"checks": many[:1], "superAdmin": true},
	} {
		if status, raw := w.Raw(w.admins[0], "POST", "/api/permissions/check", body); status != 422 {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	w.Want(422, w.admins[0], "GET", "/api/permissions/entities", nil, nil)
	w.Want(422, w.admins[0], "GET", "/api/permissions/entities?action=own", nil, nil)
	w.Want(422, w.admins[0], "POST", "/api/permissions/explain", tuple{"action": "view"}, nil)
	for _, op := range permission.Operations(w.Permission) {
		if op.ID != "authzen-configuration" {
			w.Want(401, "", op.Method, op.Path, op.Event.Body, nil)
		}
	}
}

// A cursor is good for the caller and the question it was made for.
func TestCursorsAreBoundToCallerAndQuestion(t *testing.T) {
	w := newWorld(t)
	cursorOf := func(u, path string) string {
		var page struct{ NextCursor string }
		w.Want(200, u, "GET", path, nil, &page)
		if page.NextCursor == "" {
			t.Fatalf("%s has one page", path)
		}
		return "&cursor=" + page.NextCursor
	}
	admin, own := w.admins[0], "/api/permissions/entities?limit=2&action=view"
	c := cursorOf(admin, own)
	w.Want(200, admin, "GET", own+c, nil, nil)
	for _, try := range [][2]string{
		{w.people["manager"], own + c},
		{admin, "/api/permissions/entities?limit=2&action=edit" + c},
		{admin, own + "&organizationId=" + w.orgs[0] + c},
		{admin, "/api/organizations/" + w.orgs[0] + "/entities?limit=2" + c},
		{admin, own + c[:len(c)-2] + "AA"},
		{admin, own + c + "A"},
	} {
		var problem struct{ Code string }
		w.Want(400, try[0], "GET", try[1], nil, &problem)
		if problem.Code != "invalid_cursor" {
			t.Errorf("%s: %s", try[1], problem.Code)
		}
	}
	list := "/api/organizations/" + w.orgs[0] + "/entities?limit=2&type=boat"
	c = cursorOf(admin, list)
	w.Want(400, admin, "GET", "/api/organizations/"+w.orgs[0]+"/entities?limit=2&type=marina"+c, nil, nil)
	w.Want(400, w.admins[0], "POST", "/access/v1/search/resource", tuple{"subject": user(admin), "action": act("view"), "resource": tuple{"type": "entity"}, "page": tuple{"token": "x"}}, nil)
}

// What the index names and the table does not have is not listed, and entities
// that come and go between two pages neither repeat nor hide others.
func TestListsBelieveTheTableAndNotTheIndex(t *testing.T) {
	w := newWorld(t)
	admin, org := w.admins[0], w.orgs[0]
	stolen := w.ID()
	type stray struct {
		table.Key
		table.IndexKey
		facts.EntityPlace
		Type string `dynamo:"type"`
		Name string `dynamo:"name"`
	}
	w.Put(stray{table.Entity(stolen), table.InOrgEntities(org, "boat", stolen), facts.EntityPlace{ID: stolen, OrgID: w.orgs[1]}, "boat", "Another's"})
	path := "/api/organizations/" + org + "/entities?limit=3"
	if got := w.Pages(admin, path, "id"); slices.Contains(got, stolen) || len(got) != 7 {
		t.Errorf("%v", got)
	}
	var page struct {
		Items      []entity.Entity
		NextCursor string
	}
	w.Want(200, admin, "GET", path, nil, &page)
	seen := map[string]bool{}
	for _, e := range page.Items {
		seen[e.ID] = true
		w.Want(204, admin, "DELETE", "/api/entities/"+e.ID, nil, nil)
	}
	for page.NextCursor != "" {
		at := path + "&cursor=" + page.NextCursor
		page.Items, page.NextCursor = nil, ""
		w.Want(200, admin, "GET", at, nil, &page)
		for _, e := range page.Items {
			if seen[e.ID] {
				t.Errorf("%s is listed twice", e.ID)
			}
			seen[e.ID] = true
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d of 7 entities are listed", len(seen))
	}
}

func TestAuthZENMessages(t *testing.T) {
	w := newWorld(t)
	admin, e := w.admins[0], w.entities[0]
	good := func() tuple {
		return tuple{"subject": user(admin), "action": act("view"), "resource": thing("entity", e)}
	}
	with := func(k string, v any) tuple { g := good(); g[k] = v; return g }
	without := func(k string) tuple { g := good(); delete(g, k); return g }
	const evaluation, evaluations = "/access/v1/evaluation", "/access/v1/evaluations"
	var o permission.Outcome
	w.Want(200, admin, "POST", evaluation, good(), &o)
	if !o.Decision || o.Context.Reason != "organization admin" || o.Context.Level != "admin" || o.Context.Source != "org_role" {
		t.Errorf("%+v %+v", o, o.Context)
	}
	for name, c := range map[string]struct {
		path   string
		body   any
		status int
	}{
		"context":             {evaluation, with("context", tuple{"time": "x", "ip": tuple{"a": []int{1}}}), 200},
		"properties":          {evaluation, with("subject", tuple{"type": "user", "id": admin, "properties": tuple{"role": "x"}}), 200},
		"unknown fields":      {evaluation, with("foo", tuple{"a": 1}), 200},
		"unknown within":      {evaluation, with("action", tuple{"name": "view", "foo": 1}), 200},
		"unknown at top":      {evaluations, with("foo", 1), 200},
		"no subject":          {evaluation, without("subject"), 400},
		"no action":           {evaluation, without("action"), 400},
		"no resource":         {evaluation, without("resource"), 400},
		"no subject type":     {evaluation, with("subject", tuple{"id": admin}), 400},
		"no subject id":       {evaluation, with("subject", tuple{"type": "user"}), 400},
		"no action name":      {evaluation, with("action", tuple{}), 400},
		"no resource type":    {evaluation, with("resource", tuple{"id": e}), 400},
		"no resource id":      {evaluation, with("resource", tuple{"type": "entity"}), 400},
		"subject is text":     {evaluation, with("subject", "alice"), 400},
		"name is a number":    {evaluation, with("action", tuple{"name": 123}), 400},
		"malformed":           {evaluation, `{"subject":`, 400},
		"empty body":          {evaluation, nil, 400},
		"empty evaluations":   {evaluations, with("evaluations", []tuple{}), 200},
		"no evaluations":      {evaluations, good(), 200},
		"nothing in common":   {evaluations, tuple{}, 400},
		"unknown semantic":    {evaluations, tuple{"evaluations": []tuple{good()}, "options": tuple{"evaluations_semantic": "maybe"}}, 400},
		"other option":        {evaluations, tuple{"evaluations": []tuple{good()}, "options": tuple{"another": "x"}}, 200},
		"search no action":    {"/access/v1/search/subject", without("action"), 400},
		"search no id":        {"/access/v1/search/subject", with("resource", tuple{"type": "entity"}), 400},
		"search no subject":   {"/access/v1/search/resource", without("subject"), 400},
		"search subject type": {"/access/v1/search/resource", with("subject", tuple{"type": "user"}), 400},
		"search no resource":  {"/access/v1/search/action", without("resource"), 400},
	} {
		if status, raw := w.Raw(admin, "POST", c.path, c.body); status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, status, c.status, raw)
		}
	}
	// Media type and request id.
	r := w.Request(admin, "POST", evaluation, good())
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("X-Request-ID", "bfe9eb29-ab87")
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, r)
	if rec.Code != 400 || rec.Header().Get("X-Request-ID") != "bfe9eb29-ab87" {
		t.Errorf("text: %d, request id %q", rec.Code, rec.Header().Get("X-Request-ID"))
	}
	for sent, want := range map[string]string{"": "test-request", "mine": "mine", "a\x00b": "test-request", strings.Repeat("x", 129): "test-request"} {
		r := w.Request(admin, "POST", evaluation, good())
		if sent != "" {
			r.Header.Set("X-Request-ID", sent)
		}
		rec := httptest.NewRecorder()
		w.Handler.ServeHTTP(rec, r)
		if got := rec.Header().Get("X-Request-ID"); rec.Code != 200 || got != want || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%q comes back as %q with %d", sent, got, rec.Code)
		}
	}
	// Unknown types and ids: nobody may do anything, and nothing is found.
	for _, q := range []tuple{with("subject", thing("spaceship", admin)), with("resource", thing("record", e)), with("action", act("read")),
		with("resource", thing("entity", "record-1")), with("subject", user("nobody"))} {
		w.Want(200, admin, "POST", evaluation, q, &o)
		if o.Decision {
			t.Errorf("%v is allowed", q)
		}
		for _, kind := range []string{"subject", "resource", "action"} {
			var r permission.Results
			w.Want(200, admin, "POST", "/access/v1/search/"+kind, q, &r)
		}
	}
	for kind, q := range map[string]tuple{"subject": with("subject", tuple{"type": "spaceship"}), "resource": with("resource", tuple{"type": "record"}), "action": with("resource", thing("record", "1"))} {
		_, raw := w.Raw(admin, "POST", "/access/v1/search/"+kind, q)
		if got := strings.TrimSpace(string(raw)); got != `{"results":[],"page":{"next_token":"","count":0}}` {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestAuthZENEvaluationsKeepOrderAndSemantics(t *testing.T) {
	w := newWorld(t)
	granted := w.people["granted"] // viewer, editor, manager, admin on entities 0 to 3
	ask := func(semantic string, levels ...int) []bool {
		t.Helper()
		body := tuple{"subject": user(granted), "action": act("delete"), "resource": tuple{"type": "entity"}, "options": tuple{"evaluations_semantic": semantic}}
		var list []tuple
		for _, l := range levels {
			list = append(list, tuple{"resource": tuple{"id": w.entities[l]}}) // its type is the default's
		}
		body["evaluations"] = list
		var out struct {
			Decision    *bool
			Evaluations []permission.Outcome
		}
		w.Want(200, granted, "POST", "/access/v1/evaluations", body, &out)
		if out.Decision != nil {
			t.Error("a decision beside the evaluations")
		}
		var got []bool
		for _, o := range out.Evaluations {
			got = append(got, o.Decision)
			if o.Context == nil || o.Context.Reason == "" {
				t.Errorf("%+v gives no reason", o)
			}
		}
		return got
	}
	for _, c := range []struct {
		semantic string
		levels   []int
		want     []bool
	}{
		{"execute_all", []int{2, 0, 3, 0}, []bool{true, false, true, false}},
		{"deny_on_first_deny", []int{2, 0, 3}, []bool{true, false}},
		{"deny_on_first_deny", []int{2, 3}, []bool{true, true}},
		{"permit_on_first_permit", []int{0, 1, 2, 3}, []bool{false, false, true}},
		{"permit_on_first_permit", []int{0, 1}, []bool{false, false}},
	} {
		if got := ask(c.semantic, c.levels...); !slices.Equal(got, c.want) {
			t.Errorf("%s of %v: %v, want %v", c.semantic, c.levels, got, c.want)
		}
	}
	// Subjects mixed, one incomplete, one that may not be asked about.
	viewer := w.people["viewer"]
	resource := thing("entity", w.entities[0])
	var out struct{ Evaluations []permission.Outcome }
	w.Want(200, viewer, "POST", "/access/v1/evaluations", tuple{"action": act("view"), "evaluations": []tuple{
		{"subject": user(viewer), "resource": resource}, {"subject": user(granted), "resource": resource}, {"resource": resource}, {"subject": user(viewer), "action": act("edit"), "resource": resource},
	}}, &out)
	want := []bool{true, false, false, false}
	for i, o := range out.Evaluations {
		if o.Decision != want[i] {
			t.Errorf("%d: %+v", i, o)
		}
	}
	if a, b := out.Evaluations[1].Context.Error, out.Evaluations[2].Context.Error; a == nil || a.Status != 403 || b == nil || b.Status != 400 {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestAuthZENConfiguration(t *testing.T) {
	w := tenanttest.New(t)
	var c map[string]string
	w.Want(200, "", "GET", "/.well-known/authzen-configuration", nil, &c)
	base := w.Deps.Config.PublicURL
	if c["policy_decision_point"] != base {
		t.Errorf("%v", c)
	}
	for name, at := range c {
		if name == "policy_decision_point" {
			continue
		}
		path, ok := strings.CutPrefix(at, base)
		if status := w.Do("", "POST", path, tuple{}, nil); !ok || status != 401 {
			t.Errorf("%s: %s answers %d", name, at, status)
		}
	}
}
