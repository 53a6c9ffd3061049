package template

import (
	"errors"
	"fmt"
	"html"
	"reflect"
	"strconv"
	"strings"
	"text/template/parse"
)

// URL is an address that the program made itself, or has looked at. Only such
// a value may stand in an attribute that leads somewhere.
type URL string

// Template is a parsed template. It is immutable.
type Template struct {
	name    string
	blocks  map[string]*parse.Tree
	markup  bool
	leading map[parse.Node]bool // fields in attributes that lead somewhere
}

// Text parses sources that give plain text. The blocks of a later source
// replace those of an earlier one with the same name.
func Text(name string, sources ...string) (*Template, error) { return parsed(name, false, sources) }

// HTML parses a page. Everything filled in is escaped, and may stand only where
// escaping makes it harmless: in text and in double-quoted attributes that
// neither run nor style anything, in addresses if it is a URL. Anything else
// is an error, as is an attribute or element that is open at the end of one
// branch and not of the other.
func HTML(name string, sources ...string) (*Template, error) { return parsed(name, true, sources) }

func parsed(name string, markup bool, sources []string) (*Template, error) {
	t := &Template{name: name, blocks: map[string]*parse.Tree{}, markup: markup, leading: map[parse.Node]bool{}}
	for _, src := range sources {
		set, err := parse.Parse(name, src, "", "")
		if err != nil {
			return nil, fmt.Errorf("template %w", err)
		}
		for block, tree := range set {
			if t.blocks[block] == nil || block != name || !parse.IsEmptyTree(tree.Root) {
				t.blocks[block] = tree
			}
		}
	}
	for _, tree := range t.blocks {
		if err := t.check(tree.Root); err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		if markup {
			if _, err := t.place("", tree.Root); err != nil {
				return nil, fmt.Errorf("template %s: %w", name, err)
			}
		}
	}
	return t, nil
}

// check refuses what the syntax here leaves out.
func (t *Template) check(n parse.Node) error {
	switch n := n.(type) {
	case nil, *parse.TextNode, *parse.CommentNode:
		return nil
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, m := range n.Nodes {
			if err := t.check(m); err != nil {
				return err
			}
		}
		return nil
	case *parse.ActionNode:
		return plain(n.Pipe)
	case *parse.IfNode:
		return t.branch(&n.BranchNode)
	case *parse.WithNode:
		return t.branch(&n.BranchNode)
	case *parse.RangeNode:
		return t.branch(&n.BranchNode)
	case *parse.TemplateNode:
		if t.blocks[n.Name] == nil {
			return fmt.Errorf("%s: there is no block %q", n, n.Name)
		}
		return plain(n.Pipe)
	}
	return fmt.Errorf("%s: only fields, if, with, range, define and template may be used", n)
}

func (t *Template) branch(n *parse.BranchNode) error {
	return errors.Join(plain(n.Pipe), t.check(n.List), t.check(n.ElseList))
}

// plain refuses pipelines that are more than one value.
func plain(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	if len(p.Decl) == 0 && len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 {
		switch v := p.Cmds[0].Args[0].(type) {
		case *parse.DotNode, *parse.FieldNode, *parse.StringNode:
			return nil
		case *parse.VariableNode:
			if v.Ident[0] == "$" {
				return nil
			}
		}
	}
	return fmt.Errorf("{{%s}}: expected a field, such as {{.Name}}", p)
}

// Has reports whether there is a block of that name.
func (t *Template) Has(block string) bool { return t.blocks[block] != nil }

// Execute fills in the template with data: a struct, or a map with string keys.
func (t *Template) Execute(data any) (string, error) { return t.ExecuteBlock(t.name, data) }

// ExecuteBlock fills in one block.
func (t *Template) ExecuteBlock(block string, data any) (string, error) {
	tree := t.blocks[block]
	if tree == nil {
		return "", fmt.Errorf("template %s: there is no block %q", t.name, block)
	}
	var out strings.Builder
	root := reflect.ValueOf(data)
	if err := (&run{Template: t, out: &out}).node(tree.Root, root, root); err != nil {
		return "", fmt.Errorf("template %s: %w", t.name, err)
	}
	return out.String(), nil
}

