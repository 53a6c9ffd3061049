package entity_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/tenanttest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Nobody gives, changes or takes away what is above what they may give.
func TestGrantsStayWithinWhatTheGranterMayGive(t *testing.T) {
	f := newFleet(t)
	path := "/api/entities/" + f.entity + "/permissions"
	most := map[string]access.Level{"admin": access.LevelAdmin, "manager": access.LevelManager, "grant admin": access.LevelAdmin,
		"superadmin": access.LevelAdmin, "delegate": access.LevelAdmin}
	for who, limit := range most {
		for _, level := range access.Levels() {
			to := f.Member(f.org, access.RoleMember)
			want := 201
			if level > limit {
				want = 403
			}
			f.Want(want, f.people[who], "POST", path, map[string]any{"userId": to, "level": level.String()}, nil)
			for _, from := range access.Levels() {
				to := f.Member(f.org, access.RoleMember)
				f.Grant(f.people["admin"], f.entity, to, from.String())
				want, gone := 200, 204
				if max(from, level) > limit {
					want = 403
				}
				if max(from, level) > limit && from > limit || want == 200 && level > limit {
					gone = 403
				}
				f.Want(want, f.people[who], "PATCH", path+"/"+to, map[string]any{"level": level.String()}, nil)
				f.Want(gone, f.people[who], "DELETE", path+"/"+to, nil, nil)
			}
		}
	}
}

func TestLentPowerGivesNothingToItsHolder(t *testing.T) {
	f := newFleet(t)
	d := f.people["delegate"]
	f.Put(facts.NewMembership(d, f.org, access.RoleMember, "", f.Now()))
	var problem struct{ Code string }
	f.Want(403, d, "POST", "/api/entities/"+f.entity+"/permissions", map[string]any{"userId": d, "level": "viewer"}, &problem)
	if problem.Code != "delegation_limited" {
		t.Errorf("grant: %s", problem.Code)
	}
	f.Want(403, d, "POST", "/api/documents/"+f.document+"/shares", map[string]any{"userId": d, "level": "viewer"}, nil)
	f.Grant(f.people["admin"], f.entity, d, "viewer")
	f.Want(403, d, "PATCH", "/api/entities/"+f.entity+"/permissions/"+d, map[string]any{"level": "admin"}, nil)
}

func TestAGrantEndsAndCanBeGivenAgain(t *testing.T) {
	f := newFleet(t)
	path, carol, admin := "/api/entities/"+f.entity+"/permissions", f.people["member"], f.people["admin"]
	ends := f.Now().Add(90 * time.Second)
	var p entity.Permission
	f.Want(201, admin, "POST", path, map[string]any{"userId": carol, "level": "editor", "expiresAt": ends}, &p)
	if p.ExpiresAt == nil || !p.ExpiresAt.Equal(ends) || p.GrantedBy != admin || p.Source != "grant" || p.Level != "editor" {
		t.Errorf("%+v", p)
	}
	f.Want(409, admin, "POST", path, map[string]any{"userId": carol, "level": "editor"}, nil)
	f.Want(200, carol, "PATCH", "/api/entities/"+f.entity, map[string]any{"name": "n"}, nil)
	f.Want(200, carol, "GET", "/api/entities/"+f.entity, nil, nil)
	f.Pass(90 * time.Second) // at its end it has ended, whatever a cache says
	f.Want(403, carol, "GET", "/api/entities/"+f.entity, nil, nil)
	f.Want(403, carol, "PATCH", "/api/entities/"+f.entity, map[string]any{"name": "n"}, nil)
	f.Want(404, admin, "PATCH", path+"/"+carol, map[string]any{"level": "viewer"}, nil)
	f.Want(404, admin, "DELETE", path+"/"+carol, nil, nil)
	if got := f.Pages(admin, path+"?limit=2", "userId"); slices.Contains(got, carol) {
		t.Error("an ended grant is listed")
	}
	f.Want(201, admin, "POST", path, map[string]any{"userId": carol, "level": "viewer", "expiresAt": nil}, nil)
	p = entity.Permission{}
	f.Want(200, admin, "PATCH", path+"/"+carol, map[string]any{"expiresAt": f.Now().Add(time.Hour)}, &p)
	if p.ExpiresAt == nil || p.Level != "viewer" {
		t.Errorf("%+v", p)
	}
	p = entity.Permission{}
	f.Want(200, admin, "PATCH", path+"/"+carol, map[string]any{"level": "editor"}, &p)
	if p.ExpiresAt == nil || p.Level != "editor" {
		t.Errorf("a change of level alone: %+v", p)
	}
	p = entity.Permission{}
	f.Want(200, admin, "PATCH", path+"/"+carol, map[string]any{"expiresAt": nil}, &p)
	f.Pass(100 * time.Hour)
	if d := f.Check(carol, f.entity, "edit", "strong"); p.ExpiresAt != nil || !d.Allowed {
		t.Errorf("%+v, %+v", p, d)
	}
	f.Want(204, admin, "DELETE", path+"/"+carol, nil, nil)
	f.Want(404, admin, "DELETE", path+"/"+carol, nil, nil)
	f.Want(404, admin, "DELETE", path+"/..", nil, nil)
}

