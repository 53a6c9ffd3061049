package facts

import (
	"sync"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// metAtMost is how many resources a generation of met holds: two of them take
// some 20 MB when full.
const metAtMost = 50_000

// met remembers where resources that were read belong, which never changes. It
// is a hint about what to read together, and never an answer: nothing is taken
// from it that is not read again. The zero value is ready for use.
//
// It holds two generations and forgets the older one when the newer is full,
// which needs no bookkeeping on reading.
type met struct {
	mu         sync.Mutex
	new, older map[access.Ref]access.Resource
}

// place gives where a resource belongs; without what it lies under if that is
// not known.
func (m *met) place(ref access.Ref) access.Resource {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.new[ref]; ok {
		return r
	}
	if r, ok := m.older[ref]; ok {
		m.keep(r)
		return r
	}
	return access.Resource{}
}

// remember keeps where a resource belongs; an organization lies under nothing.
func (m *met) remember(r access.Resource) {
	if r.Kind == access.KindOrganization {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(r)
}

// forget drops everything.
func (m *met) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.new, m.older = nil, nil
}

func (m *met) keep(r access.Resource) {
	if m.new == nil || len(m.new) >= metAtMost {
		m.older, m.new = m.new, make(map[access.Ref]access.Resource, 64)
	}
	m.new[r.Ref()] = r
}
