// Package tenanttest gives tests a small world to ask about rights in:
// organizations, members, entities and documents on a real table, and the
// operations on them behind the real pipeline. Who asks is a header's say.
// Only tests import it.
package tenanttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/permission"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// World is the test's own world. Methods that fail end the test.
type World struct {
	*testing.T
	Store      *dynamotest.Store
	Deps       service.Deps
	Access     *access.Checker
	Entities   *entity.Service
	Permission *permission.Service
	Handler    http.Handler
	Operations []api.Operation
	Tasks      *task.Runner

	clock atomic.Int64
}

// New makes an empty world, with changes to the configuration.
func New(t *testing.T, changes ...func(*config.Config)) *World {
	t.Helper()
	return On(t, dynamotest.New(t), changes...)
}

// On makes a world on a table that exists: another process beside the first.
func On(t *testing.T, store *dynamotest.Store, changes ...func(*config.Config)) *World {
	t.Helper()
	w := &World{T: t, Store: store}
	w.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	cfg, err := config.Load(nil)
	w.must(err)
	for _, c := range changes {
		c(&cfg)
	}
	w.Deps = service.Deps{Config: cfg, Table: store.Table, Now: w.Now, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {}}
	src := facts.New(store.Table)
	w.Access, err = access.New(src, src, access.Config{TTL: cfg.Access.CacheTTL, Now: w.Now})
	w.must(err)
	ring, err := token.NewRing(token.ES256, w.Now(), rand.Reader)
	w.must(err)
	codec := token.NewCodec(token.Static(ring), w.Now)
	cursors := cursor.Cursors{Codec: codec, Unavailable: func(err error) bool { return errors.Is(err, token.ErrUnavailable) }}
	log := audit.New(w.Deps)
	w.Entities = entity.New(w.Deps, entity.Parts{Audit: log, Access: w.Access, Cursors: cursors})
	w.Permission = permission.New(w.Deps, permission.Parts{Access: w.Access, Entities: w.Entities, Audit: log, Cursors: cursors})
	w.Operations = append(entity.Operations(w.Entities), permission.Operations(w.Permission)...)
	w.Handler, err = api.NewHandler(api.Options{
		Version: "test", Now: w.Now, Log: w.Deps.Log, Identify: identify,
		Browser: api.Browser{PublicURL: cfg.PublicURL},
	}, w.Operations...)
	w.must(err)
	w.Handler = policytest.New(t, store).Handler(w.Handler)
	w.Tasks = task.NewRunner(w.Deps, cascade.New(w.Deps).Tasks())
	return w
}

// identify believes the test's header.
func identify(r *http.Request, _ *api.Spec) (*caller.Caller, error) {
	c := &caller.Caller{RequestID: "test-request", SourceIP: "192.0.2.1"}
	if u := r.Header.Get("X-Test-User"); u != "" {
		amr := []string{"pwd"}
		if r.Header.Get("X-Test-Otp") != "" {
			amr = append(amr, "otp")
		}
		c.Principal = &caller.Principal{UserID: u, AMR: amr}
	}
	return c, nil
}

func (w *World) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Now is the world's clock.
func (w *World) Now() time.Time { return time.Unix(0, w.clock.Load()).UTC() }

// Pass moves the clock.
func (w *World) Pass(d time.Duration) { w.clock.Add(int64(d)) }

// ID makes an id of nothing.
func (w *World) ID() string {
	w.Helper()
	s, err := id.New()
	w.must(err)
	return s
}

// Put writes items as they are.
func (w *World) Put(items ...any) {
	w.Helper()
	for _, it := range items {
		w.must(w.Store.Write(w.Context(), table.Put(it)))
	}
	w.Access.ForgetAll()
}

// Remove deletes items.
func (w *World) Remove(keys ...table.Key) {
	w.Helper()
	for _, k := range keys {
		w.must(w.Store.Write(w.Context(), table.Delete(k)))
	}
}

type named struct {
	table.Key
	table.IndexKey
	ID string `dynamo:"id"`
}

// User makes a user.
func (w *World) User() string {
	w.Helper()
	u := w.ID()
	w.Put(named{Key: table.UserState(u), ID: u})
	return u
}

// Org makes an organization.
func (w *World) Org() string {
	w.Helper()
	o := w.ID()
	w.Put(named{Key: table.Organization(o), IndexKey: table.InOrgList(o), ID: o})
	return o
}

// Member makes a user with a role in an organization.
func (w *World) Member(org string, role access.OrgRole) string {
	w.Helper()
	u := w.User()
	w.Put(facts.NewMembership(u, org, role, "", w.Now()))
	return u
}

