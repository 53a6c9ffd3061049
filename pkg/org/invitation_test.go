package org_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// invite invites an address and gives the invitation's id and token.
func (w *world) invite(orgID, admin, email string, role access.OrgRole) (inviteID, token string) {
	w.t.Helper()
	i, err := w.orgs.Invite(w.as(admin), orgID, email, role)
	if err != nil {
		w.t.Fatal(err)
	}
	return i.ID, w.tokens[strings.ToLower(email)]
}

func TestAnInvitationIsForItsVerifiedAddressAndOnce(t *testing.T) {
	w := newWorld(t)
	alice, erin, mallory := w.user("alice"), w.user("erin"), w.user("mallory")
	orgID := w.organization(alice)
	_, token := w.invite(orgID, alice, "Erin@Example.com", access.RoleManager)

	_, err := w.orgs.Accept(w.as(mallory), token)
	wantCode(t, err, fault.CodeForbidden)
	state := table.UserState(erin)
	if err := w.store.Write(t.Context(), table.Update(state).Set("emailVerified", false)); err != nil {
		t.Fatal(err)
	}
	_, err = w.orgs.Accept(w.as(erin), token)
	wantCode(t, err, fault.CodeForbidden)
	if err := w.store.Write(t.Context(), table.Update(state).Set("emailVerified", true)); err != nil {
		t.Fatal(err)
	}
	got := w.do(erin, "POST", "/api/invitations/accept", map[string]any{"token": token})
	if got.status != http.StatusOK || !strings.Contains(got.body, `"role":"manager"`) {
		t.Fatalf("accept: %+v", got)
	}
	again := w.do(erin, "POST", "/api/invitations/accept", map[string]any{"token": token})
	if again != got {
		t.Errorf("a repeated acceptance: %+v", again)
	}
	if err := w.orgs.Remove(w.as(alice), orgID, erin); err != nil {
		t.Fatal(err)
	}
	_, err = w.orgs.Accept(w.as(erin), token) // it does not bring a removed member back
	wantCode(t, err, fault.CodeInvalidOneTime)
	list := w.do(alice, "GET", "/api/organizations/"+orgID+"/invitations", nil)
	if !strings.Contains(list.body, `"status":"accepted"`) || !strings.Contains(list.body, `"email":"erin@example.com"`) || strings.Contains(list.body, "hash") {
		t.Errorf("list: %s", list.body)
	}
}

