package entity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func TestADocumentIsKeptAsItWasSent(t *testing.T) {
	f := newFleet(t)
	admin := f.people["admin"]
	content := strings.Repeat("\x00é<\u2028>", entity.MaxContent/8)
	var made, got, changed entity.Document
	f.Want(201, admin, "POST", "/api/entities/"+f.entity+"/documents", map[string]any{"title": "Log", "contentType": "text/markdown", "content": content}, &made)
	f.Want(200, admin, "GET", "/api/documents/"+made.ID, nil, &got)
	if *got.Content != content || got.Title != "Log" || got.ContentType != "text/markdown" || got.EntityID != f.entity || got.OrganizationID != f.org {
		t.Errorf("%d bytes came back of %d; %q %q", len(*got.Content), len(content), got.Title, got.ContentType)
	}
	f.Pass(time.Second)
	f.Want(200, admin, "PATCH", "/api/documents/"+made.ID, map[string]any{"title": "Logbook"}, &changed)
	if *changed.Content != content || changed.Title != "Logbook" || !changed.UpdatedAt.After(changed.CreatedAt) {
		t.Errorf("a change of title: %q, %d bytes", changed.Title, len(*changed.Content))
	}
	f.Want(200, admin, "PATCH", "/api/documents/"+made.ID, map[string]any{"content": "", "contentType": "application/json"}, nil)
	got = entity.Document{}
	f.Want(200, admin, "GET", "/api/documents/"+made.ID, nil, &got)
	if got.Content == nil || *got.Content != "" || got.ContentType != "application/json" {
		t.Errorf("emptied: %+v", got)
	}
	var plain entity.Document
	f.Want(201, admin, "POST", "/api/entities/"+f.entity+"/documents", map[string]any{"title": "Empty"}, &plain)
	if plain.ContentType != "text/plain; charset=utf-8" || *plain.Content != "" {
		t.Errorf("%+v", plain)
	}
	f.Want(204, admin, "DELETE", "/api/documents/"+made.ID, nil, nil)
	f.Want(404, admin, "GET", "/api/documents/"+made.ID, nil, nil)
	f.Want(404, admin, "DELETE", "/api/documents/"+made.ID, nil, nil)
	f.Drain()
	var it struct{ table.Key }
	if err := f.Store.Get(t.Context(), table.DocumentContent(made.ID), table.Strong, &it); err != table.ErrNotFound {
		t.Errorf("its content is left: %v", err)
	}
}

