package facts_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newID(t testing.TB) string {
	t.Helper()
	s, err := id.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, tab *table.Table, items ...any) {
	t.Helper()
	for _, it := range items {
		if err := tab.Write(t.Context(), table.Put(it)); err != nil {
			t.Fatal(err)
		}
	}
}

type metaItem struct {
	table.Key
	ID     string `dynamo:"id"`
	Org    string `dynamo:"org,omitempty"`
	Entity string `dynamo:"entity,omitempty"`
}

func organization(o string) metaItem { return metaItem{Key: table.Organization(o), ID: o} }
func entity(e, o string) metaItem    { return metaItem{Key: table.Entity(e), ID: e, Org: o} }
func document(d, e, o string) metaItem {
	return metaItem{Key: table.Document(d), ID: d, Entity: e, Org: o}
}

// world is one user with one fact of each kind.
type world struct {
	tab                          *table.Table
	src                          *facts.Source
	user, by, org, entity, share string
}

func newWorld(t *testing.T) *world {
	w := &world{tab: dynamotest.New(t).Table, user: newID(t), by: newID(t), org: newID(t), entity: newID(t), share: newID(t)}
	w.src = facts.New(w.tab)
	ends := now.Add(time.Hour)
	put(t, w.tab,
		facts.NewMembership(w.user, w.org, access.RoleViewer, w.by, now),
		facts.NewGrant(w.user, w.entity, w.org, access.LevelEditor, w.by, now, ends),
		facts.NewShare(w.user, w.share, w.org, access.LevelViewer, w.by, now, time.Time{}),
		facts.NewDelegation(newID(t), w.user, w.org, w.by, "holiday cover", now, ends),
		facts.NewDelegation(newID(t), w.user, access.ScopePlatform, w.by, "incident", now, ends),
		facts.NewSuperAdmin(w.user, now))
	return w
}

func TestFactsReadsEveryKindBack(t *testing.T) {
	w := newWorld(t)
	about := []access.Resource{
		{Kind: access.KindEntity, ID: w.entity, OrganizationID: w.org},
		{Kind: access.KindDocument, ID: w.share, EntityID: w.entity, OrganizationID: w.org},
	}
	all, err := w.src.Facts(t.Context(), w.user, 100)
	if err != nil {
		t.Fatal(err)
	}
	points, err := w.src.FactsAbout(t.Context(), w.user, about)
	if err != nil {
		t.Fatal(err)
	}
	if !all.Complete {
		t.Error("six facts within a limit of 100 are not complete")
	}
	for name, f := range map[string]access.Facts{"Facts": all, "FactsAbout": points} {
		ends := now.Add(time.Hour)
		if !f.SuperAdmin {
			t.Errorf("%s: the platform role is missing", name)
		}
		if got, want := f.Memberships[w.org], (access.Membership{OrganizationID: w.org, Role: access.RoleViewer}); got != want {
			t.Errorf("%s: membership %+v, want %+v", name, got, want)
		}
		if got, want := f.Grants[w.entity], (access.Grant{EntityID: w.entity, OrganizationID: w.org, Level: access.LevelEditor, GrantedBy: w.by, ExpiresAt: ends}); got != want {
			t.Errorf("%s: grant %+v, want %+v", name, got, want)
		}
		if got, want := f.Shares[w.share], (access.Share{DocumentID: w.share, OrganizationID: w.org, Level: access.LevelViewer, GrantedBy: w.by}); got != want {
			t.Errorf("%s: share %+v, want %+v", name, got, want)
		}
		if got, want := f.Delegations[w.org], (access.Delegation{Scope: w.org, GrantedBy: w.by, ExpiresAt: ends, Reason: "holiday cover"}); got != want {
			t.Errorf("%s: delegation %+v, want %+v", name, got, want)
		}
		if got := f.Delegations[access.ScopePlatform].Reason; got != "incident" {
			t.Errorf("%s: platform delegation has reason %q", name, got)
		}
	}
}

