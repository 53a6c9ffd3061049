package authority_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rights lists one authority of each kind with the item it rests on.
func rights(user string) map[string]struct {
	a    authority.Authority
	item any
	key  table.Key
} {
	org, entity, doc := uuid.NewString(), uuid.NewString(), uuid.NewString()
	ends := now.Add(time.Minute)
	type right = struct {
		a    authority.Authority
		item any
		key  table.Key
	}
	return map[string]right{
		"role": {authority.InOrganization(user, access.OrgStanding{Role: access.RoleAdmin, Source: access.FromOrgRole, Because: access.Fact{Kind: access.FactMembership, ID: org}}),
			facts.NewMembership(user, org, access.RoleAdmin, "", now), table.Membership(user, org)},
		"role on an entity": {authority.On(user, access.Standing{Level: access.LevelManager, Source: access.FromOrgRole, Because: access.Fact{Kind: access.FactMembership, ID: org}}),
			facts.NewMembership(user, org, access.RoleManager, "", now), table.Membership(user, org)},
		"grant": {authority.On(user, access.Standing{Level: access.LevelEditor, Source: access.FromGrant, Because: access.Fact{Kind: access.FactGrant, ID: entity}}),
			facts.NewGrant(user, entity, org, access.LevelEditor, "", now, ends), table.Grant(user, entity)},
		"share": {authority.On(user, access.Standing{Level: access.LevelEditor, Source: access.FromShare, Because: access.Fact{Kind: access.FactShare, ID: doc}}),
			facts.NewShare(user, doc, org, access.LevelEditor, "", now, time.Time{}), table.Share(user, doc)},
		"super admin": {authority.On(user, access.Standing{Level: access.LevelAdmin, Source: access.FromSuperAdmin, Because: access.Fact{Kind: access.FactSuperAdmin}}),
			facts.NewSuperAdmin(user, now), table.SuperAdmin(user)},
		"delegation": {authority.InOrganization(user, access.OrgStanding{Role: access.RoleAdmin, Source: access.FromSuperAdmin, Because: access.Fact{Kind: access.FactDelegation, ID: org}}),
			facts.NewDelegation("id", user, org, "root", "why", now, ends), table.Delegation(user, org)},
	}
}

func TestAWriteHoldsOnlyWhileTheRightDoes(t *testing.T) {
	tab, user := dynamotest.New(t).Table, uuid.NewString()
	write := func(a authority.Authority, at time.Time) error {
		return tab.Transact(t.Context(), a.Holds(at), table.Put(struct{ table.Key }{table.Key{PK: "X", SK: "X"}}))
	}
	for name, r := range rights(user) {
		t.Run(name, func(t *testing.T) {
			if err := write(r.a, now); !fault.HasCode(err, fault.CodeForbidden) {
				t.Errorf("without the fact: %v", err)
			}
			if err := tab.Write(t.Context(), table.Put(r.item)); err != nil {
				t.Fatal(err)
			}
			if err := write(r.a, now); err != nil {
				t.Errorf("with the fact: %v", err)
			}
			if name == "grant" || name == "delegation" {
				if err := write(r.a, now.Add(time.Hour)); !fault.HasCode(err, fault.CodeForbidden) {
					t.Errorf("after its end: %v", err)
				}
			}
			if r.a.Holds(now, r.key) != nil {
				t.Error("a condition on an item that is written anyway")
			}
			if err := tab.Write(t.Context(), table.Delete(r.key)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := write(authority.Authority{UserID: user}, now); !fault.HasCode(err, fault.CodeForbidden) {
		t.Errorf("the zero authority: %v", err)
	}
	demoted := facts.NewMembership(user, uuid.NewString(), access.RoleManager, "", now)
	if err := tab.Write(t.Context(), table.Put(demoted)); err != nil {
		t.Fatal(err)
	}
	was := authority.InOrganization(user, access.OrgStanding{Role: access.RoleAdmin, Source: access.FromOrgRole, Because: access.Fact{Kind: access.FactMembership, ID: demoted.OrgID}})
	if err := write(was, now); !fault.HasCode(err, fault.CodeForbidden) {
		t.Errorf("after a demotion: %v", err)
	}
}

func TestTheTrailNamesPowerThatIsNotTheUsersOwn(t *testing.T) {
	for name, r := range rights("u") {
		details := map[string]string{"reason": "x"}
		e := r.a.Event(audit.Event{Details: details})
		want := map[string]string{"super admin": "super_admin", "delegation": "delegation"}[name]
		if e.Details["power"] != want || e.Details["reason"] != "x" || len(details) != 1 {
			t.Errorf("%s: %v, and the caller's own map %v", name, e.Details, details)
		}
		if lent := name == "delegation"; r.a.Lent() != lent || (r.a.Limited() != nil) != lent {
			t.Errorf("%s: lent %v, limited %v, details %v", name, r.a.Lent(), r.a.Limited(), e.Details)
		}
		pwd, otp := &caller.Principal{AMR: []string{"pwd"}}, &caller.Principal{AMR: []string{"pwd", "otp"}}
		if err := r.a.SecondFactor(true, pwd); fault.HasCode(err, fault.CodeMFARequired) != (want != "") {
			t.Errorf("%s with a password only: %v", name, err)
		}
		if r.a.SecondFactor(true, otp) != nil || r.a.SecondFactor(false, pwd) != nil {
			t.Errorf("%s: refused with a second factor, or where none is required", name)
		}
	}
	if e := (authority.Authority{Source: access.FromSuperAdmin}).Event(audit.Event{}); e.Details["power"] == "" {
		t.Error("no details, no power")
	}
}

func TestCallerFailsClosed(t *testing.T) {
	for _, ctx := range []context.Context{context.Background(), caller.With(context.Background(), &caller.Caller{})} {
		if p, err := authority.Caller(ctx); p != nil || !fault.HasCode(err, fault.CodeUnauthenticated) {
			t.Errorf("%v, %v", p, err)
		}
	}
	ctx := caller.With(context.Background(), &caller.Caller{Principal: &caller.Principal{UserID: "u"}})
	if p, err := authority.Caller(ctx); err != nil || p.UserID != "u" {
		t.Errorf("%v, %v", p, err)
	}
	if authority.RequireSecondFactor(nil) == nil {
		t.Error("nobody has a second factor")
	}
}