// Of many who grant the same at once, one does.
func TestThereIsOneGrantPerUserAndEntity(t *testing.T) {
	f := newFleet(t)
	carol := f.people["member"]
	doc := f.people["viewer"]
	var granted, shared atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			switch s := f.Do(f.people["admin"], "POST", "/api/entities/"+f.entity+"/permissions", map[string]any{"userId": carol, "level": "editor"}, nil); s {
			case 201:
				granted.Add(1)
			case 409:
			default:
				t.Errorf("grant: %d", s)
			}
		})
		wg.Go(func() {
			switch s := f.Do(f.people["manager"], "POST", "/api/documents/"+f.document+"/shares", map[string]any{"userId": doc, "level": "editor"}, nil); s {
			case 201:
				shared.Add(1)
			case 409:
			default:
				t.Errorf("share: %d", s)
			}
		})
	}
	wg.Wait()
	var m facts.Membership
	if err := f.Store.Get(t.Context(), table.Membership(carol, f.org), table.Strong, &m); err != nil {
		t.Fatal(err)
	}
	if granted.Load() != 1 || shared.Load() != 1 || m.Issued != 1 {
		t.Errorf("%d grants, %d shares, %d counted", granted.Load(), shared.Load(), m.Issued)
	}
}

// Writers who race for one item each see their change, or are told.
func TestRacingChangesLoseNothing(t *testing.T) {
	f := newFleet(t)
	admin, carol := f.people["admin"], f.people["grant viewer"]
	var wg sync.WaitGroup
	var done atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			body := map[string]any{"name": fmt.Sprint("name ", i)}
			if i%2 == 0 {
				body = map[string]any{"attributes": map[string]any{"n": i}}
			}
			switch s := f.Do(admin, "PATCH", "/api/entities/"+f.entity, body, nil); s {
			case 200:
				done.Add(1)
			case 409:
			default:
				t.Errorf("change: %d", s)
			}
		})
		wg.Go(func() {
			level := access.Levels()[i%3].String()
			if s := f.Do(admin, "PATCH", "/api/entities/"+f.entity+"/permissions/"+carol, map[string]any{"level": level}, nil); s != 200 && s != 409 {
				t.Errorf("change of grant: %d", s)
			}
		})
		wg.Go(func() {
			if s := f.Do(admin, "PATCH", "/api/documents/"+f.document, map[string]any{"content": fmt.Sprint("v", i), "title": fmt.Sprint("v", i)}, nil); s != 200 && s != 409 {
				t.Errorf("change of document: %d", s)
			}
		})
	}
	wg.Wait()
	var it struct {
		table.Key
		Version int64 `dynamo:"version"`
	}
	if err := f.Store.Get(t.Context(), table.Entity(f.entity), table.Strong, &it); err != nil {
		t.Fatal(err)
	}
	if it.Version != 1+done.Load() {
		t.Errorf("version %d after %d changes", it.Version, done.Load())
	}
	var d entity.Document
	f.Want(200, admin, "GET", "/api/documents/"+f.document, nil, &d)
	if d.Title != *d.Content {
		t.Errorf("title %q with content %q", d.Title, *d.Content)
	}
}

