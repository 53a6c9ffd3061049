package access_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

func TestTheTableOfLevelsAndActions(t *testing.T) {
	table := map[access.Level]string{
		access.LevelNone:    "",
		access.LevelViewer:  "view",
		access.LevelEditor:  "view edit create",
		access.LevelManager: "view edit create delete share",
		access.LevelAdmin:   "view edit create delete share manage",
		access.Level(5):     "",
		access.Level(255):   "",
	}
	for level, want := range table {
		var got []string
		for _, a := range level.Actions() {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", level, got, want)
		}
		for _, a := range []access.Action{0, 7, 255} {
			if level.Allows(a) {
				t.Errorf("%v allows action %d", level, a)
			}
		}
	}
}

// Every word is read back as what wrote it, and nothing else is read.
func TestWordsAreReadAsTheyAreWritten(t *testing.T) {
	roundTrip(t, access.ParseLevel, access.LevelNone, access.LevelViewer, access.LevelEditor, access.LevelManager, access.LevelAdmin)
	roundTrip(t, access.ParseGrantLevel, access.Levels()...)
	roundTrip(t, access.ParseShareLevel, access.LevelViewer, access.LevelEditor)
	roundTrip(t, access.ParseAction, access.Actions()...)
	roundTrip(t, access.ParseOrgRole, access.OrgRoles()...)
	roundTrip(t, access.ParseOrigin, access.FromNone, access.FromOrgRole, access.FromGrant, access.FromShare, access.FromSuperAdmin)
	for _, s := range []string{"none", "NONE", "Viewer", "", "unknown", "owner", " viewer"} {
		if l, err := access.ParseGrantLevel(s); err == nil {
			t.Errorf("a grant of %q is %v", s, l)
		}
		if l, err := access.ParseShareLevel(s); err == nil {
			t.Errorf("a share as %q is %v", s, l)
		}
		if r, err := access.ParseOrgRole(s); err == nil {
			t.Errorf("a role %q is %v", s, r)
		}
	}
	if _, err := access.ParseShareLevel("manager"); err == nil {
		t.Error("a document can be shared as manager")
	}
}

