package doctor_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/doctor"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/migrate"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// patient is a deployment to look at, as on AWS.
type patient struct {
	*lanyardtest.World
	parts doctor.Parts
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	w := lanyardtest.Start(t, "LANYARD_MAIL_SENDER=ses", "LANYARD_THROTTLE=on")
	operators, err := w.Assembly.Operators()
	if err != nil {
		t.Fatal(err)
	}
	relay, err := mail.NewRelay(w.Assembly.Deps, mail.RelayParts{Seal: w.Assembly.Codec()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.Config
	cfg.PublicURL, cfg.Pass.BcryptCost = "https://auth.example.com", 12
	return &patient{w, doctor.Parts{Config: cfg, Table: w.Store.Table, Keys: token.Static(w.Ring), Relay: relay, Operators: operators, Now: w.Clock.Now}}
}

// says changes what the store answers to DescribeTable and DescribeTimeToLive.
func (p *patient) says(old, now string, header ...string) {
	p.Store.Transport.Intercept(func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if err != nil || !strings.HasPrefix(operation, "Describe") {
			return res, err
		}
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		raw = bytes.ReplaceAll(raw, []byte(old), []byte(now))
		res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		res.Header.Del("Content-Length")
		res.Header.Del("X-Amz-Crc32")
		for i := 0; i+1 < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	})
}

func (p *patient) finding(t *testing.T, check string) doctor.Finding {
	t.Helper()
	var seen []string
	for _, f := range doctor.Deployment(t.Context(), p.parts) {
		if f.Check == check {
			return f
		}
		seen = append(seen, f.Check)
	}
	t.Fatalf("no finding on %s, only on %v", check, seen)
	return doctor.Finding{}
}

func want(t *testing.T, f doctor.Finding, r doctor.Result, words string) {
	t.Helper()
	if f.Result != r || !strings.Contains(f.Detail, words) {
		t.Errorf("%s is %s: %s; want %s: %s", f.Check, f.Result, f.Detail, r, words)
	}
	if (f.Result == doctor.Failed || f.Result == doctor.Warning) && f.Fix == "" {
		t.Errorf("%s: %s, and no word of what to do", f.Check, f.Detail)
	}
}

func TestWhatTheStoreSaysOfTheTable(t *testing.T) {
	date := func(d time.Duration) []string {
		return []string{"Date", time.Now().Add(d).UTC().Format(http.TimeFormat)}
	}
	for name, c := range map[string]struct {
		old, now string
		header   []string
		check    string
		result   doctor.Result
		words    string
	}{
		"as it should be":     {check: "table", result: doctor.OK, words: "is active"},
		"being made":          {`"TableStatus":"ACTIVE"`, `"TableStatus":"CREATING"`, nil, "table", doctor.Failed, "is CREATING"},
		"other keys":          {`"AttributeName":"PK"`, `"AttributeName":"id"`, nil, "table", doctor.Failed, "other keys"},
		"no index":            {`"IndexName":"GSI1"`, `"IndexName":"other"`, nil, "index", doctor.Failed, "no index GSI1"},
		"index of other keys": {`"AttributeName":"GSI1SK"`, `"AttributeName":"x"`, nil, "index", doctor.Failed, "other keys"},
		"index being made":    {`"IndexStatus":"ACTIVE"`, `"IndexStatus":"CREATING"`, nil, "index", doctor.Failed, "is CREATING"},
		"nothing expires":     {`"ENABLED"`, `"DISABLED"`, nil, "expiry", doctor.Failed, "TTL is not on"},
		"no stream":           {check: "stream", result: doctor.Warning, words: "no stream"},
		"unprotected":         {check: "protection", result: doctor.Warning, words: "delete the table"},
		"clocks agree":        {"", "", date(0), "clock", doctor.OK, "within"},
		"clock a minute off":  {"", "", date(-time.Minute), "clock", doctor.Warning, "LANYARD_CLOCK_LEEWAY"},
		"clock an hour off":   {"", "", date(time.Hour), "clock", doctor.Failed, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPatient(t)
			if c.old == "" {
				c.old, c.now = "\x00", "\x00"
			}
			p.says(c.old, c.now, c.header...)
			want(t, p.finding(t, c.check), c.result, c.words)
		})
	}
	p := newPatient(t)
	p.Store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
		return nil, errors.New("no way there")
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if r := doctor.Deployment(ctx, p.parts); r.Wrong() != 1 || r[1].Check != "table" || !strings.Contains(r[1].Detail, "does not answer") {
		t.Errorf("found %+v", r)
	}
}

func TestWhatTheConfigurationAllows(t *testing.T) {
	p := newPatient(t)
	want(t, p.finding(t, "configuration"), doctor.OK, "audience lanyard")
	p.parts.Config.Limits.Throttle = "off"
	want(t, p.finding(t, "configuration"), doctor.Warning, "guessed")
	p = newPatient(t)
	p.parts.Config.Session.Check.Off = true
	want(t, p.finding(t, "configuration"), doctor.Warning, "signing out")
	p.parts.Config.PublicURL = "http://127.0.0.1:8080"
	want(t, p.finding(t, "configuration"), doctor.Warning, "this machine's own")
	p.parts.Config.Mail.Sender = "local"
	want(t, p.finding(t, "configuration"), doctor.Warning, "sends nothing")
}

