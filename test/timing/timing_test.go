package timing

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

const (
	cost      = 8                    // bcrypt: 15 ms or so, a few round trips to the store
	trip      = 2 * time.Millisecond // what a request to DynamoDB takes at the least
	batch     = 100                  // samples of each kind before each look
	most      = 1200                 // samples of each kind before giving up
	accounts  = 40                   // of each kind
	wrong     = "not the password at all"
	unlimited = "1000000/15m"
)

type world struct {
	*lanyardtest.World
	active, unverified, suspended []string
	strangers                     []string // addresses that nobody has, tried over and over
	owner                         *lanyardtest.Client
	org                           string
	fresh                         int
}

// newWorld starts a Lanyard with accounts of every kind and then slows its
// store down. The limits are on, and out of reach.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("LANYARD_TEST_TIMING") == "" {
		t.Skip("set LANYARD_TEST_TIMING=1 (make test-timing) to measure service times")
	}
	env := []string{"LANYARD_THROTTLE=on", fmt.Sprintf("LANYARD_BCRYPT_COST=%d", cost)}
	for _, limit := range []string{
		"SIGNIN", "SIGNIN_ACCOUNT", "SIGNIN_CONSECUTIVE", "SIGNIN_SOURCE", "SIGNIN_NETWORK", "PASSWORD", "PASSWORD_ACCOUNT",
		"PASSWORD_CONSECUTIVE", "REGISTER", "REGISTER_NETWORK", "FORGOT", "RESEND", "NEEDED", "VERIFY", "PUBLIC", "MAIL",
	} {
		env = append(env, "LANYARD_LIMIT_"+limit+"="+unlimited)
	}
	w := &world{World: lanyardtest.Start(t, env...)}
	if _, err := w.Services.Operators.Bootstrap(t.Context(), "root@example.com", lanyardtest.Password); err != nil {
		t.Fatal(err)
	}
	root := w.Client()
	root.Login(map[string]any{"email": "root@example.com", "password": lanyardtest.Password})
	for i := range accounts {
		w.strangers = append(w.strangers, fmt.Sprintf("u%05d@example.com", i))
		w.active = append(w.active, fmt.Sprintf("a%05d@example.com", i))
		w.owner = w.Registered(w.active[i])
		w.suspended = append(w.suspended, fmt.Sprintf("s%05d@example.com", i))
		c := w.Registered(w.suspended[i])
		root.Post("/api/users/"+c.UserID+"/suspend", map[string]any{"reason": "asked"}).Want(204)
		w.unverified = append(w.unverified, fmt.Sprintf("p%05d@example.com", i))
		w.Client().Post("/api/auth/register", map[string]any{"email": w.unverified[i], "password": lanyardtest.Password}).Want(201)
	}
	w.Settle()
	w.org = w.owner.Post("/api/organizations", map[string]any{"name": "Coastal Marine Services"}).Want(201).Text("id")
	w.Store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		time.Sleep(trip + mathrand.N(trip/2))
		return next.RoundTrip(r)
	})
	return w
}

// nobody gives an address of the same length that nobody has.
func (w *world) nobody() string {
	w.fresh++
	return fmt.Sprintf("n%05d@example.com", w.fresh)
}

// route is a request that names an address, and whom it may be sent for.
type route struct {
	path   string
	body   func(address string) map[string]any
	status int
	signed bool // the owner of the organization sends it
	once   bool // a stranger is one no more after it
}

// time sends a request and gives how long the handler took, and its answer.
// Each comes from another network.
func (w *world) time(r route, address string, slip func()) (time.Duration, *httptest.ResponseRecorder) {
	w.T.Helper()
	raw, err := json.Marshal(r.body(address))
	if err != nil {
		w.T.Fatal(err)
	}
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, r.path, bytes.NewReader(raw))
	req.Header.Set("Content-Type", "application/json")
	req.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:4711", mathrand.N(256), mathrand.N(256), mathrand.N(256))
	if r.signed {
		req.Header.Set("Authorization", "Bearer "+w.owner.Access)
	}
	rec := httptest.NewRecorder()
	start := time.Now()
	w.Handler.ServeHTTP(rec, req)
	if slip != nil {
		slip()
	}
	took := time.Since(start)
	if rec.Code != r.status {
		w.T.Fatalf("%s for %s: %d %s", r.path, address, rec.Code, rec.Body)
	}
	return took, rec
}

