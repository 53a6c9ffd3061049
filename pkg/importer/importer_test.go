package importer_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/export"
	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// everything imports the sample of every kind.
func (w *world) everything() {
	w.T.Helper()
	w.want(importer.Users, jsonl(read(w.T, "users.jsonl")), 7, 0)
	w.want(importer.Users, csv(w.T, importer.Users, read(w.T, "users.csv")), 2, 0)
	w.want(importer.Organizations, jsonl(read(w.T, "organizations.jsonl")), 2, 0)
	w.want(importer.Organizations, csv(w.T, importer.Organizations, read(w.T, "organizations.csv")), 1, 0)
	w.want(importer.Entities, jsonl(read(w.T, "entities.jsonl")), 2, 0)
	w.want(importer.Entities, csv(w.T, importer.Entities, read(w.T, "entities.csv")), 1, 0)
	w.want(importer.Grants, jsonl(read(w.T, "grants.jsonl")), 5, 0)
	w.want(importer.Documents, jsonl(read(w.T, "documents.jsonl")), 2, 0)
}

func TestImportedUsersSignInWithThePasswordsTheyHad(t *testing.T) {
	w := start(t)
	w.everything()
	for _, who := range []map[string]any{
		{"email": "alice@coastal.example"}, {"email": "Bob@coastal.example"}, {"username": "dave"}, {"username": "heidi"},
	} {
		who["password"] = "not the password at all"
		w.Client().Post("/api/auth/login", who).Problem(http.StatusUnauthorized, "invalid_credentials")
		who["password"] = known
		c := w.Client()
		userID := c.Login(who).Text("user.id")
		var p account.PasswordItem
		if err := w.Store.Get(t.Context(), table.Password(userID), table.Strong, &p); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Hash, "$bcrypt-") && !strings.Contains(p.Hash, "$2") || strings.Contains(p.Hash, "imported") {
			t.Errorf("%v: hash not renewed at sign-in: %.12s…", who, p.Hash)
		}
		c = w.Client()
		c.Login(who) // with the renewed hash
	}
	me := w.Client()
	a := me.Login(map[string]any{"email": "alice@coastal.example", "password": known})
	if a.Text("user.profile.firstName") != "Alice" || a.Text("user.createdAt") != "2021-03-05T16:34:49.502Z" || a.Text("user.role") != "USER" {
		t.Errorf("user %s", a.Raw)
	}
	orgs := me.Get("/api/organizations").Want(http.StatusOK)
	for _, name := range []string{"Alice's boats", "Coastal Marine Services", "Dry Dock"} {
		if !bytes.Contains(orgs.Raw, []byte(name)) {
			t.Errorf("no %q in %s", name, orgs.Raw)
		}
	}
}

func TestImportedSecondFactorsAreAskedFor(t *testing.T) {
	w := start(t)
	w.everything()
	c := w.Client()
	a := c.Post("/api/auth/login", map[string]any{"email": "carol@coastal.example", "password": known, "delivery": "body"}).Want(http.StatusOK)
	if a.Text("tokens.accessToken") != "" || a.Text("mfaToken") == "" {
		t.Fatalf("signed in with a password alone: %s", a.Raw)
	}
	code, err := totp.GenerateCode("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": a.Text("mfaToken"), "code": "000000", "delivery": "body"}).Want(http.StatusUnauthorized)
	c.Post("/api/auth/mfa/verify", map[string]any{"mfaToken": a.Text("mfaToken"), "code": code, "delivery": "body"}).Want(http.StatusOK)
}

func TestUsersWithoutAPasswordSetOneByMail(t *testing.T) {
	w := start(t)
	w.everything()
	c := w.Client()
	for address, want := range map[string]bool{"erin@coastal.example": true, "alice@coastal.example": false} {
		a := c.Post("/api/auth/check-password-needed", map[string]any{"email": address}).Want(http.StatusOK)
		if a.Value("needsPasswordSet") != want {
			t.Errorf("%s: %s", address, a.Raw)
		}
	}
	if st := w.State(id(importer.Users, "u5")); !st.NeedsPassword || st.Status != account.Active {
		t.Errorf("state %+v", st)
	}
	c.Post("/api/auth/forgot-password", map[string]any{"email": "erin@coastal.example"})
	c.Post("/api/auth/reset-password", map[string]any{"token": w.MailedToken("erin@coastal.example"), "newPassword": "quite another long phrase"}).Want(http.StatusNoContent)
	c.Login(map[string]any{"email": "erin@coastal.example", "password": "quite another long phrase"})
	if st := w.State(id(importer.Users, "u5")); st.NeedsPassword {
		t.Error("they still need a password")
	}
	for who, status := range map[string]account.Status{"u6": account.Pending, "u7": account.Suspended} {
		if st := w.State(id(importer.Users, who)); st.Status != status {
			t.Errorf("%s is %s, want %s", who, st.Status, status)
		}
	}
}