func TestATokenThatDoesNotWorkIsOneFault(t *testing.T) {
	w := newWorld(t)
	alice, erin := w.user("alice"), w.user("erin")
	orgID := w.organization(alice)
	id, revoked := w.invite(orgID, alice, "erin@example.com", access.RoleMember)
	if got := w.do(alice, "DELETE", "/api/organizations/"+orgID+"/invitations/"+id, nil); got.status != 204 {
		t.Fatalf("revoke: %+v", got)
	}
	if got := w.do(alice, "DELETE", "/api/organizations/"+orgID+"/invitations/"+id, nil); got.status != 404 {
		t.Errorf("revoke again: %+v", got)
	}
	dead := w.organization(alice)
	_, ofDead := w.invite(dead, alice, "erin@example.com", access.RoleMember)
	if err := w.orgs.Delete(w.as(alice), dead); err != nil {
		t.Fatal(err)
	}
	_, live := w.invite(orgID, alice, "erin@example.com", access.RoleMember)
	other := live[:len(live)-6] + "AAAAA" + live[len(live)-1:]
	_, late := w.invite(orgID, alice, "erin@example.com", access.RoleMember)
	for name, token := range map[string]string{
		"revoked": revoked, "of a deleted organization": ofDead, "empty": "", "garbage": "lyi_x", "no prefix": live[4:],
		"another secret": other, "longer": live + "AAAA", "space": live + " ", "another kind": "lyv_" + live[4:],
	} {
		_, err := w.orgs.Accept(w.as(erin), token)
		if !fault.HasCode(err, fault.CodeInvalidOneTime) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.pass(w.deps.Config.Account.InviteTTL)
	_, err := w.orgs.Accept(w.as(erin), late)
	wantCode(t, err, fault.CodeInvalidOneTime)
	list, err := w.orgs.Invitations(w.as(alice), orgID, listOf(100, ""))
	if err != nil || len(list.Items) != 2 || list.Items[0].Status != "expired" {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestTwoInvitationsAcceptedAtOnceMakeOneMembership(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	for round := range 20 {
		name := "erin" + string(rune('a'+round))
		erin := w.user(name)
		_, first := w.invite(orgID, alice, name+"@example.com", access.RoleAdmin)
		_, second := w.invite(orgID, alice, name+"@example.com", access.RoleViewer)
		accept := func(token string) func() error {
			return func() error { _, err := w.orgs.Accept(w.as(erin), token); return err }
		}
		errs := race(accept(first), accept(second), accept(first), accept(second), accept(first))
		if n := successes(errs); n != 5 {
			t.Fatalf("round %d: %v", round, errs)
		}
		m, err := w.orgs.Get(w.as(erin), orgID)
		if err != nil || m.Role != access.RoleAdmin && m.Role != access.RoleViewer {
			t.Fatalf("round %d: %+v, %v", round, m, err)
		}
		counted, kept := w.adminsOf(orgID, alice, erin)
		if int64(counted) != kept {
			t.Fatalf("round %d: %d admins, the count says %d", round, counted, kept)
		}
		if err := w.orgs.Remove(w.as(alice), orgID, erin); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAMemberWhoAcceptsKeepsTheirRole(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	bob := w.member(orgID, alice, "bob", access.RoleMember)
	_, token := w.invite(orgID, alice, "bob@example.com", access.RoleAdmin)
	o, err := w.orgs.Accept(w.as(bob), token)
	if err != nil || o.Role != access.RoleMember {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAnAddressThatHadItsFillOfMailIsNotInvited(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	w.budget = false
	_, err := w.orgs.Invite(w.as(alice), orgID, "erin@example.com", access.RoleMember)
	wantCode(t, err, fault.CodeThrottled)
}

func TestOnlyActiveUsersBecomeMembers(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	for _, status := range []account.Status{account.Pending, account.Suspended} {
		u := w.user(string(status))
		if err := w.store.Write(t.Context(), table.Update(table.UserState(u)).Set("status", status)); err != nil {
			t.Fatal(err)
		}
		_, err := w.orgs.Add(w.as(alice), orgID, u, access.RoleAdmin)
		wantCode(t, err, fault.CodeNotFound)
		_, err = w.orgs.Create(w.as(u), "x")
		wantCode(t, err, fault.CodeSessionRevoked)
		_, token := w.invite(orgID, alice, string(status)+"@example.com", access.RoleMember)
		_, err = w.orgs.Accept(w.as(u), token)
		wantCode(t, err, fault.CodeForbidden)
	}
}

func TestTheInvitationPageUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	before := w.items()
	got := w.do("", "GET", "/api/invitations/accept/lyi_x", nil)
	if got.status != 200 || !strings.Contains(got.body, "<button") || strings.Contains(got.body, "lyi_x") {
		t.Errorf("%+v", got)
	}
	if after := w.items(); len(after) != len(before) {
		t.Errorf("%v", after)
	}
}

func TestAnInvitationsTokenIsNotInTheTable(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	_, token := w.invite(w.organization(alice), alice, "erin@example.com", access.RoleMember)
	err := w.store.Scan(t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			var m map[string]any
			if err := r.Decode(&m); err != nil {
				return err
			}
			for k, v := range m {
				if s, ok := v.(string); ok && strings.Contains(s, token[len(token)-20:]) {
					t.Errorf("%s holds it", k)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
