package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// opened is the deployment in dir, for a test to look at or prepare. It is
// closed before a command runs on it.
func opened(t *testing.T, dir string, use func(*deployment)) {
	t.Helper()
	d, err := (&where{Data: dir}).deployment(t.Context(), &process{environ: environ()}, makeAbsent)
	if err != nil {
		t.Fatal(err)
	}
	use(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// events gives the events of a type, newest first.
func events(t *testing.T, dir string, typ audit.Type) (out []audit.Event) {
	t.Helper()
	opened(t, dir, func(d *deployment) {
		list, _, err := audit.New(d.Deps).Platform(t.Context(), audit.Filter{Type: typ}, 100, "")
		if err != nil {
			t.Fatal(err)
		}
		out = list
	})
	return out
}

func keysOf(t *testing.T, dir string) map[string][]keyEntry {
	t.Helper()
	var list []keyEntry
	out := lanyard(t, "", "keys", "list", "--data", dir, "-o", "json").want(t, exitDone).out
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	by := map[string][]keyEntry{}
	for _, k := range list {
		by[k.Use+" "+k.State] = append(by[k.Use+" "+k.State], k)
	}
	return by
}

func TestKeysRotateAsPlannedAndAreRecorded(t *testing.T) {
	dir := withAdmin(t)
	raw, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	before := keysOf(t, dir)
	active, next := before["sig active"][0].ID, before["sig next"][0].ID

	lanyard(t, "", "keys", "rotate", "--data", dir).want(t, exitWanting).says(t, "--force")
	lanyard(t, "", "keys", "rotate", "--data", dir, "--force", "--dry-run").want(t, exitDone).says(t, "nothing was written", next)
	if again, _ := os.ReadFile(filepath.Join(dir, "keys.json")); !bytes.Equal(raw, again) {
		t.Fatal("a dry run changed the ring")
	}
	lanyard(t, "", "keys", "rotate", "--data", dir, "--force", "--secret", "--reason", "quarterly").want(t, exitDone)
	after := keysOf(t, dir)
	if after["sig active"][0].ID != next || after["sig previous"][0].ID != active || after["secret active"][0].ID != "2" || len(after["secret previous"]) != 1 {
		t.Errorf("after the rotation: %+v", after)
	}
	if ends := after["sig previous"][0].RetireAt; ends.Before(time.Now().Add(15 * time.Minute)) {
		t.Errorf("the former key ends at %s, before its last token", ends)
	}

	lanyard(t, "", "keys", "retire", active, "--data", dir, "--reason", "stolen").want(t, exitDone)
	lanyard(t, "", "keys", "retire", "--secret", "1", "--data", dir).want(t, exitDone)
	lanyard(t, "", "keys", "retire", "--secret", "2", "--data", dir).want(t, exitRefused).says(t, "rotate first")
	lanyard(t, "", "keys", "retire", "--secret", "x", "--data", dir).want(t, exitUsage)
	lanyard(t, "", "keys", "retire", "nosuch", "--data", dir).want(t, exitRefused).says(t, "nosuch")
	if after := keysOf(t, dir); after["sig retired"][0].ID != active || len(after["secret previous"]) != 0 {
		t.Errorf("after retiring: %+v", after)
	}

	rotated := events(t, dir, audit.KeysRotated)
	if len(rotated) != 1 || rotated[0].ActorID == "" || rotated[0].Details["reason"] != "quarterly" || rotated[0].Details["was"] != active ||
		rotated[0].Details["key"] != next || !strings.HasPrefix(rotated[0].UserAgent, "lanyard keys rotate") {
		t.Errorf("recorded: %+v", rotated)
	}
	if retired := events(t, dir, audit.KeyRetired); len(retired) != 2 || retired[1].Details["reason"] != "stolen" {
		t.Errorf("recorded: %+v", retired)
	}
	ring, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	lanyardIn(t.Context(), append(environ(), "LANYARD_KEYS_SOURCE=env", "LANYARD_KEYS="+string(ring)), "", "keys", "rotate", "--force", "--data", dir).
		want(t, exitUsage).says(t, "cannot be written")
}

func TestKeysCanBeRotatedBeforeThereIsASuperAdmin(t *testing.T) {
	dir := shortDir(t)
	opened(t, dir, func(*deployment) {})
	lanyard(t, "", "keys", "rotate", "--force", "--data", dir).want(t, exitDone)
	if got := events(t, dir, audit.KeysRotated); len(got) != 1 || got[0].ActorID != "" {
		t.Errorf("recorded: %+v", got)
	}
	lanyard(t, "", "keys", "rotate", "--force", "--data", dir, "--as", "nobody@example.com").want(t, exitRefused)
}

func TestAuditIsSearchedAndExported(t *testing.T) {
	dir := withAdmin(t)
	lanyard(t, phrase, "admin", "create", "--email", "second@example.com", "--data", dir).want(t, exitDone)
	lanyard(t, "", "admin", "logout", "second@example.com", "--as", "root@example.com", "--data", dir).want(t, exitDone)
	run := func(args ...string) result {
		return lanyard(t, "", append(append([]string{"audit"}, args...), "--data", dir, "--as", "root@example.com")...)
	}
	search := func(args ...string) []audit.Event {
		t.Helper()
		var list []audit.Event
		out := run(append([]string{"search", "--since", "1d", "-o", "json"}, args...)...).want(t, exitDone).out
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := search("--type", "user.signed_out"); len(got) != 1 || got[0].ActorID == "" {
		t.Errorf("sign-outs: %+v", got)
	}
	if got := search("--user", "second@example.com"); len(got) != 2 || got[0].Type != audit.UserSignedOut || got[1].Type != audit.UserRoleChanged {
		t.Errorf("second's stream: %+v", got)
	}
	if got := search("--actor", "root@example.com", "--type", "audit.read"); len(got) == 0 {
		t.Error("reading the log was not recorded")
	}
	if got := search("--since", "2020-01-01", "--until", "2020-02-01"); len(got) != 0 {
		t.Errorf("of 2020: %+v", got)
	}
	if got := search("--limit", "1"); len(got) != 1 {
		t.Errorf("%d events", len(got))
	}
	run("search").want(t, exitDone).says(t, "TIME", "user.role_changed", "by=command")
	run("search", "--since", "yesterday").want(t, exitUsage).says(t, "--since")
	run("search", "--until", "-1h").want(t, exitUsage)
	run("search", "--user", "a", "--org", "b").want(t, exitUsage)
	run("search", "--org", "b").want(t, exitUsage)
	run("search", "--actor", "nobody@example.com").want(t, exitRefused)

	file := filepath.Join(t.TempDir(), "audit.jsonl")
	run("export", file, "--since", "1d").want(t, exitDone).says(t, " events")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	for _, l := range lines {
		var e audit.Event
		if err := json.Unmarshal([]byte(l), &e); err != nil || e.ID == "" {
			t.Errorf("%v: %s", err, l)
		}
	}
	if piped := strings.Count(run("export", "--since", "1d").want(t, exitDone).out, "\n"); piped != len(lines)+1 { // its own reading
		t.Errorf("%d events in the file, then %d", len(lines), piped)
	}
}

// sink is a writer that several goroutines use.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }
func (s *sink) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func TestTailShowsEachEventOnceInOrder(t *testing.T) {
	dir := withAdmin(t)
	d, err := (&where{Data: dir}).deployment(t.Context(), &process{environ: environ()}, makeAbsent)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	unshare, err := shareStore(t.Context(), d.store.engine, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unshare() }()

	var out sink
	ctx, stop := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, []string{"audit", "tail", "--data", dir, "--type", "import.applied", "--interval", "1ms", "--since", "1h", "-o", "json"},
			&process{environ: environ(), out: &out, err: &out, exit: func(int) {}})
	}()
	log := audit.New(d.Deps)
	for i := range 5 {
		if err := log.Write(t.Context(), audit.Event{Type: audit.Imported, Details: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(out.String(), fmt.Sprintf(`"n":"%d"`, i)) && t.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	stop()
	if c := <-code; c != exitDone {
		t.Errorf("exit code %d: %s", c, out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i, l := range lines {
		if !strings.Contains(l, fmt.Sprintf(`"n":"%d"`, i)) {
			t.Errorf("line %d is %s", i, l)
		}
	}
	lanyard(t, "", "audit", "tail", "--data", dir, "--interval", "0s").want(t, exitUsage)
	lanyard(t, "", "audit", "tail", "--data", dir, "--since", "soon").want(t, exitUsage)
}

// failing refuses every mail for good.
type failing struct{}

func (failing) Send(context.Context, *mail.Mail) error {
	return &mail.SendError{Reason: "550 no such mailbox", Permanent: true}
}

func TestGivenUpMailIsListedAndSentAgain(t *testing.T) {
	dir := withAdmin(t)
	opened(t, dir, func(d *deployment) {
		templates, err := mail.NewTemplates(mail.TemplateConfig{Product: "Lanyard", PublicURL: "http://127.0.0.1", Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		relay, err := mail.NewRelay(d.Deps, mail.RelayParts{Seal: d.Codec(), Sender: failing{}, Templates: templates, Jitter: func() float64 { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		var writes []*table.Write
		for _, to := range []string{"ada@example.com", "bob@example.com"} {
			w, err := d.Outbox().Enqueue(t.Context(), mail.Recipient{Address: to}, mail.PasswordChanged{})
			if err != nil {
				t.Fatal(err)
			}
			writes = append(writes, w)
		}
		if err := d.store.table.Transact(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
		if n, err := relay.Drain(t.Context()); err != nil || n != 2 {
			t.Fatalf("%d mails met, %v", n, err)
		}
	})
	run := func(args ...string) result {
		return lanyard(t, "", append(append([]string{"mail"}, args...), "--data", dir)...)
	}
	var dead []mail.Entry
	if err := json.Unmarshal([]byte(run("list", "-o", "json").want(t, exitDone).out), &dead); err != nil || len(dead) != 2 {
		t.Fatalf("%v: %+v", err, dead)
	}
	run("list").want(t, exitDone).says(t, "ada@example.com", "550 no such mailbox", "password")
	run("resend").want(t, exitUsage)
	run("resend", dead[0].ID, "--dead").want(t, exitUsage)
	run("resend", "--dead", "--dry-run").want(t, exitDone).says(t, "would be queued")
	run("resend", dead[0].ID, "--reason", "mailbox made").want(t, exitDone).says(t, "queued")
	run("resend", "--dead", "-o", "json").want(t, exitDone).says(t, dead[1].ID)
	run("resend", "01995b2c-8f00-7000-8000-000000000000").want(t, exitRefused).says(t, "not_found")
	if out := run("list").want(t, exitDone).out; strings.Contains(out, "@") {
		t.Errorf("still dead:\n%s", out)
	}
	run("list", "--status", "pending").want(t, exitDone).says(t, "ada@example.com", "bob@example.com")
	if got := events(t, dir, audit.MailResent); len(got) != 2 || got[1].ActorID == "" || got[1].Details["mail"] != dead[0].ID || got[1].Details["reason"] != "mailbox made" {
		t.Errorf("recorded: %+v", got)
	}
}

func TestSharedKeysVerifyTokensElsewhere(t *testing.T) {
	dir := shortDir(t)
	s := serve(t, &serveCommand{Data: dir}, "LANYARD_KEYS_ALGORITHM=HS256")
	post := func(path, body string) []byte {
		t.Helper()
		res, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode >= 300 {
			t.Fatalf("%s: %d %s %v", path, res.StatusCode, raw, err)
		}
		return raw
	}
	const who = `{"username":"mate","password":"a quiet harbour at dusk","delivery":"body"}`
	post("/api/auth/register", strings.Replace(who, `,"delivery":"body"`, "", 1))
	var in struct {
		User   struct{ ID string }
		Tokens struct{ AccessToken string }
	}
	if err := json.Unmarshal(post("/api/auth/login", who), &in); err != nil {
		t.Fatal(err)
	}
	env := append(environ(), "LANYARD_KEYS_ALGORITHM=HS256")
	var set struct {
		Keys []struct{ Kid, Kty, Alg, K string }
	}
	out := lanyardIn(t.Context(), env, "", "keys", "share", "--data", dir, "--reason", "invoices").want(t, exitDone).out
	if err := json.Unmarshal([]byte(out), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(in.Tokens.AccessToken, claims, func(tok *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k.Kid == tok.Header["kid"] && k.Kty == "oct" && k.Alg == "HS256" {
				return base64.RawURLEncoding.DecodeString(k.K)
			}
		}
		return nil, errors.New("no such key")
	}, jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer(s.url), jwt.WithAudience("lanyard"), jwt.WithExpirationRequired()); err != nil {
		t.Fatal(err)
	}
	if claims["userId"] != in.User.ID || claims["username"] != "mate" || claims["role"] != "USER" || claims["iat"] == nil || claims["exp"] == nil {
		t.Errorf("claims %v", claims)
	}
	s.stop()
	ring, err := os.ReadFile(filepath.Join(dir, keysFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Secrets []struct{ Value string }
	}
	if err := json.Unmarshal(ring, &file); err != nil || len(file.Secrets) == 0 || strings.Contains(out, file.Secrets[0].Value) {
		t.Errorf("the secrets of the ring are shared too: %v", err)
	}
	if got := events(t, dir, audit.KeysShared); len(got) != 1 || got[0].Details["reason"] != "invoices" || strings.Contains(fmt.Sprint(got), set.Keys[0].K) {
		t.Errorf("recorded: %+v", got)
	}
	lanyard(t, "", "keys", "share", "--data", withAdmin(t)).want(t, exitRefused).says(t, "jwks.json")
}
