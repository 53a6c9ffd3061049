package org_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func listOf(limit int, cursor string) api.ListInput {
	return api.ListInput{Limit: limit, Cursor: cursor}
}

// all pages through a list.
func all[T any](t *testing.T, limit int, page func(api.ListInput) (api.List[T], error)) (items []T) {
	t.Helper()
	cursor := ""
	for range 1000 {
		got, err := page(listOf(limit, cursor))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Items) > limit {
			t.Fatalf("%d items with a limit of %d", len(got.Items), limit)
		}
		items = append(items, got.Items...)
		if cursor = got.NextCursor; cursor == "" {
			return items
		}
	}
	t.Fatal("the list does not end")
	return nil
}

func TestListsAreWholeAtEveryPageSize(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	users, orgs := []string{alice}, []string{orgID}
	for i := range 12 {
		users = append(users, w.member(orgID, alice, fmt.Sprint("user", i), access.RoleMember))
		orgs = append(orgs, w.organization(alice))
		w.invite(orgID, alice, fmt.Sprintf("guest%d@example.com", i), access.RoleViewer)
	}
	slices.Sort(users)
	slices.Sort(orgs)
	for _, limit := range []int{1, 4, 13, 100} {
		var got []string
		for _, m := range all(t, limit, func(in api.ListInput) (api.List[orgMember], error) { return w.orgs.Members(w.as(alice), orgID, in) }) {
			got = append(got, m.UserID)
		}
		if !slices.Equal(got, users) {
			t.Errorf("limit %d: members %v, want %v", limit, got, users)
		}
		got = nil
		for _, o := range all(t, limit, func(in api.ListInput) (api.List[orgOrganization], error) { return w.orgs.List(w.as(alice), in) }) {
			got = append(got, o.ID)
		}
		if !slices.Equal(got, orgs) {
			t.Errorf("limit %d: organizations %v, want %v", limit, got, orgs)
		}
		if n := len(all(t, limit, func(in api.ListInput) (api.List[orgInvitation], error) {
			return w.orgs.Invitations(w.as(alice), orgID, in)
		})); n != 12 {
			t.Errorf("limit %d: %d invitations", limit, n)
		}
		if n := len(all(t, limit, func(in api.ListInput) (api.List[audit.Event], error) {
			return w.orgs.Trail(w.as(alice), orgID, audit.Filter{Type: audit.MemberAdded}, in)
		})); n != 12 {
			t.Errorf("limit %d: %d events", limit, n)
		}
	}
}