func TestImportedRightsAreInForce(t *testing.T) {
	w := start(t)
	w.everything()
	boat := "/api/entities/" + id(importer.Entities, "b1")
	for who, want := range map[string]int{"bob": http.StatusOK, "dave": http.StatusOK, "heidi": http.StatusNotFound} {
		c := w.Client()
		c.Login(map[string]any{"username": who, "password": known})
		c.Get(boat).Want(want)
		if want == http.StatusOK {
			docs := c.Get(boat + "/documents").Want(http.StatusOK)
			if docs.Text("items.0.title") != "Log 2024" && docs.Text("items.1.title") != "Log 2024" {
				t.Errorf("documents %s", docs.Raw)
			}
			d := c.Get("/api/documents/" + id(importer.Documents, "d2")).Want(http.StatusOK)
			if d.Text("content") != `{"valid":true}` {
				t.Errorf("document %s", d.Raw)
			}
		}
		if who == "dave" {
			c.Patch(boat, map[string]any{"name": "Mine"}).Want(http.StatusForbidden)
		}
	}
	var it struct {
		Level string `dynamo:"level"`
		Batch string `dynamo:"batch"`
	}
	if err := w.Store.Get(t.Context(), table.Grant(id(importer.Users, "u3"), id(importer.Entities, "b1")), table.Strong, &it); err != nil || it.Level != "editor" || it.Batch != "batch-1" {
		t.Errorf("grant %+v %v", it, err)
	}
}

// exported is the whole table, but for what a run leaves in the audit trail.
func (w *world) exported(but ...string) string {
	w.T.Helper()
	var out bytes.Buffer
	if _, err := export.Write(w.T.Context(), w.Store.Table, &out, export.Options{Secrets: true, Now: w.Clock.Now, TempDir: w.T.TempDir()}); err != nil {
		w.T.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.Contains(l, `"PK":{"S":"AUDIT#`) || strings.HasPrefix(l, `{"end"`) ||
			slices.ContainsFunc(but, func(s string) bool { return strings.Contains(l, s) })
	})
	return strings.Join(lines, "\n")
}

func TestAnImportRunAgainChangesNothing(t *testing.T) {
	w := start(t)
	w.everything()
	before := w.exported()
	w.Clock.Advance(time.Hour)
	for kind, n := range map[importer.Kind]int64{importer.Users: 7, importer.Organizations: 2, importer.Entities: 2, importer.Grants: 5, importer.Documents: 2} {
		w.want(kind, jsonl(read(t, string(kind)+".jsonl")), 0, n)
	}
	w.want(importer.Users, csv(t, importer.Users, read(t, "users.csv")), 0, 2)
	w.Clock.Advance(-time.Hour)
	if after := w.exported(); after != before {
		t.Errorf("the table changed:\n%s\n%s", before, after)
	}
}

