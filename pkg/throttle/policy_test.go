package throttle

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func configured(t testing.TB, environ ...string) config.Config {
	t.Helper()
	c, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWindowHoldsWhateverComes drives one window with attempts at random times
// and holds it to what the documentation says.
func TestWindowHoldsWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds")) * time.Second
		p := Policy{
			Limit:   config.Limit{Count: rapid.IntRange(1, 8).Draw(t, "count"), Window: length},
			Longest: length * time.Duration(rapid.IntRange(1, 20).Draw(t, "factor")),
		}
		now, w := epoch, window{}
		var opened time.Time
		admitted := 0
		for range rapid.IntRange(1, 80).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*length)).Draw(t, "pause"))).Truncate(time.Millisecond)
			next, wait, ok := p.take(w, now)
			switch {
			case !ok:
				if next != w {
					t.Fatalf("a refused attempt changed %+v to %+v", w, next)
				}
				if wait <= 0 || wait > p.Longest || !now.Add(wait).Equal(w.Until.Time()) {
					t.Fatalf("wait %s at %s for a window until %s", wait, now, w.Until.Time())
				}
				if admitted != p.Limit.Count {
					t.Fatalf("refused after %d of %d", admitted, p.Limit.Count)
				}
				continue
			case next.Count == 1:
				if w.open(now) {
					t.Fatal("a window was replaced before its end")
				}
				lasts := next.Until.Time().Sub(now)
				if lasts < length || lasts > p.Longest {
					t.Fatalf("a window of %s; expected from %s to %s", lasts, length, p.Longest)
				}
				opened, admitted = now, 1
			default:
				if next.Until != w.Until || next.Full != w.Full {
					t.Fatal("an attempt moved the end of its window")
				}
				admitted++
			}
			if admitted > p.Limit.Count {
				t.Fatalf("%d attempts since %s; the limit is %d", admitted, opened, p.Limit.Count)
			}
			w = next
		}
	})
}

func TestUsedUpWindowsLengthenUpToTheBoundAndAreForgotten(t *testing.T) {
	p := Policy{Limit: config.Limit{Count: 1, Window: time.Minute}, Longest: 4 * time.Minute}
	w, now := window{}, epoch
	for i, want := range []time.Duration{1, 2, 4, 4, 4} {
		next, _, ok := p.take(w, now)
		if got := next.Until.Time().Sub(now); !ok || got != want*time.Minute {
			t.Fatalf("window %d lasts %s, expected %s", i+1, got, want*time.Minute)
		}
		w, now = next, next.Until.Time()
	}
	next, _, _ := p.take(w, p.remembered(w))
	if got := next.Until.Time().Sub(p.remembered(w)); got != time.Minute {
		t.Errorf("after a quiet time a window lasts %s, expected 1m", got)
	}
	half := window{Count: 1, Until: table.At(now), Full: 2}
	p.Limit.Count = 2
	if next, _, _ := p.take(half, now); next.Full != 0 {
		t.Error("a window that was not used up lengthened the next")
	}
}

func TestLengthsNeverOverflow(t *testing.T) {
	p := Policy{Limit: config.Limit{Count: 1, Window: 80 * 24 * time.Hour}, Longest: 90 * 24 * time.Hour}
	for _, full := range []int64{0, 1, 2, 62, 1 << 40} {
		if d := p.length(full); d < p.Limit.Window || d > p.Longest {
			t.Errorf("length(%d) = %s", full, d)
		}
	}
}

func TestFrequentLimitsAreSpreadOverKeys(t *testing.T) {
	for _, c := range []struct {
		limit config.Limit
		want  int
	}{
		{config.Limit{Count: 300, Window: 15 * time.Minute}, 1},
		{config.Limit{Count: 200, Window: time.Second}, 1},
		{config.Limit{Count: 201, Window: time.Second}, 2},
		{config.Limit{Count: 1_000_000, Window: time.Minute}, 84},
	} {
		p := Policy{Limit: c.limit}
		n := p.shards()
		if n != c.want {
			t.Errorf("%s: %d keys, expected %d", c.limit, n, c.want)
		}
		part := p.shard(n).Limit
		if rate := float64(part.Count) / part.Window.Seconds(); rate > maxRate+1 {
			t.Errorf("%s: a key takes %.0f a second", c.limit, rate)
		}
		if part.Count*n < c.limit.Count {
			t.Errorf("%s: the parts allow %d", c.limit, part.Count*n)
		}
	}
}

func TestEveryPolicyIsListedOnceWithItsSetting(t *testing.T) {
	var settings []string
	for _, f := range config.Fields() {
		if f.Kind == "limit" {
			settings = append(settings, f.Variable)
		}
	}
	var listed []string
	for _, p := range Policies(configured(t).Limits) {
		if p.Limit.Count < 1 || p.Limit.Window <= 0 || p.Longest < p.Limit.Window || p.Counts == "" || p.Per == "" {
			t.Errorf("incomplete: %+v", p)
		}
		listed = append(listed, p.Variable)
	}
	slices.Sort(settings)
	slices.Sort(listed)
	if !slices.Equal(settings, listed) {
		t.Errorf("settings %v\nlisted   %v", settings, listed)
	}
}

func TestSourcesAreOneClientEach(t *testing.T) {
	for _, c := range []struct{ ip, source, network string }{
		{"192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"},
		{"::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::/64", "fe80::/48"},
		{"", "unknown", "unknown"},
		{"192.0.2.7, 10.0.0.1", "unknown", "unknown"},
	} {
		if s, n := source(c.ip), network(c.ip); s != c.source || n != c.network {
			t.Errorf("%q: %s in %s, expected %s in %s", c.ip, s, n, c.source, c.network)
		}
	}
}

func TestMemoryStaysBounded(t *testing.T) {
	m := newMemory()
	for i := range maxNotes + 100 {
		m.refuse(string(rune(i))+"x", epoch, epoch.Add(time.Hour))
	}
	if len(m.notes) > maxNotes {
		t.Errorf("%d notes", len(m.notes))
	}
	for i := range maxNotes {
		m.refuse(string(rune(i))+"y", epoch.Add(time.Minute), epoch.Add(time.Hour))
	}
	if _, ok := m.notes[string(rune(1))+"x"]; ok || len(m.notes) > maxNotes {
		t.Error("notes that are worth nothing stayed")
	}
}
