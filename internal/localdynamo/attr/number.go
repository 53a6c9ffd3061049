package attr

import (
	"cmp"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Number is an exact decimal of up to 38 significant digits, its magnitude 0 or
// between 1E-130 and 9.9999999999999999999999999999999999999E+125. The form is
// canonical, so that two numbers are equal exactly when they are ==. The zero
// Number is 0.
type Number struct {
	digits string // without leading or trailing zeros; "" is 0
	exp    int16  // the value is ±0.digits × 10^exp
	neg    bool
}

const (
	maxDigits = 38
	maxExp    = 126  // of 0.9…E+126
	minExp    = -129 // of 0.1E-129
)

// ParseNumber reads a number as DynamoDB does. Its errors carry AWS's words.
func ParseNumber(s string) (Number, error) {
	if s == "" {
		return Number{}, invalidf("The parameter cannot be converted to a numeric value")
	}
	bad := func() (Number, error) {
		return Number{}, invalidf("The parameter cannot be converted to a numeric value: %s", s)
	}
	rest, neg := s, false
	if rest[0] == '-' || rest[0] == '+' {
		rest, neg = rest[1:], rest[0] == '-'
	}
	mantissa, exp := rest, 0
	if i := strings.IndexAny(rest, "eE"); i >= 0 {
		var err error
		mantissa = rest[:i]
		// Out of range, Atoi saturates, which is far outside our range too.
		if exp, err = strconv.Atoi(rest[i+1:]); errors.Is(err, strconv.ErrSyntax) {
			return bad()
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return bad()
	}
	// exp is cut to a magnitude that no string of digits we accept can undo.
	exp = max(min(exp, 1<<30), -1<<30)
	return makeNumber(whole+fraction, exp+len(whole), neg)
}

// canonical reads what String wrote.
func canonical(s string) Number {
	n, _ := ParseNumber(s)
	return n
}

// makeNumber brings ±0.digits × 10^exp into canonical form and checks the range.
func makeNumber(digits string, exp int, neg bool) (Number, error) {
	n := len(digits)
	digits = strings.TrimLeft(digits, "0")
	exp -= n - len(digits)
	digits = strings.TrimRight(digits, "0")
	switch {
	case digits == "":
		return Number{}, nil
	case exp > maxExp:
		return Number{}, invalidf("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exp < minExp:
		return Number{}, invalidf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(digits) > maxDigits:
		return Number{}, invalidf("Attempting to store more than 38 significant digits in a Number")
	}
	return Number{digits: digits, exp: int16(exp), neg: neg}, nil
}

// NumberFromInt returns the number of an integer.
func NumberFromInt(i int64) Number {
	s := strconv.FormatInt(i, 10)
	abs := strings.TrimPrefix(s, "-")
	n, _ := makeNumber(abs, len(abs), i < 0) // 19 digits at most: always in range
	return n
}

// Int64 returns the number when it is a whole one that fits.
func (n Number) Int64() (int64, bool) {
	if int(n.exp) > 19 || len(n.digits) > max(int(n.exp), 0) {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// String writes the number as DynamoDB does: plain digits, never an exponent.
func (n Number) String() string {
	if n.digits == "" {
		return "0"
	}
	exp, sign := int(n.exp), ""
	if n.neg {
		sign = "-"
	}
	switch {
	case exp <= 0:
		return sign + "0." + strings.Repeat("0", -exp) + n.digits
	case exp >= len(n.digits):
		return sign + n.digits + strings.Repeat("0", exp-len(n.digits))
	}
	return sign + n.digits[:exp] + "." + n.digits[exp:]
}

// Cmp compares two numbers by value: -1, 0 or +1.
func (n Number) Cmp(m Number) int {
	s, t := n.sign(), m.sign()
	if s != t {
		return cmp.Compare(s, t)
	}
	return s * cmp.Or(cmp.Compare(n.exp, m.exp), strings.Compare(n.digits, m.digits))
}

func (n Number) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.neg:
		return -1
	}
	return 1
}

// Add returns n+m exactly, or AWS's error when the sum has more than 38 digits
// or leaves the range.
func (n Number) Add(m Number) (Number, error) {
	if m.digits == "" {
		return n, nil
	}
	if n.digits == "" {
		return m, nil
	}
	unit := min(int(n.exp)-len(n.digits), int(m.exp)-len(m.digits))
	sum := new(big.Int).Add(n.scaled(unit), m.scaled(unit))
	digits := sum.Text(10)
	neg := sum.Sign() < 0
	if neg {
		digits = digits[1:]
	}
	return makeNumber(digits, unit+len(digits), neg)
}

// Sub returns n-m, with the errors of Add.
func (n Number) Sub(m Number) (Number, error) {
	m.neg = !m.neg && m.digits != ""
	return n.Add(m)
}

// scaled returns the number as a multiple of 10^unit.
func (n Number) scaled(unit int) *big.Int {
	zeros := int(n.exp) - len(n.digits) - unit
	i, _ := new(big.Int).SetString(n.digits+strings.Repeat("0", zeros), 10)
	if n.neg {
		i.Neg(i)
	}
	return i
}

// size counts a byte for every two digits of the base-100 form, one for the
// exponent, and one more when negative.
func (n Number) size() int {
	if n.digits == "" {
		return 1
	}
	pairs := (len(n.digits) + 1) / 2
	if len(n.digits)%2 == 0 && n.exp%2 != 0 {
		pairs++ // the digits straddle the pairs
	}
	if n.neg {
		pairs++
	}
	return 1 + pairs
}
