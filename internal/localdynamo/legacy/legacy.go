// Package legacy rewrites the parameters that DynamoDB had before expressions
// (AttributesToGet, Expected, KeyConditions, QueryFilter, ScanFilter and
// AttributeUpdates) into expressions, after the checks and in the words of AWS.
// Clients still send some: KeyConditions is what guregu/dynamo queries with.
//
// Source: the AWS page "Legacy DynamoDB conditional parameters".
package legacy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
	"github.com/lanyard-auth/lanyard/internal/localdynamo/expr"
)

// Condition is a Condition or an ExpectedAttributeValue.
type Condition struct {
	ComparisonOperator string `api:"blank required=KeyConditions|QueryFilter|ScanFilter enum=IN|NULL|BETWEEN|LT|NOT_CONTAINS|EQ|GT|NOT_NULL|NE|LE|BEGINS_WITH|GE|CONTAINS"`
	AttributeValueList []attr.Value
	Value              *attr.Value
	Exists             *bool
}

// Update is an AttributeValueUpdate.
type Update struct {
	Action string `api:"blank enum=ADD|PUT|DELETE"`
	Value  *attr.Value
}

func invalid(format string, args ...any) error {
	return &attr.ValidationError{Msg: "One or more parameter values were invalid: " + fmt.Sprintf(format, args...)}
}

// rewriter builds an expression with placeholders of its own.
type rewriter struct{ params expr.Params }

func (r *rewriter) name(name string) string {
	if r.params.Names == nil {
		r.params.Names, r.params.Values = map[string]string{}, map[string]attr.Value{}
	}
	placeholder := fmt.Sprintf("#n%d", len(r.params.Names))
	r.params.Names[placeholder] = name
	return placeholder
}

func (r *rewriter) value(v attr.Value) string {
	placeholder := fmt.Sprintf(":v%d", len(r.params.Values))
	r.params.Values[placeholder] = v
	return placeholder
}

// operator is what an expression has for a comparison operator: %s are the
// attribute and its operands, count of them, or one and more if negative.
type operator struct {
	format string
	count  int
	types  []attr.Kind // of the operands, nil for any
}

// operators is never written to.
var operators = map[string]operator{
	"EQ":           {"%s = %s", 1, nil},
	"NE":           {"%s <> %s", 1, nil},
	"LE":           {"%s <= %s", 1, scalars},
	"LT":           {"%s < %s", 1, scalars},
	"GE":           {"%s >= %s", 1, scalars},
	"GT":           {"%s > %s", 1, scalars},
	"CONTAINS":     {"contains(%s, %s)", 1, scalars},
	"NOT_CONTAINS": {"NOT contains(%s, %s)", 1, scalars},
	"BEGINS_WITH":  {"begins_with(%s, %s)", 1, []attr.Kind{attr.KindString, attr.KindBinary}},
	"NOT_NULL":     {"attribute_exists(%s)", 0, nil},
	"NULL":         {"attribute_not_exists(%s)", 0, nil},
	"BETWEEN":      {"%s BETWEEN %s AND %s", 2, scalars},
	"IN":           {"%s IN (%s)", -1, scalars},
}

var scalars = []attr.Kind{attr.KindString, attr.KindNumber, attr.KindBinary}

// compare rewrites a comparison.
func (r *rewriter) compare(name string, op string, values []attr.Value) (string, error) {
	rule := operators[op]
	if len(values) != rule.count && (rule.count >= 0 || len(values) == 0) {
		return "", invalid("Invalid number of argument(s) for the %s ComparisonOperator", op)
	}
	args := []any{r.name(name)}
	for _, v := range values {
		if err := v.Validate(); err != nil {
			return "", err
		}
		if v.Kind != values[0].Kind {
			return "", invalid("AttributeValues inside AttributeValueList must be of same type")
		}
		if rule.types != nil && !slices.Contains(rule.types, v.Kind) {
			return "", invalid("ComparisonOperator %s is not valid for %s AttributeValue type", op, v.Kind)
		}
		args = append(args, r.value(v))
	}
	if op == "BETWEEN" {
		if c, _ := attr.Compare(values[0], values[1]); c > 0 {
			return "", &attr.ValidationError{Msg: "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"}
		}
	}
	if op == "IN" {
		rule.format = "%s IN (%s" + strings.Repeat(", %s", len(values)-1) + ")"
	}
	return fmt.Sprintf(rule.format, args...), nil
}

// conditions rewrites several, joined by AND or OR.
func (r *rewriter) conditions(conds map[string]Condition, joined string, one func(string, Condition) (string, error)) (string, error) {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(conds)) {
		part, err := one(name, conds[name])
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
	}
	if joined == "" {
		joined = "AND"
	}
	return strings.Join(parts, " "+joined+" "), nil
}

