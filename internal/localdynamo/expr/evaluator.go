package expr

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Condition is a parsed condition or filter expression.
type Condition struct {
	root  *node
	paths []Path
}

// ParseCondition parses a ConditionExpression.
func ParseCondition(src string, params *Params) (*Condition, error) {
	return newCondition("ConditionExpression", src, params)
}

// ParseFilter parses a FilterExpression.
func ParseFilter(src string, params *Params) (*Condition, error) {
	return newCondition("FilterExpression", src, params)
}

func newCondition(kind, src string, params *Params) (*Condition, error) {
	root, err := parseCondition(kind, src, params)
	if err != nil {
		return nil, err
	}
	c := &Condition{root: root}
	root.walk(func(n *node) {
		if n.kind == nodePath {
			c.paths = append(c.paths, n.path)
		}
	})
	return c, nil
}

func parseCondition(kind, src string, params *Params) (*node, error) {
	p, err := newParser(kind, src, conditionKeywords, params)
	if err != nil {
		return nil, err
	}
	root := p.or(false)
	return root, p.finish(conditionOrder())
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, a := range n.args {
		a.walk(visit)
	}
}

// Paths returns every document path of the expression: filters must not name
// key attributes, and nothing may look inside one.
func (c *Condition) Paths() []Path {
	if c == nil {
		return nil
	}
	return c.paths
}

// Eval reports whether the condition holds for an item; nil is no item. No
// condition holds for every item.
func (c *Condition) Eval(it attr.Item) bool { return c == nil || c.root.holds(it) }

func (n *node) holds(it attr.Item) bool {
	switch n.kind {
	case nodeAnd:
		return n.args[0].holds(it) && n.args[1].holds(it)
	case nodeOr:
		return n.args[0].holds(it) || n.args[1].holds(it)
	case nodeNot:
		return !n.args[0].holds(it)
	}
	var buf [3]attr.Value
	vals := buf[:0]
	exist := true
	for _, a := range n.args {
		v, err := a.eval(it)
		exist = exist && (err == nil || n.kind == nodeIn)
		vals = append(vals, v)
	}
	switch n.kind {
	case nodeCompare:
		return compare(n.op, vals[0], vals[1], exist)
	case nodeBetween:
		return exist && compare(">=", vals[0], vals[1], true) && compare("<=", vals[0], vals[2], true)
	case nodeIn:
		for _, v := range vals[1:] {
			if v.Kind != attr.KindNone && attr.Equal(vals[0], v) {
				return true
			}
		}
		return false
	}
	switch n.op {
	case "attribute_exists":
		return exist
	case "attribute_not_exists":
		return !exist
	case "attribute_type":
		return exist && vals[0].Kind.String() == vals[1].S
	case "begins_with":
		a, b := vals[0], vals[1]
		return exist && a.Kind == b.Kind && (a.Kind == attr.KindString && strings.HasPrefix(a.S, b.S) ||
			a.Kind == attr.KindBinary && bytes.HasPrefix(a.B, b.B))
	}
	return exist && vals[0].Contains(vals[1]) // contains
}

// compare compares two operands. A missing one makes every comparison false
// but <>, and only values of one type have an order.
func compare(op string, a, b attr.Value, exist bool) bool {
	switch op {
	case "=":
		return exist && attr.Equal(a, b)
	case "<>":
		return !exist || !attr.Equal(a, b)
	}
	c, ok := attr.Compare(a, b)
	if !ok || !exist {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// errMissing is what an operand is that the item does not have.
var errMissing = invalid("The provided expression refers to an attribute that does not exist in the item")

// eval returns the value of an operand, of a condition or of an update.
func (n *node) eval(it attr.Item) (v attr.Value, err error) {
	var args [2]attr.Value
	switch {
	case n.kind == nodeValue:
		return n.value, nil
	case n.kind == nodePath:
		v, ok := n.path.Resolve(it)
		if !ok {
			return v, errMissing
		}
		return v, nil
	case n.op == "if_not_exists":
		if v, ok := n.args[0].path.Resolve(it); ok {
			return v, nil
		}
		return n.args[1].eval(it)
	}
	for i, a := range n.args {
		if args[i], err = a.eval(it); err != nil {
			return v, err
		}
	}
	a, b := args[0], args[1]
	switch {
	case n.op == "size" && (a.Kind == attr.KindNumber || a.Kind == attr.KindBool || a.Kind == attr.KindNull):
		return v, errMissing
	case n.op == "size": // a string counts as Java counts, in UTF-16 units
		size := len(utf16.Encode([]rune(a.S))) + len(a.B) + a.Len()
		return attr.Num(attr.NumberFromInt(int64(size))), nil
	case n.op == "list_append" && a.Kind == attr.KindList && b.Kind == attr.KindList:
		return attr.Value{Kind: attr.KindList, L: slices.Concat(a.L, b.L)}, nil
	case n.kind != nodeArith || a.Kind != attr.KindNumber || b.Kind != attr.KindNumber:
		return v, wrongOperand()
	case n.op == "-":
		v.N, err = a.N.Sub(b.N)
	default:
		v.N, err = a.N.Add(b.N)
	}
	return attr.Num(v.N), err
}
