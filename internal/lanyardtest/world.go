// Package lanyardtest starts the whole API for a test, over real HTTP, on a
// real store, with a clock that the test moves. Only tests import it.
package lanyardtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/mfa/kms"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Clock is a clock that stands until it is moved.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now gives the time it stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves it on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// World is a running Lanyard.
type World struct {
	T        testing.TB
	URL      string
	Store    *dynamotest.Store
	Clock    *Clock
	Config   config.Config
	Assembly *assembly.Assembly
	Services catalog.Services
	Checker  *standing.Checker
	Audit    *audit.Log
	Ring     *token.Ring
	Handler  http.Handler
	Logs     *Buffer
	KMS      *kmstest.Service // where LANYARD_MFA_KMS_KEYS is set

	tasks *task.Runner
	relay *mail.Relay
	box   *mail.Mailbox

	sent    atomic.Int64
	refusal atomic.Pointer[mail.SendError]
	watch   atomic.Pointer[func(context.Context, api.Observation)]

	*policytest.Guard
}

// Buffer is a log that may be written and read at the same time.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String gives what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Start runs a Lanyard for a test. env are LANYARD_ settings beyond the tests'
// own: cheap hashes, every session checked at every request, limits off.
func Start(t testing.TB, env ...string) *World {
	t.Helper()
	return start(t, httptest.NewUnstartedServer(nil), env)
}

// Serve is Start with the server's real address for a public URL, so that the
// issuer of its tokens is where its keys are: for verifiers that look there.
func Serve(t testing.TB, env ...string) *World {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	return start(t, server, append([]string{"LANYARD_PUBLIC_URL=http://" + server.Listener.Addr().String()}, env...))
}

