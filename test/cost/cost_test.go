package cost

import (
	"testing"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// Requests are budgeted for a warm call, capacity for a cold one: that is the
// most that either can be. docs/costs.md has what was measured, to the unit, so
// a change below the budget is seen as well.
func TestEveryOperationKeepsToItsBudget(t *testing.T) {
	measured := measureAll(t)
	for _, op := range lanyardtest.Operations() {
		m, ok := measured[op.ID]
		if !ok {
			continue
		}
		cold := m.Cold.total()
		if warm := m.Warm.total(); warm.Requests > op.Requests {
			t.Errorf("%s makes %d requests to the store, its budget is %d", op.ID, warm.Requests, op.Requests)
		}
		if cold.Reads > op.ReadUnits {
			t.Errorf("%s takes %v read units, its budget is %v", op.ID, cold.Reads, op.ReadUnits)
		}
		if cold.Writes > op.WriteUnits {
			t.Errorf("%s takes %v write units, its budget is %v", op.ID, cold.Writes, op.WriteUnits)
		}
	}
	t.Run("document", func(t *testing.T) { theDocument(t, measured) })
}

// measureAll measures every operation, each cold and then warm.
func measureAll(t *testing.T) map[string]measurement {
	t.Helper()
	f := newFixture(t)
	out := map[string]measurement{}
	for _, op := range lanyardtest.Operations() {
		if op.Local {
			continue
		}
		if samples[op.ID] == nil {
			t.Errorf("%s has no sample", op.ID)
			continue
		}
		out[op.ID] = measurement{Cold: f.call(t, op, true), Warm: f.call(t, op, false)}
	}
	for id := range samples {
		if _, ok := out[id]; !ok {
			t.Errorf("there is a sample of %s, which is no operation", id)
		}
	}
	return out
}
