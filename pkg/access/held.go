package access

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// recheckAfter is how long a user is taken to hold very many facts without
// looking again. It decides only how facts are read, never what they are.
const recheckAfter = 15 * time.Minute

// held is what the cache keeps of one user: all their facts or, of a user who
// holds very many, what was asked about so far.
type held struct {
	many  bool // beyond the bound; neither facts nor index is used
	index      // of the facts, as they stood when they were read
	facts Facts

	since int64 // when many was found, Unix nanoseconds

	mu     sync.Mutex
	points map[Ref]point
}

// point is what was read about some resources of a user with very many facts.
type point struct {
	facts *Facts
	began int64
	span  uint64
}

func (p point) fresh(now int64) bool { return uint64(now-p.began) < p.span }

// factsOf gives what is known of a user: from the cache if that will do,
// otherwise from one read. Of a user with very many facts there is nothing to
// read here; factsAbout reads resource by resource.
func (c *Checker) factsOf(ctx context.Context, userID string, how Consistency) (*held, error) {
	now := c.now().UnixNano()
	if e := c.users.get(userID); e != nil {
		if e.value.many && uint64(now-e.value.since) < uint64(recheckAfter) {
			return e.value, nil
		}
		if how == Cached && e.fresh(now) {
			c.count.factHits.Add(1)
			return e.value, nil
		}
	}
	c.count.factMisses.Add(1)
	read := func(ctx context.Context) (loaded[*held], error) { return c.readFacts(ctx, userID) }
	if how == Cached {
		return c.users.load(ctx, userID, c.nano, read)
	}
	// Never shared: a read that has begun may not see what was written before
	// this question was asked.
	t := c.users.begin(userID)
	l, err := read(ctx)
	if err != nil {
		return nil, err
	}
	c.users.put(t, userID, l.value, l.began, l.span)
	return l.value, nil
}

// readFacts reads a user's facts.
func (c *Checker) readFacts(ctx context.Context, userID string) (loaded[*held], error) {
	began := c.now()
	at := began.UnixNano()
	c.count.factLoads.Add(1)
	f, err := c.facts.Facts(ctx, userID, c.maxFacts)
	if err != nil {
		c.count.loadErrors.Add(1)
		return loaded[*held]{}, fmt.Errorf("access: read the facts of user %s: %w", userID, err)
	}
	if !f.Complete {
		return loaded[*held]{&held{many: true, since: at}, at, uint64(c.ttl)}, nil
	}
	h := &held{facts: f, index: newIndex(&f, c.users.hash, began)}
	return loaded[*held]{h, at, c.span(&f, began)}, nil
}

// span is for how long facts read at a moment may be used: the bound, or until
// the first of them ends.
func (c *Checker) span(f *Facts, began time.Time) uint64 {
	ttl := c.ttl
	if next := f.nextExpiry(began); !next.IsZero() {
		ttl = min(ttl, next.Sub(began))
	}
	return uint64(ttl)
}

// knowledge is what is known of a user that bears on some resources.
type knowledge struct {
	whole  *Facts         // everything, or nil where it is known by resource:
	points map[Ref]*Facts // each from one read of its own time, never mixed
}

// about gives the facts that bear on a resource; nil where none can.
func (k knowledge) about(ref Ref) *Facts {
	if k.whole != nil {
		return k.whole
	}
	return k.points[ref]
}

// factsAbout gives what bears on some resources. It reads only for a user with
// very many facts.
func (c *Checker) factsAbout(ctx context.Context, userID string, h *held, resources []Resource, how Consistency) (knowledge, error) {
	if !h.many {
		return knowledge{whole: &h.facts}, nil
	}
	k := knowledge{points: make(map[Ref]*Facts, len(resources))}
	now := c.now()
	at := now.UnixNano()
	wanted := resources
	if how == Cached {
		wanted = h.known(resources, at, k.points)
		c.count.pointHits.Add(uint64(len(resources) - len(wanted)))
	}
	if len(wanted) == 0 {
		return k, nil
	}
	c.count.pointReads.Add(1)
	f, err := c.facts.FactsAbout(ctx, userID, wanted)
	if err != nil {
		c.count.loadErrors.Add(1)
		return knowledge{}, fmt.Errorf("access: read facts of user %s: %w", userID, err)
	}
	for _, r := range wanted {
		k.points[r.Ref()] = &f
	}
	h.keep(wanted, point{&f, at, c.span(&f, now)}, c.maxFacts)
	return k, nil
}

// known adds what is still fresh about the resources, and gives those about
// which something must be read.
func (h *held) known(resources []Resource, now int64, into map[Ref]*Facts) []Resource {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wanted []Resource
	for _, r := range resources {
		if p, ok := h.points[r.Ref()]; ok && p.fresh(now) {
			into[r.Ref()] = p.facts
		} else {
			wanted = append(wanted, r)
		}
	}
	return wanted
}

// keep remembers what was read about resources, unless something newer is
// known. It lives and goes with the user's entry in the cache, so what was read
// before an invalidation is not found after it.
func (h *held) keep(resources []Resource, p point, limit int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.points == nil || len(h.points)+len(resources) > max(limit, MaxBatch) {
		h.points = make(map[Ref]point, len(resources))
	}
	for _, r := range resources {
		if old, ok := h.points[r.Ref()]; !ok || old.began <= p.began {
			h.points[r.Ref()] = p
		}
	}
}
