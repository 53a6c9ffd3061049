package org_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/org"
)

func TestAnOrganizationThroughItsLife(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user("alice"), w.user("bob")
	made := w.do(alice, http.MethodPost, "/api/organizations", map[string]any{"name": "Coastal Marine Services"})
	if made.status != http.StatusCreated {
		t.Fatalf("create: %+v", made)
	}
	var o struct{ ID, Name, Role string }
	made.decode(t, &o)
	if o.Name != "Coastal Marine Services" || o.Role != "admin" {
		t.Errorf("created %+v", o)
	}
	at := "/api/organizations/" + o.ID
	steps := []struct {
		user, method, path string
		body               any
		status             int
		contains           string
	}{
		{alice, "GET", at, nil, 200, `"role":"admin"`},
		{alice, "PATCH", at, map[string]any{"name": "Coastal"}, 200, `"name":"Coastal"`},
		{alice, "POST", at + "/members", map[string]any{"userId": bob, "role": "manager"}, 201, `"username":"bob"`},
		{alice, "POST", at + "/members", map[string]any{"userId": bob, "role": "viewer"}, 409, "already_exists"},
		{bob, "GET", "/api/organizations", nil, 200, `"role":"manager"`},
		{bob, "GET", at + "/members", nil, 200, `"email":"alice@example.com"`},
		{bob, "GET", at + "/audit", nil, 403, "forbidden"},
		{alice, "PATCH", at + "/members/" + bob, map[string]any{"role": "viewer"}, 200, `"role":"viewer"`},
		{alice, "PATCH", at + "/members/" + bob, map[string]any{"role": "viewer"}, 200, `"role":"viewer"`},
		{alice, "PATCH", at + "/members/" + alice, map[string]any{"role": "viewer"}, 409, "last_admin"},
		{alice, "DELETE", at + "/members/" + alice, nil, 409, "last_admin"},
		{bob, "DELETE", at + "/members/" + bob, nil, 204, ""},
		{bob, "GET", at, nil, 404, "not_found"},
		{alice, "GET", at + "/audit?type=member.removed", nil, 200, `"actorId":"` + bob},
		{alice, "GET", at + "/audit?actorId=" + bob + "&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z", nil, 200, "member.removed"},
		{alice, "GET", at + "/audit?to=2026-03-01T00:00:00Z", nil, 200, `"items":[]`},
		{alice, "DELETE", at, nil, 204, ""},
		{alice, "GET", at, nil, 404, "not_found"},
		{alice, "DELETE", at, nil, 404, "not_found"},
		{alice, "GET", "/api/organizations", nil, 200, `"items":[]`},
	}
	for _, s := range steps {
		got := w.do(s.user, s.method, s.path, s.body)
		if got.status != s.status || !strings.Contains(got.body, s.contains) {
			t.Errorf("%s %s: %d %s, want %d with %s", s.method, s.path, got.status, got.body, s.status, s.contains)
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	at := "/api/organizations/" + orgID
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"empty name":           {"POST", "/api/organizations", map[string]any{"name": ""}, 422},
		"blank name":           {"POST", "/api/organizations", map[string]any{"name": "   "}, 422},
		"control character":    {"PATCH", at, map[string]any{"name": "a\nb"}, 422},
		"long name":            {"POST", "/api/organizations", map[string]any{"name": strings.Repeat("x", 201)}, 422},
		"unknown field":        {"POST", "/api/organizations", map[string]any{"name": "x", "adminCount": 7}, 422},
		"unknown role":         {"POST", at + "/members", map[string]any{"userId": alice, "role": "owner"}, 422},
		"no role":              {"PATCH", at + "/members/" + alice, map[string]any{}, 422},
		"role none":            {"PATCH", at + "/members/" + alice, map[string]any{"role": "none"}, 422},
		"user id not a uuid":   {"POST", at + "/members", map[string]any{"userId": "x", "role": "member"}, 422},
		"user id of nobody":    {"POST", at + "/members", map[string]any{"userId": "01900000-0000-7000-8000-000000000001", "role": "member"}, 404},
		"no address":           {"POST", at + "/invitations", map[string]any{"email": "nobody", "role": "member"}, 422},
		"cursor made up":       {"GET", at + "/members?cursor=abc", nil, 400},
		"limit beyond":         {"GET", at + "/members?limit=101", nil, 422},
		"time that is none":    {"GET", at + "/audit?from=yesterday", nil, 422},
		"unknown query":        {"GET", at + "/members?sort=role", nil, 422},
		"path id not a uuid":   {"GET", "/api/organizations/x%23y", nil, 404},
		"member id not a uuid": {"DELETE", at + "/members/USER%23x", nil, 404},
		"invite id not a uuid": {"DELETE", at + "/invitations/META", nil, 404},
	} {
		if got := w.do(alice, c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.status)
		}
	}
	if got := w.do("", "GET", "/api/organizations", nil); got.status != 401 {
		t.Errorf("nobody: %+v", got)
	}
}

