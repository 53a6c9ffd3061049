package access

import (
	"context"
	"errors"
	"fmt"
)

// errAbsent is how a load says that a resource does not exist; it is never kept,
// so that what is created is there at once.
var errAbsent = errors.New("no such resource")

// kept reports whether the cache has a place for resources of a kind.
func kept(k Kind) bool { return k >= KindOrganization && k <= KindDocument }

// known gives the places of resources that the cache may answer for, and those
// that must be read, each once.
func (c *Checker) known(refs []Ref, how Consistency, now int64) (map[Ref]Resource, []Ref) {
	found := make(map[Ref]Resource, len(refs))
	seen := make(map[Ref]bool, len(refs))
	var missing []Ref
	for _, ref := range refs {
		if !kept(ref.Kind) || ref.ID == "" || seen[ref] {
			continue
		}
		seen[ref] = true
		if how == Cached {
			if e := c.places[ref.Kind].get(ref.ID); e != nil && e.fresh(now) {
				c.count.placeHits.Add(1)
				found[ref] = e.value.Resource
				continue
			}
			c.count.placeMisses.Add(1)
		}
		missing = append(missing, ref)
	}
	return found, missing
}

// readPlaces reads where resources belong and adds those that exist to found.
func (c *Checker) readPlaces(ctx context.Context, refs []Ref, how Consistency, found map[Ref]Resource) error {
	if len(refs) == 1 && how == Cached {
		ref := refs[0]
		p, err := c.places[ref.Kind].load(ctx, ref.ID, c.nano, func(ctx context.Context) (loaded[place], error) {
			began := c.now().UnixNano()
			got, err := c.fetch(ctx, refs)
			if err != nil {
				return loaded[place]{}, err
			}
			r, ok := got[ref]
			if !ok {
				return loaded[place]{}, errAbsent
			}
			return loaded[place]{c.placeOf(r), began, uint64(c.ttl)}, nil
		})
		if errors.Is(err, errAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		found[ref] = p.Resource
		return nil
	}
	began := c.now().UnixNano()
	tickets := make([]ticket, len(refs))
	for i, ref := range refs {
		tickets[i] = c.places[ref.Kind].begin(ref.ID)
	}
	got, err := c.fetch(ctx, refs)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		r, ok := got[ref]
		if !ok {
			// Found gone: nobody else need believe in it longer. What was not
			// kept is left alone, or asking for ids at random would keep
			// others' loads out of the cache.
			if c.places[ref.Kind].get(ref.ID) != nil {
				c.places[ref.Kind].invalidate(ref.ID, nil)
			}
			continue
		}
		found[ref] = r
		c.places[ref.Kind].put(tickets[i], ref.ID, c.placeOf(r), began, uint64(c.ttl))
	}
	return nil
}

func (c *Checker) placeOf(r Resource) place { return newPlace(r, c.users.hash) }

// fetch reads resources, and takes from the answer only what was asked for and
// is whole: a place with a part missing would be a place nobody rules over.
func (c *Checker) fetch(ctx context.Context, refs []Ref) (map[Ref]Resource, error) {
	c.count.placeLoads.Add(1)
	list, err := c.resources.Resources(ctx, refs)
	if err != nil {
		c.count.loadErrors.Add(1)
		return nil, fmt.Errorf("access: read where resources belong: %w", err)
	}
	got := make(map[Ref]Resource, len(list))
	for _, r := range list {
		if r.OrganizationID == "" || r.Kind == KindDocument && r.EntityID == "" {
			return nil, fmt.Errorf("access: %s %s belongs nowhere", r.Kind, r.ID)
		}
		got[r.Ref()] = r
	}
	return got, nil
}
