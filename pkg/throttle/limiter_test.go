package throttle

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

const (
	victim = "01900000-0000-7000-8000-000000000001"
	other  = "01900000-0000-7000-8000-000000000002"
)

// clock is a clock that tests set.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(epoch.UnixMilli())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// world is a deployment with its store and clock.
type world struct {
	*clock
	store *dynamotest.Store
	deps  service.Deps
	codec *token.Codec
}

func newWorld(t *testing.T, environ ...string) *world {
	t.Helper()
	w := &world{clock: newClock(), store: dynamotest.New(t)}
	ring, err := token.NewRing(token.ES256, w.now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.codec = token.NewCodec(token.Static(ring), w.now)
	w.deps = service.Deps{
		Config: configured(t, environ...), Table: w.store.Table, Now: w.now,
		Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {},
	}
	return w
}

// process starts one more process of the deployment.
func (w *world) process() *Limiter {
	return New(w.deps, Parts{Tickets: w.codec, Audit: audit.New(w.deps)})
}

// from is the context of a request from an address, with a device token.
func from(ip, device string) context.Context {
	return caller.With(context.Background(), &caller.Caller{SourceIP: ip, DeviceCookie: device})
}

func throttled(err error) bool { return fault.HasCode(err, fault.CodeThrottled) }

// admitted makes n attempts one after another and gives how many passed.
func admitted(t *testing.T, n int, attempt func(i int) error) int {
	t.Helper()
	passed := 0
	for i := range n {
		switch err := attempt(i); {
		case err == nil:
			passed++
		case !throttled(err):
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	return passed
}

func (l *Limiter) try(ctx context.Context, account string) error {
	_, err := l.Reserve(ctx, SignIn, account)
	return err
}

func TestParallelGuessesAreEvaluatedUpToTheLimitExactly(t *testing.T) {
	for _, account := range []string{victim, "email:nobody@example.com"} {
		w := newWorld(t)
		processes := []*Limiter{w.process(), w.process(), w.process()}
		var passed atomic.Int64
		var g sync.WaitGroup
		for i := range 60 {
			g.Go(func() {
				err := processes[i%len(processes)].try(from("192.0.2.1", ""), account)
				if err == nil {
					passed.Add(1)
				} else if !throttled(err) {
					t.Errorf("attempt: %v", err)
				}
			})
		}
		g.Wait()
		if passed.Load() != 5 {
			t.Errorf("%s: %d guesses were evaluated, the limit is 5", account, passed.Load())
		}
	}
}

func TestHammeringDoesNotKeepALockAlive(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	if n := admitted(t, 30, func(int) error { return l.try(from("192.0.2.1", ""), victim) }); n != 5 {
		t.Fatalf("%d of 30 passed", n)
	}
	var f *fault.Error
	for range 14 {
		w.advance(time.Minute)
		if err := l.try(from("192.0.2.1", ""), victim); !errors.As(err, &f) || f.RetryAfter <= 0 {
			t.Fatalf("within the window: %v", err)
		}
	}
	if f.RetryAfter != time.Minute {
		t.Errorf("Retry-After is %s a minute before the end", f.RetryAfter)
	}
	w.advance(time.Minute)
	if err := l.try(from("192.0.2.1", ""), victim); err != nil {
		t.Errorf("after the window: %v", err)
	}
}

func TestAPersistentGuesserWaitsLongerUpToABound(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	for i, want := range []time.Duration{15, 30, 60, 60} {
		admitted(t, 5, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
		err := l.try(from("192.0.2.1", ""), victim)
		var f *fault.Error
		if !errors.As(err, &f) || f.RetryAfter != want*time.Minute {
			t.Fatalf("window %d: wait %v, expected %d minutes", i+1, err, want)
		}
		w.advance(f.RetryAfter)
	}
}

func TestDistributedGuessingIsBoundedByTheAccount(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	n := admitted(t, 80, func(i int) error { return l.try(from(fmt.Sprintf("198.51.%d.7", i), ""), victim) })
	if n != 30 {
		t.Errorf("%d guesses from 80 addresses, the limit is 30", n)
	}
	if err := l.try(from("203.0.113.9", ""), other); err != nil {
		t.Errorf("another account: %v", err)
	}
}

func TestNoMoreThanAHundredFailuresInARow(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	total := 0
	for range 48 {
		total += admitted(t, 35, func(i int) error { return l.try(from(fmt.Sprintf("198.51.%d.7", i), ""), victim) })
		w.advance(time.Hour)
	}
	if total != 100 {
		t.Errorf("%d failures in a row in two days, the limit is 100", total)
	}
	w.advance(30 * 24 * time.Hour)
	if err := l.try(from("203.0.113.9", ""), victim); err != nil {
		t.Errorf("after the bound: %v", err)
	}
}

func TestAttackersCannotLockAKnownDeviceOut(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_SIGNIN_SOURCE=20/15m")
	l := w.process()
	device, life, err := l.NewDevice(from("192.0.2.1", ""), victim)
	if err != nil || life <= 0 {
		t.Fatal(err)
	}
	for i := range 60 {
		_ = l.try(from(fmt.Sprintf("198.51.%d.7", i%40), ""), victim)
	}
	admitted(t, 40, func(i int) error { return l.try(from("192.0.2.1", ""), fmt.Sprintf("email:x%d@example.com", i)) })
	if err := l.try(from("192.0.2.1", ""), victim); !throttled(err) {
		t.Fatalf("control, an unknown client at the owner's address: %v", err)
	}
	if n := admitted(t, 20, func(int) error { return l.try(from("192.0.2.1", device), victim) }); n != 5 {
		t.Errorf("the owner's device had %d attempts, expected its own 5", n)
	}
}

func TestADeviceIsKnownToItsOwnAccountOnly(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	mine, _, err := l.NewDevice(from("192.0.2.1", ""), other)
	if err != nil {
		t.Fatal(err)
	}
	admitted(t, 5, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
	for name, token := range map[string]string{"another account's": mine, "forged": mine[:len(mine)-4] + "AAAA", "noise": "....", "long": strings.Repeat(mine+".", 30)} {
		if err := l.try(from("192.0.2.1", token), victim); !throttled(err) {
			t.Errorf("%s device token: %v", name, err)
		}
	}
	both, _, err := l.NewDevice(from("192.0.2.1", mine), victim)
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{victim, other} {
		if d, err := l.device(from("", both), account); err != nil || d == "" {
			t.Errorf("a shared browser is not known to %s: %v", account, err)
		}
	}
	was, _ := l.device(from("", both), victim)
	again, _, err := l.NewDevice(from("", both), victim)
	if err != nil {
		t.Fatal(err)
	}
	if is, _ := l.device(from("", again), victim); is != was || strings.Count(again, ".") != 1 {
		t.Errorf("a second sign-in made device %s of %s", is, was)
	}
	w.advance(deviceLife)
	if d, _ := l.device(from("", again), victim); d != "" {
		t.Error("a device is known for ever")
	}
}

func TestASuccessForgetsTheAccountsFailuresAndNobodyElses(t *testing.T) {
	w := newWorld(t)
	l, elsewhere := w.process(), w.process()
	var last Reservation
	for _, account := range []string{other, victim} {
		for range 5 {
			r, err := l.Reserve(from("192.0.2.1", ""), SignIn, account)
			if err != nil {
				t.Fatal(err)
			}
			last = r
		}
	}
	_, _ = l.Reserve(from("192.0.2.1", ""), MFA, victim)
	if err := l.try(from("192.0.2.1", ""), victim); !throttled(err) {
		t.Fatal("control: not refused before the success")
	}
	if err := w.store.Transact(t.Context(), last.Forget...); err != nil {
		t.Fatal(err)
	}
	if n := admitted(t, 9, func(int) error { return elsewhere.try(from("192.0.2.1", ""), victim) }); n != 5 {
		t.Errorf("after the success %d attempts, expected 5", n)
	}
	if err := elsewhere.try(from("192.0.2.1", ""), other); !throttled(err) {
		t.Errorf("another account was forgiven: %v", err)
	}
	if n := admitted(t, 9, func(int) error { _, err := l.Reserve(from("192.0.2.1", ""), MFA, victim); return err }); n != 4 {
		t.Errorf("second factor: %d more attempts, expected 4: a password does not forgive codes", n)
	}
}

func TestForgetAllOpensTheAccountAtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	admitted(t, 9, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
	writes, err := l.ForgetAll(from("192.0.2.1", ""), victim, SignIn, MFA)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Transact(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
	if err := l.try(from("192.0.2.1", ""), victim); err != nil {
		t.Errorf("after a reset: %v", err)
	}
}

func TestSourcesAndNetworksHaveTheirLimit(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_SIGNIN_SOURCE=10/15m", "LANYARD_LIMIT_SIGNIN_NETWORK=25/15m")
	processes := []*Limiter{w.process(), w.process()}
	guess := func(ip string) func(int) error {
		return func(i int) error {
			return processes[i%2].try(from(ip, ""), fmt.Sprintf("email:%s-%d@example.com", strings.ReplaceAll(ip, ":", ""), i))
		}
	}
	if n := admitted(t, 30, guess("192.0.2.1")); n != 10 {
		t.Errorf("one address: %d, expected 10", n)
	}
	rest := admitted(t, 30, guess("192.0.2.2")) + admitted(t, 30, guess("192.0.2.3"))
	if rest < 11 || rest > 15 { // an address's first refused attempt in a process counts for its network
		t.Errorf("the rest of the network: %d, expected 11 to 15", rest)
	}
	if n := admitted(t, 30, guess("2001:db8:1:1::1")); n != 10 {
		t.Errorf("one IPv6 line: %d, expected 10", n)
	}
	if err := processes[0].try(from("2001:db8:1:1:ffff::2", ""), "email:z@example.com"); !throttled(err) {
		t.Errorf("another address of the same /64: %v", err)
	}
	if err := processes[0].try(from("2001:db8:1:2::1", ""), "email:z@example.com"); err != nil {
		t.Errorf("another /64: %v", err)
	}
}

func TestParallelRequestsOfOneSourceAreCountedExactly(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_RESET=20/15m")
	processes := []*Limiter{w.process(), w.process()}
	var passed atomic.Int64
	var g sync.WaitGroup
	for i := range 60 {
		g.Go(func() {
			err := processes[i%2].Request(t.Context(), &api.Spec{ID: "auth-reset-password", Method: http.MethodPost, Access: api.Public}, &caller.Caller{SourceIP: "192.0.2.1"})
			if err == nil {
				passed.Add(1)
			} else if !throttled(err) {
				t.Errorf("request: %v", err)
			}
		})
	}
	g.Wait()
	if passed.Load() != 20 {
		t.Errorf("%d requests passed, the limit is 20", passed.Load())
	}
}

func TestAFloodBeyondTheLimitDoesNotWrite(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_REGISTER=3/15m")
	l := w.process()
	register := &api.Spec{ID: "auth-register", Method: http.MethodPost, Access: api.Public}
	admitted(t, 9, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
	admitted(t, 9, func(int) error { return l.Request(t.Context(), register, &caller.Caller{SourceIP: "192.0.2.1"}) })
	w.store.Transport.Reset()
	for range 500 {
		if !throttled(l.try(from("192.0.2.1", ""), victim)) || !throttled(l.Request(t.Context(), register, &caller.Caller{SourceIP: "192.0.2.1"})) {
			t.Fatal("a flood got through")
		}
	}
	// The account's counter is not the source's: attempts still count there.
	if n := w.store.Transport.Calls(); n > 2*500+10 {
		t.Errorf("%d requests to the store", n)
	}
	admitted(t, 400, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
	w.store.Transport.Reset()
	for range 500 {
		_ = l.try(from("192.0.2.1", ""), victim)
	}
	if n := w.store.Transport.Calls(); n != 0 {
		t.Errorf("a source beyond its limit caused %d requests to the store", n)
	}
}

func TestKnownAndUnknownAccountsCostTheSame(t *testing.T) {
	var calls []int
	for _, account := range []string{victim, "email:nobody@example.com"} {
		w := newWorld(t)
		l := w.process()
		for i := range 3 {
			w.store.Transport.Reset()
			if err := l.try(from(fmt.Sprintf("192.0.%d.1", i), ""), account); err != nil {
				t.Fatal(err)
			}
			calls = append(calls, w.store.Transport.Calls())
		}
	}
	if calls[0] != calls[3] || calls[1] != calls[4] || calls[2] != calls[5] {
		t.Errorf("requests to the store: %v", calls)
	}
	if calls[0] > 3 {
		t.Errorf("a first attempt made %d requests, expected at most 3 side by side", calls[0])
	}
}

func TestAReturningSourceCostsOneWrite(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		l := w.process()
		w.store.Transport.Reset()
		if err := l.Request(t.Context(), &api.Spec{ID: "auth-register", Method: "POST", Access: api.Public}, &caller.Caller{SourceIP: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
		if n := w.store.Transport.Calls(); n != 2 {
			t.Errorf("%d requests, expected one for the address and one for its network", n)
		}
		w.advance(time.Hour)
	}
}

func TestMailStopsSilentlyAtItsLimit(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	sent := map[string]int{}
	for range 100 {
		for _, purpose := range []string{"reset", "verify"} {
			ok, err := l.MayMail(t.Context(), purpose, "victim@example.com")
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				sent[purpose]++
			}
		}
	}
	if sent["reset"] != 5 || sent["verify"] != 5 {
		t.Errorf("mails: %v, expected 5 of each purpose", sent)
	}
	if ok, _ := l.MayMail(t.Context(), "reset", "other@example.com"); !ok {
		t.Error("another address was refused")
	}
	total := 5
	for range 24 {
		w.advance(time.Hour)
		for range 10 {
			if ok, _ := l.MayMail(t.Context(), "reset", "victim@example.com"); ok {
				total++
			}
		}
	}
	if total > 30 {
		t.Errorf("%d mails in a day", total)
	}
}

func TestEveryPublicOperationIsCountedOnceAndNoOther(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_PUBLIC=4/15m", "LANYARD_LIMIT_LOGOUT=4/15m", "LANYARD_LIMIT_DOCUMENTS=4/1m",
		"LANYARD_LIMIT_FORGOT=4/15m", "LANYARD_LIMIT_VERIFY=4/15m", "LANYARD_LIMIT_REGISTER=4/15m")
	l := w.process()
	uses := []api.Use{{Keys: "USER#*"}}
	for _, c := range []struct {
		spec api.Spec
		want int
	}{
		{api.Spec{ID: "auth-register", Method: "POST", Access: api.Public}, 4},
		{api.Spec{ID: "auth-forgot-password", Method: "POST", Access: api.Public}, 4},
		{api.Spec{ID: "auth-verify-email-link", Method: "GET", Access: api.Public, Table: uses}, 4},
		{api.Spec{ID: "auth-logout", Method: "POST", Access: api.Optional}, 4},
		{api.Spec{ID: "something-new", Method: "POST", Access: api.Public}, 4},
		{api.Spec{ID: "public-jwks", Method: "GET", Access: api.Public}, 4},
		{api.Spec{ID: "auth-me", Method: "GET", Access: api.User}, 20},
		{api.Spec{ID: "users-list", Method: "GET", Access: api.SuperAdmin}, 20},
		{api.Spec{ID: "dev-mail", Method: "GET", Access: api.Public, Local: true}, 20},
	} {
		got := admitted(t, 20, func(int) error { return l.Request(t.Context(), &c.spec, &caller.Caller{SourceIP: "192.0.2.1"}) })
		if got != c.want {
			t.Errorf("%s: %d passed, expected %d", c.spec.ID, got, c.want)
		}
	}
	w.store.Transport.Reset()
	_ = l.Request(t.Context(), &api.Spec{ID: "public-health", Method: "GET", Access: api.Public}, &caller.Caller{SourceIP: "192.0.2.9"})
	if w.store.Transport.Calls() != 0 {
		t.Error("a public document needed the store")
	}
}

func TestRefusedRefreshesCountAndGoodOnesDoNot(t *testing.T) {
	w := newWorld(t, "LANYARD_LIMIT_REFRESH=3/15m")
	l := w.process()
	ctx, c := from("192.0.2.1", ""), &caller.Caller{SourceIP: "192.0.2.1"}
	refresh := &api.Spec{ID: "auth-refresh", Method: "POST", Access: api.Public}
	answer := func(status int) {
		if err := l.Observe(ctx, api.Observation{Operation: "auth-refresh", Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	w.store.Transport.Reset()
	for range 50 {
		answer(http.StatusOK)
	}
	if err := l.Request(ctx, refresh, c); err != nil || w.store.Transport.Calls() != 0 {
		t.Fatalf("good refreshes were counted: %v", err)
	}
	for range 4 {
		answer(http.StatusUnauthorized)
	}
	if err := l.Request(ctx, refresh, c); !throttled(err) {
		t.Errorf("after four refused refreshes: %v", err)
	}
	if err := l.Request(ctx, refresh, &caller.Caller{SourceIP: "192.0.2.2"}); err != nil {
		t.Errorf("another address: %v", err)
	}
	device, _, err := l.NewDevice(ctx, victim)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Request(ctx, refresh, &caller.Caller{SourceIP: "192.0.2.1", DeviceCookie: device}); err != nil {
		t.Errorf("a known device at that address: %v", err)
	}
	if err := l.Request(ctx, refresh, &caller.Caller{SourceIP: "192.0.2.1", DeviceCookie: "made.up"}); !throttled(err) {
		t.Errorf("a made-up device: %v", err)
	}
}

func TestWithoutTheStoreNothingIsLetIn(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	w.store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
		return nil, errors.New("connection refused")
	})
	ctx, cancel := context.WithTimeout(from("192.0.2.1", ""), 2*time.Second)
	defer cancel()
	for name, err := range map[string]error{
		"sign-in":      l.try(ctx, victim),
		"registration": l.Request(ctx, &api.Spec{ID: "auth-register", Method: "POST", Access: api.Public}, &caller.Caller{}),
		"mail": func() error {
			ok, err := l.MayMail(ctx, "reset", "v@example.com")
			return errors.Join(err, map[bool]error{true: errors.New("sent")}[ok])
		}(),
		"password": func() error { _, _, err := l.ReserveReauthentication(ctx, victim); return err }(),
	} {
		if !fault.HasCode(err, fault.CodeUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			t.Errorf("%s was let in", name)
		}
	}
	w.store.Transport.Intercept(nil)
	if err := l.try(from("192.0.2.1", ""), victim); err != nil {
		t.Errorf("after the store came back: %v", err)
	}
}

func TestWithoutKeysNoDeviceIsDecidedAbout(t *testing.T) {
	w := newWorld(t)
	w.codec = token.NewCodec(token.Static(nil), w.now)
	good, _, err := newWorld(t).process().NewDevice(from("", ""), victim)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.process().try(from("192.0.2.1", good), victim); !fault.HasCode(err, fault.CodeUnavailable) {
		t.Errorf("without keys: %v", err)
	}
}

func TestOffSwitchesEverythingOff(t *testing.T) {
	w := newWorld(t, "LANYARD_THROTTLE=off")
	l := w.process()
	w.store.Transport.Reset()
	n := admitted(t, 50, func(int) error {
		ok, err := l.MayMail(t.Context(), "reset", "v@example.com")
		if !ok {
			t.Error("mail refused")
		}
		writes, err2 := l.ForgetAll(t.Context(), victim, SignIn)
		return errors.Join(err, err2, l.try(from("192.0.2.1", ""), victim),
			l.Observe(t.Context(), api.Observation{Operation: "auth-refresh", Status: 401}),
			l.Request(t.Context(), &api.Spec{ID: "auth-register", Access: api.Public}, &caller.Caller{}),
			map[bool]error{true: errors.New("writes")}[len(writes) > 0])
	})
	if n != 50 || w.store.Transport.Calls() != 0 {
		t.Errorf("%d of 50 passed, %d requests", n, w.store.Transport.Calls())
	}
}

func TestKeysCarryNoIdentifierOrAddress(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	_ = l.try(from("192.0.2.77", ""), "email:secret.person@example.com")
	_, _ = l.MayMail(t.Context(), "reset", "secret.person@example.com")
	_ = l.Request(t.Context(), &api.Spec{ID: "auth-register", Method: "POST", Access: api.Public}, &caller.Caller{SourceIP: "192.0.2.77"})
	seen := 0
	err := w.store.Scan(t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			seen++
			for _, leak := range []string{"secret", "example", "192.0.2"} {
				if strings.Contains(r.Key().PK+r.Key().SK, leak) {
					t.Errorf("key %v", r.Key())
				}
			}
			var it struct {
				TTL int64 `dynamo:"ttl"`
			}
			if err := r.Decode(&it); err != nil || it.TTL <= w.now().Unix() {
				t.Errorf("%v: ttl %d, %v", r.Key(), it.TTL, err)
			}
		}
		return nil
	})
	if err != nil || seen < 6 {
		t.Errorf("%d items, %v", seen, err)
	}
}

func TestARefusalIsRecordedOnce(t *testing.T) {
	w := newWorld(t)
	l := w.process()
	admitted(t, 50, func(int) error { return l.try(from("192.0.2.1", ""), victim) })
	events, _, err := l.Audit.List(t.Context(), audit.UserStream(victim), audit.Filter{Type: audit.Throttled}, 50, "")
	if err != nil || len(events) != 1 || events[0].Details["limit"] != "signin" {
		t.Errorf("events: %+v, %v", events, err)
	}
}

func TestTheQueueGivesUpWithItsCaller(t *testing.T) {
	q := newQueue()
	release, err := q.wait(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.wait(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting behind another: %v", err)
	}
	release()
	if release, err = q.wait(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	release()
}