func TestFactsBeyondTheLimitKeepsThePowersWhole(t *testing.T) {
	w := newWorld(t)
	for _, limit := range []int{0, 1, 5} {
		f, err := w.src.Facts(t.Context(), w.user, limit)
		if err != nil {
			t.Fatal(err)
		}
		if f.Complete || !f.SuperAdmin || len(f.Delegations) != 2 {
			t.Errorf("limit %d: complete %v, super admin %v, %d delegations", limit, f.Complete, f.SuperAdmin, len(f.Delegations))
		}
	}
	if f, err := w.src.Facts(t.Context(), w.user, 6); err != nil || !f.Complete {
		t.Errorf("six facts within a limit of six: complete %v, %v", f.Complete, err)
	}
}

func TestNobodyHasNoFacts(t *testing.T) {
	src := facts.New(dynamotest.New(t).Table)
	for _, user := range []string{newID(t), "", "USER#x", "../x"} {
		f, err := src.Facts(t.Context(), user, 10)
		if err != nil || !f.Complete || f.SuperAdmin || len(f.Memberships)+len(f.Delegations) > 0 {
			t.Errorf("%q: %+v, %v", user, f, err)
		}
		if f, err = src.FactsAbout(t.Context(), user, []access.Resource{{Kind: access.KindEntity, ID: "x", OrganizationID: "y"}}); err != nil || f.SuperAdmin {
			t.Errorf("%q: %+v, %v", user, f, err)
		}
		if held, err := src.Held(t.Context(), user, access.KindEntity, "", 10); err != nil || len(held) > 0 {
			t.Errorf("%q holds %v, %v", user, held, err)
		}
	}
}

func TestAFactThatCannotBeReadFailsTheRead(t *testing.T) {
	for name, item := range map[string]any{
		"unknown role": struct {
			table.Key
			Role string `dynamo:"role"`
		}{table.Membership("u", uuid.Nil.String()), "owner"},
		"unknown kind": struct{ table.Key }{table.Key{PK: "u", SK: table.PrefixAccess + "SPELL#x"}},
	} {
		t.Run(name, func(t *testing.T) {
			tab, user := dynamotest.New(t).Table, newID(t)
			switch it := item.(type) {
			case struct{ table.Key }:
				it.PK = table.User(user)
				item = it
			case struct {
				table.Key
				Role string `dynamo:"role"`
			}:
				it.PK = table.User(user)
				item = it
			}
			put(t, tab, item)
			if f, err := facts.New(tab).Facts(t.Context(), user, 10); err == nil {
				t.Errorf("read %+v", f)
			}
		})
	}
}

func TestHeldListsInOrderFromAPlaceOn(t *testing.T) {
	tab, user, org := dynamotest.New(t).Table, newID(t), newID(t)
	var ids []string
	for range 7 {
		e := newID(t)
		ids = append(ids, e)
		put(t, tab, facts.NewGrant(user, e, org, access.LevelViewer, user, now, time.Time{}),
			facts.NewShare(user, e, org, access.LevelViewer, user, now, time.Time{}),
			facts.NewMembership(user, e, access.RoleMember, user, now))
	}
	slices.Sort(ids)
	src := facts.New(tab)
	for _, kind := range []access.Kind{access.KindEntity, access.KindDocument, access.KindOrganization} {
		for from := range ids {
			for _, limit := range []int{1, 3, 100} {
				got, err := src.Held(t.Context(), user, kind, ids[from], limit)
				if err != nil {
					t.Fatal(err)
				}
				want := ids[from:min(len(ids), from+limit)]
				for i, r := range got {
					if len(got) != len(want) || r.ID != want[i] || r.Kind != kind {
						t.Fatalf("%s from %d limit %d: %v, want %v", kind, from, limit, got, want)
					}
				}
			}
		}
	}
	if _, err := src.Held(t.Context(), user, access.KindPlatform, "", 1); err == nil {
		t.Error("facts about the platform were listed")
	}
}

