package localdynamo

import (
	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// keyCondition is one entry of the legacy KeyConditions parameter, which
// guregu/dynamo still sends.
type keyCondition struct {
	ComparisonOperator string
	AttributeValueList []attr.Value
}

// legacyOps maps the legacy operators that keys allow to those of expressions,
// with the number of their operands.
var legacyOps = map[string]struct {
	op string
	n  int
}{
	"EQ": {"=", 1}, "LT": {"<", 1}, "LE": {"<=", 1}, "GT": {">", 1}, "GE": {">=", 1}, "BEGINS_WITH": {"begins_with", 1}, "BETWEEN": {"BETWEEN", 2},
}

// bindLegacy matches legacy key conditions with the keys of a table or index.
func bindLegacy(conditions map[string]keyCondition, hash, rng expr.Key) (expr.KeyQuery, error) {
	var q expr.KeyQuery
	if len(conditions) > 2 {
		return q, invalid("Conditions can be of length 1 or 2 only")
	}
	for _, name := range sortedNames(conditions) {
		c := conditions[name]
		known, ok := legacyOps[c.ComparisonOperator]
		if !ok {
			return q, invalid("Attempted conditional constraint is not an indexable operation")
		}
		if len(c.AttributeValueList) != known.n {
			return q, invalid("One or more parameter values were invalid: Invalid number of argument(s) for the %s ComparisonOperator", c.ComparisonOperator)
		}
		for _, v := range c.AttributeValueList {
			if err := v.Validate(); err != nil {
				return q, err
			}
		}
		switch name {
		case hash.Name:
			if known.op != "=" {
				return q, invalid("Query key condition not supported")
			}
			q.Hash = c.AttributeValueList[0]
		case rng.Name:
			q.Op, q.Args = known.op, c.AttributeValueList
		default:
			return q, invalid("Query condition missed key schema element: %s", hash.Name)
		}
	}
	if q.Hash.Kind == attr.KindNone {
		return q, invalid("Query condition missed key schema element: %s", hash.Name)
	}
	if len(conditions) == 2 && q.Op == "" {
		return q, invalid("Query condition missed key schema element: %s", rng.Name)
	}
	mismatch := q.Hash.Kind != hash.Kind
	for _, v := range q.Args {
		mismatch = mismatch || v.Kind != rng.Kind
	}
	if mismatch {
		return q, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
	}
	if q.Op == "begins_with" && rng.Kind == attr.KindNumber {
		return q, invalid("One or more parameter values were invalid: ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type")
	}
	if q.Op == "BETWEEN" {
		if c, ok := attr.Compare(q.Args[0], q.Args[1]); ok && c > 0 {
			return q, invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	return q, nil
}
