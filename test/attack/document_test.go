package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// list is every case that the product is held to. docs/security.md says of
// each what holds it.
const list = "A1 A2 A4 A5 A7 A8 A10 A11 A13 A14 A16 A17 A19 A20 A22 A23 A25 A26 A28 A29 " +
	"B1 B2 B4 B5 B7 B8 B10 B11 B13 B14 B16 B17 C1 C2 C4 C5 C7 C8 C10 C11 C13 C14 C16 C17 C19 " +
	"D1 D2 D4 D5 D7 D8 D10 D11 D13 D14 D16 D17 D19 D20 D22 E1 E2 E4 E5 E7 E8 F1 F2 F4 F5 F7 F8 F10 F11 F13 " +
	"G1 G2 G4 G5 G7 G8 G10 G13 G14 G16 G17 G19 G11 H1 H2 H4 H5 H7 H8 H10 H11 I1 I2 I4 I5 I7 I8 I10 J1 J2 J4 J5 J7 " +
	"K1 K2 K4 K5 K7 K8 L1 L2 L4 L5 L7 L8 L10 L11 M1 M2 M4 M5 M7 M8"

// row is one case in docs/security.md.
type row struct{ id, does, test, status string }

// documented reads the table of cases.
func documented(t *testing.T) map[string]row {
	t.Helper()
	raw, err := os.ReadFile(root + "/docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	caseID := regexp.MustCompile(`^[A-M]\d+$`)
	out := map[string]row{}
	for line := range strings.SplitSeq(string(raw), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 4 || !caseID.MatchString(cells[0]) {
			continue
		}
		if _, twice := out[cells[0]]; twice {
			t.Errorf("%s has two rows", cells[0])
		}
		out[cells[0]] = row{cells[0], cells[1], cells[2], cells[3]}
	}
	return out
}

// tests gives the names of the test functions of a folder.
func tests(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)
	out := map[string]bool{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range declaration.FindAllStringSubmatch(string(raw), -1) {
			out[match[1]] = true
		}
	}
	return out
}

// TestEveryCaseIsHeldByATestOrSaidNotToBe holds docs/security.md to the tests:
// every case of the list has a row; what a row names exists; what is tried here
// is listed; and what is not met says why.
func TestEveryCaseIsHeldByATestOrSaidNotToBe(t *testing.T) {
	rows := documented(t)
	here := map[string]attack{}
	for _, a := range attacks() {
		if _, twice := here[a.id]; twice {
			t.Errorf("%s is tried twice", a.id)
		}
		here[a.id] = a
	}
	ids := strings.Fields(list)
	for _, id := range ids {
		r, listed := rows[id]
		if !listed {
			t.Errorf("docs/security.md has no row for %s", id)
			continue
		}
		named := 0
		for part := range strings.SplitSeq(r.test, "`") {
			folder, name, found := strings.Cut(part, " ")
			switch {
			case strings.HasPrefix(part, "test/attack "):
				a, exists := here[id]
				if named++; !exists || name != id+" "+a.does {
					t.Errorf("%s: no case is named %q", id, name)
				}
			case found && (strings.HasPrefix(folder, "test/") || strings.HasPrefix(folder, "pkg/") || strings.HasPrefix(folder, "conformance") || strings.HasPrefix(folder, "internal/")):
				if named++; !tests(t, folder)[name] {
					t.Errorf("%s: %s has no %s", id, folder, name)
				}
			}
		}
		switch {
		case r.status == "met" && named == 0:
			t.Errorf("%s is met by no test", id)
		case strings.HasPrefix(r.status, "met, except"), strings.HasPrefix(r.status, "not met, because"):
			if len(r.status) < 40 {
				t.Errorf("%s: %q is no reason", id, r.status)
			}
		case r.status != "met":
			t.Errorf("%s: status %q", id, r.status)
		}
	}
	for id := range rows {
		if !slices.Contains(ids, id) {
			t.Errorf("docs/security.md lists %s, which is no case", id)
		}
	}
	for id, a := range here {
		if !strings.Contains(rows[id].test, fmt.Sprintf("`test/attack %s %s`", id, a.does)) {
			t.Errorf("%s is tried here, and its row does not say so", id)
		}
	}
}