func TestResourcesLeaveOutWhatLiesUnderSomethingDeleted(t *testing.T) {
	tab := dynamotest.New(t).Table
	src := facts.New(tab)
	org, gone := newID(t), newID(t)
	whole, orphan, lost := newID(t), newID(t), newID(t)
	doc, docOfGoneEntity, docOfGoneOrg := newID(t), newID(t), newID(t)
	put(t, tab, organization(org), entity(whole, org), entity(lost, gone),
		document(doc, whole, org), document(docOfGoneEntity, orphan, org), document(docOfGoneOrg, lost, gone))
	refs := []access.Ref{
		{Kind: access.KindOrganization, ID: org}, {Kind: access.KindOrganization, ID: gone},
		{Kind: access.KindEntity, ID: whole}, {Kind: access.KindEntity, ID: lost}, {Kind: access.KindEntity, ID: orphan},
		{Kind: access.KindDocument, ID: doc}, {Kind: access.KindDocument, ID: docOfGoneEntity}, {Kind: access.KindDocument, ID: docOfGoneOrg},
		{Kind: access.KindEntity, ID: "x#y"}, {Kind: access.KindPlatform, ID: org}, {Kind: access.KindDocument, ID: whole},
	}
	got, err := src.Resources(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	want := []access.Resource{
		{Kind: access.KindOrganization, ID: org, OrganizationID: org},
		{Kind: access.KindEntity, ID: whole, OrganizationID: org},
		{Kind: access.KindDocument, ID: doc, EntityID: whole, OrganizationID: org},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for _, w := range want { // alone, so that the parents are read in the second request
		if got, err := src.Resources(t.Context(), []access.Ref{w.Ref()}); err != nil || len(got) != 1 || got[0] != w {
			t.Errorf("%s alone: %+v, %v", w.Kind, got, err)
		}
	}
	nowhere := newID(t)
	put(t, tab, entity(nowhere, ""))
	if got, err := src.Resources(t.Context(), []access.Ref{{Kind: access.KindEntity, ID: nowhere}}); err == nil {
		t.Errorf("an entity that belongs nowhere: %+v", got)
	}
}

func TestACheckerAnswersFromTheTable(t *testing.T) {
	w := newWorld(t)
	put(t, w.tab, organization(w.org), entity(w.entity, w.org), document(w.share, w.entity, w.org))
	for _, sk := range []table.Key{table.SuperAdmin(w.user), table.Delegation(w.user, w.org), table.Delegation(w.user, access.ScopePlatform)} {
		if err := w.tab.Write(t.Context(), table.Delete(sk)); err != nil {
			t.Fatal(err)
		}
	}
	for _, most := range []int{100, 1} { // all facts at once, and resource by resource
		c, err := access.New(w.src, w.src, access.Config{MaxFacts: most, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.Check(t.Context(), w.user, access.Ref{Kind: access.KindEntity, ID: w.entity}, access.ActionEdit, access.Strong)
		if err != nil || !d.Allowed || d.Source != access.FromGrant {
			t.Errorf("at most %d facts: %+v, %v", most, d, err)
		}
	}
}

func TestAGrantIsCountedUnderItsMembership(t *testing.T) {
	tab, user, org := dynamotest.New(t).Table, newID(t), newID(t)
	if err := tab.Write(t.Context(), facts.UnderMembership(user, org).Else(table.ErrNotFound)); err != table.ErrNotFound {
		t.Fatalf("without a membership: %v", err)
	}
	put(t, tab, facts.NewMembership(user, org, access.RoleMember, "", now))
	for range 2 {
		if err := tab.Write(t.Context(), facts.UnderMembership(user, org)); err != nil {
			t.Fatal(err)
		}
	}
	var m facts.Membership
	if err := tab.Get(t.Context(), table.Membership(user, org), table.Strong, &m); err != nil || m.Issued != 2 || m.Role != access.RoleMember {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestExpiredFactsAreNotLive(t *testing.T) {
	ends := now.Add(time.Second)
	g := facts.NewGrant("u", "e", "o", access.LevelViewer, "b", now, ends)
	s := facts.NewShare("u", "d", "o", access.LevelViewer, "b", now, ends)
	d := facts.NewDelegation("i", "u", "platform", "b", "r", now, ends)
	for at, want := range map[time.Time]bool{now: true, ends: false, ends.Add(time.Hour): false} {
		if g.Live(at) != want || s.Live(at) != want || d.Live(at) != want {
			t.Errorf("at %v: %v %v %v, want %v", at, g.Live(at), s.Live(at), d.Live(at), want)
		}
	}
	if g.TTL != ends.Unix() || d.TTL != ends.Unix() {
		t.Errorf("ttl %d, want %d", g.TTL, ends.Unix())
	}
	forever := facts.NewGrant("u", "e", "o", access.LevelViewer, "b", now, time.Time{})
	if !forever.Live(now.AddDate(100, 0, 0)) || forever.TTL != 0 {
		t.Error("a grant without an end ends")
	}
}
