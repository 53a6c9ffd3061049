package signin

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// judge is a guard that answers as told, after something has happened.
type judge struct {
	after <-chan struct{}
	err   error
}

func (j judge) Reserve(context.Context, string) (session.Reservation, error) {
	<-j.after
	return session.Reservation{}, j.err
}

func (judge) NewDevice(context.Context, string) (string, time.Duration, error) { return "", 0, nil }

// watched is a hasher that says when it is asked and when it is done; waiting, it
// has no turn to give and waits until nobody wants one.
type watched struct {
	account.Hasher
	waiting     bool
	asked, done chan struct{}
}

func (h watched) Verify(ctx context.Context, encoded, password string) (ok, renew bool, err error) {
	close(h.asked)
	defer close(h.done)
	if h.waiting {
		<-ctx.Done()
		return false, false, ctx.Err()
	}
	return h.Hasher.Verify(ctx, encoded, password)
}

// Passwords are hashed beside the count, never instead of it: what the hash
// says counts for nothing before the count stands.
func TestARightPasswordIsNothingUntilTheAttemptIsCounted(t *testing.T) {
	tooMany := fault.New(fault.CodeThrottled, "too many")
	for name, c := range map[string]struct {
		guardErr error
		waiting  bool // the hash has no turn yet when the guard answers
		status   int
	}{
		"refused, and the hash is done":   {tooMany, false, 429},
		"refused, and the hash waits":     {tooMany, true, 429},
		"not counted, the hash is done":   {fault.Wrap(fault.CodeUnavailable, errors.New("no store")), false, 503},
		"not counted, and the hash waits": {fault.Wrap(fault.CodeUnavailable, errors.New("no store")), true, 503},
	} {
		t.Run(name, func(t *testing.T) {
			w := lanyardtest.Start(t)
			who := w.Registered("vera@example.com")
			before := items(t, w, who.UserID)
			h := watched{w.Services.Accounts.Hasher, c.waiting, make(chan struct{}), make(chan struct{})}
			g := judge{h.done, c.guardErr}
			if c.waiting {
				g.after = h.asked
			}
			w.Services.Accounts.Hasher, w.Services.Sessions.Guard = h, g
			if got := w.Client().Post("/api/auth/login", m{"email": "vera@example.com", "password": lanyardtest.Password}).Status; got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			<-h.done // a refusal frees what waits for its turn
			if after := items(t, w, who.UserID); after != before {
				t.Errorf("%d items of the user and their events became %d", before, after)
			}
		})
	}
}

// items counts what a user has in the table, and the events about them.
func items(t *testing.T, w *lanyardtest.World, userID string) int {
	t.Helper()
	page, err := w.Store.Query(t.Context(), table.SignInRange(userID))
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Records) + len(w.Events(userID, audit.SignedIn)) + len(w.Events(userID, audit.SignInFailed))
}
