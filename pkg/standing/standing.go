// Package standing answers one question with one read: does this session still
// let its user in? The authorizer asks it on every request, so it knows the few
// attributes that decide and nothing else of users and sessions.
//
// It must not know tokens, passwords or HTTP.
package standing

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// StatusActive is the only status of a user that lets anybody in.
const StatusActive = "active"

// User is what decides about a user.
type User struct {
	Status string `dynamo:"status"`
	Role   string `dynamo:"role"`
	Epoch  int64  `dynamo:"epoch"`
}

// Session is what decides about a session.
type Session struct {
	Epoch     int64      `dynamo:"epoch"`
	ExpiresAt table.Time `dynamo:"expiresAt"`
	EndsAt    table.Time `dynamo:"endsAt"`
	RevokedAt table.Time `dynamo:"revokedAt"`
}

// Live reports whether a session has not ended by itself.
func (s Session) Live(now time.Time) bool {
	return s.RevokedAt == 0 && now.Before(s.ExpiresAt.Time()) && now.Before(s.EndsAt.Time())
}

// Good reports whether a session lets its user in: it is live, of the user's
// present epoch, and the user is active.
func Good(u User, s Session, now time.Time) bool {
	return u.Status == StatusActive && s.Live(now) && s.Epoch == u.Epoch
}

// Finding is the answer of a check.
type Finding struct {
	Good bool
	Role string // the user's present platform role
}

// maxCached bounds the cache; a session takes about 200 bytes.
const maxCached = 50_000

type key struct{ userID, sessionID string }

type entry struct {
	Finding
	readAt time.Time
}

// Checker checks sessions, trusting an earlier read for as long as TTL.
type Checker struct {
	table *table.Table
	now   func() time.Time
	ttl   time.Duration
	cache *otter.Cache[key, entry]
	// forgotten counts invalidations: a read that began before one is not cached.
	forgotten atomic.Uint64
}

// NewChecker makes a checker; a ttl of 0 reads every time.
func NewChecker(t *table.Table, now func() time.Time, ttl time.Duration) (*Checker, error) {
	c := &Checker{table: t, now: now, ttl: ttl}
	if ttl <= 0 {
		return c, nil
	}
	var err error
	if c.cache, err = otter.New(&otter.Options[key, entry]{MaximumSize: maxCached}); err != nil {
		return nil, fmt.Errorf("make session cache: %w", err)
	}
	return c, nil
}

// Check gives a session's standing. An error means that nothing was decided.
func (c *Checker) Check(ctx context.Context, userID, sessionID string) (Finding, error) {
	k, now := key{userID, sessionID}, c.now()
	if c.cache != nil {
		if e, ok := c.cache.GetIfPresent(k); ok && now.Sub(e.readAt) < c.ttl && !now.Before(e.readAt) {
			return e.Finding, nil
		}
	}
	before := c.forgotten.Load()
	f, err := c.read(ctx, k, now)
	if err != nil {
		return Finding{}, err
	}
	if c.cache != nil && c.forgotten.Load() == before {
		c.cache.Set(k, entry{f, now})
	}
	return f, nil
}

// read is one request for both items.
func (c *Checker) read(ctx context.Context, k key, now time.Time) (Finding, error) {
	userKey, sessionKey := table.UserState(k.userID), table.Session(k.userID, k.sessionID)
	found, err := c.table.GetMany(ctx, []table.Key{userKey, sessionKey}, table.Strong)
	if err != nil {
		return Finding{}, fmt.Errorf("check session: %w", err)
	}
	var u User
	var s Session
	ur, okU := found[userKey]
	sr, okS := found[sessionKey]
	if !okU || !okS {
		return Finding{}, nil
	}
	if err := ur.Decode(&u); err != nil {
		return Finding{}, err
	}
	if err := sr.Decode(&s); err != nil {
		return Finding{}, err
	}
	return Finding{Good: Good(u, s, now), Role: u.Role}, nil
}

// Forget drops what is cached of a user's sessions.
func (c *Checker) Forget(userID string) {
	c.forgotten.Add(1)
	if c.cache == nil {
		return
	}
	for k := range c.cache.Keys() {
		if k.userID == userID {
			c.cache.Invalidate(k)
		}
	}
}