func start(t testing.TB, server *httptest.Server, env []string) *World {
	t.Helper()
	store := dynamotest.New(t)
	w := &World{T: t, Store: store, Logs: &Buffer{}, Clock: &Clock{at: time.Now().UTC().Truncate(time.Second)}}
	environ := append([]string{
		"LANYARD_PUBLIC_URL=http://127.0.0.1:8080", "LANYARD_BCRYPT_COST=4", "LANYARD_SESSION_CHECK_TTL=0",
		"LANYARD_THROTTLE=off", "LANYARD_TABLE=" + store.Name(),
	}, env...)
	var err error
	if w.Config, err = config.Load(environ); err != nil {
		t.Fatal(err)
	}
	if w.Ring, err = token.NewRing(token.Algorithm(w.Config.Keys.Algorithm), w.Clock.Now().Add(-time.Hour), rand.Reader); err != nil {
		t.Fatal(err)
	}
	w.Assembly = &assembly.Assembly{Keys: token.Static(w.Ring), Version: "test", Deps: service.Deps{
		Config: w.Config, Table: store.Table, Now: w.Clock.Now,
		Log: slog.New(slog.NewJSONHandler(w.Logs, &slog.HandlerOptions{Level: slog.LevelDebug})), SessionsEnded: func(string) {},
	}}
	w.Guard = policytest.New(t, store)
	if len(w.Config.MFA.KMSKeys) > 0 {
		w.KMS = &kmstest.Service{Decide: w.Guard.DecideKey}
		if w.Assembly.KeyService, err = kms.Connect(w.Config.MFA, w.KMS.Config()); err != nil {
			t.Fatal(err)
		}
	}
	w.build()
	server.Config.Handler = w.Handler
	server.Start()
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// OnRequest has f told of every request that is over, as metrics are.
func (w *World) OnRequest(f func(context.Context, api.Observation)) { w.watch.Store(&f) }

func (w *World) observe(ctx context.Context, o api.Observation) {
	if f := w.watch.Load(); f != nil {
		(*f)(ctx, o)
	}
}

// build puts the services, the handler and the mail together.
func (w *World) build() {
	w.T.Helper()
	auth, checker, err := w.Assembly.Authorizer()
	if err != nil {
		w.T.Fatal(err)
	}
	w.Checker = checker
	if checker != nil {
		w.Assembly.Deps.SessionsEnded = checker.Forget
		auth.Sessions = checkedByAuthorizer{checker}
	}
	if w.Services, err = catalog.NewServices(w.Assembly); err != nil {
		w.T.Fatal(err)
	}
	w.Audit = audit.New(w.Assembly.Deps)
	if w.Handler, err = w.Assembly.Server(catalog.Operations(w.Services, openapi.Document), auth, w.observe); err != nil {
		w.T.Fatal(err)
	}
	w.Handler = w.Guard.Handler(w.Handler)
	if w.tasks, err = w.Assembly.Tasks(); err != nil {
		w.T.Fatal(err)
	}
	templates, err := mail.NewTemplates(mail.TemplateConfig{Product: "Lanyard", PublicURL: w.Config.PublicURL, Language: "en"})
	if err != nil {
		w.T.Fatal(err)
	}
	w.box = mail.NewMailbox(w.Assembly.Deps, w.Assembly.Codec(), rand.Reader)
	w.relay, err = mail.NewRelay(w.Assembly.Deps, mail.RelayParts{
		Seal: w.Assembly.Codec(), Sender: delivered{w.box, &w.refusal, &w.sent}, Templates: templates, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// Settle carries out what requests left to do: tasks, then mail.
func (w *World) Settle() {
	w.T.Helper()
	if err := w.TrySettle(); err != nil {
		w.T.Fatal(err)
	}
}

// TrySettle is Settle where it may fail.
func (w *World) TrySettle() error {
	ctx := policytest.As(context.Background(), policytest.Mailer)
	for range 10 {
		n, err := w.tasks.Drain(ctx)
		if err != nil {
			return fmt.Errorf("tasks: %w", err)
		}
		m, err := w.relay.Drain(ctx)
		if err != nil {
			return fmt.Errorf("mail: %w", err)
		}
		if n+m == 0 {
			return nil
		}
	}
	return nil
}

// Mails gives the mails to an address, newest first.
func (w *World) Mails(to string) []mail.Received {
	w.T.Helper()
	w.Settle()
	all, err := w.box.Newest(context.Background(), 0)
	if err != nil {
		w.T.Fatalf("mailbox: %v", err)
	}
	var out []mail.Received
	for _, m := range all {
		if m.To == to {
			out = append(out, m)
		}
	}
	return out
}

// MailedToken gives the token in the newest mailed link to an address, and
// fails without one.
func (w *World) MailedToken(to string) string {
	w.T.Helper()
	for _, m := range w.Mails(to) {
		for _, link := range m.Links {
			if i := strings.LastIndexByte(link, '/'); i >= 0 && len(link)-i > 40 {
				return link[i+1:]
			}
		}
	}
	w.T.Fatalf("no mail with a link to %s", to)
	return ""
}

// Events gives a user's audit events, newest first, of one type or all.
func (w *World) Events(userID string, of audit.Type) []audit.Event {
	w.T.Helper()
	events, _, err := w.Audit.List(context.Background(), audit.UserStream(userID), audit.Filter{Type: of}, 100, "")
	if err != nil {
		w.T.Fatalf("audit: %v", err)
	}
	return events
}

// State gives a user's auth state as the table has it.
func (w *World) State(userID string) *account.State {
	w.T.Helper()
	st := &account.State{}
	if err := w.Store.Get(context.Background(), table.UserState(userID), table.Strong, st); err != nil {
		w.T.Fatalf("state of %s: %v", userID, err)
	}
	return st
}

// Dump gives everything in the table as text, for tests that look for what must
// not be there.
func (w *World) Dump() string {
	w.T.Helper()
	var out strings.Builder
	err := w.Store.Scan(context.Background(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			var it map[string]any
			if err := r.Decode(&it); err != nil {
				return err
			}
			fmt.Fprintln(&out, it)
		}
		return nil
	})
	if err != nil {
		w.T.Fatalf("dump the table: %v", err)
	}
	return out.String()
}

// Password is the password of users that the kit makes.
const Password = "correct horse battery staple"

// Registered makes a verified user and gives a client that has signed in with
// delivery body.
func (w *World) Registered(email string) *Client {
	w.T.Helper()
	c := w.Client()
	c.Post("/api/auth/register", map[string]any{"email": email, "password": Password}).Want(http.StatusCreated)
	c.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken(email)}).Want(http.StatusOK)
	c.Login(map[string]any{"email": email, "password": Password})
	return c
}

// Client is one client of the API: a browser with a cookie jar, or a program
// with tokens.
type Client struct {
	w       *World
	http    *http.Client
	Header  http.Header
	UserID  string
	Access  string // sent as a bearer token when set
	Refresh string
}

// Client makes a program without credentials.
func (w *World) Client() *Client {
	return &Client{w: w, http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, Header: http.Header{}}
}

// Browser makes a browser: it keeps cookies and says where requests come from.
func (w *World) Browser() *Client {
	c := w.Client()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.T.Fatal(err)
	}
	c.http.Jar = jar
	c.Header.Set("Sec-Fetch-Site", "same-origin")
	return c
}

