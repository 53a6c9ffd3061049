package timing

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// samples are the service times of two kinds of request.
type samples struct{ known, unknown []time.Duration }

// auc gives the probability that a known account's time is above an unknown
// one's, ties counting half: the Mann–Whitney U over the number of pairs, which
// is the area under the ROC curve of an attacker who guesses by time. The
// standard error is DeLong's (Biometrics 44, 1988), which asks nothing of the
// distributions.
func (s samples) auc() (area, standardError float64) {
	m, n := len(s.known), len(s.unknown)
	ofKnown, ofUnknown := make([]float64, m), make([]float64, n)
	for i, a := range s.known {
		for j, b := range s.unknown {
			v := 0.0
			switch {
			case a > b:
				v = 1
			case a == b:
				v = 0.5
			}
			area += v
			ofKnown[i] += v / float64(n)
			ofUnknown[j] += v / float64(m)
		}
	}
	area /= float64(m * n)
	return area, math.Sqrt(variance(ofKnown, area)/float64(m) + variance(ofUnknown, area)/float64(n))
}

func variance(v []float64, mean float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += (x - mean) * (x - mean)
	}
	return sum / float64(len(v)-1)
}

// verdict is what the samples show.
type verdict string

const (
	alike     verdict = "alike"     // the whole interval lies within the bound
	apart     verdict = "apart"     // the whole interval lies outside
	undecided verdict = "undecided" // more samples are needed
)

const (
	// bound is the greatest area that is let pass: an attacker who is right
	// three times of five.
	bound = 0.6
	// confidence is 99.9 % two-sided, in standard errors: a run decides about
	// twenty times, and looks up to six times each.
	confidence = 3.29
)

// decide holds the confidence interval of the area to the bound on both sides.
func (s samples) decide() (verdict, float64, float64) {
	area, se := s.auc()
	off, half := math.Abs(area-0.5), confidence*se
	switch {
	case off+half < bound-0.5:
		return alike, area, half
	case off-half > bound-0.5:
		return apart, area, half
	}
	return undecided, area, half
}

// TestAreaUnderTheCurve checks the area on cases whose value is known, and the
// decision on draws from distributions whose area is known.
func TestAreaUnderTheCurve(t *testing.T) {
	d := func(v ...time.Duration) []time.Duration { return v }
	for _, c := range []struct {
		samples
		area float64
	}{
		{samples{d(1, 2, 3), d(1, 2, 3)}, 0.5},
		{samples{d(4, 5, 6), d(1, 2, 3)}, 1},
		{samples{d(1, 2, 3), d(4, 5, 6)}, 0},
		{samples{d(1, 3), d(2, 4)}, 0.25},
		{samples{d(2, 2), d(2, 2)}, 0.5},
	} {
		if area, _ := c.auc(); math.Abs(area-c.area) > 1e-12 {
			t.Errorf("%v: area %v, want %v", c.samples, area, c.area)
		}
	}
	// With independent normal samples of one spread, the area is Φ(shift/√2):
	// 0.5 at no shift, 0.76 at one spread; a tenth of one gives 0.53, which
	// the bound lets pass.
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(shift float64, n int) samples {
		var s samples
		for range n {
			s.known = append(s.known, time.Duration((100+10*(random.NormFloat64()+shift))*1e6))
			s.unknown = append(s.unknown, time.Duration((100+10*random.NormFloat64())*1e6))
		}
		return s
	}
	for _, c := range []struct {
		shift float64
		n     int
		want  verdict
	}{{0, 1000, alike}, {0.1, 1500, alike}, {1, 300, apart}, {-1, 300, apart}, {0, 20, undecided}, {0.36, 200, undecided}} {
		if got, area, half := draw(c.shift, c.n).decide(); got != c.want {
			t.Errorf("shift %v, %d samples: %s at %.3f ± %.3f, want %s", c.shift, c.n, got, area, half, c.want)
		}
	}
	// The standard error is that of repeated draws.
	var areas []float64
	claimed, mean := 0.0, 0.0
	for range 200 {
		area, se := draw(0.5, 100).auc()
		areas, claimed, mean = append(areas, area), claimed+se/200, mean+area/200
	}
	if actual := math.Sqrt(variance(areas, mean)); math.Abs(actual-claimed) > 0.15*actual {
		t.Errorf("standard error %.4f, of repeated draws %.4f", claimed, actual)
	}
}