func TestACursorOfAnotherListOrCallerIsRefused(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID, other := w.organization(alice), w.organization(alice)
	bob := w.member(orgID, alice, "bob", access.RoleAdmin)
	if _, err := w.orgs.Add(w.as(alice), other, bob, access.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	page, err := w.orgs.Members(w.as(alice), orgID, listOf(1, ""))
	if err != nil || page.NextCursor == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	for name, list := range map[string]func() error{
		"another caller":       func() error { _, err := w.orgs.Members(w.as(bob), orgID, listOf(1, page.NextCursor)); return err },
		"another organization": func() error { _, err := w.orgs.Members(w.as(alice), other, listOf(1, page.NextCursor)); return err },
		"own organizations":    func() error { _, err := w.orgs.List(w.as(alice), listOf(1, page.NextCursor)); return err },
		"invitations":          func() error { _, err := w.orgs.Invitations(w.as(alice), orgID, listOf(1, page.NextCursor)); return err },
		"audit": func() error {
			_, err := w.orgs.Trail(w.as(alice), orgID, audit.Filter{}, listOf(1, page.NextCursor))
			return err
		},
	} {
		if err := list(); !fault.HasCode(err, fault.CodeInvalidCursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
	trail, err := w.orgs.Trail(w.as(alice), orgID, audit.Filter{}, listOf(1, ""))
	if err != nil || trail.NextCursor == "" {
		t.Fatalf("%+v, %v", trail, err)
	}
	_, err = w.orgs.Trail(w.as(alice), orgID, audit.Filter{ActorID: bob}, listOf(1, trail.NextCursor))
	wantCode(t, err, fault.CodeInvalidCursor)
}

func TestTheIndexIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	bob := w.member(orgID, alice, "bob", access.RoleViewer)
	stranger, gone := w.user("stranger"), newID(t)
	// An index entry that claims more than the membership says, and two whose
	// membership or user is not there.
	w.put(struct {
		table.Key
		table.IndexKey
		Role string `dynamo:"role"`
	}{table.Key{PK: "STALE", SK: "A"}, table.IndexKey{GSI1PK: table.OrgMembers(orgID), GSI1SK: stranger}, "admin"},
		facts.NewMembership(gone, orgID, access.RoleAdmin, "", w.clock()))
	list, err := w.orgs.Members(w.as(alice), orgID, listOf(100, ""))
	if err != nil || len(list.Items) != 2 || list.Items[1].UserID != bob || list.Items[1].Role != access.RoleViewer {
		t.Errorf("%+v, %v", list.Items, err)
	}
}

// Members are read eventually consistent. A read that is late may leave out who
// joined just now; it never says that the organization is not there.
func TestALateReadOfMembersLosesNoOrganization(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	nothing := `{"Responses":{},"UnprocessedKeys":{}}`
	late, sure := 0, 0
	w.store.Transport.Intercept(func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
		if operation != "BatchGetItem" {
			return next.RoundTrip(r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), `"ConsistentRead":true`) {
			sure++
			r.Body = io.NopCloser(bytes.NewReader(body))
			return next.RoundTrip(r)
		}
		late++
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
			Body: io.NopCloser(strings.NewReader(nothing)), Request: r}, nil
	})
	list, err := w.orgs.Members(w.as(alice), orgID, listOf(10, ""))
	if err != nil || len(list.Items) != 0 || late != 1 || sure == 0 {
		t.Errorf("%+v, %v after %d late reads and %d others", list, err, late, sure)
	}
	w.store.Transport.Intercept(nil)
	list, err = w.orgs.Members(w.as(alice), orgID, listOf(10, ""))
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestManyMembersAreListedAsCheaplyAsFew(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	requests := func() int {
		w.store.Transport.Reset()
		if _, err := w.orgs.Members(w.as(alice), orgID, listOf(50, "")); err != nil {
			t.Fatal(err)
		}
		return w.store.Transport.Calls()
	}
	for range 60 {
		u := newID(t)
		w.put(facts.NewMembership(u, orgID, access.RoleMember, alice, w.clock()),
			account.State{Key: table.UserState(u), ID: u, Role: caller.RoleUser, Status: account.Active})
	}
	requests() // brings the caller's facts into the cache
	few := requests()
	const many = 2000
	for range many / 25 {
		var writes []*table.Write
		for range 25 {
			u := newID(t)
			writes = append(writes, table.Put(facts.NewMembership(u, orgID, access.RoleMember, alice, w.clock())),
				table.Put(account.State{Key: table.UserState(u), ID: u, Role: caller.RoleUser, Status: account.Active}))
		}
		if err := w.store.Transact(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if got := requests(); got != few {
		t.Errorf("%d requests for a page of %d members, %d for one of 61", got, many, few)
	}
	if n := len(all(t, 100, func(in api.ListInput) (api.List[orgMember], error) { return w.orgs.Members(w.as(alice), orgID, in) })); n != many+61 {
		t.Errorf("%d members listed", n)
	}
}

func TestADeletedOrganizationIsRefusedAtOnceAndClearedAwayThroughACrash(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	bob := w.member(orgID, alice, "bob", access.RoleManager)
	w.invite(orgID, alice, "erin@example.com", access.RoleMember)
	var entity, document string
	for range 30 { // more than a page
		entity = newID(t)
		w.put(struct {
			table.Key
			table.IndexKey
			facts.EntityPlace
		}{table.Entity(entity), table.InOrgEntities(orgID, "boat", entity), facts.EntityPlace{ID: entity, OrgID: orgID}},
			facts.NewGrant(bob, entity, orgID, access.LevelEditor, alice, w.clock(), time.Time{}))
		for range 2 {
			document = newID(t)
			w.put(struct {
				table.Key
				table.IndexKey
				facts.DocumentPlace
			}{table.Document(document), table.IndexKey{GSI1PK: table.EntityDocuments(entity), GSI1SK: document},
				facts.DocumentPlace{ID: document, EntityID: entity, OrgID: orgID}},
				struct{ table.Key }{table.DocumentContent(document)},
				facts.NewShare(alice, document, orgID, access.LevelViewer, alice, w.clock(), time.Time{}))
		}
	}
	refs := []access.Ref{{Kind: access.KindEntity, ID: entity}, {Kind: access.KindDocument, ID: document}}
	for _, r := range refs { // warm the cache
		if d, err := w.access.Check(t.Context(), alice, r, access.ActionView, access.Cached); err != nil || !d.Allowed {
			t.Fatalf("before: %+v, %v", d, err)
		}
	}
	if got := w.do(alice, "DELETE", "/api/organizations/"+orgID, nil); got.status != 204 {
		t.Fatalf("delete: %+v", got)
	}
	for _, r := range refs {
		for _, how := range []access.Consistency{access.Strong, access.Cached} {
			if d, err := w.access.Check(t.Context(), alice, r, access.ActionView, how); err != nil || d.Allowed {
				t.Errorf("%s, %s: %+v, %v", r.Kind, how, d, err)
			}
		}
	}
	if got := w.do(bob, "GET", "/api/organizations", nil); got.body != `{"items":[]}`+"\n" {
		t.Errorf("a member still sees %s", got.body)
	}
	w.crashing()
	left := w.items()
	for _, kind := range []string{"ORG", "ENTITY", "DOC", "ACCESS", "TASK"} {
		if left[kind] != 0 {
			t.Errorf("%d %s items are left: %v", left[kind], kind, left)
		}
	}
}
