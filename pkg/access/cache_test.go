package access

import (
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

func put(c *cache[int], key string, value int) { c.put(c.begin(key), key, value, 0, 1) }

// The table against a map: whatever is put, replaced, dropped and evicted, what
// can be found is what was put last, and everything kept can be found.
func TestTheCacheFindsWhatItKeeps(t *testing.T) {
	for _, capacity := range []int{1, 2, 7, 64} {
		c := newCache[int](maphash.MakeSeed(), capacity)
		last := map[string]int{}
		random := rand.New(rand.NewPCG(uint64(capacity), 1))
		for i := range 20_000 {
			key := strconv.Itoa(random.IntN(2 * capacity))
			switch random.IntN(10) {
			case 0:
				c.invalidate(key, nil)
				delete(last, key)
			case 1:
				c.get(key)
			case 2:
				if random.IntN(50) == 0 {
					c.invalidateIf(func(v int) bool { return v%3 == 0 })
					for k, v := range last {
						if v%3 == 0 {
							delete(last, k)
						}
					}
				}
			default:
				put(c, key, i)
				last[key] = i
			}
			if i%10 == 0 {
				verify(t, c, last)
			}
		}
	}
}

// verify compares the table, the queue and the map.
func verify(t *testing.T, c *cache[int], last map[string]int) {
	t.Helper()
	inSlots := 0
	for i := range c.slots {
		e := c.slots[i].Load()
		if e == nil {
			continue
		}
		inSlots++
		if _, found := c.find(c.hash(e.key), e.key); found != e {
			t.Fatalf("%s lies where it is not found", e.key)
		}
		if v, ok := last[e.key]; !ok || v != e.value {
			t.Fatalf("%s is %d, and was last put as %d, %v", e.key, e.value, v, ok)
		}
	}
	inQueue, hand := 0, c.hand == nil
	var older *entry[int]
	for e := c.oldest; e != nil; e = e.newer {
		if e.older != older {
			t.Fatalf("the queue is broken at %s", e.key)
		}
		older = e
		inQueue++
		hand = hand || e == c.hand
	}
	if older != c.newest || !hand {
		t.Fatal("the queue's ends or its hand are not in it")
	}
	if inSlots != c.size || inQueue != c.size || c.size > c.capacity {
		t.Fatalf("%d in slots, %d in the queue, size %d of %d", inSlots, inQueue, c.size, c.capacity)
	}
}

// What is asked for again stays; what is asked for once passes through.
func TestTheCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache[int](maphash.MakeSeed(), 100)
	hits, asked := 0, 0
	for i := range 10_000 {
		for _, key := range []string{"hot " + strconv.Itoa(i%50), "once " + strconv.Itoa(i)} {
			if c.get(key) != nil {
				hits++
			} else {
				put(c, key, i)
			}
			asked++
		}
	}
	if rate := float64(hits) / float64(asked) * 2; rate < 0.99 {
		t.Errorf("of what is used again %.1f %% was found", 100*rate)
	}
}

func TestATicketKeepsOutWhatWasOvertaken(t *testing.T) {
	c := newCache[int](maphash.MakeSeed(), 4)
	early := c.begin("k")
	put(c, "k", 2)
	c.put(early, "k", 1, 0, 1)
	if e := c.get("k"); e == nil || e.value != 2 {
		t.Error("an earlier load replaced a later one")
	}
	early = c.begin("k")
	c.invalidate("k", nil)
	c.put(early, "k", 1, 0, 1)
	if c.get("k") != nil {
		t.Error("a load from before an invalidation was kept")
	}
	early = c.begin("k")
	c.invalidateIf(func(int) bool { return false })
	c.put(early, "k", 1, 0, 1)
	if c.get("k") != nil {
		t.Error("a load from before a sweep was kept")
	}
	put(c, "k", 3)
	c.invalidate("k", func(v int) (int, bool) { return v + 1, true })
	if e := c.get("k"); e == nil || e.value != 4 || e.fresh(0) {
		t.Error("what was to stay in its place is not there, or passes for fresh")
	}
	if _, _, dropped := c.totals(); dropped != 3 {
		t.Errorf("%d dropped", dropped)
	}
}

// Readers never find an entry under another's key, whatever moves meanwhile.
func TestReadersFindNothingWrongWhileEntriesMove(t *testing.T) {
	c := newCache[int](maphash.MakeSeed(), 32)
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(r), 2))
			for {
				select {
				case <-stop:
					return
				default:
				}
				n := random.IntN(64)
				if e := c.get(strconv.Itoa(n)); e != nil && e.value != n {
					t.Errorf("%d under the key of %d", e.value, n)
					return
				}
			}
		})
	}
	for r := range 2 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(r), 3))
			for range 20_000 {
				n := random.IntN(64)
				if random.IntN(3) == 0 {
					c.invalidate(strconv.Itoa(n), nil)
				} else {
					put(c, strconv.Itoa(n), n)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

func TestTheSteadyClockKeepsToTheWallClock(t *testing.T) {
	s := newSteady()
	for range 1000 {
		before := time.Now().UnixNano()
		got := s.unixNano()
		after := time.Now().UnixNano()
		if got < before-int64(time.Millisecond) || got > after+int64(time.Millisecond) {
			t.Fatalf("it is %d to %d, and the clock says %d", before, after, got)
		}
	}
	s.offset.Add(int64(time.Hour)) // the machine's clock was set back an hour
	s.read.Store(s.read.Load() - int64(2*resync))
	if off := s.unixNano() - time.Now().UnixNano(); off > int64(time.Second) || off < -int64(time.Second) {
		t.Errorf("off by %v after a resync", time.Duration(off))
	}
}
