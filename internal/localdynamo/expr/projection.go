package expr

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/attr"
)

// Projection is a parsed projection expression: the paths it names. Nil is none.
type Projection []Path

// ParseProjection parses a ProjectionExpression.
func ParseProjection(src string, params *Params) (Projection, error) {
	p, err := newParser("ProjectionExpression", src, "", params)
	if err != nil {
		return nil, err
	}
	for p.target(); p.accept(","); {
		p.target()
	}
	return p.targets, p.finish(updateOrder())
}

// target parses a path to project or write, which must keep clear of the others.
func (p *parser) target() Path {
	path := p.path()
	for _, other := range p.targets {
		switch overlap(other, path) {
		case "overlap":
			p.found.add(catOverlap, "Two document paths overlap with each other; "+
				"must remove or rewrite one of these paths; path one: %s, path two: %s", other, path)
		case "conflict":
			p.found.add(catConflict, "Two document paths conflict with each other; "+
				"must remove or rewrite one of these paths; path one: %s, path two: %s", other, path)
		}
	}
	p.targets = append(p.targets, path)
	return path
}

// Apply returns the part of the item that the projection names.
func (p Projection) Apply(it attr.Item) attr.Item {
	if p == nil || it == nil {
		return it
	}
	return Project(it, p)
}

// Project returns the part of an item that the paths lead to. A list keeps the
// chosen elements only, in their order.
func Project(it attr.Item, paths []Path) attr.Item {
	return project(attr.Value{Kind: attr.KindMap, M: it}, paths).M
}

func project(v attr.Value, paths []Path) attr.Value {
	out := attr.Value{Kind: v.Kind}
	if v.Kind == attr.KindMap {
		out.M = map[string]attr.Value{}
	}
	type pick struct {
		elem  Elem
		paths []Path
	}
	var picks []pick
	for _, path := range paths {
		i := slices.IndexFunc(picks, func(p pick) bool { return p.elem == path[0] })
		if i < 0 {
			i, picks = len(picks), append(picks, pick{elem: path[0]})
		}
		picks[i].paths = append(picks[i].paths, path[1:])
	}
	slices.SortStableFunc(picks, func(a, b pick) int { return a.elem.Index - b.elem.Index })
	for _, p := range picks {
		w, ok := child(v, p.elem)
		if ok && len(p.paths[0]) > 0 {
			w = project(w, p.paths)
			ok = w.Len() > 0
		}
		switch {
		case !ok:
		case p.elem.IsIndex:
			out.L = append(out.L, w)
		default:
			out.M[p.elem.Name] = w
		}
	}
	return out
}
