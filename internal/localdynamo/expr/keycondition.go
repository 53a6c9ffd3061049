package expr

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// KeyCondition is a parsed key condition expression, not yet matched with the
// keys of a table or index.
type KeyCondition struct{ terms []term }

// term is a condition on one key attribute.
type term struct {
	name string
	op   string
	args []attr.Value
}

// Key is a key attribute of a table or index.
type Key struct {
	Name string
	Kind attr.Kind
}

// KeyQuery is what a key condition asks for: one hash value and, if Op is not
// empty, a condition on the range key with one operand, or two for BETWEEN. Op
// is =, <, <=, >, >=, BETWEEN or begins_with.
type KeyQuery struct {
	Hash attr.Value
	Op   string
	Args []attr.Value
}

// ParseKeyCondition parses a KeyConditionExpression and checks all that does
// not depend on the keys; Bind checks the rest. AWS looks up the table between
// the two.
func ParseKeyCondition(src string, params *Params) (*KeyCondition, error) {
	root, err := parseCondition("KeyConditionExpression", src, params)
	if err != nil {
		return nil, err
	}
	k := &KeyCondition{}
	return k, k.collect(root)
}

func (k *KeyCondition) collect(n *node) error {
	switch {
	case n.kind == nodeAnd:
		if err := k.collect(n.args[0]); err != nil {
			return err
		}
		return k.collect(n.args[1])
	case n.kind == nodeOr, n.kind == nodeNot, n.kind == nodeIn, n.op == "<>",
		n.kind == nodeCall && n.op != "begins_with":
		return invalid("Invalid operator used in KeyConditionExpression: %s", n.op)
	}
	t := term{op: n.op}
	at := -1
	for i, a := range n.args {
		switch {
		case a.kind == nodeCall:
			return invalid("KeyConditionExpressions cannot contain nested operations")
		case a.kind == nodeValue:
			t.args = append(t.args, a.value)
		case at >= 0:
			return invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
		case len(a.path) > 1:
			return invalid("KeyConditionExpressions cannot have conditions on nested attributes")
		default:
			at, t.name = i, a.path[0].Name
		}
	}
	switch {
	case at < 0:
		return invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	case at > 0 && n.kind != nodeCompare:
		return invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", n.op)
	case at > 0:
		t.op = strings.NewReplacer("<", ">", ">", "<").Replace(n.op)
	}
	for _, other := range k.terms {
		if other.name == t.name {
			return invalid("KeyConditionExpressions must only contain one condition per key")
		}
	}
	k.terms = append(k.terms, t)
	return nil
}

// Bind matches the condition with the keys of a table or index; rng is the zero
// Key where there is no range key.
func (k *KeyCondition) Bind(hash, rng Key) (KeyQuery, error) {
	var q KeyQuery
	if len(k.terms) > 2 {
		return q, invalid("Conditions can be of length 1 or 2 only")
	}
	var hashTerm, rangeTerm *term
	for i := range k.terms {
		switch t := &k.terms[i]; t.name {
		case hash.Name:
			hashTerm = t
		case rng.Name:
			rangeTerm = t
		}
	}
	switch {
	case hashTerm == nil:
		return q, invalid("Query condition missed key schema element: %s", hash.Name)
	case hashTerm.op != "=":
		return q, invalid("Query key condition not supported")
	case len(k.terms) == 2 && rangeTerm == nil && rng.Name == "":
		return q, invalid("Query key condition not supported")
	case len(k.terms) == 2 && rangeTerm == nil:
		return q, invalid("Query condition missed key schema element: %s", rng.Name)
	}
	if err := hashTerm.check(hash); err != nil {
		return q, err
	}
	q.Hash = hashTerm.args[0]
	if rangeTerm == nil {
		return q, nil
	}
	q.Op, q.Args = rangeTerm.op, rangeTerm.args
	return q, rangeTerm.check(rng)
}

// check checks the operands against the key's type.
func (t *term) check(key Key) error {
	for _, v := range t.args {
		if v.Kind != key.Kind {
			return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
		}
		if v.Kind != attr.KindNumber && v.Size() == 0 {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute "+
				"cannot contain an empty %s value. Key: %s", strings.ToLower(v.Kind.Name()), key.Name)
		}
	}
	return nil
}
