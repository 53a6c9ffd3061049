package expr

import (
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

const (
	maxExpression = 4096 // bytes; also what bounds the parser's recursion
	maxOperators  = 300
	maxPathDepth  = 32
	maxInOperands = 100
)

type nodeKind uint8

const (
	nodePath  nodeKind = iota
	nodeValue          // a value placeholder
	nodeCall           // a function
	nodeArith          // + or -
	nodeCompare
	nodeBetween
	nodeIn
	nodeAnd
	nodeOr
	nodeNot
)

// node is a part of a parsed expression. op is the operator's text, the
// function's name or the value's placeholder.
type node struct {
	kind    nodeKind
	op      string
	args    []*node
	path    Path
	value   attr.Value
	grouped bool // in parentheses
}

func (n *node) isCondition() bool { return n.kind >= nodeCompare }

// parser is a recursive descent over the tokens. After the first syntax error
// it stands at the end for good and what it returns is of no use.
type parser struct {
	kind     string // as in "Invalid ConditionExpression: …"
	src      string
	keywords string // " AND OR … " for this kind of expression
	tokens   []token
	at       int
	failed   error
	found    findings
	params   *Params
	ops      int
	targets  []Path // of a projection or update
}

const (
	conditionKeywords = " AND OR NOT BETWEEN IN "
	updateKeywords    = " SET REMOVE ADD DELETE "
)

func newParser(kind, src, keywords string, params *Params) (*parser, error) {
	switch {
	case src == "":
		return nil, invalid("Invalid %s: The expression can not be empty;", kind)
	case len(src) > maxExpression && keywords == conditionKeywords:
		return nil, invalid("Invalid %s: Expression size has exceeded the maximum allowed size; expression size: %d", kind, len(src))
	case len(src) > maxExpression:
		return nil, invalid("Invalid %s: Expression size has exceeded the maximum allowed size;", kind)
	}
	return &parser{kind: kind, src: src, keywords: keywords, tokens: tokenize(src), params: params}, nil
}

// finish returns the parser's verdict once the whole source should be consumed.
func (p *parser) finish(order []category) error {
	if p.tok().kind != tokEOF {
		p.fail()
	}
	if p.failed != nil {
		return p.failed
	}
	if p.ops > maxOperators {
		p.found.add(catLimit, "The expression contains too many operators; operator count: %d", maxOperators+1)
	}
	if msg := p.found.first(order); msg != "" {
		return invalid("Invalid %s: %s", p.kind, msg)
	}
	return nil
}

func (p *parser) tok() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tok()
	if t.kind != tokEOF {
		p.at++
	}
	return t
}

// fail reports a syntax error at the current token, with the source from the
// token before it to the token after it.
func (p *parser) fail() {
	if p.failed != nil {
		return
	}
	t := p.tok()
	from := t.pos
	if p.at > 0 {
		from = p.tokens[p.at-1].pos
	} else if t.kind == tokEOF {
		from = 0
	}
	to := p.tokens[min(p.at+1, len(p.tokens)-1)]
	end := to.end
	if to.kind == tokEOF && t.kind != tokEOF {
		end = t.end
	}
	p.failed = invalid("Invalid %s: Syntax error; token: \"%s\", near: \"%s\"", p.kind, t.text, p.src[from:end])
	p.at = len(p.tokens) - 1
}

func (p *parser) is(symbol string) bool {
	t := p.tok()
	return t.kind == tokSymbol && t.text == symbol
}

