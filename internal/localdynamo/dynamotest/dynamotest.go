// Package dynamotest gives tests a real table to work on: on the embedded
// engine in memory or, where LANYARD_TEST_DYNAMODB names an endpoint, on that.
// Only tests import it.
package dynamotest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Endpoint is the DynamoDB endpoint that the environment names, "" for none.
func Endpoint() string { return os.Getenv("LANYARD_TEST_DYNAMODB") }

// Config is an AWS configuration that reaches no account.
func Config() aws.Config {
	return aws.Config{Region: "local", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
}

// Store is a table under test, with a transport that counts requests and can
// be made to fail.
type Store struct {
	*table.Table
	Transport *Transport
	Engine    *localdynamo.Engine // nil on another endpoint
}

// Transport stands between the SDK and the store.
type Transport struct {
	next  http.RoundTripper
	calls atomic.Int64
	// Intercept, when set, answers instead of the store, or gives next's
	// answer, changed or not. It is called for every request.
	intercept atomic.Pointer[Interceptor]
}

// Interceptor is a hook on requests; next carries them out.
type Interceptor func(r *http.Request, operation string, next http.RoundTripper) (*http.Response, error)

// Intercept installs a hook; nil removes it.
func (t *Transport) Intercept(i Interceptor) {
	if i == nil {
		t.intercept.Store(nil)
		return
	}
	t.intercept.Store(&i)
}

// Calls gives how many requests have been sent since the last Reset.
func (t *Transport) Calls() int { return int(t.calls.Load()) }

// Reset sets the count to zero.
func (t *Transport) Reset() { t.calls.Store(0) }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.calls.Add(1)
	if i := t.intercept.Load(); i != nil {
		return (*i)(r, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."), t.next)
	}
	return t.next.RoundTrip(r)
}

// Restrict holds every request to the policy that pick gives for its context,
// nil for everything, and tells asked what was permitted and answered of every
// call that is over. It works on the embedded engine alone.
func (s *Store) Restrict(pick func(context.Context) *localdynamo.Policy, asked func(context.Context, localdynamo.Permission), answered func(context.Context, localdynamo.Call)) {
	if s.Engine != nil {
		s.Transport.next = &restricted{s.Engine, pick, asked, answered}
	}
}

type restricted struct {
	engine   *localdynamo.Engine
	pick     func(context.Context) *localdynamo.Policy
	asked    func(context.Context, localdynamo.Permission)
	answered func(context.Context, localdynamo.Call)
}

// RoundTrip implements http.RoundTripper.
func (t *restricted) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	return t.engine.With(localdynamo.Mode{
		Policy:    t.pick(ctx),
		Permitted: func(p localdynamo.Permission) { t.asked(ctx, p) },
		Observe:   func(c localdynamo.Call) { t.answered(ctx, c) },
	}).RoundTrip(r)
}

// New makes an empty table that is gone when the test ends.
func New(t testing.TB) *Store { return NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{}) }

// NewWith is New with options for the engine (which another endpoint ignores)
// and for the client.
func NewWith(t testing.TB, eo localdynamo.Options, to table.Options) *Store {
	t.Helper()
	s := &Store{Transport: &Transport{next: http.DefaultTransport}}
	to.Endpoint = Endpoint()
	if to.Endpoint == "" {
		e, err := localdynamo.Open(eo)
		if err != nil {
			t.Fatalf("open engine: %v", err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Errorf("close engine: %v", err)
			}
		})
		s.Engine, s.Transport.next = e, e.RoundTripper()
	}
	to.Transport = s.Transport
	if to.MaxBackoff == 0 {
		to.MaxBackoff = 20 * time.Millisecond
		if s.Engine != nil { // nobody needs time to recover
			to.MaxBackoff = 2 * time.Millisecond
		}
	}
	s.Table = table.New(Config(), fmt.Sprintf("test-%s", uuid.NewString()), to)
	if err := s.Create(context.Background()); err != nil {
		t.Fatalf("create table: %v", err)
	}
	s.Transport.Reset()
	return s
}