func TestVerifySeesWhatDiffers(t *testing.T) {
	w := start(t)
	verify := func(kind importer.Kind, file string) outcome {
		t.Helper()
		out, err := w.run(jsonl(file), importer.Options{Kind: kind, Mode: importer.Verify})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := verify(importer.Users, read(t, "users.jsonl")); out.Refused != 7 || !strings.Contains(out.refused[0].Reason, "missing") {
		t.Errorf("nothing is there, and it says %+v", out)
	}
	w.everything()
	for _, kind := range []importer.Kind{importer.Users, importer.Organizations, importer.Entities, importer.Grants, importer.Documents} {
		if out := verify(kind, read(t, string(kind)+".jsonl")); len(out.refused) != 0 || out.Created == 0 {
			t.Errorf("%s: %+v", kind, out)
		}
	}
	ctx := t.Context()
	for _, err := range []error{
		w.Store.Write(ctx, table.Update(table.UserState(id(importer.Users, "u1"))).Set("email", "other@coastal.example")),
		w.Store.Write(ctx, table.Delete(table.Password(id(importer.Users, "u2")))),
		w.Store.Write(ctx, table.Update(table.UserProfile(id(importer.Users, "u1"))).Set("firstName", "Eve")),
		w.Store.Write(ctx, table.Update(table.Password(id(importer.Users, "u4"))).Set("hash", "renewed")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out := verify(importer.Users, read(t, "users.jsonl"))
	if len(out.refused) != 2 || out.refused[0].Line != 1 || !strings.Contains(out.refused[0].Reason, "another email, another firstName") ||
		out.refused[1].Line != 2 || !strings.Contains(out.refused[1].Reason, "missing credential") {
		t.Errorf("%+v", out.refused)
	}
}

func TestADryRunSaysWhatAnImportWouldAndWritesNothing(t *testing.T) {
	w := start(t)
	w.Registered("carol@coastal.example")
	w.Settle()
	file := read(t, "users.jsonl") + `{"id":"u8","email":"alice@coastal.example"}` + "\n" + `{"id":"u5","email":"erin@coastal.example","emailVerified":true}` + "\n"
	before := w.exported()
	dry, err := w.run(jsonl(file), importer.Options{Kind: importer.Users, Mode: importer.DryRun})
	if err != nil {
		t.Fatal(err)
	}
	if after := w.exported(); after != before {
		t.Error("a dry run wrote something")
	}
	wet, err := w.run(jsonl(file), importer.Options{Kind: importer.Users})
	if err != nil {
		t.Fatal(err)
	}
	if dry.Created != wet.Created || dry.Unchanged != wet.Unchanged || len(dry.refused) != 2 || len(wet.refused) != 2 {
		t.Errorf("dry %+v\nwet %+v", dry, wet)
	}
	for i := range dry.refused {
		if i < len(wet.refused) && dry.refused[i].Line != wet.refused[i].Line {
			t.Errorf("line %d and line %d", dry.refused[i].Line, wet.refused[i].Line)
		}
	}
}

func TestARolledBackBatchLeavesTheTableAsItWas(t *testing.T) {
	w := start(t)
	mine := w.Registered("someone@example.com")
	home := mine.Post("/api/organizations", map[string]any{"name": "Home"}).Want(http.StatusCreated).Text("id")
	w.Settle()
	before := w.exported(`"SESSION#`)
	w.everything()
	for _, batch := range []string{"batch-2"} {
		out, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: batch})
		if err != nil || out.Users+out.Grants+out.Organizations != 0 {
			t.Fatalf("another batch took %+v away: %v", out, err)
		}
	}
	dry, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1", DryRun: true})
	if err != nil || dry.Users != 9 {
		t.Fatalf("dry run %+v %v", dry, err)
	}
	out, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1"})
	if err != nil {
		t.Fatal(err)
	}
	if out.Users != 9 || out.Organizations != 4 || out.Entities != 3 || out.Documents != 2 || out.Grants != 2 || out.Kept != 0 {
		t.Errorf("removed %+v", out)
	}
	w.Settle()
	w.Clock.Advance(2 * time.Minute)
	w.Settle()
	w.Clock.Advance(-2 * time.Minute)
	if after := w.exported(`"SESSION#`); after != before {
		t.Errorf("the table is not as it was:\n%s\n\n%s", before, after)
	}
	mine.Get("/api/organizations/" + home).Want(http.StatusOK)
	again, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1"})
	if err != nil || again.Users != 0 {
		t.Errorf("again: %+v %v", again, err)
	}
}

func TestARollbackKeepsWhatOthersNowDependOn(t *testing.T) {
	w := start(t)
	w.want(importer.Users, jsonl(read(t, "users.jsonl")), 7, 0)
	alice := w.Client()
	alice.Login(map[string]any{"email": "alice@coastal.example", "password": known})
	org := alice.Post("/api/organizations", map[string]any{"name": "Her own"}).Want(http.StatusCreated).Text("id")
	var kept []string
	out, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1", Kept: func(what, _, reason string) error {
		kept = append(kept, what+": "+reason)
		return nil
	}})
	if err != nil || out.Users != 6 || out.Kept != 1 || len(kept) != 1 || !strings.HasPrefix(kept[0], "user: ") {
		t.Fatalf("%+v %v %v", out, kept, err)
	}
	w.Settle()
	alice.Get("/api/organizations/" + org).Want(http.StatusOK)
}

func TestTheTrailTellsOfImportsAndRollbacks(t *testing.T) {
	w := start(t)
	w.want(importer.Users, jsonl(read(t, "users.jsonl")), 7, 0)
	if _, err := w.im.Rollback(t.Context(), importer.RollbackOptions{Batch: "batch-1"}); err != nil {
		t.Fatal(err)
	}
	events, _, err := w.Audit.Platform(t.Context(), audit.Filter{}, 50, "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[audit.Type]int{}
	for _, e := range events {
		if e.Details["batch"] == "batch-1" {
			seen[e.Type]++
		}
	}
	if seen[audit.Imported] != 2 || seen[audit.ImportRolledBack] != 1 || seen[audit.UserDeleted] != 7 {
		t.Errorf("recorded %v", seen)
	}
}
