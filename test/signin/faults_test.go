package signin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

// dynamoError is an answer of DynamoDB that names an error.
func dynamoError(r *http.Request, status int, kind string) *http.Response {
	body := `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `","message":"injected"}`
	return &http.Response{
		StatusCode: status, Request: r, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader([]byte(body))),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
	}
}

// trouble is a way a request to the store goes wrong. lasting trouble meets
// every try of the SDK; the rest meets one.
type trouble struct {
	name    string
	lasting bool
	meet    func(r *http.Request, next http.RoundTripper) (*http.Response, error)
}

var errLine = errors.New("connection reset by peer")

func troubles() []trouble {
	throttled := func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		return dynamoError(r, http.StatusBadRequest, "ProvisionedThroughputExceededException"), nil
	}
	broken := func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		return dynamoError(r, http.StatusInternalServerError, "InternalServerError"), nil
	}
	dropped := func(*http.Request, http.RoundTripper) (*http.Response, error) { return nil, errLine }
	lost := func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
		return nil, errLine
	}
	conflict := func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".TransactWriteItems") {
			return next.RoundTrip(r)
		}
		return dynamoError(r, http.StatusBadRequest, "TransactionInProgressException"), nil
	}
	// A refusal that no retry mends: as if a policy or a key were wrong.
	denied := func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		return dynamoError(r, http.StatusBadRequest, "AccessDeniedException"), nil
	}
	return []trouble{
		{"throttled once", false, throttled}, {"throttled", true, throttled},
		{"broken", true, broken},
		{"dropped once", false, dropped},
		{"lost reply once", false, lost}, {"lost replies", true, lost},
		{"conflict once", false, conflict}, {"denied", true, denied},
	}
}

// strike lets n requests to the store pass and meets the following one (or
// every following one) with trouble.
func strike(t *dynamotest.Transport, n int, tr trouble) {
	var seen atomic.Int64
	t.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		at := int(seen.Add(1)) - 1
		if at == n || tr.lasting && at > n {
			return tr.meet(r, next)
		}
		return next.RoundTrip(r)
	})
}

// fixture is what a route's case works on, made anew for each fault.
type fixture struct {
	c     *lanyardtest.Client
	email string
	token string
}

const faultEmail = "fault@example.com"

