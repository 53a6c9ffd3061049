package standing_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

type user struct {
	table.Key
	standing.User
}

type session struct {
	table.Key
	standing.Session
}

func TestASessionIsGoodWhileEverythingHolds(t *testing.T) {
	now := time.Now()
	later := table.At(now.Add(time.Hour))
	good := standing.Session{Epoch: 3, ExpiresAt: later, EndsAt: later}
	active := standing.User{Status: standing.StatusActive, Epoch: 3}
	for name, tc := range map[string]struct {
		u    standing.User
		s    func(standing.Session) standing.Session
		want bool
	}{
		"all well":      {active, func(s standing.Session) standing.Session { return s }, true},
		"revoked":       {active, func(s standing.Session) standing.Session { s.RevokedAt = 1; return s }, false},
		"expired":       {active, func(s standing.Session) standing.Session { s.ExpiresAt = table.At(now); return s }, false},
		"ended":         {active, func(s standing.Session) standing.Session { s.EndsAt = table.At(now); return s }, false},
		"earlier epoch": {active, func(s standing.Session) standing.Session { s.Epoch = 2; return s }, false},
		"pending user":  {standing.User{Status: "pending", Epoch: 3}, func(s standing.Session) standing.Session { return s }, false},
		"zero values":   {standing.User{}, func(standing.Session) standing.Session { return standing.Session{} }, false},
	} {
		if got := standing.Good(tc.u, tc.s(good), now); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestACheckIsCachedForItsTTLAndForgottenOnDemand(t *testing.T) {
	s := dynamotest.New(t)
	ctx := context.Background()
	now := time.Now()
	later := table.At(now.Add(time.Hour))
	put := func(epoch int64) {
		t.Helper()
		if err := s.Write(ctx, table.Put(user{table.UserState("u"), standing.User{Status: standing.StatusActive, Role: "USER", Epoch: epoch}})); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	if err := s.Write(ctx, table.Put(session{table.Session("u", "s"), standing.Session{ExpiresAt: later, EndsAt: later}})); err != nil {
		t.Fatal(err)
	}
	c, err := standing.NewChecker(s.Table, func() time.Time { return now }, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := func(good bool, requests int) {
		t.Helper()
		s.Transport.Reset()
		f, err := c.Check(ctx, "u", "s")
		if err != nil || f.Good != good || s.Transport.Calls() != requests {
			t.Errorf("%+v %v with %d requests, want %v with %d", f, err, s.Transport.Calls(), good, requests)
		}
	}
	want(true, 1)
	want(true, 0)
	put(1)
	want(true, 0) // within the published bound
	now = now.Add(time.Minute)
	want(false, 1)
	put(0)
	c.Forget("u")
	want(true, 1)
	c.Forget("somebody else")
	want(true, 0)
	if f, err := c.Check(ctx, "u", "no such"); err != nil || f.Good {
		t.Errorf("a missing session is good: %v", err)
	}
	uncached, err := standing.NewChecker(s.Table, func() time.Time { return now }, 0)
	if err != nil {
		t.Fatal(err)
	}
	uncached.Forget("u")
	for range 2 {
		s.Transport.Reset()
		if _, err := uncached.Check(ctx, "u", "s"); err != nil || s.Transport.Calls() != 1 {
			t.Errorf("%v with %d requests", err, s.Transport.Calls())
		}
	}
}