// SuperAdmin makes a super admin.
func (w *World) SuperAdmin() string {
	w.Helper()
	u := w.User()
	w.Put(facts.NewSuperAdmin(u, w.Now()))
	return u
}

// Delegate makes a user to whom super-admin power over a scope is lent for an hour.
func (w *World) Delegate(scope string) string {
	w.Helper()
	u := w.User()
	w.Put(facts.NewDelegation(w.ID(), u, scope, w.ID(), "incident 7", w.Now(), w.Now().Add(time.Hour)))
	return u
}

// Do sends a request of a user and gives the status; the answer is decoded into
// out, if that is not nil. body is JSON text, or a value to encode, or nil.
func (w *World) Do(user, method, path string, body, out any) int {
	w.Helper()
	status, raw := w.Raw(user, method, path, body)
	if out != nil && len(raw) > 0 {
		if err := json.Unmarshal(raw, out); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return status
}

// Raw is Do that gives the answer as it was sent.
func (w *World) Raw(user, method, path string, body any) (int, []byte) {
	w.Helper()
	r := w.Request(user, method, path, body)
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, r)
	return rec.Code, rec.Body.Bytes()
}

// Request makes a request of a user.
func (w *World) Request(user, method, path string, body any) *http.Request {
	w.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		w.must(err)
		content = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(method, path, content)
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		r.Header.Set("X-Test-User", user)
	}
	return r
}

// Want sends a request and ends the test unless it is answered with the status.
func (w *World) Want(status int, user, method, path string, body, out any) {
	w.Helper()
	got, raw := w.Raw(user, method, path, body)
	if got != status {
		w.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			w.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
}

// Entity makes an entity by its operation.
func (w *World) Entity(by, org, typ, name string) string {
	w.Helper()
	var e entity.Entity
	w.Want(http.StatusCreated, by, http.MethodPost, "/api/organizations/"+org+"/entities", map[string]any{"type": typ, "name": name}, &e)
	return e.ID
}

// Document makes a document by its operation.
func (w *World) Document(by, entityID, title string) string {
	w.Helper()
	var d entity.Document
	w.Want(http.StatusCreated, by, http.MethodPost, "/api/entities/"+entityID+"/documents", map[string]any{"title": title, "content": "content of " + title}, &d)
	return d.ID
}

// Grant grants by its operation.
func (w *World) Grant(by, entityID, user, level string) {
	w.Helper()
	w.Want(http.StatusCreated, by, http.MethodPost, "/api/entities/"+entityID+"/permissions", map[string]any{"userId": user, "level": level}, nil)
}

// Share shares by its operation.
func (w *World) Share(by, docID, user, level string) {
	w.Helper()
	w.Want(http.StatusCreated, by, http.MethodPost, "/api/documents/"+docID+"/shares", map[string]any{"userId": user, "level": level}, nil)
}

// Check asks one question of a user about themself and gives the decision.
func (w *World) Check(user, entityID, action, consistency string) permission.Decision {
	w.Helper()
	var out struct{ Results []permission.Decision }
	w.Want(http.StatusOK, user, http.MethodPost, "/api/permissions/check", map[string]any{
		"checks": []any{map[string]any{"entityId": entityID, "action": action}}, "consistency": consistency}, &out)
	return out.Results[0]
}

// Pages reads every page of a list and gives the items' fields of one name.
func (w *World) Pages(user, path, field string) []string {
	w.Helper()
	var out []string
	cursor := ""
	for range 2000 {
		var page struct {
			Items      []map[string]any
			NextCursor string
		}
		at := path
		if cursor != "" {
			at += "&cursor=" + cursor
		}
		w.Want(http.StatusOK, user, http.MethodGet, at, nil, &page)
		for _, it := range page.Items {
			out = append(out, it[field].(string))
		}
		if cursor = page.NextCursor; cursor == "" {
			return out
		}
	}
	w.Fatalf("%s does not end", path)
	return nil
}

// Drain carries out every task, the second runs of cascades included.
func (w *World) Drain() {
	w.Helper()
	for range 100 {
		n, err := w.Tasks.Drain(context.Background())
		w.must(err)
		if n == 0 {
			return
		}
		w.Pass(2 * time.Minute)
	}
	w.Fatal("the tasks do not end")
}

// Trail gives the events in an organization's stream since a moment, newest first.
func (w *World) Trail(org string, since time.Time) []audit.Event {
	w.Helper()
	events, _, err := audit.New(w.Deps).List(w.Context(), audit.OrgStream(org), audit.Filter{From: since}, 100, "")
	w.must(err)
	return events
}