// measure takes samples of both kinds, interleaved in random order, until they
// decide. Both kinds have the same history, as the counters of failures cost
// one write more where one exists, whether or not its name has an account: each
// stranger is tried as often as each account, and where a first attempt makes
// the difference void (a registration), strangers are new each time.
func (w *world) measure(r route, known []string, slip func()) (verdict, string) {
	w.T.Helper()
	var s samples
	for len(s.known) < most {
		for range batch {
			at := len(s.known) % len(known)
			one := func() {
				took, _ := w.time(r, known[at], slip)
				s.known = append(s.known, took)
			}
			other := func() {
				stranger := ""
				if r.once {
					stranger = w.nobody()
				} else {
					stranger = w.strangers[at]
				}
				took, _ := w.time(r, stranger, nil)
				s.unknown = append(s.unknown, took)
			}
			if mathrand.N(2) == 0 {
				one, other = other, one
			}
			one()
			other()
		}
		if v, area, half := s.decide(); v != undecided {
			return v, fmt.Sprintf("%s at AUC %.3f ± %.3f, %d samples each", v, area, half, len(s.known))
		}
	}
	v, area, half := s.decide()
	return v, fmt.Sprintf("%s at AUC %.3f ± %.3f, %d samples each", v, area, half, len(s.known))
}

var (
	login = route{"/api/auth/login", func(a string) map[string]any { return map[string]any{"email": a, "password": wrong} }, 401, false, false}
	// The answer of register is the same for a newcomer and a known address.
	register = route{"/api/auth/register", func(a string) map[string]any { return map[string]any{"email": a, "password": wrong} }, 201, false, true}
	forgot   = route{"/api/auth/forgot-password", onlyEmail, 202, false, false}
	resend   = route{"/api/auth/resend-verification", onlyEmail, 202, false, false}
	needed   = route{"/api/auth/check-password-needed", onlyEmail, 200, false, false}
)

func onlyEmail(a string) map[string]any { return map[string]any{"email": a} }

// TestAccountsCannotBeToldByTime fails where the service time tells an address
// with an account from one without. It fails as well where the samples do not
// suffice to say so.
func TestAccountsCannotBeToldByTime(t *testing.T) {
	w := newWorld(t)
	invite := route{"/api/organizations/" + w.org + "/invitations", func(a string) map[string]any {
		return map[string]any{"email": a, "role": "viewer"}
	}, 201, true, false}
	changeEmail := route{"/api/auth/change-email", func(a string) map[string]any {
		return map[string]any{"newEmail": a, "password": lanyardtest.Password}
	}, 202, true, false}
	for _, c := range []struct {
		name  string
		route route
		known []string
	}{
		{"login/active", login, w.active},
		{"login/unverified", login, w.unverified},
		{"login/suspended", login, w.suspended},
		{"forgot-password/active", forgot, w.active},
		{"forgot-password/unverified", forgot, w.unverified},
		{"forgot-password/suspended", forgot, w.suspended},
		{"resend-verification/active", resend, w.active},
		{"resend-verification/unverified", resend, w.unverified},
		{"check-password-needed/active", needed, w.active},
		{"check-password-needed/unverified", needed, w.unverified},
		{"invitations/active", invite, w.active[:accounts-1]},
		{"change-email/active", changeEmail, w.active[:accounts-1]},
		{"register/active", register, w.active},
		{"register/suspended", register, w.suspended},
		{"register/unverified", register, w.unverified},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.T = t
			got, text := w.measure(c.route, c.known, nil)
			t.Log(text)
			if got != alike {
				t.Error("known and unknown accounts are " + text)
			}
		})
	}
}

// decoySlip hashes at the configured cost and pretends at the next lower one.
type decoySlip struct {
	account.Hasher
	cheap *password.Hasher
}

func (d decoySlip) Decoy(ctx context.Context, candidate string) error {
	return d.cheap.Decoy(ctx, candidate)
}

// TestTheGateCatchesSlips: a decoy of another cost, and one more round trip to
// the store, are seen; put right again, the route passes.
func TestTheGateCatchesSlips(t *testing.T) {
	w := newWorld(t)
	cheap, err := password.NewHasher(password.Config{Scheme: password.Bcrypt, BcryptCost: cost - 1, Concurrency: 1, Waiting: 1, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	signIn := w.Services.Sessions.Accounts
	sound := signIn.Hasher
	signIn.Hasher = decoySlip{sound, cheap}
	got, text := w.measure(login, w.active, nil)
	signIn.Hasher = sound
	t.Log("decoy of the next lower cost: " + text)
	if got != apart {
		t.Errorf("a decoy of cost %d for hashes of cost %d: %s", cost-1, cost, text)
	}
	if got, text := w.measure(login, w.active, nil); got != alike {
		t.Errorf("put right: %s", text)
	}
	got, text = w.measure(forgot, w.active, func() {
		var none account.State
		if err := w.Store.Get(context.Background(), table.UserState(uuid.NewString()), table.Strong, &none); !errors.Is(err, table.ErrNotFound) {
			t.Error(err)
		}
	})
	t.Log("one more read of the store: " + text)
	if got != apart {
		t.Errorf("one more read of the store: %s", text)
	}
}