// calls lists every operation at an organization, with a body that would do.
func calls(orgID, userID, inviteID string) []struct {
	method, path string
	body         any
	least        access.OrgRole
} {
	at := "/api/organizations/" + orgID
	return []struct {
		method, path string
		body         any
		least        access.OrgRole
	}{
		{"GET", at, nil, access.RoleMember},
		{"PATCH", at, map[string]any{"name": "taken over"}, access.RoleAdmin},
		{"GET", at + "/members", nil, access.RoleMember},
		{"POST", at + "/members", map[string]any{"userId": userID, "role": "admin"}, access.RoleAdmin},
		{"PATCH", at + "/members/" + userID, map[string]any{"role": "admin"}, access.RoleAdmin},
		{"DELETE", at + "/members/" + userID, nil, access.RoleAdmin},
		{"GET", at + "/invitations", nil, access.RoleAdmin},
		{"POST", at + "/invitations", map[string]any{"email": "m@example.com", "role": "admin"}, access.RoleAdmin},
		{"DELETE", at + "/invitations/" + inviteID, nil, access.RoleAdmin},
		{"GET", at + "/audit", nil, access.RoleAdmin},
		{"DELETE", at, nil, access.RoleAdmin},
	}
}

func TestEveryRoleMayDoExactlyWhatTheTableSays(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	target := w.member(orgID, alice, "target", access.RoleMember)
	invite, err := w.orgs.Invite(w.as(alice), orgID, "erin@example.com", access.RoleMember)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range access.OrgRoles()[:3] { // admins are the rest of this file
		u := w.member(orgID, alice, "as-"+role.String(), role)
		for _, c := range calls(orgID, target, invite.ID) {
			want := 403
			if role >= c.least && (c.least == access.RoleMember || role == access.RoleAdmin) {
				want = 200
			}
			if got := w.do(u, c.method, c.path, c.body); got.status != want {
				t.Errorf("%s: %s %s: %d %s, want %d", role, c.method, c.path, got.status, got.body, want)
			}
		}
	}
	denied := w.do(alice, "GET", "/api/organizations/"+orgID+"/audit?type="+string(audit.AccessDenied)+"&limit=100", nil)
	if n := strings.Count(denied.body, `"outcome":"failure"`); n != 3*9 {
		t.Errorf("%d refusals recorded, want %d", n, 3*9)
	}
}

