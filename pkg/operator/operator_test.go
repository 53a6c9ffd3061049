package operator_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/operator"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// world is a deployment of this package alone, with a clock that stands still.
type world struct {
	t        *testing.T
	store    *dynamotest.Store
	deps     service.Deps
	accounts *account.Service
	ops      *operator.Service
	access   *access.Checker
	handler  http.Handler

	mu    sync.Mutex
	now   time.Time
	ended map[string]int
	sid   map[string]string
}

// plainHasher keeps passwords as they are; nothing here is about hashing.
type plainHasher struct{}

func (plainHasher) Hash(_ context.Context, password string) (string, error) {
	return "plain:" + password, nil
}
func (plainHasher) Verify(_ context.Context, encoded, password string) (bool, bool, error) {
	return encoded == "plain:"+password, false, nil
}
func (plainHasher) Decoy(context.Context, string) error { return nil }

type longPolicy struct{}

func (longPolicy) Refuse(password string, _ ...string) []string {
	if len(password) < 12 {
		return []string{"too short"}
	}
	return nil
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

func newWorld(t *testing.T, set ...func(*config.Config)) *world {
	return newWorldOn(t, dynamotest.New(t), set...)
}

func newWorldOn(t *testing.T, store *dynamotest.Store, set ...func(*config.Config)) *world {
	t.Helper()
	w := &world{t: t, store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ended: map[string]int{}, sid: map[string]string{}}
	cfg, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set {
		f(&cfg)
	}
	w.deps = service.Deps{Config: cfg, Table: w.store.Table, Now: w.clock, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(u string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended[u]++
	}}
	src := facts.New(w.store.Table)
	if w.access, err = access.New(src, src, access.Config{Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	log := audit.New(w.deps)
	w.accounts = account.New(w.deps, account.Parts{Audit: log, Hasher: plainHasher{}, Policy: longPolicy{},
		Departures: []account.Departure{org.NewDeparture(w.store.Table), operator.Departure{}}})
	w.ops = operator.New(w.deps, operator.Parts{Access: w.access, Accounts: w.accounts, Audit: log, Cursors: cursor.Cursors{Codec: codec{}}})
	w.handler, err = api.NewHandler(api.Options{
		Version: "test", Browser: api.Browser{PublicURL: cfg.PublicURL}, Now: w.clock, Log: w.deps.Log,
		Authorize: operator.NewAuthorizer(w.deps, log).Authorize,
		Identify: func(r *http.Request, _ *api.Spec) (*caller.Caller, error) {
			c := &caller.Caller{RequestID: "req", SourceIP: "192.0.2.1"}
			if u := r.Header.Get("X-User"); u != "" {
				c.Principal = &caller.Principal{UserID: u, SessionID: w.sid[u], AMR: strings.Fields("pwd " + r.Header.Get("X-AMR"))}
			}
			return c, nil
		},
	}, operator.Operations(w.ops)...)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = policytest.New(t, w.store).Handler(w.handler)
	return w
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

// user makes an active user with a session.
func (w *world) user(name string, set ...func(*account.State)) string {
	w.t.Helper()
	u := newID(w.t)
	st := account.State{Key: table.UserState(u), IndexKey: table.InUserList(u), ID: u, Email: name + "@example.com", Username: name,
		Role: caller.RoleUser, Status: account.Active, EmailVerified: true, CreatedAt: table.At(w.clock())}
	for _, f := range set {
		f(&st)
	}
	claim := struct {
		table.Key
		UserID string `dynamo:"userId"`
	}{table.EmailClaim(st.Email), u}
	w.put(st, claim)
	claim.Key = table.UsernameClaim(name)
	w.put(claim)
	w.signIn(u)
	return u
}

// signIn gives a user a session of their present epoch.
func (w *world) signIn(u string) {
	w.t.Helper()
	st := w.state(u)
	sid, later := newID(w.t), w.clock().Add(1000*time.Hour)
	w.put(session.Item{Key: table.Session(u, sid), ID: sid, Epoch: st.Epoch, AMR: []string{"pwd"}, ExpiresAt: table.At(later), EndsAt: table.At(later)})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sid[u] = sid
}

// root makes a super admin by the command and signs them in.
func (w *world) root(name string) string {
	w.t.Helper()
	u, err := w.ops.Bootstrap(w.t.Context(), name+"@example.com", "correct horse battery")
	if err != nil {
		w.t.Fatal(err)
	}
	w.signIn(u.ID)
	return u.ID
}

func (w *world) state(u string) account.State {
	w.t.Helper()
	var st account.State
	if err := w.store.Get(w.t.Context(), table.UserState(u), table.Strong, &st); err != nil && !errors.Is(err, table.ErrNotFound) {
		w.t.Fatal(err)
	}
	return st
}

// as gives the context of a request that was admitted by own power.
func (w *world) as(u string) context.Context {
	return caller.With(w.t.Context(), &caller.Caller{Principal: &caller.Principal{UserID: u, AMR: []string{"pwd"}}})
}

type answer struct {
	status int
	body   string
}

func (a answer) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(a.body), &p)
	return p.Code
}

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

// admins counts the active super admins among users three ways: by their
// states, by their facts, and by the counter.
func (w *world) admins(users ...string) [3]int {
	w.t.Helper()
	var n [3]int
	for _, u := range users {
		if st := w.state(u); st.Role == caller.RoleAdmin && st.Status == account.Active {
			n[0]++
		}
		f, err := facts.New(w.store.Table).Facts(w.t.Context(), u, 10)
		if err != nil {
			w.t.Fatal(err)
		}
		if f.SuperAdmin {
			n[1]++
		}
	}
	var c struct {
		Admins int `dynamo:"admins"`
	}
	if err := w.store.Get(w.t.Context(), table.AdminCount(), table.Strong, &c); err != nil && !errors.Is(err, table.ErrNotFound) {
		w.t.Fatal(err)
	}
	n[2] = c.Admins
	return n
}

// routes lists every operation with a body that would do.
func routes(user, delegation string) []struct {
	method, path string
	body         any
	lendable     bool
} {
	reason := map[string]any{"reason": "r"}
	return []struct {
		method, path string
		body         any
		lendable     bool
	}{
		{"GET", "/api/users", nil, true},
		{"GET", "/api/users/" + user, nil, true},
		{"PATCH", "/api/users/" + user, map[string]any{"profile": map[string]any{"firstName": "V"}}, true},
		{"POST", "/api/users/" + user + "/logout", reason, true},
		{"POST", "/api/users/" + user + "/suspend", reason, true},
		{"POST", "/api/users/" + user + "/reactivate", reason, true},
		{"GET", "/api/admin/audit", nil, true},
		{"GET", "/api/admin/delegations", nil, false},
		{"POST", "/api/admin/delegations", map[string]any{"userId": user, "scope": "platform", "expiresAt": "2026-03-02T00:00:00Z", "reason": "r"}, false},
		{"DELETE", "/api/admin/delegations/" + delegation, nil, false},
		{"PUT", "/api/users/" + user + "/role", map[string]any{"role": "ADMIN", "reason": "r"}, false},
		{"DELETE", "/api/users/" + user, nil, false},
	}
}

func TestWhoMayOperate(t *testing.T) {
	w := newWorld(t)
	root := w.root("root")
	plain, delegate, orgOnly, late, target := w.user("plain"), w.user("delegate"), w.user("orgonly"), w.user("late"), w.user("target")
	ends := w.clock().Add(time.Hour)
	w.put(facts.NewDelegation(newID(t), delegate, access.ScopePlatform, root, "r", w.clock(), ends),
		facts.NewDelegation(newID(t), orgOnly, newID(t), root, "r", w.clock(), ends),
		facts.NewDelegation(newID(t), late, access.ScopePlatform, root, "r", w.clock(), w.clock()))
	if n := len(operator.Operations(w.ops)); n != len(routes("", "")) {
		t.Fatalf("%d operations, %d in the table of this test", n, len(routes("", "")))
	}
	for _, r := range routes(target, newID(t)) {
		for name, u := range map[string]string{"a user": plain, "a delegate of one organization": orgOnly, "after the end": late} {
			if got := w.do(u, r.method, r.path, r.body); got.status != 403 || got.code() != "forbidden" {
				t.Errorf("%s: %s %s: %d %s", name, r.method, r.path, got.status, got.body)
			}
		}
		if got := w.do("", r.method, r.path, r.body); got.status != 401 {
			t.Errorf("nobody: %s %s: %d", r.method, r.path, got.status)
		}
		got := w.do(delegate, r.method, r.path, r.body)
		if r.lendable && got.status >= 300 || !r.lendable && got.code() != "delegation_limited" {
			t.Errorf("a delegate: %s %s: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	for _, r := range routes(target, newID(t)) {
		want := 2
		if strings.HasPrefix(r.path, "/api/admin/delegations/") {
			want = 4 // there is no such delegation
		}
		if got := w.do(root, r.method, r.path, r.body); got.status/100 != want {
			t.Errorf("a super admin: %s %s: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	for _, r := range routes(newID(t), newID(t)) {
		if !strings.Contains(r.path, "/users/") {
			continue
		}
		if got := w.do(root, r.method, r.path, r.body); got.status != 404 {
			t.Errorf("a user who does not exist: %s %s: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	if got := w.do(root, "GET", "/api/users/x", nil); got.status != 404 {
		t.Errorf("an id that is none: %+v", got)
	}
	trail := w.do(root, "GET", "/api/admin/audit?limit=100&type=user.suspended&actorId="+delegate, nil)
	if !strings.Contains(trail.body, `"power":"delegation"`) || !strings.Contains(trail.body, `"scope":"platform"`) {
		t.Errorf("the delegate's act does not name its power: %s", trail.body)
	}
}

func TestADelegateDoesNotReachSuperAdminsOrCredentials(t *testing.T) {
	w := newWorld(t)
	root, victim, delegate := w.root("root"), w.root("victim"), w.user("delegate")
	w.put(facts.NewDelegation(newID(t), delegate, access.ScopePlatform, root, "r", w.clock(), w.clock().Add(time.Hour)))
	for _, r := range routes(victim, newID(t))[2:6] {
		if got := w.do(delegate, r.method, r.path, r.body); got.code() != "delegation_limited" {
			t.Errorf("%s %s: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	plain := w.user("plain")
	if got := w.do(delegate, "PATCH", "/api/users/"+plain, map[string]any{"emailVerified": false}); got.code() != "delegation_limited" {
		t.Errorf("a verified address: %+v", got)
	}
	lent := caller.With(t.Context(), &caller.Caller{Lent: true, Principal: &caller.Principal{UserID: delegate}})
	_, err := w.ops.SetRole(lent, plain, caller.RoleAdmin, "r")
	wantCode(t, err, fault.CodeDelegateLimited)
	_, err = w.ops.Lend(lent, operator.Loan{UserID: plain, Scope: access.ScopePlatform, ExpiresAt: w.clock().Add(time.Hour)})
	wantCode(t, err, fault.CodeDelegateLimited)
	wantCode(t, w.ops.TakeBack(lent, newID(t)), fault.CodeDelegateLimited)
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !fault.HasCode(err, code) {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestAnEndedSessionOperatesNoMore(t *testing.T) {
	w := newWorld(t)
	root, other := w.root("root"), w.root("other")
	if got := w.do(root, "GET", "/api/users/"+other, nil); got.status != 200 {
		t.Fatalf("before: %+v", got)
	}
	if err := w.ops.SignOut(w.as(other), root, "r"); err != nil {
		t.Fatal(err)
	}
	if got := w.do(root, "GET", "/api/users/"+other, nil); got.code() != "session_revoked" {
		t.Errorf("after sign-out: %+v", got)
	}
	if w.ended[root] == 0 {
		t.Error("nobody was told that the sessions ended")
	}
	w.signIn(root)
	if err := w.ops.Suspend(w.as(other), root, "r"); err != nil {
		t.Fatal(err)
	}
	if got := w.do(root, "GET", "/api/users/"+other, nil); got.code() != "session_revoked" {
		t.Errorf("suspended: %+v", got)
	}
	_, err := w.ops.SetRole(w.as(root), other, caller.RoleUser, "r") // the condition holds without the pipeline
	wantCode(t, err, fault.CodeForbidden)
}

func TestASecondFactorIsRequiredWhereConfigured(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.MFA.RequireForAdmins = true })
	root := w.root("root")
	if got := w.do(root, "GET", "/api/users", nil); got.code() != "mfa_required" {
		t.Errorf("password only: %+v", got)
	}
	if got := w.do(root, "GET", "/api/users", nil, "X-AMR", "otp"); got.status != 200 {
		t.Errorf("with a code: %+v", got)
	}
}

func race(attempts ...func() error) []error {
	errs := make([]error, len(attempts))
	var start, done sync.WaitGroup
	start.Add(1)
	for i, f := range attempts {
		done.Add(1)
		go func() {
			defer done.Done()
			start.Wait()
			errs[i] = f()
		}()
	}
	start.Done()
	done.Wait()
	return errs
}

func TestTheLastSuperAdminStaysHoweverTwoOfThemRace(t *testing.T) {
	w := newWorld(t)
	users := []string{w.root("root")}
	keeper := users[0]
	demote := func(by, whom string) func() error {
		return func() error { _, err := w.ops.SetRole(w.as(by), whom, caller.RoleUser, "r"); return err }
	}
	suspend := func(by, whom string) func() error {
		return func() error { return w.ops.Suspend(w.as(by), whom, "r") }
	}
	remove := func(by, whom string) func() error {
		return func() error { return w.ops.Delete(w.as(by), whom) }
	}
	kinds := []func(by, whom string) func() error{demote, suspend, remove}
	for round := range 100 {
		other := w.root(fmt.Sprint("other", round))
		users = append(users, other)
		a, b := kinds[round%3], kinds[round/3%3]
		errs := race(a(keeper, other), b(other, keeper), demote(keeper, keeper), suspend(other, other))
		n := w.admins(users...)
		if n != [3]int{1, 1, 1} {
			t.Fatalf("round %d: by state, fact, counter: %v; %v", round, n, errs)
		}
		for _, err := range errs {
			for _, ok := range []fault.Code{fault.CodeLastAdmin, fault.CodeForbidden, fault.CodeNotFound, fault.CodeConflict} {
				if fault.HasCode(err, ok) {
					err = nil
				}
			}
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if st := w.state(other); st.Role == caller.RoleAdmin && st.Status == account.Active {
			keeper = other
		}
	}
}

func TestTheRoleFactAndCounterMoveTogether(t *testing.T) {
	w := newWorld(t)
	root, bob := w.root("root"), w.user("bob")
	all := []string{root, bob}
	steps := []struct {
		name string
		do   func() error
		want int
		code fault.Code
	}{
		{"promote", func() error { _, err := w.ops.SetRole(w.as(root), bob, caller.RoleAdmin, "r"); return err }, 2, ""},
		{"promote again", func() error { _, err := w.ops.SetRole(w.as(root), bob, caller.RoleAdmin, "r"); return err }, 2, ""},
		{"suspend", func() error { return w.ops.Suspend(w.as(root), bob, "r") }, 1, ""},
		{"suspend again", func() error { return w.ops.Suspend(w.as(root), bob, "r") }, 1, ""},
		{"the last suspends themself", func() error { return w.ops.Suspend(w.as(root), root, "r") }, 1, fault.CodeLastAdmin},
		{"reactivate", func() error { return w.ops.Reactivate(w.as(root), bob, "r") }, 2, ""},
		{"reactivate again", func() error { return w.ops.Reactivate(w.as(root), bob, "r") }, 2, ""},
		{"suspend once more", func() error { return w.ops.Suspend(w.as(root), bob, "r") }, 1, ""},
		{"demote while suspended", func() error { _, err := w.ops.SetRole(w.as(root), bob, caller.RoleUser, "r"); return err }, 1, ""},
		{"promote while suspended", func() error { _, err := w.ops.SetRole(w.as(root), bob, caller.RoleAdmin, "r"); return err }, 1, fault.CodeConflict},
		{"reactivate as a user", func() error { return w.ops.Reactivate(w.as(root), bob, "r") }, 1, ""},
		{"the last demotes themself", func() error { _, err := w.ops.SetRole(w.as(root), root, caller.RoleUser, "r"); return err }, 1, fault.CodeLastAdmin},
		{"the last deletes themself", func() error { return w.ops.Delete(w.as(root), root) }, 1, fault.CodeLastAdmin},
		{"promote to leave", func() error { _, err := w.ops.SetRole(w.as(root), bob, caller.RoleAdmin, "r"); return err }, 2, ""},
		{"delete a super admin", func() error { return w.ops.Delete(w.as(bob), root) }, 1, ""},
	}
	for _, s := range steps {
		err := s.do()
		if s.code == "" && err != nil || s.code != "" && !fault.HasCode(err, s.code) {
			t.Errorf("%s: %v, want %q", s.name, err, s.code)
		}
		if n := w.admins(all...); n != [3]int{s.want, s.want, s.want} {
			t.Fatalf("%s: by state, fact, counter: %v, want %d", s.name, n, s.want)
		}
	}
}

func TestBootstrapMakesASuperAdminOnce(t *testing.T) {
	w := newWorld(t)
	u, err := w.ops.Bootstrap(t.Context(), "Root@Example.com", "correct horse battery")
	if err != nil || u.Role != "ADMIN" || u.Status != "active" || !u.EmailVerified || *u.Email != "root@example.com" {
		t.Fatalf("%+v, %v", u, err)
	}
	for name, c := range map[string]struct {
		email, password string
		code            fault.Code
	}{
		"again":         {"root@example.com", "correct horse battery", fault.CodeEmailTaken},
		"weak password": {"root2@example.com", "short", fault.CodeWeakPassword},
		"no address":    {"root", "correct horse battery", fault.CodeValidation},
	} {
		if _, err := w.ops.Bootstrap(t.Context(), c.email, c.password); !fault.HasCode(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.admins(u.ID); n != [3]int{1, 1, 1} {
		t.Errorf("by state, fact, counter: %v", n)
	}
}

func TestUsersAreFoundAndListed(t *testing.T) {
	w := newWorld(t)
	root := w.root("root")
	alice := w.user("alice")
	var pending []string
	for i := range 40 {
		u := w.user(fmt.Sprintf("user%02d", i), func(st *account.State) {
			if i%10 == 0 {
				st.Status = account.Pending
			}
		})
		if i%10 == 0 {
			pending = append(pending, u)
		}
	}
	page := func(query string) (ids []string) {
		cursor := ""
		for range 100 {
			got := w.do(root, "GET", "/api/users?"+query+cursor, nil)
			var list struct {
				Items      []struct{ ID string }
				NextCursor string
			}
			if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 {
				t.Fatalf("%s: %+v", query, got)
			}
			for _, u := range list.Items {
				ids = append(ids, u.ID)
			}
			if list.NextCursor == "" {
				return ids
			}
			cursor = "&cursor=" + list.NextCursor
		}
		t.Fatalf("%s does not end", query)
		return nil
	}
	for _, limit := range []int{1, 7, 42, 100} {
		ids := page(fmt.Sprintf("limit=%d", limit))
		if len(ids) != 42 {
			t.Errorf("limit %d: %d users", limit, len(ids))
		}
		for i := 1; i < len(ids); i++ {
			if ids[i-1] >= ids[i] {
				t.Fatalf("limit %d: not in order", limit)
			}
		}
		if got := page(fmt.Sprintf("status=pending&limit=%d", limit)); fmt.Sprint(got) != fmt.Sprint(pending) {
			t.Errorf("limit %d: pending %v, want %v", limit, got, pending)
		}
	}
	for query, want := range map[string]int{
		"email=ALICE@example.com": 1, "username=Alice": 1, "email=alice@example.com&username=alice": 1,
		"email=alice@example.com&username=user01": 0, "email=nobody@example.com": 0, "username=alice&status=suspended": 0, "username=alice&status=active": 1,
	} {
		got := page(query)
		if len(got) != want || want == 1 && got[0] != alice {
			t.Errorf("%s: %v", query, got)
		}
	}
	for _, query := range []string{"email=x", "username=!", "status=gone", "cursor=ab", "limit=0"} {
		if got := w.do(root, "GET", "/api/users?"+query, nil); got.status != 422 && got.status != 400 {
			t.Errorf("%s: %+v", query, got)
		}
	}
	first := w.do(root, "GET", "/api/users?limit=1", nil)
	var list struct{ NextCursor string }
	if err := json.Unmarshal([]byte(first.body), &list); err != nil {
		t.Fatal(err)
	}
	if got := w.do(root, "GET", "/api/users?limit=1&status=active&cursor="+list.NextCursor, nil); got.code() != "invalid_cursor" {
		t.Errorf("another filter's cursor: %+v", got)
	}
}

func TestAUserIsChanged(t *testing.T) {
	w := newWorld(t)
	root := w.root("root")
	pending := w.user("pending", func(st *account.State) { st.Status, st.EmailVerified, st.VerifyHash = account.Pending, false, "h" })
	nameless := w.user("nameless", func(st *account.State) { st.Email = "" })
	got := w.do(root, "PATCH", "/api/users/"+pending, map[string]any{"emailVerified": true, "profile": map[string]any{"firstName": "Penny"}})
	if got.status != 200 || !strings.Contains(got.body, `"status":"active"`) || !strings.Contains(got.body, `"firstName":"Penny"`) {
		t.Errorf("%+v", got)
	}
	if st := w.state(pending); st.Status != account.Active || !st.EmailVerified || st.VerifyHash != "" {
		t.Errorf("%+v", st)
	}
	got = w.do(root, "PATCH", "/api/users/"+pending, map[string]any{"emailVerified": false})
	if got.status != 200 || !strings.Contains(got.body, `"emailVerified":false`) || !strings.Contains(got.body, `"firstName":"Penny"`) {
		t.Errorf("%+v", got)
	}
	if got := w.do(root, "PATCH", "/api/users/"+nameless, map[string]any{"emailVerified": true}); got.status != 422 {
		t.Errorf("without an address: %+v", got)
	}
	if got := w.do(root, "PATCH", "/api/users/"+pending, map[string]any{"role": "ADMIN"}); got.status != 422 {
		t.Errorf("a field that is not to be changed: %+v", got)
	}
	suspended := w.user("unverified", func(st *account.State) { st.Status, st.EmailVerified = account.Suspended, false })
	if err := w.ops.Reactivate(w.as(root), suspended, "r"); err != nil || w.state(suspended).Status != account.Pending {
		t.Errorf("%+v, %v", w.state(suspended), err)
	}
}

func TestADeletedUserLeavesNothing(t *testing.T) {
	w := newWorld(t)
	root, alice := w.root("root"), w.user("alice")
	w.put(facts.NewMembership(alice, newID(t), access.RoleViewer, root, w.clock()))
	if got := w.do(root, "DELETE", "/api/users/"+alice, nil); got.status != 204 {
		t.Fatalf("%+v", got)
	}
	if _, err := task.NewRunner(w.deps, w.accounts.Tasks()).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := w.store.Query(t.Context(), table.Query{PK: table.User(alice), Strong: table.Strong})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("%d items are left, %v", len(page.Records), err)
	}
	if got := w.do(root, "GET", "/api/users?email=alice@example.com", nil); !strings.Contains(got.body, `"items":[]`) {
		t.Errorf("the address is still taken: %s", got.body)
	}
}

func TestPowerIsLentAndTakenBack(t *testing.T) {
	w := newWorld(t)
	root, bob := w.root("root"), w.user("bob")
	orgID := newID(t)
	w.put(struct {
		table.Key
		ID string `dynamo:"id"`
	}{table.Organization(orgID), orgID})
	lend := func(scope, ends string) answer {
		return w.do(root, "POST", "/api/admin/delegations", map[string]any{"userId": bob, "scope": scope, "expiresAt": ends, "reason": "cover"})
	}
	var d struct{ ID, Scope, UserID, GrantedBy, Reason string }
	made := lend("platform", "2026-03-02T00:00:00Z")
	if err := json.Unmarshal([]byte(made.body), &d); err != nil || made.status != 201 || d.UserID != bob || d.GrantedBy != root || d.Reason != "cover" {
		t.Fatalf("%+v", made)
	}
	for name, c := range map[string]struct {
		got    answer
		status int
	}{
		"again":                {lend("platform", "2026-03-03T00:00:00Z"), 409},
		"an organization":      {lend(orgID, "2026-03-02T00:00:00Z"), 201},
		"one that is not":      {lend(newID(t), "2026-03-02T00:00:00Z"), 404},
		"a scope that is none": {lend("everything", "2026-03-02T00:00:00Z"), 422},
		"an end that passed":   {lend("platform", "2026-03-01T00:00:00Z"), 422},
		"an end too far":       {lend("platform", "2036-03-01T00:00:00Z"), 422},
		"nobody": {w.do(root, "POST", "/api/admin/delegations", map[string]any{"userId": newID(t), "scope": "platform",
			"expiresAt": "2026-03-02T00:00:00Z", "reason": "r"}), 404},
		"no reason": {w.do(root, "POST", "/api/admin/delegations", map[string]any{"userId": bob, "scope": "platform",
			"expiresAt": "2026-03-02T00:00:00Z"}), 422},
	} {
		if c.got.status != c.status {
			t.Errorf("%s: %+v, want %d", name, c.got, c.status)
		}
	}
	if got := w.do(bob, "GET", "/api/users", nil); got.status != 200 {
		t.Errorf("the delegate: %+v", got)
	}
	if s, err := w.access.Role(t.Context(), bob, orgID, access.Strong); err != nil || s.Source != access.FromSuperAdmin {
		t.Errorf("%+v, %v", s, err)
	}
	if got := w.do(root, "GET", "/api/admin/delegations?limit=1", nil); !strings.Contains(got.body, d.ID) || !strings.Contains(got.body, "nextCursor") {
		t.Errorf("list: %+v", got)
	}
	if got := w.do(root, "DELETE", "/api/admin/delegations/"+d.ID, nil); got.status != 204 {
		t.Fatalf("take back: %+v", got)
	}
	for _, path := range []string{d.ID, "x"} {
		if got := w.do(root, "DELETE", "/api/admin/delegations/"+path, nil); got.status != 404 {
			t.Errorf("take back %s: %+v", path, got)
		}
	}
	if got := w.do(bob, "GET", "/api/users", nil); got.code() != "forbidden" {
		t.Errorf("after it was taken back: %+v", got)
	}
	if got := lend("platform", "2026-03-01T13:00:00Z"); got.status != 201 {
		t.Errorf("lend anew: %+v", got)
	}
	w.pass(2 * time.Hour)
	if got := w.do(bob, "GET", "/api/users", nil); got.code() != "forbidden" {
		t.Errorf("after its end: %+v", got)
	}
	if got := w.do(root, "GET", "/api/admin/delegations", nil); strings.Contains(got.body, `"scope":"platform"`) {
		t.Errorf("an ended delegation is listed: %s", got.body)
	}
	if got := lend("platform", "2026-03-02T13:00:00Z"); got.status != 201 {
		t.Errorf("lend over one that ended: %+v", got)
	}
}

func TestTheTrailHoldsEveryActAndRead(t *testing.T) {
	w := newWorld(t)
	root, bob := w.root("root"), w.user("bob")
	w.do(root, "GET", "/api/users", nil)
	w.do(root, "GET", "/api/users/"+bob, nil)
	w.do(root, "POST", "/api/users/"+bob+"/suspend", map[string]any{"reason": "abuse"})
	w.do(bob, "GET", "/api/users", nil)
	w.do(root, "GET", "/api/admin/delegations", nil)
	w.do(root, "GET", "/api/admin/audit", nil)
	got := w.do(root, "GET", "/api/admin/audit?from=2026-03-01T00:00:00Z&limit=100", nil)
	for _, want := range []string{`"type":"user.read"`, `"subjectId":"` + bob, `"reason":"abuse"`, `"type":"audit.read"`, `"power":"super_admin"`,
		`"type":"user.role_changed"`, `"read":"delegations"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the trail does not say %s: %s", want, got.body)
		}
	}
	if got := w.do(root, "GET", "/api/admin/audit?cursor=ab", nil); got.code() != "invalid_cursor" {
		t.Errorf("a cursor made up: %+v", got)
	}
	for _, method := range []string{"DELETE", "PUT", "PATCH", "POST"} {
		if got := w.do(root, method, "/api/admin/audit", nil); got.status != 405 {
			t.Errorf("%s of the trail: %+v", method, got)
		}
	}
}