// maxDepth bounds blocks that use each other.
const maxDepth = 50

type run struct {
	*Template
	out   *strings.Builder
	depth int
}

func (r *run) node(n parse.Node, dot, root reflect.Value) error {
	switch n := n.(type) {
	case *parse.TextNode:
		r.out.Write(n.Text)
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, m := range n.Nodes {
			if err := r.node(m, dot, root); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		v, err := value(n.Pipe, dot, root)
		if err != nil {
			return err
		}
		return r.show(n, v)
	case *parse.IfNode:
		v, err := value(n.Pipe, dot, root)
		if err != nil {
			return err
		}
		if filled(v) {
			return r.node(n.List, dot, root)
		}
		return r.node(n.ElseList, dot, root)
	case *parse.WithNode:
		v, err := value(n.Pipe, dot, root)
		if err != nil {
			return err
		}
		if filled(v) {
			return r.node(n.List, v, root)
		}
		return r.node(n.ElseList, dot, root)
	case *parse.RangeNode:
		v, err := value(n.Pipe, dot, root)
		if err != nil {
			return err
		}
		if k := v.Kind(); k != reflect.Slice && k != reflect.Array {
			return fmt.Errorf("{{range %s}}: not a list", n.Pipe)
		}
		for i := range v.Len() {
			if err := r.node(n.List, inner(v.Index(i)), root); err != nil {
				return err
			}
		}
		if v.Len() == 0 {
			return r.node(n.ElseList, dot, root)
		}
	case *parse.TemplateNode:
		if r.depth++; r.depth > maxDepth {
			return fmt.Errorf("{{template %q}}: blocks use each other without end", n.Name)
		}
		defer func() { r.depth-- }()
		v := reflect.ValueOf(map[string]any(nil))
		if n.Pipe != nil {
			var err error
			if v, err = value(n.Pipe, dot, root); err != nil {
				return err
			}
		}
		return r.node(r.blocks[n.Name].Root, v, v)
	}
	return nil
}

// show writes a value, escaped where it is markup.
func (r *run) show(n *parse.ActionNode, v reflect.Value) error {
	var s string
	switch {
	case v.Kind() == reflect.String:
		s = v.String()
	case v.CanInt():
		s = strconv.FormatInt(v.Int(), 10)
	default:
		return fmt.Errorf("%s: neither text nor a number", n)
	}
	if r.leading[n] && v.Type() != reflect.TypeFor[URL]() {
		return fmt.Errorf("%s: stands in an attribute that leads somewhere and is not a URL", n)
	}
	if r.markup {
		s = html.EscapeString(s)
	}
	r.out.WriteString(s)
	return nil
}

// value follows a path of fields.
func value(p *parse.PipeNode, dot, root reflect.Value) (reflect.Value, error) {
	switch n := p.Cmds[0].Args[0].(type) {
	case *parse.StringNode:
		return reflect.ValueOf(n.Text), nil
	case *parse.FieldNode:
		return follow(dot, n.Ident)
	case *parse.VariableNode:
		return follow(root, n.Ident[1:])
	}
	return dot, nil
}

func follow(v reflect.Value, path []string) (reflect.Value, error) {
	for _, name := range path {
		switch v = inner(v); {
		case v.Kind() == reflect.Struct:
			v = v.FieldByName(name)
		case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
			v = v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key()))
		default:
			v = reflect.Value{}
		}
		if !v.IsValid() {
			return v, fmt.Errorf("there is no field %s in {{.%s}}", name, strings.Join(path, "."))
		}
	}
	return inner(v), nil
}

// inner gives what interfaces and pointers hold.
func inner(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v
}

// filled reports what if and with ask: whether there is anything.
func filled(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() > 0
	}
	return !v.IsZero()
}