func TestKeysThatAreLeftToThemselves(t *testing.T) {
	p := newPatient(t)
	want(t, p.finding(t, "keys"), doctor.OK, "signs since")
	now := p.Clock.Now()
	p.parts.Now = func() time.Time { return now.Add(61 * 24 * time.Hour) }
	want(t, p.finding(t, "keys"), doctor.Warning, "61 days old")
	p.parts.Now = func() time.Time { return now.Add(-3 * time.Hour) }
	want(t, p.finding(t, "keys"), doctor.Failed, "from now")
	key, err := token.GenerateKey(token.ES256, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key.State, key.ActivatedAt = token.StateActive, now
	alone, err := token.BuildRing([]token.Key{key}, p.Ring.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	p.parts.Now, p.parts.Keys = p.Clock.Now, token.Static(alone)
	want(t, p.finding(t, "keys"), doctor.Warning, "no next key")
	p.parts.Keys = lost{}
	want(t, p.finding(t, "keys"), doctor.Failed, "the parameter is gone")
}

type lost struct{}

func (lost) Load(context.Context) (*token.Ring, error) {
	return nil, errors.New("the parameter is gone")
}

func TestTheVersionOfTheTable(t *testing.T) {
	p := newPatient(t)
	m, err := migrate.New(p.Store.Table, migrate.Options{Now: p.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) {
		t.Helper()
		if err := p.Store.Write(t.Context(), table.Update(table.SchemaVersion()).Set(name, value)); err != nil {
			t.Fatal(err)
		}
	}
	want(t, p.finding(t, "schema"), doctor.Warning, "version 1 of")
	if _, err := m.To(t.Context(), m.Latest()); err != nil {
		t.Fatal(err)
	}
	want(t, p.finding(t, "schema"), doctor.OK, "version")
	set("version", m.Latest()+1)
	want(t, p.finding(t, "schema"), doctor.Failed, "this program knows")
	set("running", 2)
	set("direction", "up")
	set("heldUntil", table.At(p.Clock.Now().Add(time.Minute)))
	want(t, p.finding(t, "schema"), doctor.Warning, "under way")
	p.Clock.Advance(time.Hour)
	want(t, p.finding(t, "schema"), doctor.Failed, "broken off")
}

func TestMailThatWaits(t *testing.T) {
	p := newPatient(t)
	want(t, p.finding(t, "mail queue"), doctor.OK, "0 waiting")
	want(t, p.finding(t, "mail server"), doctor.Skipped, "ses")
	want(t, p.finding(t, "super admins"), doctor.Warning, "none")
	w, err := p.Assembly.Outbox().Enqueue(t.Context(), mail.Recipient{Address: "ada@example.com"}, mail.PasswordChanged{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Store.Transact(t.Context(), w, table.Update(table.AdminCount()).Add("admins", 1)); err != nil {
		t.Fatal(err)
	}
	want(t, p.finding(t, "mail queue"), doctor.OK, "1 waiting")
	want(t, p.finding(t, "super admins"), doctor.OK, "1 active")
	p.Clock.Advance(11 * time.Minute)
	want(t, p.finding(t, "mail queue"), doctor.Warning, "1 mails have waited")
	relay, err := mail.NewRelay(p.Assembly.Deps, mail.RelayParts{Seal: p.Assembly.Codec(), Sender: refusing{}, Templates: templates(t), Jitter: func() float64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := relay.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, p.finding(t, "mail queue"), doctor.Warning, "550")
	p.parts.Reach = func(context.Context) error { return errors.New("smtp: AUTH: 535") }
	want(t, p.finding(t, "mail server"), doctor.Failed, "535")
	p.parts.Reach = func(context.Context) error { return nil }
	want(t, p.finding(t, "mail server"), doctor.OK, "lets us in")
}

func templates(t *testing.T) *mail.Templates {
	t.Helper()
	out, err := mail.NewTemplates(mail.TemplateConfig{Product: "Lanyard", PublicURL: "http://127.0.0.1", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type refusing struct{}

func (refusing) Send(context.Context, *mail.Mail) error {
	return &mail.SendError{Reason: "550 no such mailbox", Permanent: true}
}

// Whatever a server answers, the visit ends and says what it was.
func TestServersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		check  string
		words  string
	}{
		"another program":        {http.NotFound, "server", "answered 404"},
		"a proxy without a back": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "server", "answered 502"},
		"broken JSON": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{"))
		}, "server", "/healthz"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "server", "answered 302"},
		"health alone": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				http.NotFound(w, r)
			}
		}, "issuer", "answered 404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			client := server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r := doctor.Server(t.Context(), doctor.Visit{URL: server.URL, Client: client, Now: time.Now})
			for _, f := range r {
				if f.Check == c.check && f.Result == doctor.Failed && strings.Contains(f.Detail, c.words) {
					return
				}
			}
			t.Errorf("found %+v", r)
		})
	}
}
