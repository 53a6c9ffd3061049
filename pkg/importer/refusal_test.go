package importer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/importer"
	"github.com/lanyard-auth/lanyard/pkg/importer/convert"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Nothing in a file can write outside its own records: what a line may not say
// is refused, and the table stays as it was.
func TestWhatALineMayNotSayIsRefused(t *testing.T) {
	w := start(t)
	w.everything()
	w.Registered("owner@example.com")
	w.Settle()
	before := w.exported()
	alice := id(importer.Users, "u1")
	boat := id(importer.Entities, "b1")
	for _, c := range []struct {
		kind         importer.Kind
		line, reason string
	}{
		{importer.Users, `{"id":"x","username":"mallory","role":"ADMIN"}`, "role"},
		{importer.Users, `{"id":"x","username":"mallory","Role":"ADMIN"}`, "Role"},
		{importer.Users, `{"id":"x","username":"mallory","PK":"USER#1"}`, "PK"},
		{importer.Users, `{"id":"x","username":"mallory","mfaEnabled":false}`, "mfaEnabled"},
		{importer.Users, `{"id":"x","username":"mallory","batch":"other"}`, "batch"},
		{importer.Users, `{"id":"x","username":"mallory","password":"correct horse battery staple"}`, "password"},
		{importer.Users, `{"id":"x","username":"mallory","id":"y"}`, "twice"},
		{importer.Users, `{"id":"x","username":"mallory"} {"id":"y"}`, "not one JSON value"},
		{importer.Users, `{"id":"x","username":"mallory"`, "too early"},
		{importer.Users, `[]`, "object"},
		{importer.Users, `{"username":"mallory"}`, "id"},
		{importer.Users, `{"id":"","username":"mallory"}`, "id"},
		{importer.Users, `{"id":7,"username":"mallory"}`, "id"},
		{importer.Users, `{"id":"x"}`, "expected email or username"},
		{importer.Users, `{"id":"x","username":"../admin"}`, "username"},
		{importer.Users, `{"id":"x","email":"a@b@c.example"}`, "email"},
		{importer.Users, `{"id":"x","email":"x@exa` + "\u212a" + `mple.com"}`, "domain"},
		{importer.Users, `{"id":"x","username":"mallory","emailVerified":true}`, "no address"},
		{importer.Users, `{"id":"x","email":"ALICE@coastal.example"}`, "belongs to another account"},
		{importer.Users, `{"id":"x","username":"BOB"}`, "taken"},
		{importer.Users, `{"id":"x","email":"owner@example.com","emailVerified":true}`, "belongs to another account"},
		{importer.Users, `{"id":"u1","email":"mallory@coastal.example","emailVerified":true}`, "changes nothing"},
		{importer.Users, `{"id":"x","username":"mallory","passwordHash":"5f4dcc3b5aa765d61d8327deb882cf99"}`, "passwordHash"},
		{importer.Users, `{"id":"x","username":"mallory","passwordHash":"$2b$31$2G0u7Hmu4r2sNiGJmxC/9e/ump9os8vqHRL27UKyBQfwfL0owjhaa"}`, "costs"},
		{importer.Users, `{"id":"x","username":"mallory","passwordHash":"$argon2id$v=19$m=99999999,t=9,p=1$MDEyMzQ1Njc4OWFiY2RlZg$aq42HBL+IPAitHspChw/8mx5JRX2jFDkTmlsBskwH/0"}`, "costs"},
		{importer.Users, `{"id":"x","username":"mallory","totpSecret":"AA"}`, "totpSecret"},
		{importer.Users, `{"id":"x","username":"mallory","createdAt":"2999-01-01T00:00:00Z"}`, "past"},
		{importer.Users, `{"id":"x","username":"mallory","createdAt":"yesterday"}`, "createdAt"},
		{importer.Users, `{"id":"x","username":"mallory","profile":{"phone":"<script>"}}`, "phone"},
		{importer.Users, `{"id":"x","username":"mallory","profile":{"isAdmin":true}}`, "isAdmin"},
		{importer.Users, `{"id":"x","username":"mallory","organization":" space "}`, "space"},
		{importer.Users, `{"id":"x","email":"new@coastal.example","organization":"Early"}`, "active"},

		{importer.Organizations, `{"id":"x","name":"Nobody's","admins":[]}`, "admins"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"user":"u99"}]}`, "active"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"user":"u6"}]}`, "active"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"user":"u7"}]}`, "active"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"user":"u1","userId":"` + alice + `"}]}`, "one of user"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{}]}`, "one of user"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"user":"u1"},{"userId":"` + alice + `"}]}`, "once"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"userId":"` + alice + `#PROFILE"}]}`, "userId"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"email":"nobody@coastal.example"}]}`, "email"},
		{importer.Organizations, `{"id":"x","name":"X","admins":[{"email":"nobody"}]}`, "email"},
		{importer.Organizations, `{"id":"x","name":"X","adminCount":0,"admins":[{"user":"u1"}]}`, "adminCount"},
		{importer.Organizations, `{"id":"o1","name":"Taken over","admins":[{"user":"u4"}]}`, "another name"},
		{importer.Organizations, `{"id":"x","name":"two\nlines","admins":[{"user":"u1"}]}`, "without control characters"},

		{importer.Entities, `{"id":"x","organization":"o99","type":"boat","name":"X"}`, "organization"},
		{importer.Entities, `{"id":"x","type":"boat","name":"X"}`, "one of organization"},
		{importer.Entities, `{"id":"x","organization":"o1","organizationId":"` + boat + `","type":"boat","name":"X"}`, "one of organization"},
		{importer.Entities, `{"id":"x","organizationId":"ORG#1","type":"boat","name":"X"}`, "organizationId"},
		{importer.Entities, `{"id":"x","organization":"o1","type":"boat","name":"X","attributes":{"a":[1]}}`, "attributes"},
		{importer.Entities, `{"id":"x","organization":"o1","type":"boat","name":"\u0000"}`, "line of text"},
		{importer.Entities, `{"id":"b1","organization":"o2","type":"boat","name":"Aurora"}`, "another"},

		{importer.Grants, `{"user":"u5","entity":"b1","level":"viewer"}`, "member"},
		{importer.Grants, `{"user":"u3","entity":"b1","level":"owner"}`, "level"},
		{importer.Grants, `{"user":"u3","entity":"b1","level":"admin"}`, "another level"},
		{importer.Grants, `{"user":"u3","entity":"b99","level":"viewer"}`, "entity"},
		{importer.Grants, `{"user":"u3","entity":"b2","level":"viewer","expiresAt":"2001-01-01T00:00:00Z"}`, "future"},
		{importer.Grants, `{"user":"u3","entity":"b2","role":"admin"}`, "level"},
		{importer.Grants, `{"user":"u3","organization":"o1","level":"admin"}`, "role"},
		{importer.Grants, `{"user":"u3","organization":"o1","entity":"b1","level":"admin"}`, "either"},
		{importer.Grants, `{"user":"u3","role":"admin"}`, "either"},
		{importer.Grants, `{"user":"u3","organization":"o1","role":"admin"}`, "another role"},
		{importer.Grants, `{"user":"u3","organization":"o1","role":"ADMIN"}`, "role"},
		{importer.Grants, `{"user":"u7","organization":"o1","role":"viewer"}`, "active"},
		{importer.Grants, `{"user":"u5","organization":"o99","role":"viewer"}`, "not"},
		{importer.Grants, `{"user":"u5","organizationId":"platform","role":"admin"}`, "organizationId"},

		{importer.Documents, `{"id":"x","entity":"b99","title":"X"}`, "entity"},
		{importer.Documents, `{"id":"x","entity":"b1","title":"X","contentType":"nothing"}`, "media type"},
		{importer.Documents, `{"id":"x","entity":"b1","title":" "}`, "line of text"},
		{importer.Documents, `{"id":"x","entityId":"` + boat + ` ","title":"X"}`, "entityId"},
		{importer.Documents, `{"id":"d1","entity":"b2","title":"Log 2024"}`, "another entity"},
	} {
		out, err := w.run(jsonl("\n"+c.line), importer.Options{Kind: c.kind})
		if err != nil || len(out.refused) != 1 || out.Created != 0 || out.refused[0].Line != 2 {
			t.Errorf("%s: %+v %v", c.line, out, err)
			continue
		}
		if r := out.refused[0].Reason; !strings.Contains(r, c.reason) || strings.Contains(r, "mallory") || strings.Contains(r, "5f4dcc") {
			t.Errorf("%s: refused for %q, want %q", c.line, r, c.reason)
		}
	}
	if after := w.exported(); after != before {
		t.Error("a refused line changed the table")
	}
}

