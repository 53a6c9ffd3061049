package org_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// world is a deployment of this package alone, with a clock that stands still.
type world struct {
	t       *testing.T
	store   *dynamotest.Store
	deps    service.Deps
	access  *access.Checker
	orgs    *org.Service
	handler http.Handler
	tasks   *task.Runner

	mu     sync.Mutex
	now    time.Time
	tokens map[string]string // the newest invitation's token, by address
	budget bool
}

func newWorld(t *testing.T) *world { return newWorldOn(t, dynamotest.New(t)) }

func newWorldOn(t *testing.T, store *dynamotest.Store) *world {
	t.Helper()
	w := &world{t: t, store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		tokens: map[string]string{}, budget: true}
	cfg, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.deps = service.Deps{Config: cfg, Table: w.store.Table, Now: w.clock, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {}}
	src := facts.New(w.store.Table)
	if w.access, err = access.New(src, src, access.Config{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	w.orgs = org.New(w.deps, org.Parts{Access: w.access, Audit: audit.New(w.deps), Mail: w, Budget: w, Cursors: cursor.Cursors{Codec: codec{}}})
	w.tasks = task.NewRunner(w.deps, cascade.New(w.deps).Tasks())
	h, err := api.NewHandler(api.Options{
		Version: "test", Browser: api.Browser{PublicURL: cfg.PublicURL}, Now: w.clock, Log: w.deps.Log, Identify: identify,
	}, org.Operations(w.orgs)...)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = policytest.New(t, store).Handler(h)
	return w
}

// codec binds cursors as the real one does, without keys.
type codec struct{}

func (codec) EncodeCursor(_ context.Context, position []byte, who, query string) (string, error) {
	b, err := json.Marshal([]string{string(position), who, query})
	return hex.EncodeToString(b), err
}

func (codec) ParseCursor(_ context.Context, raw, who, query string) ([]byte, error) {
	var parts []string
	b, err := hex.DecodeString(raw)
	if err != nil || json.Unmarshal(b, &parts) != nil || len(parts) != 3 || parts[1] != who || parts[2] != query {
		return nil, errors.New("forged")
	}
	return []byte(parts[0]), nil
}

// identify believes the test: X-User is who asks, X-AMR how they signed in.
func identify(r *http.Request, spec *api.Spec) (*caller.Caller, error) {
	c := &caller.Caller{RequestID: "req", SourceIP: "192.0.2.1"}
	if u := r.Header.Get("X-User"); u != "" && spec.Access != api.Public {
		c.Principal = &caller.Principal{UserID: u, AMR: strings.Fields("pwd " + r.Header.Get("X-AMR"))}
	}
	return c, nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Invitation implements org.Mail.
func (w *world) Invitation(_ context.Context, to account.Recipient, _, _, _, token string, _ time.Time) (*table.Write, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens[to.Address] = token
	mailID, err := id.New()
	return table.Put(struct{ table.Key }{table.Outbox(mailID)}), err
}

// MayMail implements org.MailBudget.
func (w *world) MayMail(context.Context, string, string) (bool, error) { return w.budget, nil }

func newID(t testing.TB) string {
	t.Helper()
	s, err := id.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) put(items ...any) {
	w.t.Helper()
	for _, it := range items {
		if err := w.store.Write(w.t.Context(), table.Put(it)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// user makes an active user with a verified address, name@example.com.
func (w *world) user(name string) string {
	w.t.Helper()
	u := newID(w.t)
	w.put(account.State{Key: table.UserState(u), IndexKey: table.InUserList(u), ID: u, Email: name + "@example.com", Username: name,
		Role: caller.RoleUser, Status: account.Active, EmailVerified: true, CreatedAt: table.At(w.clock())})
	return u
}

// as gives the context of a request by a user.
func (w *world) as(u string) context.Context {
	return caller.With(w.t.Context(), &caller.Caller{RequestID: "req", Principal: &caller.Principal{UserID: u, Username: "someone", AMR: []string{"pwd"}}})
}

// organization makes one with its admin.
func (w *world) organization(admin string) string {
	w.t.Helper()
	o, err := w.orgs.Create(w.as(admin), "Coastal Marine Services")
	if err != nil {
		w.t.Fatal(err)
	}
	return o.ID
}

// member adds a fresh user to an organization.
func (w *world) member(orgID, admin, name string, role access.OrgRole) string {
	w.t.Helper()
	u := w.user(name)
	if _, err := w.orgs.Add(w.as(admin), orgID, u, role); err != nil {
		w.t.Fatal(err)
	}
	return u
}

// answer is what a request got.
type answer struct {
	status int
	body   string
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

func (a answer) decode(t testing.TB, out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// do sends one request.
func (w *world) do(user, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, path, r)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-User", user)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return answer{rec.Code, rec.Body.String()}
}

// run carries out tasks until none is due.
func (w *world) run() {
	w.t.Helper()
	for range 1000 {
		n, err := w.tasks.Drain(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("the tasks do not end")
}

// items counts what is in the table, by the kind of partition.
func (w *world) items() map[string]int {
	w.t.Helper()
	out := map[string]int{}
	err := w.store.Scan(w.t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			pk, _, _ := strings.Cut(r.Key().PK, "#")
			if pk == "USER" && strings.HasPrefix(r.Key().SK, table.PrefixAccess) {
				pk = "ACCESS"
			}
			out[pk]++
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// adminsOf counts an organization's admins by their memberships, and gives the
// count that its own item keeps.
func (w *world) adminsOf(orgID string, users ...string) (counted int, kept int64) {
	w.t.Helper()
	for _, u := range users {
		var m facts.Membership
		err := w.store.Get(w.t.Context(), table.Membership(u, orgID), table.Strong, &m)
		if err != nil && !errors.Is(err, table.ErrNotFound) {
			w.t.Fatal(err)
		}
		if m.Role == access.RoleAdmin {
			counted++
		}
	}
	var it struct {
		AdminCount int64 `dynamo:"adminCount"`
	}
	if err := w.store.Get(w.t.Context(), table.Organization(orgID), table.Strong, &it); err != nil {
		w.t.Fatal(err)
	}
	return counted, it.AdminCount
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}
