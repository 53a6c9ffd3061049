package keystore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/internal/snapshot"
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
	cache *snapshot.Cache[*token.Ring]
	fresh time.Duration
}

// NewCached makes a cache in front of source.
func NewCached(source token.Source, c CachedConfig) (*Cached, error) {
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	bounds := snapshot.Config{Stale: c.Stale, Between: c.Between, Timeout: c.Timeout, Now: c.Now}
	if err := bounds.Check(); err != nil {
		return nil, fmt.Errorf("key cache: %w", err)
	}
	if source == nil || c.Fresh < 0 {
		return nil, fmt.Errorf("key cache: a source is required, and no negative duration")
	}
	load := func(ctx context.Context) (*token.Ring, time.Duration, error) {
		ring, err := source.Load(ctx)
		if err == nil && ring == nil {
			err = errors.New("the key source gave no ring")
		}
		return ring, c.Fresh, err
	}
	return &Cached{cache: snapshot.New(load, bounds), fresh: c.Fresh}, nil
}

// Load gives the ring in memory while it is fresh, and looks otherwise. While
// the source fails it gives the last ring for Stale more, then the error.
func (c *Cached) Load(ctx context.Context) (*token.Ring, error) { return marked(c.cache.Get(ctx)) }

// Refresh looks again although the ring is fresh, unless the last look was less
// than Between ago; then it gives what is there. It is what a verifier calls for
// a key it does not know.
func (c *Cached) Refresh(ctx context.Context) (*token.Ring, error) {
	return marked(c.cache.Refresh(ctx))
}

// Set puts a ring in place at once: after this process has rotated it.
func (c *Cached) Set(r *token.Ring) { c.cache.Set(r, c.fresh) }

func marked(r *token.Ring, err error) (*token.Ring, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", token.ErrUnavailable, err)
	}
	return r, nil
}
