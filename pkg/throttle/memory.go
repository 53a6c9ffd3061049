package throttle

import (
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// note is what this process remembers of a counter: it may be refused without
// asking the store until then, or its window is known to be open.
type note struct {
	refuseUntil time.Time  // zero: not refused
	untold      bool       // no refusal was given by it yet
	wait        time.Time  // what the refusal's Retry-After points at
	open        table.Time // end of the window last seen open; 0: unknown
	counted     int64      // attempts that this process counted in it
	local       window     // the count itself, for local policies
	forget      time.Time  // the note is worth nothing from here on
}

// refusalLife bounds how long a refusal is repeated without asking the store: a
// success elsewhere may have lifted it.
const refusalLife = 10 * time.Second

// maxNotes bounds the memory; a note takes about 250 bytes.
const maxNotes = 20_000

// memory holds notes. Losing one costs a request to the store, never a count.
type memory struct {
	mu    sync.Mutex
	notes map[string]note
}

func newMemory() *memory { return &memory{notes: map[string]note{}} }

// refused gives the wait of a refusal that still stands, and whether it was
// given before.
func (m *memory) refused(key string, now time.Time) (wait time.Duration, again, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.notes[key]
	if !ok || !now.Before(n.refuseUntil) {
		return 0, false, false
	}
	again, n.untold = !n.untold, false
	m.notes[key] = n
	return n.wait.Sub(now), again, true
}

// refuse notes a refusal that ends at until.
func (m *memory) refuse(key string, now, until time.Time) {
	end := now.Add(refusalLife)
	if until.Before(end) {
		end = until
	}
	m.put(key, now, note{refuseUntil: end, wait: until, forget: end})
}

// opened gives the end of a window last seen open, 0 for none.
func (m *memory) opened(key string, now time.Time) table.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.notes[key]; ok && now.Before(n.open.Time()) {
		return n.open
	}
	return 0
}

// sawOpen notes an attempt that was counted in an open window.
func (m *memory) sawOpen(key string, now time.Time, until table.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := note{open: until, counted: 1, forget: until.Time()}
	if was := m.notes[key]; was.open == until {
		n.counted += was.counted
	}
	m.store(key, now, n)
}

// usedUp makes a window a refusal once this process has counted limit attempts
// in it: where attempts are counted after the fact, nothing else would refuse
// the first one too many. Nobody has been told of it yet.
func (m *memory) usedUp(key string, now time.Time, limit int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.notes[key]
	if !ok || n.counted < limit {
		return
	}
	until := n.open.Time()
	end := now.Add(refusalLife)
	if until.Before(end) {
		end = until
	}
	m.store(key, now, note{refuseUntil: end, wait: until, forget: end, untold: true})
}

// count takes one attempt of a local policy.
func (m *memory) count(p Policy, key string, now time.Time) (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, wait, ok := p.take(m.notes[key].local, now)
	m.store(key, now, note{local: next, forget: p.remembered(next)})
	return wait, ok
}

func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.notes, key)
}

func (m *memory) put(key string, now time.Time, n note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.store(key, now, n)
}

// store keeps the memory bounded: what is worthless goes first, then whatever
// the map gives. mu is held.
func (m *memory) store(key string, now time.Time, n note) {
	if _, there := m.notes[key]; !there && len(m.notes) >= maxNotes {
		for k, old := range m.notes {
			if !now.Before(old.forget) {
				delete(m.notes, k)
			}
		}
		for k := range m.notes {
			if len(m.notes) < maxNotes*9/10 {
				break
			}
			delete(m.notes, k)
		}
	}
	m.notes[key] = n
}
