package access

import (
	"context"
	"fmt"
	"time"
)

// view is what one question or batch is answered from.
type view struct {
	knowledge
	found map[Ref]Resource
	now   time.Time
}

// resource gives a resource that exists, or one that nobody holds anything on.
func (v *view) resource(ref Ref) Resource { return v.found[ref] }

// look brings together a user's facts and the places of resources. What has to
// be read of the two is read at the same time.
func (c *Checker) look(ctx context.Context, userID string, refs []Ref, how Consistency) (*view, error) {
	var u *held
	how = c.honest(how)
	found, missing := c.known(refs, how, c.nano())
	err := together(ctx,
		func(ctx context.Context) (err error) { u, err = c.factsOf(ctx, userID, how); return err },
		func(ctx context.Context) error { return c.readPlaces(ctx, missing, how, found) },
		len(missing) > 0,
	)
	if err != nil {
		return nil, err
	}
	v := &view{found: found}
	resources := make([]Resource, 0, len(found))
	for _, r := range found {
		resources = append(resources, r)
	}
	if v.knowledge, err = c.factsAbout(ctx, userID, u, resources, how); err != nil {
		return nil, err
	}
	v.now = c.now() // after the reads: what ended meanwhile has ended
	return v, nil
}

// honest gives the consistency that can be kept: where nothing is cached, an
// answer must not come from another caller's read either.
func (c *Checker) honest(how Consistency) Consistency {
	if c.ttl == 0 {
		return Strong
	}
	return how
}

// together runs two reads at the same time, the second only if it is wanted,
// and stops each when the other fails.
func together(ctx context.Context, first, second func(context.Context) error, wanted bool) error {
	if !wanted {
		return first(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := make(chan error, 1)
	go func() {
		err := errLoadPanicked
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", errLoadPanicked, r)
			}
			if err != nil {
				cancel(err)
			}
			result <- err
		}()
		err = second(ctx)
	}()
	err := first(ctx)
	if err != nil {
		cancel(err)
	}
	if other := <-result; err == nil && other == nil {
		return nil
	}
	return context.Cause(ctx) // whichever failed first; the other may be its echo
}
