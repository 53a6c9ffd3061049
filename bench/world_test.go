package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

const password = "correct horse battery staple"

// hashCost is bcrypt's lowest: the hash is what a sign-in is told apart from,
// and the cheaper it is the better that can be seen.
const hashCost = 4

type obj = map[string]any

// world is the API in this process, on a store on disk whose writes are synced.
type world struct {
	b       *testing.B
	store   *dynamotest.Store
	handler http.Handler
	access  *access.Checker
	hashing *timed
	// sessions is how many a user has at most.
	sessions int
	requests atomic.Int64 // to the store
	units    atomic.Int64 // of capacity, in tenths
	n        int
}

// timed is a hasher that says how long it took the last time. Only one request
// is under way at a time.
type timed struct {
	account.Hasher
	took time.Duration
}

// Verify implements account.Hasher.
func (h *timed) Verify(ctx context.Context, encoded, password string) (ok, renew bool, err error) {
	began := time.Now()
	defer func() { h.took = time.Since(began) }()
	return h.Hasher.Verify(ctx, encoded, password)
}

// newWorld makes one that hashes passwords at a cost; 0 is the default.
func newWorld(b *testing.B, cost int, engine localdynamo.Options) *world {
	b.Helper()
	assembly.CollectSeldom() // as the server does
	w := &world{b: b}
	engine.TTLEvery = -1
	engine.Mode.Observe = func(c localdynamo.Call) {
		w.requests.Add(1)
		w.units.Add(int64(10*c.Capacity + 0.5))
	}
	w.store = dynamotest.NewWith(b, engine, table.Options{})
	env := []string{"LANYARD_PUBLIC_URL=http://127.0.0.1:8080", "LANYARD_TABLE=" + w.store.Name()}
	if cost != 0 {
		env = append(env, fmt.Sprint("LANYARD_BCRYPT_COST=", cost))
	}
	cfg, err := config.Load(env)
	w.must(err)
	w.sessions = cfg.Session.Max
	ring, err := token.NewRing(token.Algorithm(cfg.Keys.Algorithm), time.Now().Add(-time.Hour), rand.Reader)
	w.must(err)
	a := &assembly.Assembly{Keys: token.Static(ring), Version: "bench", Deps: service.Deps{
		Config: cfg, Table: w.store.Table, Now: time.Now, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {},
	}}
	auth, checker, err := a.Authorizer()
	w.must(err)
	a.Deps.SessionsEnded = checker.Forget
	services, err := catalog.NewServices(a)
	w.must(err)
	w.hashing = &timed{Hasher: services.Accounts.Hasher}
	services.Accounts.Hasher = w.hashing
	w.access, err = a.Access()
	w.must(err)
	w.handler, err = a.Server(catalog.Operations(services, openapi.Document), auth, nil)
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

// do sends a request and ends the benchmark unless it succeeds. Every request
// comes from an address of its own, as far as a limit can tell, so that none
// is reached.
func (w *world) do(method, path, access string, body, out any) {
	w.b.Helper()
	var content bytes.Buffer
	if body != nil {
		w.must(json.NewEncoder(&content).Encode(body))
	}
	r := httptest.NewRequest(method, path, &content)
	w.n++
	r.RemoteAddr = fmt.Sprintf("%d.%d.%d.%d:1", 20+w.n>>24&63, w.n>>16&255, w.n>>8&255, w.n&255)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if rec.Code >= 400 {
		w.b.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	if out != nil {
		w.must(json.Unmarshal(rec.Body.Bytes(), out))
	}
}

// someone is a registered user with tokens.
type someone struct{ name, access, refresh string }

type signedIn struct {
	Tokens struct{ AccessToken, RefreshToken string }
}

func (w *world) someone() *someone {
	w.b.Helper()
	w.n++
	s := &someone{name: fmt.Sprintf("person-%d", w.n)}
	w.do(http.MethodPost, "/api/auth/register", "", obj{"username": s.name, "password": password}, nil)
	w.signIn(s)
	return s
}

func (w *world) signIn(s *someone) {
	var t signedIn
	w.do(http.MethodPost, "/api/auth/login", "", obj{"username": s.name, "password": password, "delivery": "body"}, &t)
	s.access, s.refresh = t.Tokens.AccessToken, t.Tokens.RefreshToken
}

// fleet makes an organization with entities and gives their ids.
func (w *world) fleet(by *someone, entities int) (org string, ids []string) {
	var made struct{ ID string }
	w.do(http.MethodPost, "/api/organizations", by.access, obj{"name": "Coastal"}, &made)
	org = made.ID
	for i := range entities {
		w.do(http.MethodPost, "/api/organizations/"+org+"/entities", by.access, obj{"type": "boat", "name": fmt.Sprint("Boat ", i)}, &made)
		ids = append(ids, made.ID)
	}
	return org, ids
}

type claim struct {
	table.Key
	UserID string `dynamo:"user"`
}

// populate adds users that only take up room: their state, in the list of all
// users, and the claim of an address, each of the size that a real one has.
func (w *world) populate(users int) {
	w.b.Helper()
	now := table.At(time.Now())
	const each = table.MaxTransaction / 2
	for from := 0; from < users; from += each {
		var writes []*table.Write
		for i := from; i < min(users, from+each); i++ {
			userID, err := id.New()
			w.must(err)
			email := fmt.Sprintf("filler-%08d@example.com", i)
			writes = append(writes,
				table.Put(account.State{Key: table.UserState(userID), IndexKey: table.InUserList(userID), ID: userID, Email: email,
					Role: caller.RoleUser, Status: account.Active, EmailVerified: true, CreatedAt: now, LastLoginAt: now}),
				table.Put(claim{table.EmailClaim(email), userID}))
		}
		w.must(w.store.Transact(context.Background(), writes...))
	}
}

// measured is latencies with what a run asks of the store.
func (w *world) measured(b *testing.B, do func()) {
	b.Helper()
	requests, units := w.requests.Load(), w.units.Load()
	runs := float64(latencies(b, do))
	b.ReportMetric(float64(w.requests.Load()-requests)/runs, "requests/op")
	b.ReportMetric(float64(w.units.Load()-units)/10/runs, "units/op")
}

// latencies reports the quantiles of single runs of do, which a mean hides, and
// gives how many there were.
func latencies(b *testing.B, do func()) int {
	b.Helper()
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		do()
		times = append(times, time.Since(began))
	}
	quantiles(b, "", times)
	return len(times)
}

func quantiles(b *testing.B, prefix string, times []time.Duration) {
	b.Helper()
	slices.Sort(times)
	for name, q := range map[string]float64{"p50-ns": 0.5, "p99-ns": 0.99} {
		b.ReportMetric(float64(times[min(int(q*float64(len(times))), len(times)-1)]), prefix+name)
	}
}
