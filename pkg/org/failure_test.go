package org_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var errLost = errors.New("connection lost")

// failing lets the n-th request from now on fail: before the store sees it, or
// after it was carried out.
func (w *world) failing(n int, after bool) (met *atomic.Int64) {
	met = new(atomic.Int64) // some requests go out at once
	w.store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		if met.Add(1) != int64(n) {
			return next.RoundTrip(r)
		}
		if after {
			if res, err := next.RoundTrip(r); err == nil {
				_ = res.Body.Close()
			}
		}
		return nil, errLost
	})
	return met
}

// Every operation, with every one of its requests to the store failing in turn,
// answers 503 and leaves a whole state: done or not, nothing between.
func TestAStoreThatFailsLetsNothingThroughAndNothingHalfDone(t *testing.T) {
	w := newWorldOn(t, dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}))
	alice := w.user("alice")
	for _, after := range []bool{false, true} {
		for op := range 17 {
			for n := 1; ; n++ {
				if n > 20 {
					t.Fatal("an operation makes more than 20 requests")
				}
				orgID := w.organization(alice)
				bob := w.member(orgID, alice, fmt.Sprintf("bob-%v-%d-%d", after, op, n), access.RoleAdmin)
				keys := w.holdings(bob, orgID, 3)
				guest := w.user(fmt.Sprintf("guest-%v-%d-%d", after, op, n))
				inviteID, token := w.invite(orgID, alice, fmt.Sprintf("guest-%v-%d-%d@example.com", after, op, n), access.RoleAdmin)
				w.access.ForgetAll()
				met := w.failing(n, after)
				var got answer
				if list := calls(orgID, bob, inviteID); op < len(list) {
					c := list[op]
					if strings.HasSuffix(c.path, "/members") && c.method == "POST" {
						c.body = map[string]any{"userId": guest, "role": "admin"}
					}
					if strings.HasSuffix(c.path, bob) && c.method == "PATCH" {
						c.body = map[string]any{"role": "viewer"}
					}
					got = w.do(alice, c.method, c.path, c.body)
				} else {
					switch op - len(list) {
					case 0:
						got = w.do(guest, "POST", "/api/invitations/accept", map[string]any{"token": token})
					case 1:
						got = w.do(alice, "GET", "/api/organizations", nil)
					case 2:
						got = w.do(alice, "POST", "/api/organizations", map[string]any{"name": "x"})
					case 3:
						got = w.do(guest, "POST", "/api/invitations/accept", map[string]any{"token": "lyi_x"})
					case 4:
						got = w.do(guest, "GET", "/api/organizations/"+orgID, nil)
					case 5:
						got = w.do(bob, "DELETE", "/api/organizations/"+orgID+"/members/"+bob, nil)
					}
				}
				w.store.Transport.Intercept(nil)
				if met.Load() < int64(n) {
					if got.status >= 500 {
						t.Errorf("operation %d without a failure: %+v", op, got)
					}
					break
				}
				if got.status != http.StatusServiceUnavailable {
					t.Errorf("operation %d, request %d, after %v: %+v", op, n, after, got)
				}
				w.whole(orgID, bob, keys, alice, bob, guest)
			}
		}
	}
}

// whole checks what always holds of an organization.
func (w *world) whole(orgID, bob string, held []table.Key, users ...string) {
	w.t.Helper()
	var m facts.Membership
	err := w.store.Get(w.t.Context(), table.Membership(bob, orgID), table.Strong, &m)
	if n := w.count(held); (err == nil) != (n == len(held)) && n != 0 {
		w.t.Errorf("%d of %d grants and shares are left; membership: %v", n, len(held), err)
	}
	if _, err := w.orgs.Get(w.as(users[0]), orgID); err != nil {
		return // deleted
	}
	if counted, kept := w.adminsOf(orgID, users...); int64(counted) != kept {
		w.t.Errorf("%d admins, the count says %d", counted, kept)
	}
}

func TestADepartureThatCannotReadFails(t *testing.T) {
	w := newWorldOn(t, dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}))
	alice, bob := w.user("alice"), w.user("bob")
	for range 45 {
		if _, err := w.orgs.Add(w.as(alice), w.organization(alice), bob, access.RoleAdmin); err != nil {
			t.Fatal(err)
		}
	}
	d := org.NewDeparture(w.store.Table)
	for n := 1; n <= 3; n++ {
		w.failing(n, false)
		if _, err := d.Leave(t.Context(), &account.State{ID: alice}); err == nil {
			t.Errorf("request %d failed, and the departure did not", n)
		}
	}
	w.store.Transport.Intercept(nil)
	if _, err := d.Leave(t.Context(), &account.State{ID: alice}); err != nil {
		t.Error(err)
	}
}

func TestManyHoldingsGoOrAreRemovedLaterWhateverFails(t *testing.T) {
	w := newWorldOn(t, dynamotest.NewWith(t, localdynamo.Options{TTLEvery: -1}, table.Options{MaxAttempts: 1}))
	alice := w.user("alice")
	orgID := w.organization(alice)
	for n := 1; n < 12; n++ {
		bob := w.member(orgID, alice, fmt.Sprint("bob", n), access.RoleAdmin)
		keys := w.holdings(bob, orgID, 60)
		w.access.ForgetAll()
		met := w.failing(n, false)
		err := w.orgs.Remove(w.as(alice), orgID, bob)
		w.store.Transport.Intercept(nil)
		if met.Load() >= int64(n) {
			if err == nil {
				t.Errorf("request %d failed, and the removal did not", n)
			}
			if err := w.orgs.Remove(w.as(alice), orgID, bob); err != nil { // again
				t.Fatal(err)
			}
		}
		if left := w.count(keys); left != 0 {
			t.Errorf("%d are left", left)
		}
		if counted, kept := w.adminsOf(orgID, alice, bob); counted != 1 || kept != 1 {
			t.Errorf("%d admins, the count says %d", counted, kept)
		}
		if met.Load() < int64(n) {
			return
		}
	}
}