func TestDocumentsAreListedWithoutContents(t *testing.T) {
	f := newFleet(t)
	admin := f.people["admin"]
	want := []string{f.document}
	for i := range 6 {
		want = append(want, f.Document(admin, f.entity, fmt.Sprint("doc ", i)))
	}
	gone := f.Document(admin, f.entity, "gone")
	f.Remove(table.Document(gone)) // what the index still names is not shown
	f.Put(struct {
		table.Key
		table.IndexKey
		facts.DocumentPlace
	}{table.Document(gone), table.IndexKey{GSI1PK: table.EntityDocuments(f.entity), GSI1SK: gone}, facts.DocumentPlace{ID: gone, EntityID: f.ID(), OrgID: f.org}})
	for _, limit := range []int{1, 2, 3, 7, 100} {
		path := fmt.Sprintf("/api/entities/%s/documents?limit=%d", f.entity, limit)
		if got := f.Pages(f.people["viewer"], path, "id"); !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
	_, raw := f.Raw(admin, "GET", "/api/entities/"+f.entity+"/documents", nil)
	if strings.Contains(string(raw), `"content":`) {
		t.Errorf("contents in a list: %s", raw)
	}
}

func TestAShareOpensOneDocumentToAnybody(t *testing.T) {
	f := newFleet(t)
	admin, eve := f.people["admin"], f.User()
	second := f.Document(admin, f.entity, "second")
	path := "/api/documents/" + f.document
	var s entity.Share
	f.Want(201, admin, "POST", path+"/shares", map[string]any{"userId": eve, "level": "viewer", "expiresAt": f.Now().Add(time.Minute)}, &s)
	if s.UserID != eve || s.Level != "viewer" || s.ExpiresAt == nil {
		t.Errorf("%+v", s)
	}
	f.Want(409, admin, "POST", path+"/shares", map[string]any{"userId": eve, "level": "editor"}, nil)
	f.Want(200, eve, "GET", path, nil, nil)
	f.Want(403, eve, "PATCH", path, map[string]any{"title": "x"}, nil)
	f.Want(403, eve, "DELETE", path, nil, nil)
	f.Want(403, eve, "GET", path+"/shares", nil, nil)
	f.Want(404, eve, "GET", "/api/documents/"+second, nil, nil)
	f.Want(404, eve, "GET", "/api/entities/"+f.entity, nil, nil)
	f.Want(404, eve, "GET", "/api/entities/"+f.entity+"/documents", nil, nil)
	f.Pass(time.Minute)
	f.Want(404, eve, "GET", path, nil, nil)
	f.Want(404, admin, "DELETE", path+"/shares/"+eve, nil, nil)
	f.Want(404, admin, "DELETE", path+"/shares/nobody", nil, nil)
	f.Want(404, admin, "DELETE", path+"/shares/"+f.ID(), nil, nil)
	f.Want(201, admin, "POST", path+"/shares", map[string]any{"userId": eve, "level": "editor"}, nil)
	f.Want(200, eve, "PATCH", path, map[string]any{"title": "x"}, nil)
	// Who shares with themself stands on a membership that is counted as well.
	f.Want(201, admin, "POST", path+"/shares", map[string]any{"userId": admin, "level": "viewer"}, nil)
	f.Want(201, f.people["manager"], "POST", path+"/shares", map[string]any{"userId": f.people["member"], "level": "viewer"}, nil)
	want := []string{f.people["share"], eve, admin, f.people["member"]}
	slices.Sort(want)
	for _, limit := range []int{1, 2, 3, 100} {
		if got := f.Pages(admin, fmt.Sprintf("%s/shares?limit=%d", path, limit), "userId"); !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
	f.Want(204, admin, "DELETE", path+"/shares/"+eve, nil, nil)
	f.Want(404, eve, "GET", path, nil, nil)
}

// Two ways to a document: when one is taken away, the other still decides.
func TestTheOtherWayToADocumentStillDecides(t *testing.T) {
	f := newFleet(t)
	admin, carol := f.people["admin"], f.people["grant editor"]
	path := "/api/documents/" + f.document
	f.Share(admin, f.document, carol, "viewer")
	f.Want(200, carol, "PATCH", path, map[string]any{"title": "x"}, nil)
	f.Want(204, admin, "DELETE", "/api/entities/"+f.entity+"/permissions/"+carol, nil, nil)
	f.Want(200, carol, "GET", path, nil, nil)
	f.Want(403, carol, "PATCH", path, map[string]any{"title": "x"}, nil)
	f.Grant(admin, f.entity, carol, "editor")
	f.Want(204, admin, "DELETE", path+"/shares/"+carol, nil, nil)
	f.Want(200, carol, "PATCH", path, map[string]any{"title": "x"}, nil)
}

func TestSelfGrantsStandOnTheOwnMembership(t *testing.T) {
	f := newFleet(t)
	for who, want := range map[string]int{"manager": 201, "grant admin": 409, "admin": 201} {
		if got := f.Do(f.people[who], "POST", "/api/entities/"+f.entity+"/permissions", map[string]any{"userId": f.people[who], "level": "viewer"}, nil); got != want {
			t.Errorf("%s: %d, want %d", who, got, want)
		}
	}
	f.Want(200, f.people["grant admin"], "PATCH", "/api/entities/"+f.entity+"/permissions/"+f.people["grant admin"], map[string]any{"level": "viewer"}, nil)
	f.Want(403, f.people["grant admin"], "PATCH", "/api/entities/"+f.entity+"/permissions/"+f.people["grant admin"], map[string]any{"level": "admin"}, nil)
	if d := f.Check(f.people["manager"], f.entity, access.ActionDelete.String(), "strong"); !d.Allowed || d.Source != "org_role" {
		t.Errorf("%+v", d)
	}
}
