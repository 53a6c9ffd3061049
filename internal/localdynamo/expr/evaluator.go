package expr

import (
	"bytes"
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
		v, ok := a.operand(it)
		exist = exist && (ok || n.kind == nodeIn)
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

// operand returns the value of a path, a placeholder or size(); ok is false
// where the item has none.
func (n *node) operand(it attr.Item) (v attr.Value, ok bool) {
	switch n.kind {
	case nodePath:
		return n.path.Resolve(it)
	case nodeValue:
		return n.value, true
	}
	v, ok = n.args[0].operand(it)
	switch {
	case !ok || v.Kind == attr.KindNumber || v.Kind == attr.KindBool || v.Kind == attr.KindNull:
		return attr.Value{}, false
	}
	// A string counts as Java counts, in UTF-16 units.
	size := len(utf16.Encode([]rune(v.S))) + len(v.B) + v.Len()
	return attr.Num(attr.NumberFromInt(int64(size))), true
}
