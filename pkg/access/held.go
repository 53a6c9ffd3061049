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
// otherwise from one read.
func (c *Checker) factsOf(ctx context.Context, userID string, how Consistency) (*held, error) {
	now := c.now().UnixNano()
	e := c.users.get(userID)
	if how == Cached {
		if e != nil && e.fresh(now) {
			c.count.factHits.Add(1)
			return e.value, nil
		}
		c.count.factMisses.Add(1)
		return c.users.load(ctx, userID, now, func(ctx context.Context) (loaded[*held], error) {
			return c.readFacts(ctx, userID, e)
		})
	}
	// Never shared: a read that has begun may not see what was written before
	// this question was asked.
	t := c.users.begin(userID)
	l, err := c.readFacts(ctx, userID, e)
	if err != nil {
		return nil, err
	}
	c.users.put(t, userID, l.value, l.began, l.span)
	return l.value, nil
}

// readFacts reads a user's facts. Where the last entry says that there are very
// many, nothing is read here but resource by resource, in factsAbout.
func (c *Checker) readFacts(ctx context.Context, userID string, last *entry[*held]) (loaded[*held], error) {
	began := c.now()
	at := began.UnixNano()
	if last != nil && last.value.many && uint64(at-last.value.since) < uint64(recheckAfter) {
		h := &held{many: true, since: last.value.since}
		return loaded[*held]{h, at, uint64(c.ttl)}, nil
	}
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

// factsAbout gives the facts that bear on some resources. It reads only for a
// user with very many.
func (c *Checker) factsAbout(ctx context.Context, userID string, h *held, resources []Resource, how Consistency) (*Facts, error) {
	if !h.many {
		return &h.facts, nil
	}
	if len(resources) == 0 {
		return &Facts{}, nil // whatever does not exist, nobody holds anything on
	}
	now := c.now()
	at := now.UnixNano()
	var merged Facts
	wanted := resources
	if how == Cached {
		wanted = h.known(resources, at, &merged)
		c.count.pointHits.Add(uint64(len(resources) - len(wanted)))
		if len(wanted) == 0 {
			return &merged, nil
		}
	}
	c.count.pointReads.Add(1)
	f, err := c.facts.FactsAbout(ctx, userID, wanted)
	if err != nil {
		c.count.loadErrors.Add(1)
		return nil, fmt.Errorf("access: read facts of user %s: %w", userID, err)
	}
	h.keep(wanted, point{&f, at, c.span(&f, now)}, c.maxFacts)
	merged.add(&f)
	return &merged, nil
}

// known adds to the facts what is still fresh about the resources, and gives
// those about which something must be read.
func (h *held) known(resources []Resource, now int64, into *Facts) []Resource {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wanted []Resource
	for _, r := range resources {
		if p, ok := h.points[r.Ref()]; ok && p.fresh(now) {
			into.add(p.facts)
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
	if h.points == nil || len(h.points)+len(resources) > limit {
		h.points = make(map[Ref]point, len(resources))
	}
	for _, r := range resources {
		if old, ok := h.points[r.Ref()]; !ok || old.began <= p.began {
			h.points[r.Ref()] = p
		}
	}
}

// add takes in facts read about other resources of the same user.
func (f *Facts) add(other *Facts) {
	f.SuperAdmin = f.SuperAdmin || other.SuperAdmin
	f.Memberships = union(f.Memberships, other.Memberships)
	f.Grants = union(f.Grants, other.Grants)
	f.Shares = union(f.Shares, other.Shares)
	f.Delegations = union(f.Delegations, other.Delegations)
}

// union gives the entries of both maps and changes neither.
func union[V any](a, b map[string]V) map[string]V {
	if len(a) == 0 {
		return b
	}
	out := make(map[string]V, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}
