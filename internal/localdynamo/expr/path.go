package expr

import (
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Elem is one step of a document path: the name of an attribute or map entry,
// or an index into a list.
type Elem struct {
	Name    string
	Index   int
	IsIndex bool
}

func (e Elem) String() string {
	if e.IsIndex {
		return "[" + strconv.Itoa(e.Index) + "]"
	}
	return e.Name
}

// Path is a document path. Its first element is a name.
type Path []Elem

// String writes the path as AWS does in messages: [a, [1], b].
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, e := range p {
		parts[i] = e.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Resolve returns the value at the path, if the item has one.
func (p Path) Resolve(it attr.Item) (attr.Value, bool) {
	v := attr.Value{Kind: attr.KindMap, M: it}
	for _, e := range p {
		var ok bool
		if v, ok = child(v, e); !ok {
			return v, false
		}
	}
	return v, true
}

// child returns an element of a map or list. Indexing what is neither, or the
// wrong one of the two, finds nothing.
func child(v attr.Value, e Elem) (attr.Value, bool) {
	if !e.IsIndex {
		w, ok := v.M[e.Name]
		return w, ok
	}
	if e.Index >= len(v.L) {
		return attr.Value{}, false
	}
	return v.L[e.Index], true
}

// overlap says how two paths are in each other's way: one leads through the
// other's target, or they treat the same value once as a map, once as a list.
func overlap(a, b Path) string {
	for i := range min(len(a), len(b)) {
		if a[i].IsIndex != b[i].IsIndex {
			return "conflict"
		}
		if a[i] != b[i] {
			return ""
		}
	}
	return "overlap"
}