// What is taken away is refused at once wherever something would change, at
// once where a strong answer is asked for, and elsewhere within the bound.
func TestRevocation(t *testing.T) {
	const bound = time.Minute
	for name, take := range map[string]func(f *fleet, user string) (path string){
		"grant":   func(f *fleet, u string) string { return "/api/entities/" + f.entity + "/permissions/" + u },
		"lowered": func(f *fleet, u string) string { return "/api/entities/" + f.entity + "/permissions/" + u },
		"share":   func(f *fleet, u string) string { return "/api/documents/" + f.document + "/shares/" + u },
		"role":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			user, read, change := f.people["grant editor"], "/api/entities/"+f.entity, "/api/entities/"+f.entity
			refused := 403
			if name == "share" {
				user, read, change, refused = f.people["share"], "/api/documents/"+f.document, "/api/documents/"+f.document, 404
			}
			if name == "role" {
				user = f.people["manager"]
			}
			body := map[string]any{"name": "x"}
			if name == "share" {
				body = map[string]any{"title": "x"}
			}
			there := tenanttest.On(t, f.Store) // another process, whose cache nobody tells
			for _, w := range []*tenanttest.World{f.World, there} {
				w.Want(200, user, "GET", read, nil, nil)
				w.Want(200, user, "PATCH", change, body, nil)
			}
			switch name {
			case "lowered":
				f.Want(200, f.people["admin"], "PATCH", take(f, user), map[string]any{"level": "viewer"}, nil)
			case "role":
				f.Remove(table.Membership(user, f.org))
				f.Access.ForgetUsers(user)
				refused = 404
			default:
				f.Want(204, f.people["admin"], "DELETE", take(f, user), nil, nil)
			}
			gone := refused
			if name == "lowered" {
				gone = 200
			}
			for _, w := range []*tenanttest.World{f.World, there} {
				w.Want(refused, user, "PATCH", change, body, nil)
				if name != "share" {
					if d := w.Check(user, f.entity, "edit", "strong"); d.Allowed {
						t.Errorf("a strong answer: %+v", d)
					}
				}
			}
			f.Want(gone, user, "GET", read, nil, nil) // the process that took it away
			there.Pass(bound)
			there.Want(gone, user, "GET", read, nil, nil)
		})
	}
	t.Run("cached within the bound", func(t *testing.T) {
		f := newFleet(t)
		user := f.people["grant editor"]
		there := tenanttest.On(t, f.Store)
		if !there.Check(user, f.entity, "edit", "cached").Allowed {
			t.Fatal("not allowed at first")
		}
		f.Want(204, f.people["admin"], "DELETE", "/api/entities/"+f.entity+"/permissions/"+user, nil, nil)
		there.Pass(bound - time.Second)
		before := there.Check(user, f.entity, "edit", "cached").Allowed
		there.Pass(time.Second)
		after := there.Check(user, f.entity, "edit", "cached").Allowed
		if !before || after {
			t.Errorf("a second before the bound %v, at it %v", before, after)
		}
	})
}

// A right that is taken away between the decision and the write refuses the write.
func TestARightMustStandWhenTheChangeIsWritten(t *testing.T) {
	f := newFleet(t)
	carol := f.people["grant editor"]
	for name, taken := range map[string]func(){
		"gone": func() { f.Remove(table.Grant(carol, f.entity)) },
		"lowered": func() {
			w := table.Put(facts.NewGrant(carol, f.entity, f.org, access.LevelViewer, "x", f.Now(), time.Time{}))
			if err := f.Store.Write(t.Context(), w); err != nil {
				t.Error(err)
			}
		},
	} {
		f.Put(facts.NewGrant(carol, f.entity, f.org, access.LevelEditor, "x", f.Now(), time.Time{}))
		var once sync.Once
		f.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
			if op == "TransactWriteItems" {
				once.Do(taken)
			}
			return next.RoundTrip(r)
		})
		status := f.Do(carol, "PATCH", "/api/entities/"+f.entity, map[string]any{"name": "stolen"}, nil)
		f.Store.Transport.Intercept(nil)
		if status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
	var e entity.Entity
	f.Want(200, f.people["admin"], "GET", "/api/entities/"+f.entity, nil, &e)
	if e.Name != "Sea Breeze" {
		t.Errorf("its name is %q", e.Name)
	}
}

// What is deleted between the decision and the write takes nothing any more.
func TestNothingIsAddedToWhatIsDeletedMeanwhile(t *testing.T) {
	for name, add := range map[string]func(f *fleet) (path string, body any){
		"grant": func(f *fleet) (string, any) {
			return "/api/entities/" + f.entity + "/permissions", map[string]any{"userId": f.people["member"], "level": "viewer"}
		},
		"document": func(f *fleet) (string, any) {
			return "/api/entities/" + f.entity + "/documents", map[string]any{"title": "t"}
		},
		"share": func(f *fleet) (string, any) {
			return "/api/documents/" + f.document + "/shares", map[string]any{"userId": f.people["member"], "level": "viewer"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			path, body := add(f)
			var once sync.Once
			f.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
				if op == "TransactWriteItems" {
					once.Do(func() { f.Remove(table.Entity(f.entity), table.Document(f.document)) })
				}
				return next.RoundTrip(r)
			})
			if status := f.Do(f.people["admin"], "POST", path, body, nil); status != 404 {
				t.Errorf("%d", status)
			}
		})
	}
}

