package assembly_test

import (
	"math"
	"runtime/debug"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
)

func TestTheCollectorIsSetUnlessTheEnvironmentDoes(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	now := func() (int, int64) {
		p, l := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
		return p, l
	}
	for name, c := range map[string]struct {
		gogc, limit string
		percent     int
		most        int64
	}{
		"nothing set":        {"", "", 400, 256 << 20},
		"GOGC set":           {"100", "", 100, 256 << 20},
		"both set elsewhere": {"100", "1GiB", 100, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", c.gogc)
			t.Setenv("GOMEMLIMIT", c.limit)
			assembly.CollectSeldom()
			if p, l := now(); p != c.percent || l != c.most {
				t.Errorf("collecting at %d %%, at most %d bytes; want %d and %d", p, l, c.percent, c.most)
			}
		})
	}
}
