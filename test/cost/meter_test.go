package cost

import (
	"slices"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/api"
)

// spent is what something cost at the store.
type spent struct {
	Requests      int
	Reads, Writes float64 // request units
}

// reading are the operations whose capacity is read units; that of all others
// is write units, a transaction's condition checks included ("Read and write
// operations in DynamoDB").
var reading = []string{"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}

// meter sums what calls cost, by the function in whose name they were made.
type meter struct {
	mu sync.Mutex
	by map[string]*spent
}

func newMeter(w *lanyardtest.World) *meter {
	m := &meter{by: map[string]*spent{}}
	w.OnCall(func(function string, c localdynamo.Call) {
		m.mu.Lock()
		defer m.mu.Unlock()
		s := m.by[function]
		if s == nil {
			s = &spent{}
			m.by[function] = s
		}
		s.Requests++
		if slices.Contains(reading, c.Operation) {
			s.Reads += c.Capacity
		} else {
			s.Writes += c.Capacity
		}
	})
	return m
}

// measure gives what each function spent while do ran.
func (m *meter) measure(do func()) map[string]spent {
	m.mu.Lock()
	m.by = map[string]*spent{}
	m.mu.Unlock()
	do()
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]spent{}
	for f, s := range m.by {
		out[f] = *s
	}
	return out
}

// figure is what one call of an operation cost.
type figure struct {
	Own        spent // the operation's function
	Authorizer spent
	After      float64 // write units of the tasks and mails that the call left to do
	Mails      int
}

// total is what the request itself cost, the authorizer included.
func (f figure) total() spent {
	return spent{f.Own.Requests + f.Authorizer.Requests, f.Own.Reads + f.Authorizer.Reads, f.Own.Writes + f.Authorizer.Writes}
}

// measurement is an operation's cost.
type measurement struct{ Cold, Warm figure }

// call measures one call of an operation and what it leaves to do.
func (f *fixture) call(t *testing.T, op api.Spec, cold bool) figure {
	t.Helper()
	rq := samples[op.ID](f)
	f.Settle()
	if cold {
		f.forget(rq.by)
	} else {
		f.warm(t, op, rq)
	}
	got := f.meter.measure(func() {
		if a := rq.by.Do(op.Method, rq.path, rq.body); a.Status >= 400 {
			t.Errorf("%s: the sample is refused: %d %s", op.ID, a.Status, a.Raw)
		}
	})
	for function := range got {
		if function != op.ID && function != policytest.Authorizer {
			t.Errorf("%s: %q was busy too", op.ID, function)
		}
	}
	sent := f.Sent()
	after := f.meter.measure(f.Settle)[policytest.Mailer]
	// When deployed the stream brings the mailer its work. Here it looks for
	// it: those reads are the test's, and only what it writes is the call's.
	return figure{Own: got[op.ID], Authorizer: got[policytest.Authorizer], After: after.Writes, Mails: f.Sent() - sent}
}
