package org_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// race runs attempts at the same time and gives their errors.
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

func successes(errs []error) (n int) {
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	return n
}

func TestTheLastAdminStaysHoweverTwoOfThemRace(t *testing.T) {
	w := newWorld(t)
	departure := org.NewDeparture(w.store.Table)
	alice := w.user("alice")
	bob := w.user("bob")
	demote := func(orgID, by, whom string) func() error {
		return func() error { _, err := w.orgs.Change(w.as(by), orgID, whom, access.RoleMember); return err }
	}
	remove := func(orgID, by, whom string) func() error {
		return func() error { return w.orgs.Remove(w.as(by), orgID, whom) }
	}
	leave := func(_, _, whom string) func() error { // as when their account is deleted
		return func() error {
			writes, err := departure.Leave(t.Context(), &account.State{ID: whom})
			if err != nil || len(writes) == 0 {
				return err
			}
			return w.store.Transact(t.Context(), writes...)
		}
	}
	kinds := []func(orgID, by, whom string) func() error{demote, remove, leave}
	for round := range 100 {
		orgID := w.organization(alice)
		if _, err := w.orgs.Add(w.as(alice), orgID, bob, access.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		a, b := kinds[round%3], kinds[round/3%3]
		errs := race(a(orgID, alice, bob), b(orgID, bob, alice), remove(orgID, alice, alice), demote(orgID, bob, bob))
		counted, kept := w.adminsOf(orgID, alice, bob)
		if counted != 1 || kept != 1 {
			t.Fatalf("round %d: %d admins, the count says %d: %v", round, counted, kept, errs)
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
		for _, u := range []string{alice, bob} { // so that departures of later rounds see their own organization alone
			if err := w.store.Write(t.Context(), table.Delete(table.Membership(u, orgID))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestParallelChangesKeepTheCountExact(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	users := []string{alice}
	for i := range 4 {
		users = append(users, w.member(orgID, alice, fmt.Sprint("user", i), access.RoleMember))
	}
	var attempts []func() error
	for i := range 24 {
		u, role := users[1+i%4], access.OrgRoles()[i%2*3]
		attempts = append(attempts, func() error { _, err := w.orgs.Change(w.as(alice), orgID, u, role); return err })
	}
	race(attempts...)
	counted, kept := w.adminsOf(orgID, users...)
	if int64(counted) != kept {
		t.Errorf("%d admins, the count says %d", counted, kept)
	}
}

func TestAMembershipIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user("alice"), w.user("bob")
	orgID := w.organization(alice)
	var attempts []func() error
	for i := range 50 {
		attempts = append(attempts, func() error {
			_, err := w.orgs.Add(w.as(alice), orgID, bob, access.OrgRoles()[i%4])
			return err
		})
	}
	errs := race(attempts...)
	if n := successes(errs); n != 1 {
		t.Errorf("%d of 50 succeeded", n)
	}
	for _, err := range errs {
		if err != nil {
			wantCode(t, err, fault.CodeAlreadyExists)
		}
	}
	if counted, kept := w.adminsOf(orgID, alice, bob); int64(counted) != kept {
		t.Errorf("%d admins, the count says %d", counted, kept)
	}
}

// holdings puts grants and shares of a user below an organization.
func (w *world) holdings(user, orgID string, n int) (keys []table.Key) {
	w.t.Helper()
	for range n {
		e, d := newID(w.t), newID(w.t)
		g := facts.NewGrant(user, e, orgID, access.LevelEditor, "", w.clock(), time.Time{})
		s := facts.NewShare(user, d, orgID, access.LevelEditor, "", w.clock(), time.Time{})
		w.put(g, s)
		keys = append(keys, g.Key, s.Key)
	}
	return keys
}

func (w *world) count(keys []table.Key) int {
	w.t.Helper()
	n := 0
	for chunk := range slices.Chunk(keys, 100) {
		found, err := w.store.GetMany(w.t.Context(), chunk, table.Strong)
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(found)
	}
	return n
}

func TestAMembersGrantsAndSharesGoWithThem(t *testing.T) {
	for _, n := range []int{0, 3, 40, 150} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t)
			alice := w.user("alice")
			orgID, other := w.organization(alice), w.organization(alice)
			bob := w.member(orgID, alice, "bob", access.RoleMember)
			if _, err := w.orgs.Add(w.as(alice), other, bob, access.RoleMember); err != nil {
				t.Fatal(err)
			}
			gone, kept := w.holdings(bob, orgID, n), w.holdings(bob, other, 2)
			if err := w.orgs.Remove(w.as(alice), orgID, bob); err != nil {
				t.Fatal(err)
			}
			if left := w.count(gone); left != 0 {
				t.Errorf("%d of %d grants and shares are left", left, len(gone))
			}
			if got := w.count(kept); got != 4 {
				t.Errorf("%d of 4 in the other organization are left", got)
			}
			f, err := facts.New(w.store.Table).Facts(t.Context(), bob, 100)
			if err != nil || len(f.Memberships) != 1 {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
}

func TestAGrantGivenWhileItsMemberIsRemovedIsNotLeftBehind(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	errNoMember := errors.New("no member")
	for round := range 40 {
		bob := w.member(orgID, alice, fmt.Sprint("bob", round), access.RoleMember)
		give := func() error {
			g := facts.NewGrant(bob, newID(t), orgID, access.LevelEditor, alice, w.clock(), time.Time{})
			return w.store.Transact(t.Context(), table.Create(g), facts.UnderMembership(bob, orgID).Else(errNoMember))
		}
		errs := race(give, give, func() error { return w.orgs.Remove(w.as(alice), orgID, bob) }, give)
		if errs[2] != nil {
			t.Fatal(errs[2])
		}
		f, err := facts.New(w.store.Table).Facts(t.Context(), bob, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Grants) != 0 {
			t.Fatalf("round %d: %d grants without a membership", round, len(f.Grants))
		}
	}
}

func TestALastAdminWithManyGrantsKeepsThem(t *testing.T) {
	w := newWorld(t)
	alice := w.user("alice")
	orgID := w.organization(alice)
	keys := w.holdings(alice, orgID, 60)
	wantCode(t, w.orgs.Remove(w.as(alice), orgID, alice), fault.CodeLastAdmin)
	if got := w.count(keys); got != len(keys) {
		t.Errorf("%d of %d are left", got, len(keys))
	}
}

func TestLeavingEverythingBeforeAnAccountIsDeleted(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user("alice"), w.user("bob")
	d := org.NewDeparture(w.store.Table)
	var orgs []string
	for range 55 { // more than one transaction holds
		orgID := w.organization(alice)
		if _, err := w.orgs.Add(w.as(alice), orgID, bob, access.RoleAdmin); err != nil {
			t.Fatal(err)
		}
		orgs = append(orgs, orgID)
	}
	sole := w.organization(alice)
	gone := w.organization(alice)
	w.member(sole, alice, "carol", access.RoleManager)
	if err := w.orgs.Delete(w.as(alice), gone); err != nil {
		t.Fatal(err)
	}
	_, err := d.Leave(t.Context(), &account.State{ID: alice})
	wantCode(t, err, fault.CodeLastAdmin)
	if n, kept := w.adminsOf(orgs[0], alice, bob); n != 2 || kept != 2 {
		t.Errorf("a refused departure left: %d admins, the count says %d", n, kept)
	}
	if err := w.orgs.Delete(w.as(alice), sole); err != nil {
		t.Fatal(err)
	}
	writes, err := d.Leave(t.Context(), &account.State{ID: alice})
	if err != nil || len(writes) > 85 {
		t.Fatalf("%d writes, %v", len(writes), err)
	}
	if err := w.store.Transact(t.Context(), writes...); err != nil {
		t.Fatal(err)
	}
	for _, o := range orgs {
		if n, kept := w.adminsOf(o, alice, bob); n != 1 || kept != 1 {
			t.Fatalf("%d admins, the count says %d", n, kept)
		}
	}
	if writes, err := d.Leave(t.Context(), &account.State{ID: newID(t)}); err != nil || len(writes) != 0 {
		t.Errorf("who is nowhere: %d writes, %v", len(writes), err)
	}
}