func TestAnotherTenantsIdsAnswerAsMissingOnes(t *testing.T) {
	w := newWorld(t)
	alice, mallory := w.user("alice"), w.user("mallory")
	theirs, own := w.organization(alice), w.organization(mallory)
	bob := w.member(theirs, alice, "bob", access.RoleMember)
	invite, err := w.orgs.Invite(w.as(alice), theirs, "erin@example.com", access.RoleMember)
	if err != nil {
		t.Fatal(err)
	}
	before := w.items()
	missing := calls(newID(t), newID(t), newID(t))
	for i, c := range calls(theirs, bob, invite.ID) {
		got, want := w.do(mallory, c.method, c.path, c.body), w.do(mallory, missing[i].method, missing[i].path, missing[i].body)
		if got != want || got.status != 404 {
			t.Errorf("%s %s: %+v, a missing one %+v", c.method, c.path, got, want)
		}
	}
	for _, path := range []string{"/members/" + bob, "/invitations/" + invite.ID} { // their ids below one's own
		at := "/api/organizations/" + own + path
		if got := w.do(mallory, "DELETE", at, nil); got.status != 404 {
			t.Errorf("DELETE %s: %+v", at, got)
		}
	}
	if got := w.do(mallory, "PATCH", "/api/organizations/"+own+"/members/"+bob, map[string]any{"role": "viewer"}); got.status != 404 {
		t.Errorf("change of their member below one's own: %+v", got)
	}
	after := w.items()
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("something was written: %v, then %v", before, after)
	}
}

func TestSuperAdminPowerIsRecordedAndLentPowerIsLimited(t *testing.T) {
	w := newWorld(t)
	alice, root, lent, elsewhere := w.user("alice"), w.user("root"), w.user("lent"), w.user("elsewhere")
	orgID := w.organization(alice)
	ends := w.clock().Add(1e12)
	w.put(facts.NewSuperAdmin(root, w.clock()), facts.NewDelegation(newID(t), lent, orgID, root, "cover", w.clock(), ends),
		facts.NewDelegation(newID(t), elsewhere, w.organization(alice), root, "cover", w.clock(), ends))
	at := "/api/organizations/" + orgID
	for _, c := range []struct {
		user, method, path string
		body               any
		status             int
		code               string
	}{
		{root, "GET", at, nil, 200, ""},
		{root, "GET", at + "/members", nil, 200, ""},
		{root, "GET", at + "/invitations", nil, 200, ""},
		{root, "GET", at + "/audit", nil, 200, ""},
		{root, "PATCH", at, map[string]any{"name": "x"}, 200, ""},
		{root, "POST", at + "/members", map[string]any{"userId": elsewhere, "role": "member"}, 201, ""},
		{lent, "GET", at, nil, 200, ""},
		{lent, "PATCH", at, map[string]any{"name": "y"}, 200, ""},
		{lent, "POST", at + "/members", map[string]any{"userId": lent, "role": "admin"}, 403, "delegation_limited"},
		{lent, "PATCH", at + "/members/" + alice, map[string]any{"role": "viewer"}, 403, "delegation_limited"},
		{lent, "POST", at + "/invitations", map[string]any{"email": "lent@example.com", "role": "admin"}, 403, "delegation_limited"},
		{lent, "DELETE", at + "/members/" + lent, nil, 404, "not_found"},
	} {
		got := w.do(c.user, c.method, c.path, c.body)
		if got.status != c.status || got.code() != c.code {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, got.status, got.body, c.status, c.code)
		}
	}
	events := w.do(alice, "GET", at+"/audit?limit=100", nil).body
	for _, want := range []string{`"power":"super_admin","read":"organization"`, `"read":"members"`, `"read":"invitations"`, `"read":"audit"`,
		`"power":"delegation","read":"organization","scope":"` + orgID} {
		if !strings.Contains(events, want) {
			t.Errorf("the trail does not say %s", want)
		}
	}
	w.pass(1e12 + 1)
	if got := w.do(lent, "PATCH", at, map[string]any{"name": "z"}); got.status != 404 {
		t.Errorf("after the end of the delegation: %+v", got)
	}
	w.deps.Config.MFA.RequireForAdmins = true
	strict := org.New(w.deps, w.orgs.Parts)
	if _, err := strict.Rename(w.as(root), orgID, "z"); err == nil {
		t.Error("super-admin power without the second factor that is required")
	}
	if _, err := strict.Rename(w.as(alice), orgID, "z"); err != nil {
		t.Errorf("the organization's own admin: %v", err)
	}
}