// Login signs in with delivery body and keeps the tokens.
func (c *Client) Login(body map[string]any) *Answer {
	c.w.T.Helper()
	body["delivery"] = "body"
	a := c.Post("/api/auth/login", body).Want(http.StatusOK)
	c.Keep(a)
	return a
}

// Keep takes over the tokens of an answer.
func (c *Client) Keep(a *Answer) {
	c.w.T.Helper()
	c.Access, c.Refresh = a.Text("tokens.accessToken"), a.Text("tokens.refreshToken")
	c.UserID = a.Text("user.id")
}

// Get, Post, Put, Patch and Delete send requests; body nil sends none.
func (c *Client) Get(path string) *Answer              { return c.Do(http.MethodGet, path, nil) }
func (c *Client) Post(path string, body any) *Answer   { return c.Do(http.MethodPost, path, body) }
func (c *Client) Put(path string, body any) *Answer    { return c.Do(http.MethodPut, path, body) }
func (c *Client) Patch(path string, body any) *Answer  { return c.Do(http.MethodPatch, path, body) }
func (c *Client) Delete(path string, body any) *Answer { return c.Do(http.MethodDelete, path, body) }

// Do sends a request. A string or []byte body goes out as it is.
func (c *Client) Do(method, path string, body any) *Answer {
	c.w.T.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			c.w.T.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.w.URL+path, r)
	if err != nil {
		c.w.T.Fatal(err)
	}
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.Access != "" {
		req.Header.Set("Authorization", "Bearer "+c.Access)
	}
	for k, v := range c.Header {
		req.Header[k] = v
	}
	return c.Send(req)
}

// Send sends a request that the test made itself.
func (c *Client) Send(req *http.Request) *Answer {
	c.w.T.Helper()
	res, err := c.http.Do(req)
	if err != nil {
		c.w.T.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.w.T.Fatal(err)
	}
	contract, err := theContract()
	if err != nil {
		c.w.T.Fatal(err)
	}
	if err := contract.check(req, res.StatusCode, res.Header, raw); err != nil {
		c.w.T.Errorf("%s %s, %d: the answer is not as documented: %v\n%s", req.Method, req.URL.Path, res.StatusCode, err, raw)
	}
	return &Answer{t: c.w.T, What: req.Method + " " + req.URL.Path, Status: res.StatusCode, Header: res.Header, Cookies: res.Cookies(), Raw: raw}
}

// Cookie gives the value of a cookie that the browser holds for a path.
func (c *Client) Cookie(path, name string) string {
	if c.http.Jar == nil {
		return ""
	}
	req, err := http.NewRequest(http.MethodGet, c.w.URL+path, nil)
	if err != nil {
		c.w.T.Fatal(err)
	}
	for _, k := range c.http.Jar.Cookies(req.URL) {
		if k.Name == name {
			return k.Value
		}
	}
	return ""
}

// Answer is what came back.
type Answer struct {
	t       testing.TB
	What    string
	Status  int
	Header  http.Header
	Cookies []*http.Cookie
	Raw     []byte
}

// Want fails the test unless the status is as given.
func (a *Answer) Want(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.What, a.Status, status, a.Raw)
	}
	return a
}

// Problem fails the test unless the answer is a problem of that status and code.
func (a *Answer) Problem(status int, code string) *Answer {
	a.t.Helper()
	if a.Status != status || a.Text("code") != code || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		a.t.Fatalf("%s: %d %s %s, want problem %d %s", a.What, a.Status, a.Header.Get("Content-Type"), a.Raw, status, code)
	}
	return a
}

// Value gives the value at a path such as "items.0.id", nil for none.
func (a *Answer) Value(path string) any {
	var v any
	if json.Unmarshal(a.Raw, &v) != nil {
		return nil
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Text gives the string at a path, "" for none.
func (a *Answer) Text(path string) string {
	s, _ := a.Value(path).(string)
	return s
}

// Operations gives the declarations of every operation.
func Operations() []api.Spec {
	var out []api.Spec
	for _, op := range catalog.Operations(catalog.Services{}, nil) {
		out = append(out, op.Spec)
	}
	return out
}
