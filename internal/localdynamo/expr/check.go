package expr

import (
	"fmt"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// category groups what may be wrong with an expression that parses. AWS
// reports one finding only, the first of the gravest category.
type category uint8

const (
	catParens category = iota
	catFunction
	catMisuse
	catReserved
	catLimit
	catSection
	catName
	catValue
	catOverlap
	catConflict
	catOperandCount
	catDistinct
	catOperandType
	numCategories
)

// conditionOrder and updateOrder are the orders in which AWS looks.
func conditionOrder() []category {
	return []category{catParens, catFunction, catMisuse, catReserved, catLimit,
		catName, catValue, catOperandCount, catDistinct, catOperandType}
}

func updateOrder() []category {
	return []category{catParens, catReserved, catFunction, catMisuse, catSection, catLimit,
		catName, catValue, catOverlap, catConflict, catOperandCount, catOperandType}
}

// findings holds the first finding of each category.
type findings struct {
	msgs   [numCategories]string
	frozen bool // a condition went wrong: later conditions' operands are not looked at
}

func (f *findings) add(c category, format string, args ...any) {
	if f.msgs[c] == "" && (!f.frozen || c < catName) {
		f.msgs[c] = fmt.Sprintf(format, args...)
	}
}

func (f *findings) first(order []category) string {
	for _, c := range order {
		if f.msgs[c] != "" {
			return f.msgs[c]
		}
	}
	return ""
}

// leaf checks a complete condition without AND, OR and NOT.
func (p *parser) leaf(n *node) *node {
	if n.kind != nodeCall {
		p.checkArgs(n)
	} else if n.op == "size" {
		p.misused(n)
	}
	p.found.frozen = slices.ContainsFunc(p.found.msgs[catName:], func(m string) bool { return m != "" })
	return n
}

func (p *parser) misused(n *node) {
	p.found.add(catMisuse, "The function is not allowed to be used this way in an expression; function: %s", n.op)
}

// typeOf returns the type an operand has on every item, or KindNone.
func (n *node) typeOf() attr.Kind {
	switch {
	case n.kind == nodeValue:
		return n.value.Kind
	case n.kind == nodeCall && n.op == "size":
		return attr.KindNumber
	case n.kind == nodeCall && n.op != "if_not_exists" && n.op != "list_append":
		return attr.KindBool
	}
	return attr.KindNone
}

// checkArgs checks the operands of a comparison, BETWEEN or IN.
func (p *parser) checkArgs(n *node) {
	for _, a := range n.args {
		if a.kind == nodeCall && a.op != "size" {
			p.misused(a)
		}
	}
	p.checkDistinct(n)
	if n.op == "=" || n.op == "<>" || n.op == "IN" {
		return
	}
	for _, a := range n.args {
		if t := a.typeOf(); t > attr.KindBinary {
			p.wrongType(n, t)
		}
	}
	if n.kind != nodeBetween || n.args[1].kind != nodeValue || n.args[2].kind != nodeValue {
		return
	}
	low, high := n.args[1].value, n.args[2].value
	if low.Kind == attr.KindNone || high.Kind == attr.KindNone {
		return // an undefined placeholder is reported as such
	}
	bounds := fmt.Sprintf("; lower bound operand: AttributeValue: {%s}, upper bound operand: AttributeValue: {%s}",
		boundText(low), boundText(high))
	if c, ok := attr.Compare(low, high); low.Kind != high.Kind {
		p.found.add(catOperandType, "The BETWEEN operator requires same data type for lower and upper bounds%s", bounds)
	} else if ok && c > 0 {
		p.found.add(catOperandType, "The BETWEEN operator requires upper bound to be greater than or equal to lower bound%s", bounds)
	}
}

func boundText(v attr.Value) string {
	switch v.Kind {
	case attr.KindString:
		return "S:" + v.S
	case attr.KindNumber:
		return "N:" + v.N.String()
	}
	return fmt.Sprintf("%s:%s", v.Kind, v.B)
}

func (p *parser) checkDistinct(n *node) {
	first := n.args[0]
	for _, a := range n.args[1:] {
		if first.kind == nodePath && a.kind == nodePath && slices.Equal(first.path, a.path) {
			p.found.add(catDistinct, "The first operand must be distinct from the remaining operands "+
				"for this operator or function; operator: %s, first operand: %s", n.op, first.path)
		}
	}
}

func (p *parser) wrongType(n *node, t attr.Kind) {
	p.found.add(catOperandType, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.op, t)
}

// functions are those of the language: whether for updates or for conditions,
// with how many operands, and of which types if not any. It is never written to.
var functions = map[string]struct {
	update   bool
	operands int
	types    []attr.Kind
}{
	"if_not_exists":        {true, 2, nil},
	"list_append":          {true, 2, []attr.Kind{attr.KindList}},
	"attribute_exists":     {false, 1, nil},
	"attribute_not_exists": {false, 1, nil},
	"attribute_type":       {false, 2, nil},
	"begins_with":          {false, 2, []attr.Kind{attr.KindString, attr.KindBinary}},
	"contains":             {false, 2, nil},
	"size": {false, 1, []attr.Kind{attr.KindString, attr.KindBinary, attr.KindMap, attr.KindList,
		attr.KindStringSet, attr.KindNumberSet, attr.KindBinarySet}},
}

// checkCall checks a function and its operands.
func (p *parser) checkCall(n *node) {
	update := p.keywords == updateKeywords
	f, known := functions[n.op]
	if !known || f.update && !update {
		p.found.add(catFunction, "Invalid function name; function: %s", n.op)
		return
	}
	for _, a := range n.args {
		if a.kind == nodeCall && a.op != "size" && a.op != "if_not_exists" {
			p.misused(a)
		}
	}
	if update && !f.update {
		p.found.add(catFunction, "The function is not allowed in an update expression; function: %s", n.op)
		return
	}
	if len(n.args) != f.operands {
		p.found.add(catOperandCount, "Incorrect number of operands for operator or function; "+
			"operator or function: %s, number of operands: %d", n.op, len(n.args))
		return
	}
	if !update {
		p.checkDistinct(n)
	}
	for _, a := range n.args {
		if t := a.typeOf(); t != attr.KindNone && f.types != nil && !slices.Contains(f.types, t) {
			p.wrongType(n, t)
		}
	}
	switch n.op {
	case "attribute_exists", "attribute_not_exists", "if_not_exists":
		if n.args[0].kind != nodePath {
			p.found.add(catOperandType, "Operator or function requires a document path; operator or function: %s", n.op)
		}
	case "attribute_type":
		switch of := n.args[1]; {
		case of.kind == nodePath:
			p.found.add(catOperandType, "Incorrect operand type for operator or function; "+
				"operator or function: attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
		case of.typeOf() != attr.KindString:
			p.wrongType(n, of.typeOf())
		case attr.KindOf(of.value.S) == attr.KindNone:
			p.found.add(catOperandType, "Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", of.value.S)
		}
	}
}
