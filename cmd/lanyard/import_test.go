package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/table"
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
	run("import", "users", file, "--from", "supabase", "--dry-run").want(t, exitWanting).says(t, "3 lines: 2 would be imported, 0 there already, 1 refused", "line 4: deleted there")
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

// TestAnImportSealsAsTheDeploymentDoes takes a user with an authenticator app
// from an import to a sign-in at a deployment whose secrets AWS KMS seals, over
// a backup, with the SDK's own connection.
func TestAnImportSealsAsTheDeploymentDoes(t *testing.T) {
	service := &kmstest.Service{}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	withKMS := append(environ(), "LANYARD_MFA_KMS_KEYS="+kmstest.Key)
	data, file, backup := shortDir(t), filepath.Join(t.TempDir(), "users.jsonl"), filepath.Join(t.TempDir(), "backup.jsonl")
	const user, secret = "01900000-0000-7000-8000-000000000001", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	if err := os.WriteFile(file, []byte(`{"id":"`+user+`","email":"kim@example.com","emailVerified":true,"totpSecret":"`+secret+`"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(env []string, args ...string) result { return lanyardIn(t.Context(), env, "", args...) }
	run(withKMS, "import", "users", file, "--data", data, "--dry-run").want(t, exitDone)
	if n := len(service.Calls()); n != 0 {
		t.Errorf("a rehearsal made %d calls", n)
	}
	run(withKMS, "import", "users", file, "--data", data).want(t, exitDone)
	if calls := service.Calls(); len(calls) != 1 || calls[0].Action != "Encrypt" || calls[0].Key != kmstest.Key {
		t.Fatalf("calls %+v", calls)
	}
	run(withKMS, "import", "users", file, "--data", data, "--verify").want(t, exitDone)
	const said = "the secrets of 1 authenticator app are sealed by AWS KMS"
	run(withKMS, "export", "--with-secrets", "--data", data, backup).want(t, exitDone).says(t, said)
	raw, err := os.ReadFile(backup)
	if err != nil || bytes.Contains(raw, []byte(secret)) || !bytes.Contains(raw, []byte(`"S":"kms:`)) {
		t.Errorf("the backup: %v\n%s", err, raw)
	}
	run(environ(), "restore", "--dry-run", backup).want(t, exitDone).says(t, said, "LANYARD_MFA_KMS_KEYS names their key")
	moved := shortDir(t)
	run(environ(), "restore", "--data", moved, backup).want(t, exitDone).says(t, said)
	run(withKMS, "restore", "--data", moved, "--verify", backup).want(t, exitDone)

	opens := func(env []string) (string, error) {
		d, err := (&where{Data: moved}).deployment(t.Context(), &process{environ: env}, makeAbsent)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		var app struct {
			table.Key
			Secret string `dynamo:"secret"`
		}
		id := regexp.MustCompile(`"PK":\{"S":"USER#([0-9a-f-]+)"\},"SK":\{"S":"CREDENTIAL#TOTP"\}`).FindSubmatch(raw)
		if id == nil {
			t.Fatalf("no authenticator app in the backup: %s", raw)
		}
		if err := d.Deps.Table.Get(t.Context(), table.TOTP(string(id[1])), table.Strong, &app); err != nil {
			t.Fatal(err)
		}
		seal, err := d.Sealer()
		if err != nil {
			t.Fatal(err)
		}
		plain, _, err := seal.Open(t.Context(), app.Secret, string(id[1]))
		return string(plain), err
	}
	if got, err := opens(withKMS); err != nil || got != "12345678901234567890" {
		t.Errorf("where the key may be used: %q, %v", got, err)
	}
	if got, err := opens(environ()); !errors.Is(err, mfa.ErrKeyService) {
		t.Errorf("without the key: %q, %v", got, err)
	}
	service.Decide = func(context.Context, kmstest.Call) kmstest.Fault { return kmstest.Denied }
	if got, err := opens(withKMS); err == nil {
		t.Errorf("where the key may not be used: %q", got)
	}
	if err := os.WriteFile(file, []byte(`{"email":"lou@example.com","emailVerified":true,"totpSecret":"`+secret+`"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(withKMS, "import", "users", file, "--data", data); r.code == exitDone {
		t.Errorf("imported without a seal: %s", r.out)
	}
}

func TestImportSaysWhatBecameOfAFile(t *testing.T) {
	dir := shortDir(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := filepath.Join(dir, "data")
	run := func(args ...string) result {
		return lanyard(t, "", append([]string{"import"}, append(args, "--data", data)...)...)
	}

	cut := file("cut.json", `{"users":[{"id":"1","email":"ann@team.example"},{"id":"2"`)
	r := run("users", "--from", "keycloak", cut).want(t, exitFailed).says(t, "1 lines: 1 imported", "read line 2: the file ends in the middle")
	if strings.Contains(r.out, "goes on") {
		t.Errorf("the same command does not go on: %s", r.out)
	}
	r = run("users", "--from", "keycloak", file("none.json", "")).want(t, exitFailed).says(t, "the file is empty")
	if strings.Contains(r.out, "goes on") {
		t.Errorf("the same command does not go on: %s", r.out)
	}
	other := file("other.jsonl", `{"id":"9","email":"ben@team.example"}`+"\nnonsense\n")
	run("users", "--verify", other).want(t, exitWanting).says(t, "line 1 (9): Not as in the file", "line 2: ", "some lines are not in the table")
	run("batch", "--rollback", "mistyped").want(t, exitDone).says(t, "nothing is of this batch")
}

// TestSecretsAreSealedAnewSoThatKeysCanGo goes from the ring to KMS, to another
// key of KMS, and back, with every earlier key out of use after each step.
func TestSecretsAreSealedAnewSoThatKeysCanGo(t *testing.T) {
	service := &kmstest.Service{}
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	data, file := withAdmin(t), filepath.Join(t.TempDir(), "users.jsonl")
	lines := `{"id":"kim","email":"kim@example.com","emailVerified":true,"totpSecret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
{"id":"lou","email":"lou@example.com","emailVerified":true,"totpSecret":"MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"}
`
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	reseal := func(keys string, args ...string) result {
		t.Helper()
		env := environ()
		if keys != "" {
			env = append(env, "LANYARD_MFA_KMS_KEYS="+keys)
		}
		return lanyardIn(t.Context(), env, "", append([]string{"keys", "reseal", "--data", data}, args...)...)
	}
	only := func(keys ...string) {
		service.Decide = func(_ context.Context, c kmstest.Call) kmstest.Fault {
			if slices.Contains(keys, c.Key) {
				return kmstest.None
			}
			return kmstest.Disabled
		}
	}
	const both = kmstest.Later + "," + kmstest.Key
	lanyard(t, "", "import", "users", file, "--data", data).want(t, exitDone)
	reseal("").want(t, exitDone).says(t, "2 authenticator apps: 0 sealed anew, 2 had the seal, 0 did not open")
	only()
	reseal(kmstest.Key).want(t, exitWanting).says(t, "0 sealed anew, 0 had the seal, 2 did not open", "keeps the seal", "DisabledException")
	only(kmstest.Key)
	reseal(kmstest.Key, "--dry-run").want(t, exitDone).says(t, "2 would be sealed anew")
	reseal(kmstest.Key, "--reason", "KMS from now on").want(t, exitDone).says(t, "2 sealed anew")
	reseal(kmstest.Key).want(t, exitDone).says(t, "0 sealed anew, 2 had the seal")
	lanyard(t, "", "keys", "rotate", "--force", "--secret", "--data", data).want(t, exitDone)
	lanyard(t, "", "keys", "retire", "--secret", "1", "--data", data).want(t, exitDone) // what sealed them first
	only(kmstest.Later)
	reseal(both).want(t, exitWanting).says(t, "2 did not open")
	only(kmstest.Later, kmstest.Key)
	reseal(both, "-o", "json").want(t, exitDone).says(t, `"sealed": 2`)
	only(kmstest.Later)
	reseal(both).want(t, exitDone).says(t, "2 had the seal")
	reseal(kmstest.Later, "--with-ring", "--dry-run").want(t, exitDone).says(t, "2 would be sealed anew")
	reseal(kmstest.Later, "--with-ring", "--reason", "home").want(t, exitDone).says(t, "2 sealed anew")
	reseal(kmstest.Later, "--with-ring").want(t, exitDone).says(t, "0 sealed anew, 2 had the seal")
	only()
	reseal("").want(t, exitDone).says(t, "0 sealed anew, 2 had the seal")
	if got := events(t, data, audit.SecretsResealed); len(got) != 10 {
		t.Errorf("%d events", len(got))
	}
	d, err := (&where{Data: data}).deployment(t.Context(), &process{environ: environ()}, makeAbsent)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	seal, err := d.Sealer()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	err = d.Deps.Table.Scan(t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			var app struct {
				table.Key
				Secret string `dynamo:"secret"`
			}
			if user := strings.TrimPrefix(r.Key().PK, table.User("")); r.Key() == table.TOTP(user) {
				if err := r.Decode(&app); err != nil {
					return err
				}
				plain, _, err := seal.Open(t.Context(), app.Secret, user)
				if err != nil {
					return err
				}
				got[string(plain)] = true
			}
		}
		return nil
	})
	if err != nil || !got["12345678901234567890"] || !got["abcdefghijklmnopqrst"] {
		t.Errorf("secrets %v, %v", got, err)
	}
}
