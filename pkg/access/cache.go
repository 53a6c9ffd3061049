package access

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
)

// cache keeps values by key for a bounded time, at most a fixed number of them.
//
// Reading takes no lock and allocates nothing: the table is an array of atomic
// pointers with linear probing, never more than half full, and a writer that
// moves an entry can at worst make a reader miss it, which costs a load and
// nothing else. Writing takes one lock; it happens only around a load or an
// invalidation, each of which means a round trip to the store.
//
// Entries leave by SIEVE (Zhang et al., NSDI 2024), which needs a read to do no
// more than set a bit and keeps hit rates at or above LRU's.
//
// What may be stored is guarded by tickets: a load takes one before it reads,
// and its result is kept only if its key was not invalidated since and no load
// that began later has been stored already.
type cache[V any] struct {
	seed  maphash.Seed
	mask  uint64
	slots []atomic.Pointer[entry[V]]

	mu       sync.Mutex
	capacity int
	size     int
	newest   *entry[V] // the SIEVE queue, by insertion
	oldest   *entry[V]
	hand     *entry[V]
	sequence uint64               // of tickets
	epochs   [epochStripes]uint64 // of invalidations, by hash: a collision only costs a store
	flights  map[string]*flight[V]
	evicted  uint64
	dropped  uint64 // loads that a ticket kept out
}

const epochStripes = 256

// entry is immutable but for the links, which the cache's lock guards, and visited.
type entry[V any] struct {
	hash    uint64
	key     string
	began   int64  // when the load of it began, Unix nanoseconds
	span    uint64 // for how many nanoseconds from then it may be used
	visited atomic.Bool
	value   V
	ticket  uint64

	newer, older *entry[V]
}

// fresh reports whether the entry may be used at a moment. A moment before the
// load began is not: the difference wraps to a huge number.
func (e *entry[V]) fresh(now int64) bool { return uint64(now-e.began) < e.span }

// ticket is the right to store what a load returns.
type ticket struct {
	sequence uint64
	epoch    uint64
}

// newCache makes a cache. Caches with one seed hash alike.
func newCache[V any](seed maphash.Seed, capacity int) *cache[V] {
	capacity = max(capacity, 1)
	n := uint64(1) << bits.Len64(uint64(2*capacity-1))
	return &cache[V]{
		seed:     seed,
		mask:     n - 1,
		slots:    make([]atomic.Pointer[entry[V]], n),
		capacity: capacity,
		flights:  make(map[string]*flight[V]),
	}
}

func (c *cache[V]) hash(key string) uint64 { return maphash.String(c.seed, key) }

// get finds the entry of a key, fresh or not; nil when there is none.
func (c *cache[V]) get(key string) *entry[V] {
	h := c.hash(key)
	for i := h & c.mask; ; i = (i + 1) & c.mask {
		e := c.slots[i].Load()
		if e == nil {
			return nil
		}
		if e.hash == h && e.key == key {
			if !e.visited.Load() {
				e.visited.Store(true)
			}
			return e
		}
	}
}

// begin takes a ticket for a load that has not begun to read.
func (c *cache[V]) begin(key string) ticket {
	h := c.hash(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ticket(h)
}

func (c *cache[V]) ticket(h uint64) ticket {
	c.sequence++
	return ticket{c.sequence, c.epochs[h%epochStripes]}
}

// put stores what a load returned, unless its ticket has been overtaken.
func (c *cache[V]) put(t ticket, key string, value V, began int64, span uint64) {
	h := c.hash(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(t, h, key, value, began, span)
}

func (c *cache[V]) store(t ticket, h uint64, key string, value V, began int64, span uint64) {
	if t.epoch != c.epochs[h%epochStripes] {
		c.dropped++
		return
	}
	i, old := c.find(h, key)
	if old != nil && old.ticket > t.sequence {
		c.dropped++
		return
	}
	e := &entry[V]{hash: h, key: key, value: value, began: began, span: span, ticket: t.sequence}
	if old != nil {
		e.visited.Store(true)
		c.replace(old, e)
		c.slots[i].Store(e)
		return
	}
	if c.size >= c.capacity {
		c.evict()
		i, _ = c.find(h, key) // the eviction may have moved the gap
	}
	e.older = c.newest
	if c.newest != nil {
		c.newest.newer = e
	} else {
		c.oldest = e
	}
	c.newest = e
	c.size++
	c.slots[i].Store(e)
}

// invalidate forgets a key, and what loads of it that have begun will return.
// replacement, if any, gives what to keep instead.
func (c *cache[V]) invalidate(key string, replacement func(V) (V, bool)) {
	h := c.hash(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epochs[h%epochStripes]++
	delete(c.flights, key)
	i, old := c.find(h, key)
	if old == nil {
		return
	}
	if replacement != nil {
		if v, keep := replacement(old.value); keep {
			c.sequence++
			e := &entry[V]{hash: h, key: key, value: v, ticket: c.sequence}
			c.replace(old, e)
			c.slots[i].Store(e)
			return
		}
	}
	c.remove(i, old)
}

// invalidateIf forgets every entry for which drop says so, and what any load
// that has begun will return.
func (c *cache[V]) invalidateIf(drop func(V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.epochs {
		c.epochs[i]++
	}
	clear(c.flights)
	for e := c.oldest; e != nil; {
		next := e.newer
		if drop(e.value) {
			i, _ := c.find(e.hash, e.key)
			c.remove(i, e)
		}
		e = next
	}
}

// find gives the slot of a key and its entry, or the slot it would go to.
func (c *cache[V]) find(h uint64, key string) (uint64, *entry[V]) {
	for i := h & c.mask; ; i = (i + 1) & c.mask {
		e := c.slots[i].Load()
		if e == nil || e.hash == h && e.key == key {
			return i, e
		}
	}
}

// evict makes room for one entry: the hand walks from the oldest entry to the
// newest, spares each that was read since it last came by, and takes the first
// that was not.
func (c *cache[V]) evict() {
	e := c.hand
	if e == nil {
		e = c.oldest
	}
	for e.visited.Load() {
		e.visited.Store(false)
		if e = e.newer; e == nil {
			e = c.oldest
		}
	}
	c.hand = e
	i, _ := c.find(e.hash, e.key)
	c.remove(i, e)
	c.evicted++
}

// remove takes an entry out of the queue and out of its slot, and closes the
// gap in the table: whatever follows and could no longer be reached moves up.
// Each is stored in its new place before the old one is cleared.
func (c *cache[V]) remove(gap uint64, e *entry[V]) {
	if c.hand == e {
		c.hand = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		c.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		c.oldest = e.newer
	}
	c.size--
	for i := (gap + 1) & c.mask; ; i = (i + 1) & c.mask {
		next := c.slots[i].Load()
		if next == nil {
			break
		}
		// next may fill the gap unless its home lies after the gap.
		if (i-next.hash)&c.mask >= (i-gap)&c.mask {
			c.slots[gap].Store(next)
			gap = i
		}
	}
	c.slots[gap].Store(nil)
}

// replace puts an entry in the queue where another of the same key was.
func (c *cache[V]) replace(old, e *entry[V]) {
	e.newer, e.older = old.newer, old.older
	if e.newer != nil {
		e.newer.older = e
	} else {
		c.newest = e
	}
	if e.older != nil {
		e.older.newer = e
	} else {
		c.oldest = e
	}
	if c.hand == old {
		c.hand = e
	}
}
