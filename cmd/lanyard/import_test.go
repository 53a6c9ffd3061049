package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// samples is a directory with the samples of every system.
func samples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{"../../pkg/importer/testdata", "../../pkg/importer/convert/testdata"} {
		if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImportReportsRefusedLinesByNumber(t *testing.T) {
	dir, data := samples(t), shortDir(t)
	run := func(args ...string) result { return lanyard(t, "", append(args, "--data", data)...) }
	file := filepath.Join(dir, "supabase.csv")
	run("import", "users", file, "--from", "supabase", "--dry-run").want(t, exitWanting).says(t, "3 lines: 2 would be imported, 0 there already, 1 refused", "line 4 (): deleted there")
	run("import", "users", file, "--from", "supabase").want(t, exitWanting).says(t, "2 imported", "batch supabase-users-")
	report := filepath.Join(dir, "report.jsonl")
	r := run("import", "users", file, "--from", "supabase", "--output", "json", "--report", report).want(t, exitWanting)
	var got struct{ Lines, Created, Unchanged, Refused int }
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || got.Unchanged != 2 || got.Refused != 1 || got.Created != 0 {
		t.Errorf("%s %v", r.out, err)
	}
	raw, err := os.ReadFile(report)
	if err != nil || strings.TrimSpace(string(raw)) != `{"line":4,"reason":"deleted there"}` {
		t.Errorf("report %s %v", raw, err)
	}
	run("import", "users", file, "--from", "supabase", "--verify").want(t, exitWanting).says(t, "2 as in the file")
}

func TestAnImportOfEveryKindIsTakenBackWhole(t *testing.T) {
	dir, data := samples(t), withAdmin(t)
	before := withoutTrail(exportTo(t, data, filepath.Join(dir, "before"), true))
	run := func(args ...string) result { return lanyard(t, "", append(args, "--data", data)...) }
	for _, kind := range []string{"users", "organizations", "entities", "grants", "documents"} {
		file := filepath.Join(dir, kind+".jsonl")
		run("import", kind, file, "--batch", "spring").want(t, exitDone).says(t, "batch spring")
		run("import", kind, file, "--batch", "spring", "--verify").want(t, exitDone)
	}
	run("import", "batch", "--rollback", "spring", "--dry-run").want(t, exitDone).says(t, "7 users", "would be removed")
	run("import", "batch", "--rollback", "spring", "-o", "json").want(t, exitDone).says(t, `"users": 7`)
	if after := withoutTrail(exportTo(t, data, filepath.Join(dir, "after"), true)); after != before {
		t.Errorf("not as before:\n%s\n\n%s", before, after)
	}
}

// withoutTrail is an export without what a run leaves in the audit trail, and
// without the tasks that look again a minute later.
func withoutTrail(file []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(file)) {
		if !strings.Contains(line, `"PK":{"S":"AUDIT#`) && !strings.Contains(line, `"PK":{"S":"TASK#`) && !strings.HasPrefix(line, `{"end"`) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestImportRefusesWhatContradictsItself(t *testing.T) {
	dir := samples(t)
	users := filepath.Join(dir, "users.jsonl")
	for _, args := range [][]string{
		{"import", "users"}, {"import", "batch", users}, {"import", "users", users, "--rollback", "x"}, {"import", "users", users, "--dry-run", "--verify"},
		{"import", "entities", users, "--from", "auth0"}, {"import", "users", users, "--hash-config", users}, {"import", "keys", users},
	} {
		lanyard(t, "", append(args, "--data", filepath.Join(dir, "data"))...).want(t, exitUsage)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a store was made")
	}
	for _, args := range [][]string{
		{"import", "users", filepath.Join(dir, "nowhere")}, {"import", "users", users, "--batch", "a b"}, {"import", "users", users, "--source", "#"},
		{"import", "batch", "--rollback", "a b"},
	} {
		lanyard(t, "", append(args, "--data", shortDir(t))...).want(t, exitUsage)
	}
	for _, args := range [][]string{
		{"import", "users", filepath.Join(dir, "firebase.json"), "--from", "firebase", "--hash-config", users},
		{"import", "users", users, "--report", filepath.Join(dir, "nowhere", "x")}, {"import", "users", filepath.Join(dir, "auth0.ndjson"), "--from", "keycloak"},
	} {
		lanyard(t, "", append(args, "--data", shortDir(t))...).want(t, exitFailed)
	}
}
