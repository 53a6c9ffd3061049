package access_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

var update = flag.Bool("update", false, "write the golden files")

// The truth table: every power × role × grant for an entity, and besides × share
// for a document, in every state a fact can be in. It is checked in and
// reviewed; a change of the rules shows as a change of that file.
func TestTruthTable(t *testing.T) {
	path := filepath.Join("testdata", "truthtable.txt")
	got := truthTable()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d differs: got %q; go test -update writes it anew", i+1, g[min(i, len(g)-1)])
		}
	}
}

// state is one state that one fact can be in.
type state struct {
	name string
	set  func(*access.Facts)
}

func truthTable() []byte {
	past, future := epoch.Add(-time.Hour), epoch.Add(time.Hour)
	delegation := func(scope string, end time.Time) func(*access.Facts) {
		return func(f *access.Facts) { f.Delegations[scope] = access.Delegation{Scope: scope, ExpiresAt: end} }
	}
	nothing := func(*access.Facts) {}
	powers := []state{
		{"no power", nothing},
		{"super admin", func(f *access.Facts) { f.SuperAdmin = true }},
		{"delegation over the platform", delegation(access.ScopePlatform, future)},
		{"delegation over this organization", delegation("o", future)},
		{"delegation over another organization", delegation("other", future)},
		{"expired delegation over the platform", delegation(access.ScopePlatform, past)},
		{"expired delegation over this organization", delegation("o", past)},
		{"delegation without an end", delegation(access.ScopePlatform, time.Time{})},
	}
	roles := []state{{"-", nothing}}
	for _, role := range access.OrgRoles() {
		roles = append(roles, state{role.String(), func(f *access.Facts) {
			f.Memberships["o"] = access.Membership{OrganizationID: "o", Role: role}
		}})
	}
	roles = append(roles, state{"admin*", func(f *access.Facts) {
		f.Memberships["other"] = access.Membership{OrganizationID: "other", Role: access.RoleAdmin}
	}})
	grant := func(level access.Level, end time.Time) func(*access.Facts) {
		return func(f *access.Facts) { f.Grants["e"] = access.Grant{EntityID: "e", Level: level, ExpiresAt: end} }
	}
	grants := []state{{"-", nothing}}
	for _, level := range access.Levels() {
		grants = append(grants, state{level.String(), grant(level, future)})
	}
	grants = append(grants, state{"expired", grant(access.LevelAdmin, past)})
	share := func(level access.Level, end time.Time) func(*access.Facts) {
		return func(f *access.Facts) { f.Shares["d"] = access.Share{DocumentID: "d", Level: level, ExpiresAt: end} }
	}
	shares := []state{
		{"-", nothing},
		{"viewer", share(access.LevelViewer, future)},
		{"editor", share(access.LevelEditor, time.Time{})},
		{"expired", share(access.LevelEditor, past)},
	}

	var out bytes.Buffer
	out.WriteString(`What a user holds on an entity and on a document of it, by the facts there are.
A cell is the level and where it comes from; "." is nothing.
Columns "grant": the entity, by the grant on it. Columns "share": the document,
by the share on it, with the row's grant. admin* is admin of another organization.

level    view edit create delete share manage
`)
	for _, l := range append([]access.Level{access.LevelNone}, access.Levels()...) {
		fmt.Fprintf(&out, "%-8s", l)
		for _, a := range access.Actions() {
			mark := "-"
			if l.Allows(a) {
				mark = "x"
			}
			fmt.Fprintf(&out, " %-*s", len(a.String()), mark)
		}
		out.WriteString("\n")
	}
	for _, p := range powers {
		fmt.Fprintf(&out, "\n== %s\n\n", p.name)
		table(&out, "role", "grant", roles, grants, func(role, g state) string {
			return cell(access.Resource{Kind: access.KindEntity, ID: "e", OrganizationID: "o"}, p, role, g)
		})
		for _, role := range roles {
			fmt.Fprintf(&out, "\n-- document, %s, role %s\n", p.name, role.name)
			table(&out, "grant", "share", grants, shares, func(g, s state) string {
				return cell(access.Resource{Kind: access.KindDocument, ID: "d", EntityID: "e", OrganizationID: "o"}, p, role, g, s)
			})
		}
	}
	return trimLines(out.Bytes())
}

func table(out *bytes.Buffer, rowName, columnName string, rows, columns []state, cell func(row, column state) string) {
	fmt.Fprintf(out, "%-8s", rowName)
	for _, c := range columns {
		fmt.Fprintf(out, " %-19s", columnName+" "+c.name)
	}
	out.WriteString("\n")
	for _, r := range rows {
		fmt.Fprintf(out, "%-8s", r.name)
		for _, c := range columns {
			fmt.Fprintf(out, " %-19s", cell(r, c))
		}
		out.WriteString("\n")
	}
}

func cell(r access.Resource, states ...state) string {
	f := clone(access.Facts{})
	for _, s := range states {
		s.set(&f)
	}
	got := access.Resolve(&f, &r, epoch)
	if got.Level == access.LevelNone {
		return "."
	}
	return got.Level.String() + "/" + got.Source.String()
}

func trimLines(b []byte) []byte {
	lines := strings.Split(string(b), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return []byte(strings.Join(lines, "\n"))
}
