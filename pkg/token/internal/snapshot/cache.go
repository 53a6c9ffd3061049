// Package snapshot keeps the last good answer of a slow source in memory: fresh
// for a while, served for a bounded while more when the source fails, and then
// no longer. It must not know what the answer is; keys are what it was made for.
package snapshot

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Load asks the source. fresh is how long the answer may be served unasked.
type Load[T any] func(ctx context.Context) (value T, fresh time.Duration, err error)

// Config bounds a cache.
type Config struct {
	Stale   time.Duration // served so much longer than fresh while the source fails
	Between time.Duration // least time between two looks that were not due
	Timeout time.Duration // of one look
	Now     func() time.Time
}

// Check refuses a configuration without clock or with negative bounds.
func (c Config) Check() error {
	if c.Now == nil {
		return fmt.Errorf("clock is required")
	}
	if c.Stale < 0 || c.Between < 0 || c.Timeout <= 0 {
		return fmt.Errorf("negative duration")
	}
	return nil
}

// Cache holds one answer. Looks never overlap; callers that need one share it.
type Cache[T any] struct {
	load    Load[T]
	config  Config
	current atomic.Pointer[answer[T]]

	mu      sync.Mutex
	flight  *flight[T]
	lastTry time.Time
	lastErr error
}

type answer[T any] struct {
	value T
	until time.Time // fresh
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// New makes an empty cache.
func New[T any](load Load[T], c Config) *Cache[T] { return &Cache[T]{load: load, config: c} }

// Get gives the answer while it is fresh and looks otherwise. While looking
// fails it gives the last answer until Stale is over, then the error.
func (c *Cache[T]) Get(ctx context.Context) (T, error) {
	now := c.config.Now()
	if a := c.current.Load(); a != nil && now.Before(a.until) {
		return a.value, nil
	}
	value, err := c.look(ctx, now, false)
	if err == nil {
		return value, nil
	}
	if a := c.current.Load(); a != nil && now.Before(a.until.Add(c.config.Stale)) {
		return a.value, nil
	}
	var none T
	return none, err
}

// Refresh looks although the answer is fresh, unless the last look began less
// than Between ago: then it gives what there is.
func (c *Cache[T]) Refresh(ctx context.Context) (T, error) {
	if value, err := c.look(ctx, c.config.Now(), true); err == nil {
		return value, nil
	}
	return c.Get(ctx)
}

// Set puts an answer in place. A look under way does not replace it.
func (c *Cache[T]) Set(value T, fresh time.Duration) {
	now := c.config.Now()
	c.current.Store(&answer[T]{value, now.Add(fresh)})
}

func (c *Cache[T]) look(ctx context.Context, now time.Time, forced bool) (T, error) {
	c.mu.Lock()
	f := c.flight
	if f == nil {
		a := c.current.Load()
		recent := !c.lastTry.IsZero() && now.Sub(c.lastTry) < c.config.Between
		switch {
		case a != nil && now.Before(a.until) && (!forced || recent):
			c.mu.Unlock()
			return a.value, nil
		case recent && c.lastErr != nil:
			err := c.lastErr
			c.mu.Unlock()
			var none T
			return none, err
		}
		f = &flight[T]{done: make(chan struct{})}
		c.flight, c.lastTry = f, now
		// The look belongs to all who wait for it: it must not end because the
		// one who began it gave up.
		go c.fly(context.WithoutCancel(ctx), f, a, now)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (c *Cache[T]) fly(ctx context.Context, f *flight[T], before *answer[T], now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	value, fresh, err := c.load(ctx)
	if err == nil {
		next := &answer[T]{value, now.Add(fresh)}
		if !c.current.CompareAndSwap(before, next) {
			value = c.current.Load().value // set meanwhile, so newer than ours
		}
	}
	f.value, f.err = value, err
	c.mu.Lock()
	c.lastErr, c.flight = err, nil
	c.mu.Unlock()
	close(f.done)
}
