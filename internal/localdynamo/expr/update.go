package expr

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Update is a parsed update expression.
type Update struct{ actions []action }

// action is one clause of a section. value is nil for REMOVE.
type action struct {
	section string
	path    Path
	value   *node
}

// ParseUpdate parses an UpdateExpression.
func ParseUpdate(src string, params *Params) (*Update, error) {
	p, err := newParser("UpdateExpression", src, updateKeywords, params)
	if err != nil {
		return nil, err
	}
	u := &Update{}
	seen := map[string]bool{}
	for more := true; more; more = p.tok().kind != tokEOF {
		section := ""
		for _, s := range []string{"SET", "REMOVE", "ADD", "DELETE"} {
			if p.keyword(s) {
				section = s
				break
			}
		}
		if section == "" {
			p.fail()
			break
		}
		if seen[section] {
			p.found.add(catSection, "The \"%s\" section can only be used once in an update expression;", section)
		}
		seen[section] = true
		p.section(u, section)
	}
	return u, p.finish(updateOrder())
}

func (p *parser) section(u *Update, section string) {
	for {
		a := action{section: section, path: p.target()}
		switch section {
		case "SET":
			p.expect("=")
			a.value = p.setValue()
		case "ADD", "DELETE":
			a.value = p.valueNode()
			k := a.value.value.Kind
			if k != attr.KindNone && !k.IsSet() && (section == "DELETE" || k != attr.KindNumber) {
				p.found.add(catOperandCount, "Incorrect operand type for operator or function; "+
					"operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND", section, k.Name(), section)
			}
		}
		u.actions = append(u.actions, a)
		if !p.accept(",") {
			return
		}
	}
}

// setValue parses an operand, or a sum or difference of two.
func (p *parser) setValue() *node {
	var left *node
	if p.is("(") {
		left = p.group(p.setValue)
	} else {
		left = p.operand()
	}
	if left.kind == nodeArith || !p.is("+") && !p.is("-") {
		return left
	}
	p.ops++
	n := &node{kind: nodeArith, op: p.next().text}
	n.args = []*node{left, p.operand()}
	for _, a := range n.args {
		if a.kind == nodeCall && a.op == "list_append" {
			p.misused(a)
		}
		if t := a.typeOf(); t != attr.KindNone && t != attr.KindNumber {
			p.wrongType(n, t)
		}
	}
	return n
}

// Paths returns the document paths that the update writes.
func (u *Update) Paths() []Path {
	if u == nil {
		return nil
	}
	paths := make([]Path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.path
	}
	return paths
}

// change is an action with its new value; none means that the path's value goes.
type change struct {
	path  Path
	value attr.Value
	none  bool
}

// Apply returns the item after the update; the given item, which may be nil, is
// not changed. Every operand is read from the item as it was.
func (u *Update) Apply(it attr.Item) (attr.Item, error) {
	var changes []change
	for _, a := range u.actions {
		c, err := a.change(it)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c...)
	}
	// Values are set before others are removed, so that indexes mean the list
	// as it was; beyond a list's end, in the order of the indexes; and elements
	// go from the last to the first.
	slices.SortStableFunc(changes, func(a, b change) int {
		switch {
		case a.none != b.none:
			return map[bool]int{true: 1, false: -1}[a.none]
		case a.none:
			return comparePaths(b.path, a.path)
		}
		return comparePaths(a.path, b.path)
	})
	out := maps.Clone(it)
	if out == nil {
		out = attr.Item{}
	}
	root := attr.Value{Kind: attr.KindMap, M: out}
	for _, c := range changes {
		v, err := c.apply(root, c.path)
		if err != nil {
			return nil, err
		}
		root = v
	}
	for _, c := range changes {
		if root.M[c.path[0].Name].Depth() >= attr.MaxDepth {
			return nil, invalid("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
		}
	}
	return root.M, nil
}

func comparePaths(a, b Path) int {
	return slices.CompareFunc(a, b, func(x, y Elem) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Index, y.Index))
	})
}

func wrongOperand() error {
	return invalid("An operand in the update expression has an incorrect data type")
}

// change evaluates an action; none of the result means nothing to do.
func (a action) change(it attr.Item) ([]change, error) {
	switch a.section {
	case "REMOVE":
		return []change{{path: a.path, none: true}}, nil
	case "SET":
		v, err := a.value.eval(it)
		return []change{{path: a.path, value: v}}, err
	}
	old, exists := a.path.Resolve(it)
	by := a.value.value
	switch {
	case !exists && a.section == "ADD":
		return []change{{path: a.path, value: by}}, nil
	case !exists && len(a.path) > 1:
		// Nothing to delete from, but the path must lead somewhere.
		return []change{{path: a.path, none: true}}, nil
	case !exists:
		return nil, nil
	case old.Kind != by.Kind:
		return nil, wrongOperand()
	case by.Kind == attr.KindNumber:
		n, err := old.N.Add(by.N)
		return []change{{path: a.path, value: attr.Num(n)}}, err
	case a.section == "ADD":
		return []change{{path: a.path, value: attr.Union(old, by)}}, nil
	}
	left := attr.Difference(old, by)
	return []change{{path: a.path, value: left, none: left.Len() == 0}}, nil
}

// apply returns v with the change made at path, copying what is on the way.
func (c change) apply(v attr.Value, path Path) (attr.Value, error) {
	e := path[0]
	if e.IsIndex && v.Kind != attr.KindList || !e.IsIndex && v.Kind != attr.KindMap {
		return v, invalid("The document path provided in the update expression is invalid for update")
	}
	w, exists := child(v, e)
	if len(path) > 1 {
		var err error
		if w, err = c.apply(w, path[1:]); err != nil {
			return v, err
		}
	} else if c.none && !exists {
		return v, nil
	} else {
		w = c.value
	}
	gone := c.none && len(path) == 1
	switch {
	case !e.IsIndex:
		if len(path) < len(c.path) { // the top level is a copy already
			v.M = maps.Clone(v.M)
		}
		if gone {
			delete(v.M, e.Name)
		} else {
			v.M[e.Name] = w
		}
	case gone:
		v.L = slices.Delete(slices.Clone(v.L), e.Index, e.Index+1)
	case exists:
		v.L = slices.Clone(v.L)
		v.L[e.Index] = w
	default:
		v.L = append(slices.Clip(v.L), w)
	}
	return v, nil
}
