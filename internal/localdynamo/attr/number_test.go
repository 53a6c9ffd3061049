package attr_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"pgregory.net/rapid"
)

func TestParseNumberAcceptsAndPrintsAsDynamoDB(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0e5": "0", "0.000": "0", "0E999": "0",
		"1": "1", "+1": "1", "-1": "-1", "1.": "1", ".5": "0.5", "00012.3400": "12.34",
		"1e0005": "100000", "1E-3": "0.001", "-12.5e1": "-125", "123e-2": "1.23",
		"1e100":   "1" + strings.Repeat("0", 100),
		"1e-130":  "0." + strings.Repeat("0", 129) + "1",
		"-1E-130": "-0." + strings.Repeat("0", 129) + "1",
		"9.9999999999999999999999999999999999999E+125": strings.Repeat("9", 38) + strings.Repeat("0", 88),
		"12345678901234567890123456789012345678":       "12345678901234567890123456789012345678",
		"100000000000000000000000000000000000000000":   "100000000000000000000000000000000000000000",
	} {
		n, err := attr.ParseNumber(in)
		if err != nil || n.String() != want {
			t.Errorf("ParseNumber(%q) = %v, %v; want %s", in, n, err, want)
		}
	}
}

func TestParseNumberRefusesInAWSsWords(t *testing.T) {
	const (
		overflow  = "Number overflow. Attempting to store a number with magnitude larger than supported range"
		underflow = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
		digits    = "Attempting to store more than 38 significant digits in a Number"
		numeric   = "The parameter cannot be converted to a numeric value"
	)
	for in, want := range map[string]string{
		"":                             numeric,
		"1e126":                        overflow,
		"-1e126":                       overflow,
		"1e99999999999999999999":       overflow,
		"1e-131":                       underflow,
		"1e-99999999999999999999":      underflow,
		"1" + strings.Repeat("2", 38):  digits,
		"1." + strings.Repeat("2", 38): digits,
		" 1":                           numeric + ":  1",
		"1e":                           numeric + ": 1e",
		"e1":                           numeric + ": e1",
		"0x1":                          numeric + ": 0x1",
		"1_0":                          numeric + ": 1_0",
		"NaN":                          numeric + ": NaN",
		".":                            numeric + ": .",
		"-":                            numeric + ": -",
		"1e+-5":                        numeric + ": 1e+-5",
		"1.2.3":                        numeric + ": 1.2.3",
	} {
		if n, err := attr.ParseNumber(in); err == nil || err.Error() != want {
			t.Errorf("ParseNumber(%q) = %v, %v; want %s", in, n, err, want)
		}
	}
}

// drawNumber draws a number as a client may write it.
func drawNumber() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringMatching(`-?[0-9]{1,19}(\.[0-9]{1,18})?`).Draw(t, "mantissa")
		return s + rapid.SampledFrom([]string{"", "e1", "E5", "e-3", "e-20", "E+30", "e-80", "e86"}).Draw(t, "exponent")
	})
}

func parse(t *rapid.T, s string) (attr.Number, *big.Rat) {
	n, err := attr.ParseNumber(s)
	if err != nil {
		t.Fatalf("ParseNumber(%q): %v", s, err)
	}
	r, _ := new(big.Rat).SetString(s)
	return n, r
}

func TestNumberAgreesWithMathBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ra := parse(t, drawNumber().Draw(t, "a"))
		b, rb := parse(t, drawNumber().Draw(t, "b"))
		if back, ok := new(big.Rat).SetString(a.String()); !ok || back.Cmp(ra) != 0 {
			t.Fatalf("String() = %s", a)
		}
		if a.Cmp(b) != ra.Cmp(rb) {
			t.Fatalf("Cmp(%v, %v) = %d", a, b, a.Cmp(b))
		}
		if (a == b) != (ra.Cmp(rb) == 0) {
			t.Fatalf("%v == %v is %v", a, b, a == b)
		}
		check := func(op string, got attr.Number, err error, want *big.Rat) {
			exact, parseErr := attr.ParseNumber(want.FloatString(200))
			if (err == nil) != (parseErr == nil) || err == nil && got != exact {
				t.Fatalf("%v %s %v = %v, %v; want %s", a, op, b, got, err, want.FloatString(200))
			}
		}
		sum, err := a.Add(b)
		check("+", sum, err, new(big.Rat).Add(ra, rb))
		diff, err := a.Sub(b)
		check("-", diff, err, new(big.Rat).Sub(ra, rb))
	})
}

func TestInt64(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "-7": -7, "1e3": 1000, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63} {
		n, err := attr.ParseNumber(in)
		got, ok := n.Int64()
		if err != nil || !ok || got != want || attr.NumberFromInt(want) != n {
			t.Errorf("%s: %d, %v, %v", in, got, ok, err)
		}
	}
	for _, in := range []string{"1.5", "0.1", "9223372036854775808", "1e100", "1e-100"} {
		n, _ := attr.ParseNumber(in)
		if i, ok := n.Int64(); ok {
			t.Errorf("%s.Int64() = %d", in, i)
		}
	}
}
