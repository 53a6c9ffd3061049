package access

import "sync/atomic"

// Stats counts what a Checker has done since it was made.
type Stats struct {
	FactHits, FactMisses, FactLoads    uint64 // users' facts
	PointHits, PointReads              uint64 // facts of users with very many
	PlaceHits, PlaceMisses, PlaceLoads uint64 // where resources belong
	LoadErrors                         uint64
	Evictions                          uint64
	Dropped                            uint64 // loads overtaken by an invalidation or a later load, and so not kept
	Users                              int    // whose facts are kept now
}

// counters are the parts of Stats. What a cached check counts is spread over
// cache lines by user, so that counting does not make processors wait for each
// other.
type counters struct {
	fast [64]struct {
		n atomic.Uint64
		_ [56]byte
	}
	factHits, factMisses, factLoads    atomic.Uint64
	pointHits, pointReads              atomic.Uint64
	placeHits, placeMisses, placeLoads atomic.Uint64
	loadErrors                         atomic.Uint64
}

// hit counts checks answered from the cache alone, facts and places.
func (c *counters) hit(hash, n uint64) { c.fast[(hash>>32)%64].n.Add(n) }

// Stats gives the counts so far.
func (c *Checker) Stats() Stats {
	var both uint64
	for i := range c.count.fast {
		both += c.count.fast[i].n.Load()
	}
	s := Stats{
		FactHits:    both + c.count.factHits.Load(),
		FactMisses:  c.count.factMisses.Load(),
		FactLoads:   c.count.factLoads.Load(),
		PointHits:   c.count.pointHits.Load(),
		PointReads:  c.count.pointReads.Load(),
		PlaceHits:   both + c.count.placeHits.Load(),
		PlaceMisses: c.count.placeMisses.Load(),
		PlaceLoads:  c.count.placeLoads.Load(),
		LoadErrors:  c.count.loadErrors.Load(),
	}
	users, evicted, dropped := c.users.totals()
	s.Users, s.Evictions, s.Dropped = users, evicted, dropped
	for _, p := range c.places {
		if p != nil {
			_, evicted, dropped := p.totals()
			s.Evictions += evicted
			s.Dropped += dropped
		}
	}
	return s
}

func (c *cache[V]) totals() (size int, evicted, dropped uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size, c.evicted, c.dropped
}