func TestNamesOfSourcesAndBatchesAreChecked(t *testing.T) {
	w := start(t)
	for _, o := range []importer.Options{
		{Kind: importer.Users, Source: "a b"}, {Kind: importer.Users, Batch: "#"}, {Kind: "keys"}, {Kind: importer.Users, Batch: strings.Repeat("x", 65)},
	} {
		if _, err := w.run(jsonl(`{"id":"x","username":"nobody"}`), o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	if _, err := w.im.Rollback(t.Context(), importer.RollbackOptions{}); err == nil {
		t.Error("the batch without a name was rolled back")
	}
}

func TestIDsOfDifferentSourcesAndKindsNeverMeet(t *testing.T) {
	seen := map[string]string{}
	for _, source := range []string{"a", "ab", "a-b"} {
		for _, kind := range []importer.Kind{importer.Users, importer.Organizations} {
			for _, sourceID := range []string{"1", "2", "b\x001", "\x00b"} {
				what := fmt.Sprintf("%q %s %q", source, kind, sourceID)
				got := importer.DeriveID(source, kind, sourceID)
				if other, ok := seen[got]; ok {
					t.Errorf("%s and %s are both %s", what, other, got)
				}
				seen[got] = what
				if !strings.HasPrefix(got, "00000000-0000-8") || got != importer.DeriveID(source, kind, sourceID) {
					t.Errorf("%s: %s", what, got)
				}
			}
		}
	}
}

func TestTheFirstOfContradictingLinesWins(t *testing.T) {
	w := start(t)
	var lines strings.Builder
	for i := range 60 {
		fmt.Fprintf(&lines, `{"id":"s%d","email":"same@example.com","emailVerified":true}`+"\n", i)
		fmt.Fprintf(&lines, `{"id":"n%d","username":"name%d"}`+"\n", i, i)
		fmt.Fprintf(&lines, `{"id":"n%d","username":"Name%d"}`+"\n", i, i)
	}
	out, err := w.run(jsonl(lines.String()), importer.Options{Kind: importer.Users})
	if err != nil || out.Created != 61 || out.Refused != 119 {
		t.Fatalf("%+v %v", out.Report, err)
	}
	var claim struct {
		UserID string `dynamo:"userId"`
	}
	if err := w.Store.Get(t.Context(), table.EmailClaim("same@example.com"), table.Strong, &claim); err != nil || claim.UserID != id(importer.Users, "s0") {
		t.Errorf("%s has the address: %v", claim.UserID, err)
	}
	for i := range out.refused[1:] {
		if out.refused[i].Line >= out.refused[i+1].Line {
			t.Fatal("refusals are out of order")
		}
	}
}

func TestAnUnreadableFileEndsTheImport(t *testing.T) {
	w := start(t)
	broken := errors.New("no more")
	var file *importer.FileError
	out, err := w.run(func(yield func(importer.Line, error) bool) {
		_ = yield(importer.Line{Number: 1, JSON: []byte(`{"id":"x","username":"fine"}`)}, nil) && yield(importer.Line{Number: 2}, broken)
	}, importer.Options{Kind: importer.Users})
	if !errors.As(err, &file) || file.Line != 2 || !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
	if out.Created != 1 {
		t.Errorf("what came before it: %+v", out)
	}
	stop := errors.New("enough")
	_, err = w.im.Run(t.Context(), jsonl(`{}`), importer.Options{Kind: importer.Users, Source: "s", Batch: "b", Refused: func(importer.Refusal) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

func TestAProfileGoesToTheSystemOfRecordFirst(t *testing.T) {
	var puts []string
	record := newRecord(t, func(r *http.Request) int {
		puts = append(puts, r.Method+" "+r.URL.Path)
		return http.StatusNoContent
	})
	w := start(t, "LANYARD_PROFILE_SOURCE=http", "LANYARD_PROFILE_URL="+record, "LANYARD_PROFILE_TOKEN=x")
	line := `{"id":"p1","username":"with-profile","profile":{"firstName":"Ada"}}`
	if _, err := w.run(jsonl(line), importer.Options{Kind: importer.Users, Mode: importer.DryRun}); err != nil || len(puts) != 0 {
		t.Fatalf("a dry run told the system of record: %v %v", puts, err)
	}
	w.want(importer.Users, jsonl(line), 1, 0)
	if len(puts) != 1 || puts[0] != "PUT /"+id(importer.Users, "p1") {
		t.Errorf("told %v", puts)
	}
}

func TestCellsOfACSVAreReadAsTheirFieldsAre(t *testing.T) {
	fields, err := importer.Fields(importer.Users)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"unknown column": "id,role\nx,ADMIN\n", "column twice": "id,id\nx,y\n", "no header": "", "open quote": "id\n\"x\n",
	} {
		ended := false
		for _, err := range convert.CSV(strings.NewReader(file), fields) {
			ended = err != nil
		}
		if !ended {
			t.Errorf("%s: read without an error", name)
		}
	}
	w := start(t)
	out, err := w.run(csv(t, importer.Users, "\ufeffid,username,suspended\nx,one,yes\ny,two\nz,three,TRUE\n"), importer.Options{Kind: importer.Users})
	if err != nil || out.Created != 1 || len(out.refused) != 2 || out.refused[0].Line != 2 || out.refused[1].Line != 3 {
		t.Errorf("%+v %v", out, err)
	}
}