func (r *rewriter) condition(name string, c Condition) (string, error) {
	return r.compare(name, c.ComparisonOperator, c.AttributeValueList)
}

// Conditions rewrites a QueryFilter or ScanFilter, or the Expected of a write;
// operator is ConditionalOperator. No conditions are a nil condition.
func Conditions(conds map[string]Condition, operator string, expected bool) (*expr.Condition, error) {
	if len(conds) == 0 {
		return nil, nil
	}
	r := &rewriter{}
	one, parse := r.condition, expr.ParseFilter
	if expected {
		one, parse = r.expected, expr.ParseCondition
	}
	src, err := r.conditions(conds, operator, one)
	if err != nil {
		return nil, err
	}
	return parse(src, &r.params)
}

// KeyConditions rewrites a query's KeyConditions.
func KeyConditions(conds map[string]Condition) (*expr.KeyCondition, error) {
	r := &rewriter{}
	for _, c := range conds {
		switch c.ComparisonOperator {
		case "NULL", "NOT_NULL", "NE", "CONTAINS", "NOT_CONTAINS", "IN":
			return nil, &attr.ValidationError{Msg: "Attempted conditional constraint is not an indexable operation"}
		}
	}
	src, err := r.conditions(conds, "", r.condition)
	if err != nil {
		return nil, err
	}
	if len(conds) != 1 && len(conds) != 2 {
		return nil, &attr.ValidationError{Msg: "Conditions can be of length 1 or 2 only"}
	}
	return expr.ParseKeyCondition(src, &r.params)
}

func (r *rewriter) expected(name string, c Condition) (string, error) {
	list, exists := c.AttributeValueList, c.Exists == nil || *c.Exists
	if c.Value != nil {
		if list != nil {
			return "", invalid("Value and AttributeValueList cannot be used together for Attribute: %s", name)
		}
		list = []attr.Value{*c.Value}
	}
	switch op := c.ComparisonOperator; {
	case op != "" && c.Exists != nil:
		return "", invalid("Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case op != "" && op != "NULL" && op != "NOT_NULL" && list == nil:
		return "", invalid("Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", op, name)
	case op != "":
		return r.compare(name, op, list)
	case c.AttributeValueList != nil:
		return "", invalid("AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case exists && c.Value == nil && c.Exists == nil:
		return "", invalid("Value must be provided when Exists is null for Attribute: %s", name)
	case exists && c.Value == nil:
		return "", invalid("Value must be provided when Exists is true for Attribute: %s", name)
	case !exists && c.Value != nil:
		return "", invalid("Value cannot be used when Exists is false for Attribute: %s", name)
	case !exists:
		return r.compare(name, "NULL", nil)
	}
	return r.compare(name, "EQ", list)
}

// Updates rewrites AttributeUpdates; none at all is a nil update.
func Updates(updates map[string]Update) (*expr.Update, error) {
	r := &rewriter{}
	sections := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		u := updates[name]
		n := r.name(name)
		if u.Value == nil {
			if u.Action != "DELETE" {
				return nil, invalid("Only DELETE action is allowed when no attribute value is specified")
			}
			sections["REMOVE"] = append(sections["REMOVE"], n)
			continue
		}
		if err := u.Value.Validate(); err != nil {
			return nil, err
		}
		v, kind := r.value(*u.Value), u.Value.Kind
		switch {
		case u.Action == "DELETE" && !kind.IsSet():
			return nil, invalid("DELETE action with value is not supported for the type %s", kind)
		case u.Action == "ADD" && kind == attr.KindList:
			empty := r.value(attr.Value{Kind: attr.KindList})
			sections["SET"] = append(sections["SET"], fmt.Sprintf("%s = list_append(if_not_exists(%s, %s), %s)", n, n, empty, v))
		case u.Action == "ADD" && !kind.IsSet() && kind != attr.KindNumber:
			return nil, invalid("ADD action is not supported for the type %s", kind)
		case u.Action == "ADD" || u.Action == "DELETE":
			sections[u.Action] = append(sections[u.Action], n+" "+v)
		default:
			sections["SET"] = append(sections["SET"], n+" = "+v)
		}
	}
	var src []string
	for section, actions := range sections {
		src = append(src, section+" "+strings.Join(actions, ", "))
	}
	if len(src) == 0 {
		return nil, nil
	}
	return expr.ParseUpdate(strings.Join(src, " "), &r.params)
}

// Attributes rewrites AttributesToGet.
func Attributes(names []string) (expr.Projection, error) {
	r := &rewriter{}
	var paths []string
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, invalid("Duplicate value in attribute name: %s", name)
		}
		paths = append(paths, r.name(name))
	}
	return expr.ParseProjection(strings.Join(paths, ", "), &r.params)
}