func (p *parser) accept(symbol string) bool {
	if !p.is(symbol) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(symbol string) {
	if !p.accept(symbol) {
		p.fail()
	}
}

func (p *parser) keyword(word string) bool {
	if t := p.tok(); t.kind != tokWord || !strings.EqualFold(t.text, word) {
		return false
	}
	p.at++
	return true
}

func (p *parser) isKeyword(t token) bool {
	return t.kind == tokWord && strings.Contains(p.keywords, " "+strings.ToUpper(t.text)+" ")
}

// or, and, not and relation are the levels of precedence. bare allows a lone
// operand, which only makes sense right inside parentheses: (a) = :b.
func (p *parser) or(bare bool) *node {
	n := p.and(bare)
	for p.keyword("OR") {
		p.ops++
		n = &node{kind: nodeOr, op: "OR", args: []*node{n, p.and(false)}}
	}
	return n
}

func (p *parser) and(bare bool) *node {
	n := p.relation(bare)
	for p.keyword("AND") {
		p.ops++
		n = &node{kind: nodeAnd, op: "AND", args: []*node{n, p.relation(false)}}
	}
	return n
}

func (p *parser) relation(bare bool) *node {
	if p.keyword("NOT") {
		p.ops++
		return &node{kind: nodeNot, op: "NOT", args: []*node{p.relation(false)}}
	}
	var left *node
	if p.is("(") {
		left = p.group(func() *node { return p.or(true) })
	} else {
		left = p.operand()
	}
	if left.isCondition() {
		return left
	}
	switch t := p.tok(); {
	case t.kind == tokSymbol && strings.Contains(" = <> < <= > >= ", " "+t.text+" "):
		p.at++
		p.ops++
		return p.leaf(&node{kind: nodeCompare, op: t.text, args: []*node{left, p.operand()}})
	case p.keyword("BETWEEN"):
		p.ops++
		low := p.operand()
		if !p.keyword("AND") {
			p.fail()
		}
		return p.leaf(&node{kind: nodeBetween, op: "BETWEEN", args: []*node{left, low, p.operand()}})
	case p.keyword("IN"):
		p.ops++
		p.expect("(")
		list := p.operands()
		if len(list) > maxInOperands {
			p.found.add(catLimit, "The IN operator is provided with too many operands; number of operands: %d", len(list))
		}
		return p.leaf(&node{kind: nodeIn, op: "IN", args: append([]*node{left}, list...)})
	case left.kind == nodeCall && bare && p.is(")"):
		return left // a condition or an operand: what follows the parenthesis tells
	case left.kind == nodeCall:
		return p.leaf(left)
	case !bare || !p.is(")"):
		p.fail()
	}
	return left
}

// group parses what is in parentheses; parentheses right inside are too many.
func (p *parser) group(inside func() *node) *node {
	p.expect("(")
	n := inside()
	p.expect(")")
	if n.grouped {
		p.found.add(catParens, "The expression has redundant parentheses;")
	}
	n.grouped = true
	return n
}

func (p *parser) operand() *node {
	switch t := p.tok(); {
	case p.is("("):
		return p.group(p.operand)
	case t.kind == tokValue:
		return p.valueNode()
	case t.kind == tokWord && !p.isKeyword(t) && p.tokens[p.at+1].kind == tokSymbol && p.tokens[p.at+1].text == "(":
		p.at += 2
		p.ops++
		n := &node{kind: nodeCall, op: t.text, args: p.operands()}
		p.checkCall(n)
		return n
	}
	return &node{kind: nodePath, path: p.path()}
}

// operands parses a list up to its closing parenthesis.
func (p *parser) operands() []*node {
	list := []*node{p.operand()}
	for p.accept(",") {
		list = append(list, p.operand())
	}
	p.expect(")")
	return list
}

func (p *parser) valueNode() *node {
	t := p.tok()
	if t.kind != tokValue {
		p.fail()
		return &node{kind: nodeValue}
	}
	p.at++
	v, ok := use(p.params.Values, &p.params.usedValues, t.text)
	if !ok {
		p.found.add(catValue, "An expression attribute value used in expression is not defined; attribute value: %s", t.text)
	}
	return &node{kind: nodeValue, op: t.text, value: v}
}

func (p *parser) path() Path {
	path := Path{{Name: p.pathName()}}
	for p.failed == nil {
		switch {
		case p.accept("."):
			path = append(path, Elem{Name: p.pathName()})
			continue
		case p.accept("["):
			t := p.tok()
			if t.kind != tokNumber {
				p.fail()
				continue
			}
			p.at++
			i, err := strconv.ParseInt(t.text, 10, 32)
			if err != nil {
				p.found.add(catLimit, "List index is not within the allowable range; index: [%s]", t.text)
			}
			path = append(path, Elem{Index: int(i), IsIndex: true})
			p.expect("]")
			continue
		}
		break
	}
	if len(path) > maxPathDepth {
		p.found.add(catLimit, "The document path has too many nesting levels; nesting levels: %d", len(path))
	}
	return path
}

func (p *parser) pathName() string {
	t := p.tok()
	switch {
	case t.kind == tokName:
		p.at++
		name, ok := use(p.params.Names, &p.params.usedNames, t.text)
		if !ok {
			p.found.add(catName, "An expression attribute name used in the document path is not defined; attribute name: %s", t.text)
		}
		return name
	case t.kind == tokWord && !p.isKeyword(t):
		p.at++
		if isReserved(t.text) {
			p.found.add(catReserved, "Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		return t.text
	}
	p.fail()
	return ""
}