func TestPermissionsListEveryoneWithAccessOnce(t *testing.T) {
	f := newFleet(t)
	admin := f.people["admin"]
	want := map[string]string{f.people["admin"]: "admin org_role", f.people["manager"]: "manager org_role", f.people["viewer"]: "viewer org_role"}
	for _, l := range access.Levels() {
		want[f.people["grant "+l.String()]] = l.String() + " grant"
	}
	// Both speak: the higher is named.
	both, less := f.Member(f.org, access.RoleViewer), f.Member(f.org, access.RoleManager)
	f.Grant(admin, f.entity, both, "editor")
	f.Grant(admin, f.entity, less, "viewer")
	want[both], want[less] = "editor grant", "manager org_role"
	// A grant without a membership is none.
	f.Put(facts.NewGrant(f.User(), f.entity, f.org, access.LevelAdmin, "x", f.Now(), time.Time{}))
	// Nor is one that has ended, and its holder is listed by their role alone.
	was := f.Member(f.org, access.RoleViewer)
	f.Put(facts.NewGrant(was, f.entity, f.org, access.LevelAdmin, "x", f.Now().Add(-2*time.Hour), f.Now().Add(-time.Hour)))
	want[was] = "viewer org_role"
	for range 5 {
		f.Member(f.org, access.RoleMember)
	}
	for _, limit := range []int{1, 2, 3, 100} {
		path := fmt.Sprintf("/api/entities/%s/permissions?limit=%d", f.entity, limit)
		got := map[string]string{}
		levels, sources := f.Pages(admin, path, "level"), f.Pages(admin, path, "source")
		for i, u := range f.Pages(admin, path, "userId") {
			if got[u] != "" {
				t.Errorf("limit %d: %s is listed twice", limit, u)
			}
			got[u] = levels[i] + " " + sources[i]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("limit %d:\n%v, want\n%v", limit, got, want)
		}
	}
}

// A change that the store may or may not have made is not believed in by a cache.
func TestAnUnknownOutcomeIsReadAgain(t *testing.T) {
	f := newFleet(t)
	carol := f.people["grant editor"]
	f.Want(200, carol, "GET", "/api/entities/"+f.entity, nil, nil)
	f.Store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if op == "TransactWriteItems" && err == nil {
			_ = resp.Body.Close()
			return nil, fmt.Errorf("the reply is lost")
		}
		return resp, err
	})
	status := f.Do(f.people["admin"], "DELETE", "/api/entities/"+f.entity+"/permissions/"+carol, nil, nil)
	f.Store.Transport.Intercept(nil)
	if status != 503 {
		t.Fatalf("%d", status)
	}
	f.Want(403, carol, "GET", "/api/entities/"+f.entity, nil, nil)
}

func TestAStoreThatDoesNotAnswerAllowsNothing(t *testing.T) {
	f := newFleet(t)
	routes := f.routes()
	for _, op := range entity.Operations(f.Entities) {
		r := routes[op.ID]
		user := f.people["grant viewer"]
		body := r.body()
		f.Access.ForgetAll()
		f.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
			return &http.Response{StatusCode: 400, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: http.NoBody}, nil
		})
		status := f.Do(f.people["admin"], op.Method, f.at(&op.Spec, f.org, f.entity, f.document, user), body, nil)
		f.Store.Transport.Intercept(nil)
		if status < 500 {
			t.Errorf("%s: %d", op.ID, status)
		}
	}
}

func TestEveryChangeNamesWhoDidWhatToWhom(t *testing.T) {
	f := newFleet(t)
	admin, carol := f.people["admin"], f.people["member"]
	f.Pass(time.Second)
	since := f.Now()
	f.Grant(admin, f.entity, carol, "viewer")
	events := f.Trail(f.org, since)
	want := audit.Event{Type: audit.GrantCreated, ActorID: admin, SubjectID: carol, OrganizationID: f.org, EntityID: f.entity, Outcome: audit.Success}
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.Type != want.Type || e.ActorID != want.ActorID || e.SubjectID != want.SubjectID || e.EntityID != want.EntityID || e.Details["level"] != "viewer" || e.RequestID != "test-request" {
		t.Errorf("%+v", e)
	}
}
