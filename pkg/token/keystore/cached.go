package keystore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// CachedConfig bounds a Cached source.
type CachedConfig struct {
	// Fresh is how long a ring is served without asking again. It is also how
	// long a retired key may still be honoured by this process.
	Fresh time.Duration
	// Stale is for how much longer it is served while the source fails. Past
	// it, nothing is served.
	Stale time.Duration
	// Between is the least time between two looks because of an unknown key, or
	// after a failure: tokens with invented key ids must not hammer the source.
	Between time.Duration
	// Timeout bounds one look. 0 means 5 seconds.
	Timeout time.Duration
	Now     func() time.Time
}

// Cached keeps the ring of another source in memory. Looks at the source never
// overlap, and callers that need one share it.
type Cached struct {
	source token.Source
	config CachedConfig

	current atomic.Pointer[snapshot]

	mu      sync.Mutex
	flight  *flight
	lastTry time.Time
	lastErr error
}

type snapshot struct {
	ring *token.Ring
	at   time.Time
}

type flight struct {
	done chan struct{}
	ring *token.Ring
	err  error
}

// NewCached makes a cache in front of source.
func NewCached(source token.Source, c CachedConfig) (*Cached, error) {
	if source == nil || c.Now == nil {
		return nil, fmt.Errorf("key cache: source and clock are required")
	}
	if c.Fresh < 0 || c.Stale < 0 || c.Between < 0 || c.Timeout < 0 {
		return nil, fmt.Errorf("key cache: negative duration")
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	return &Cached{source: source, config: c}, nil
}

// Load gives the ring in memory while it is fresh, and looks otherwise. While
// the source fails it gives the last ring for Stale more, then the error.
func (c *Cached) Load(ctx context.Context) (*token.Ring, error) {
	now := c.config.Now()
	s := c.current.Load()
	if s != nil && now.Sub(s.at) < c.config.Fresh {
		return s.ring, nil
	}
	ring, err := c.look(ctx, now, false)
	if err == nil {
		return ring, nil
	}
	if s = c.current.Load(); s != nil && now.Sub(s.at) < c.config.Fresh+c.config.Stale {
		return s.ring, nil
	}
	return nil, fmt.Errorf("%w: %w", token.ErrUnavailable, err)
}

// Refresh looks again although the ring is fresh, unless the last look was less
// than Between ago; then it gives what is there. It is what a verifier calls for
// a key it does not know.
func (c *Cached) Refresh(ctx context.Context) (*token.Ring, error) {
	now := c.config.Now()
	if ring, err := c.look(ctx, now, true); err == nil {
		return ring, nil
	}
	return c.Load(ctx)
}

// Set puts a ring in place at once: after this process has rotated it.
func (c *Cached) Set(r *token.Ring) { c.current.Store(&snapshot{r, c.config.Now()}) }

// look asks the source, or joins whoever is asking. Where a look was made less
// than Between ago it is not made again: a forced one gives the ring in memory,
// any other the error of that look.
func (c *Cached) look(ctx context.Context, now time.Time, forced bool) (*token.Ring, error) {
	c.mu.Lock()
	f := c.flight
	if f == nil {
		s := c.current.Load()
		if s != nil && !forced && now.Sub(s.at) < c.config.Fresh {
			c.mu.Unlock()
			return s.ring, nil // somebody looked while we waited for the lock
		}
		if !c.lastTry.IsZero() && now.Sub(c.lastTry) < c.config.Between {
			if err := c.lastErr; err != nil {
				c.mu.Unlock()
				return nil, err
			}
			if forced && s != nil {
				c.mu.Unlock()
				return s.ring, nil
			}
		}
		f = &flight{done: make(chan struct{})}
		c.flight, c.lastTry = f, now
		// The look belongs to all who wait for it: it must not end because the
		// one who began it gave up.
		go c.fly(context.WithoutCancel(ctx), f, now)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.ring, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Cached) fly(ctx context.Context, f *flight, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	f.ring, f.err = c.source.Load(ctx)
	if f.err == nil && f.ring == nil {
		f.err = fmt.Errorf("key source gave no ring")
	}
	c.mu.Lock()
	if f.err == nil {
		c.current.Store(&snapshot{f.ring, now})
	}
	c.lastErr, c.flight = f.err, nil
	c.mu.Unlock()
	close(f.done)
}
