package mail_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// secret is a token that must turn up in mails and nowhere else.
const secret = "CanaryTokenAbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_canary"

const publicURL = "https://auth.example.com"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// keys is a key source whose ring can be changed.
type keys struct {
	mu   sync.Mutex
	ring *token.Ring
	err  error
}

func (k *keys) Load(context.Context) (*token.Ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring, k.err
}

func (k *keys) set(ring *token.Ring, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ring, k.err = ring, err
}

// outgoing is a Sender that keeps what it is given, and fails on demand.
type outgoing struct {
	mu   sync.Mutex
	sent []*mail.Mail
	fail func(*mail.Mail) error
}

func (o *outgoing) Send(_ context.Context, m *mail.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		if err := o.fail(m); err != nil {
			return err
		}
	}
	o.sent = append(o.sent, m)
	return nil
}

func (o *outgoing) failWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = func(*mail.Mail) error { return err }
}

func (o *outgoing) mails() []*mail.Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*mail.Mail(nil), o.sent...)
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// post is everything a mail passes through, on a table of its own.
type post struct {
	store  *dynamotest.Store
	deps   service.Deps
	clock  *clock
	keys   *keys
	codec  *token.Codec
	outbox *mail.Outbox
	relay  *mail.Relay
	out    *outgoing
	log    *lockedBuffer
}

func testConfig() config.Config {
	return config.Config{
		PublicURL: publicURL,
		Account:   config.Account{VerifyTTL: 24 * time.Hour, ResetTTL: time.Hour, InviteTTL: 7 * 24 * time.Hour},
		Mail:      config.Mail{From: "Lanyard <no-reply@example.com>", Language: "en", Product: "Lanyard"},
	}
}

func templates(t testing.TB, dir string) *mail.Templates {
	t.Helper()
	tpl, err := mail.NewTemplates(mail.TemplateConfig{Product: "Lanyard", PublicURL: publicURL, Language: "en", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func newPost(t testing.TB) *post {
	t.Helper()
	return newPostWith(t, templates(t, ""))
}

func newPostWith(t testing.TB, tpl *mail.Templates) *post {
	t.Helper()
	p := &post{store: dynamotest.New(t), clock: &clock{at: start}, keys: &keys{}, out: &outgoing{}, log: &lockedBuffer{}}
	ring, err := token.NewRing(token.ES256, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.keys.ring = ring
	p.codec = token.NewCodec(p.keys, p.clock.Now)
	p.deps = service.Deps{
		Config: testConfig(), Table: p.store.Table, Now: p.clock.Now,
		Log: slog.New(slog.NewJSONHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	p.outbox = mail.NewOutbox(p.deps, p.codec, rand.Reader)
	p.relay, err = mail.NewRelay(p.deps, mail.RelayParts{
		Seal: p.codec, Sender: p.out, Templates: tpl, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// queue writes a mail into the outbox.
func (p *post) queue(t testing.TB, to mail.Recipient, m mail.Message) {
	t.Helper()
	w, err := p.outbox.Enqueue(t.Context(), to, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.store.Transact(t.Context(), w); err != nil {
		t.Fatal(err)
	}
}

func (p *post) drain(t testing.TB) int {
	t.Helper()
	met, err := p.relay.Drain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return met
}

// one sends a message and gives the mail that came out.
func (p *post) one(t testing.TB, to mail.Recipient, m mail.Message) *mail.Mail {
	t.Helper()
	before := len(p.out.mails())
	p.queue(t, to, m)
	p.drain(t)
	sent := p.out.mails()
	if len(sent) != before+1 {
		t.Fatalf("%d mails came out, want 1; log:\n%s", len(sent)-before, p.log)
	}
	return sent[before]
}

func (p *post) list(t testing.TB, s mail.Status) []mail.Entry {
	t.Helper()
	entries, err := p.relay.List(t.Context(), mail.Filter{Status: s})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// keysInOutbox gives where the queued mails are.
func (p *post) keysInOutbox(t testing.TB) []table.Key {
	t.Helper()
	var out []table.Key
	for _, e := range p.list(t, mail.Pending) {
		out = append(out, table.Outbox(e.ID))
	}
	return out
}

func ann() mail.Recipient { return mail.Recipient{Address: "ann@example.org", Name: "Ann"} }

// assertNoSecrets fails when text holds the token, the link or an address.
func assertNoSecrets(t testing.TB, where, text string) {
	t.Helper()
	for _, s := range []string{secret, "ann@example.org", "verify-email/", "reset-password/"} {
		if strings.Contains(text, s) {
			t.Errorf("%s shows %q:\n%s", where, s, text)
		}
	}
}