// TestFaultsOfTheStoreLetNobodyInAndLeaveNothingHalf meets every request to
// the store of every sign-in route with every trouble in turn. A trouble that
// passes must not be noticed. One that lasts must give 503 (or whatever the
// route answers anyway), never a session; and what the route does happened
// whole, with its audit event, or not at all.
func TestFaultsOfTheStoreLetNobodyInAndLeaveNothingHalf(t *testing.T) {
	for _, route := range []struct {
		name   string
		event  audit.Type
		status int
		setup  func(w *lanyardtest.World, f *fixture)
		do     func(f *fixture) *lanyardtest.Answer
		done   func(w *lanyardtest.World, f *fixture) bool // it happened
	}{
		{"login", audit.SignedIn, 200, nil,
			func(f *fixture) *lanyardtest.Answer {
				f.c.Access = ""
				return f.c.Post("/api/auth/login", m{"email": f.email, "password": lanyardtest.Password, "delivery": "body"})
			},
			func(w *lanyardtest.World, f *fixture) bool { return sessions(w, f) == 2 }},
		{"login, wrong password", audit.SignInFailed, 401, nil,
			func(f *fixture) *lanyardtest.Answer {
				f.c.Access = ""
				return f.c.Post("/api/auth/login", m{"email": f.email, "password": "not the right one", "delivery": "body"})
			}, nil},
		{"refresh", audit.Refreshed, 200, nil,
			func(f *fixture) *lanyardtest.Answer {
				return f.c.Post("/api/auth/refresh", m{"refreshToken": f.c.Refresh})
			}, nil},
		{"logout", audit.SignedOut, 204, nil,
			func(f *fixture) *lanyardtest.Answer {
				return f.c.Post("/api/auth/logout", m{"refreshToken": f.c.Refresh})
			},
			func(w *lanyardtest.World, f *fixture) bool { return f.c.Get("/api/auth/me").Status == 401 }},
		{"logout-all", audit.SignedOutEverywhere, 204, nil,
			func(f *fixture) *lanyardtest.Answer { return f.c.Post("/api/auth/logout-all", nil) },
			func(w *lanyardtest.World, f *fixture) bool { return f.c.Get("/api/auth/me").Status == 401 }},
		{"change-password", audit.PasswordChanged, 204, nil,
			func(f *fixture) *lanyardtest.Answer {
				return f.c.Post("/api/auth/change-password", m{"currentPassword": lanyardtest.Password, "newPassword": newPassword})
			},
			func(w *lanyardtest.World, f *fixture) bool { return signsIn(w, f.email, newPassword) }},
		{"reset-password", audit.PasswordReset, 204,
			func(w *lanyardtest.World, f *fixture) {
				w.Client().Post("/api/auth/forgot-password", m{"email": f.email}).Want(202)
				f.token = w.MailedToken(f.email)
			},
			func(f *fixture) *lanyardtest.Answer {
				f.c.Access = ""
				return f.c.Post("/api/auth/reset-password", m{"token": f.token, "newPassword": newPassword})
			},
			func(w *lanyardtest.World, f *fixture) bool { return signsIn(w, f.email, newPassword) }},
		{"change-email", audit.EmailChangeRequested, 202, nil,
			func(f *fixture) *lanyardtest.Answer {
				return f.c.Post("/api/auth/change-email", m{"newEmail": "moved@example.com", "password": lanyardtest.Password})
			},
			func(w *lanyardtest.World, f *fixture) bool { return w.State(f.c.UserID).ChangeEmail != "" }},
		{"patch me", audit.ProfileChanged, 200, nil,
			func(f *fixture) *lanyardtest.Answer {
				return f.c.Patch("/api/auth/me", m{"username": "renamed", "profile": m{"firstName": "Re"}})
			},
			func(w *lanyardtest.World, f *fixture) bool {
				me := f.c.Get("/api/auth/me").Want(200)
				if (me.Text("username") == "renamed") != (me.Text("profile.firstName") == "Re") {
					w.T.Errorf("half a change: %s", me.Raw)
				}
				return me.Text("username") == "renamed"
			}},
		{"me", "", 200, nil,
			func(f *fixture) *lanyardtest.Answer { return f.c.Get("/api/auth/me") }, nil},
		{"sessions", "", 200, nil,
			func(f *fixture) *lanyardtest.Answer { return f.c.Get("/api/auth/sessions") }, nil},
	} {
		t.Run(route.name, func(t *testing.T) {
			t.Parallel()
			for _, tr := range troubles() {
				for n := range 8 {
					w := lanyardtest.Start(t, "LANYARD_THROTTLE=on")
					f := &fixture{c: w.Registered(faultEmail), email: faultEmail}
					if route.setup != nil {
						route.setup(w, f)
					}
					before := 0
					if route.event != "" {
						before = len(w.Events(f.c.UserID, route.event))
					}
					w.Store.Transport.Reset()
					strike(w.Store.Transport, n, tr)
					a := route.do(f)
					w.Store.Transport.Intercept(nil)
					where := fmt.Sprintf("%s at request %d", tr.name, n)
					reached := w.Store.Transport.Calls() > n
					switch {
					case a.Status == route.status:
					case !tr.lasting:
						t.Errorf("%s: status %d %s, want %d", where, a.Status, a.Raw, route.status)
					case a.Status != 503 && a.Status != 500:
						t.Errorf("%s: status %d %s", where, a.Status, a.Raw)
					}
					if a.Status >= 400 && (a.Value("tokens") != nil || a.Value("user") != nil || len(a.Cookies) > 0) {
						t.Errorf("%s: something was issued: %s", where, a.Raw)
					}
					if route.event != "" {
						written := len(w.Events(f.c.UserID, route.event)) - before
						if written > 1 || a.Status == route.status && written != 1 {
							t.Errorf("%s: status %d, %d %s events", where, a.Status, written, route.event)
						}
						if route.done != nil {
							if done := route.done(w, f); done != (written == 1) {
								t.Errorf("%s: happened: %v, events: %d", where, done, written)
							}
						}
					}
					if !reached {
						break // the route needs no more requests
					}
				}
			}
		})
	}
}

// sessions counts a user's live sessions.
func sessions(w *lanyardtest.World, f *fixture) int {
	c := w.Client()
	a := c.Login(m{"email": f.email, "password": lanyardtest.Password})
	_ = a
	items, _ := c.Get("/api/auth/sessions").Want(200).Value("items").([]any)
	return len(items) - 1
}

func signsIn(w *lanyardtest.World, email, password string) bool {
	return w.Client().Post("/api/auth/login", m{"email": email, "password": password}).Status == 200
}