func roundTrip[T interface {
	comparable
	String() string
}](t *testing.T, parse func(string) (T, error), values ...T) {
	t.Helper()
	for _, v := range values {
		if got, err := parse(v.String()); err != nil || got != v {
			t.Errorf("%v is read as %v, %v", v, got, err)
		}
		text, err := json.Marshal(v)
		if err != nil || string(text) != `"`+v.String()+`"` {
			t.Errorf("%v is written as %s, %v", v, text, err)
		}
		var back T
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s is read as %v, %v", text, back, err)
		}
		if err := json.Unmarshal([]byte(`"nonsense"`), &back); err == nil || back != v {
			t.Errorf("nonsense is read as %v, %v", back, err)
		}
	}
	for _, s := range []string{"", "unknown", "nonsense", strings.ToUpper(values[0].String())} {
		if got, err := parse(s); err == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

func TestWhatIsNotAWordIsNotWritten(t *testing.T) {
	for _, v := range []any{access.Level(5), access.Action(0), access.Action(7), access.OrgRole(5), access.Origin(5)} {
		if text, err := json.Marshal(v); err == nil {
			t.Errorf("%#v is written as %s", v, text)
		}
		if s := v.(interface{ String() string }).String(); s != "unknown" {
			t.Errorf("%#v calls itself %s", v, s)
		}
	}
	var r access.OrgRole
	if err := json.Unmarshal([]byte(`"none"`), &r); err != nil || r != access.RoleNone {
		t.Errorf("no role: %v, %v", r, err)
	}
	for k, want := range map[access.Kind]string{
		access.KindOrganization: "organization", access.KindEntity: "entity",
		access.KindDocument: "document", access.KindPlatform: "platform", 0: "unknown",
	} {
		if k.String() != want {
			t.Errorf("kind %d is %s", k, k)
		}
	}
	if access.Strong.String() != "strong" || access.Cached.String() != "cached" {
		t.Error("the consistencies are misspelt")
	}
}

func TestADecisionIsWrittenAsTheAPISaysAndItsZeroValueDenies(t *testing.T) {
	text, err := json.Marshal(access.Decision{})
	if err != nil || string(text) != `{"allowed":false,"level":"none","source":"none","reason":""}` {
		t.Errorf("%s, %v", text, err)
	}
	if d := (access.Standing{}).Decide(access.ActionView); d != access.Denied() {
		t.Errorf("of no standing: %+v", d)
	}
	for _, r := range universe {
		for _, a := range access.Actions() {
			if d := access.Decide(&access.Facts{}, &r, a, epoch); d != access.Denied() {
				t.Errorf("of zero facts: %+v", d)
			}
			if d := access.Decide(nil, &r, a, epoch); d != access.Denied() {
				t.Errorf("of no facts: %+v", d)
			}
		}
	}
	root := access.Facts{SuperAdmin: true}
	for _, r := range []access.Resource{
		{}, {Kind: access.KindEntity, ID: "e"}, {Kind: access.KindEntity, OrganizationID: "o"},
		{Kind: access.KindDocument, ID: "d", OrganizationID: "o"}, {Kind: access.KindOrganization, ID: "o", OrganizationID: "o"},
	} {
		if d := access.Decide(&root, &r, access.ActionView, epoch); d != access.Denied() {
			t.Errorf("%+v: %+v", r, d)
		}
	}
}

// What should not be in the store gives nothing more than it should.
func TestFactsOutOfRangeGiveNothing(t *testing.T) {
	r := access.Resource{Kind: access.KindDocument, ID: "d", EntityID: "e", OrganizationID: "o"}
	member := map[string]access.Membership{"o": {Role: access.RoleMember}}
	cases := map[string]struct {
		facts access.Facts
		want  access.Level
	}{
		"an unknown role":      {access.Facts{Memberships: map[string]access.Membership{"o": {Role: 9}}, Grants: map[string]access.Grant{"e": {Level: access.LevelAdmin}}}, access.LevelNone},
		"no role":              {access.Facts{Memberships: map[string]access.Membership{"o": {}}, Grants: map[string]access.Grant{"e": {Level: access.LevelAdmin}}}, access.LevelNone},
		"an unknown grant":     {access.Facts{Memberships: member, Grants: map[string]access.Grant{"e": {Level: 9}}}, access.LevelNone},
		"an unknown share":     {access.Facts{Shares: map[string]access.Share{"d": {Level: 9}}}, access.LevelNone},
		"a share as admin":     {access.Facts{Shares: map[string]access.Share{"d": {Level: access.LevelAdmin}}}, access.LevelEditor},
		"a delegation no end":  {access.Facts{Delegations: map[string]access.Delegation{"o": {}}}, access.LevelNone},
		"an unknown delegated": {access.Facts{Delegations: map[string]access.Delegation{"": {ExpiresAt: epoch.Add(1)}}}, access.LevelNone},
	}
	for name, k := range cases {
		if got := access.Resolve(&k.facts, &r, epoch); got.Level != k.want {
			t.Errorf("%s: %+v", name, got)
		}
		if got := access.DecideIndexed(&k.facts, []access.Resource{r}, access.ActionView, epoch)[0]; got.Level != k.want {
			t.Errorf("%s, indexed: %+v", name, got)
		}
	}
}

func TestWhatAnOrganizationRoleMayDoToTheOrganization(t *testing.T) {
	for role, want := range map[access.OrgRole]struct {
		level                  access.Level
		member, create, change bool
	}{
		access.RoleNone:    {access.LevelNone, false, false, false},
		access.RoleMember:  {access.LevelNone, true, false, false},
		access.RoleViewer:  {access.LevelViewer, true, false, false},
		access.RoleManager: {access.LevelManager, true, true, false},
		access.RoleAdmin:   {access.LevelAdmin, true, true, true},
		access.OrgRole(9):  {access.LevelNone, false, false, false},
	} {
		if role.Level() != want.level || role.IsMember() != want.member ||
			role.MayCreateEntities() != want.create || role.MayChangeOrganization() != want.change {
			t.Errorf("%v: %v %v %v %v", role, role.Level(), role.IsMember(), role.MayCreateEntities(), role.MayChangeOrganization())
		}
	}
}

// Who may give and change which grants: entity admins, organization admins and
// super-admin power all, organization managers up to manager, nobody else.
func TestNobodyGrantsAboveTheirOwnLevel(t *testing.T) {
	for _, source := range []access.Origin{access.FromNone, access.FromOrgRole, access.FromGrant, access.FromShare, access.FromSuperAdmin} {
		for level := access.LevelNone; level <= access.LevelAdmin; level++ {
			s := access.Standing{Level: level, Source: source}
			highest := access.LevelNone
			switch {
			case level == access.LevelAdmin:
				highest = access.LevelAdmin
			case level == access.LevelManager && source == access.FromOrgRole:
				highest = access.LevelManager
			}
			if s.Grantable() != highest || s.MaySeeGrants() != (highest != access.LevelNone) {
				t.Errorf("%+v: %v", s, s.Grantable())
			}
			for to := access.LevelNone; to <= access.LevelAdmin+1; to++ {
				may := to >= access.LevelViewer && to <= highest
				if s.MayGrant(to) != may {
					t.Errorf("%+v gives %v: %v", s, to, !may)
				}
				if s.MayGrant(to) && to > level {
					t.Errorf("%+v gives %v, above its own", s, to)
				}
				for from := access.LevelViewer; from <= access.LevelAdmin; from++ {
					want := from <= highest && to <= highest
					if s.MayChangeGrant(from, to) != want {
						t.Errorf("%+v changes %v to %v: %v", s, from, to, !want)
					}
				}
			}
		}
	}
}
