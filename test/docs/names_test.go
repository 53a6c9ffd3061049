package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// prose gives a page without its fenced blocks.
func prose(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestSettingsInTheDocumentsExist(t *testing.T) {
	known := map[string]bool{}
	for _, f := range config.Fields() {
		known[f.Variable] = true
	}
	name := regexp.MustCompile(`LANYARD_[A-Z0-9_]*[A-Z0-9]`)
	for _, path := range pages(t) {
		for _, n := range name.FindAllString(prose(t, path), -1) {
			if !known[n] && !strings.HasPrefix(n, "LANYARD_TEST_") {
				t.Errorf("%s: there is no %s", filepath.Base(path), n)
			}
		}
	}
}

func TestErrorCodesInTroubleshootingExist(t *testing.T) {
	var known []string
	for _, d := range fault.Descriptions() {
		known = append(known, string(d.Code))
	}
	found := 0
	for _, m := range regexp.MustCompile("[45][0-9][0-9] `([a-z_]+)`").FindAllStringSubmatch(prose(t, root+"/docs/troubleshooting.md"), -1) {
		found++
		if !slices.Contains(known, m[1]) {
			t.Errorf("there is no code %s", m[1])
		}
	}
	if found < 5 {
		t.Errorf("%d codes found", found)
	}
}
