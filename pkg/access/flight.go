package access

import (
	"context"
	"errors"
)

// errLoadPanicked is what those who waited for a load that panicked are told.
var errLoadPanicked = errors.New("the load panicked")

// flight is one load that several callers wait for.
type flight[V any] struct {
	done  chan struct{}
	value V
	err   error
	// cancelled says that the load failed because the caller who ran it went
	// away, which is no answer for the others.
	cancelled bool
}

// loaded is what a load returns: the value, when the load began to read, and
// for how long from then the value may be used.
type loaded[V any] struct {
	value V
	began int64
	span  uint64
}

// load returns the value of a key from one read, however many callers ask for
// it at once. The first runs it, in its own goroutine and context; those who
// come while it runs wait for it. Who waits and sees the first go away tries
// again itself. Nobody joins a load that began before an invalidation of the
// key, and a failed load leaves nothing behind. What was stored since the
// caller looked and found nothing fresh is taken without a read.
func (c *cache[V]) load(ctx context.Context, key string, now func() int64, read func(context.Context) (loaded[V], error)) (V, error) {
	h := c.hash(key)
	for {
		c.mu.Lock()
		if _, e := c.find(h, key); e != nil && e.fresh(now()) {
			c.mu.Unlock()
			return e.value, nil
		}
		f, running := c.flights[key]
		if !running {
			f = &flight[V]{done: make(chan struct{}), err: errLoadPanicked}
			c.flights[key] = f
			t := c.ticket(h)
			c.mu.Unlock()
			c.run(ctx, f, t, h, key, read)
			return f.value, f.err
		}
		c.mu.Unlock()
		select {
		case <-f.done:
			if !f.cancelled {
				return f.value, f.err
			}
			if err := ctx.Err(); err != nil {
				var none V
				return none, err
			}
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
	}
}

// run performs a load and lets the waiting go, whatever happens.
func (c *cache[V]) run(ctx context.Context, f *flight[V], t ticket, h uint64, key string, read func(context.Context) (loaded[V], error)) {
	var l loaded[V]
	defer func() {
		c.mu.Lock()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
		if f.err == nil {
			c.store(t, h, key, l.value, l.began, l.span)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	var err error
	l, err = read(ctx)
	f.value, f.err = l.value, err
	f.cancelled = err != nil && ctx.Err() != nil
}
