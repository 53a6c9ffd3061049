package facts

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// perRequest is how many items one BatchGetItem reads at most.
const perRequest = 100

// Resources reads where resources belong, and whether the entities and
// organizations they lie under still exist: in one request where this source
// has met the resource before, since where something belongs never changes, and
// otherwise in two. What is remembered decides only which items are read
// together; the answer is taken from what was read. Deleting an organization or
// an entity removes its own item at once, so what lies under it is left out from
// that moment, however long it takes to be cleared away.
func (s *Source) Resources(ctx context.Context, refs []access.Ref) ([]access.Resource, error) {
	keys := make([]table.Key, 0, len(refs))
	for _, ref := range refs {
		if key, ok := own(ref); ok {
			keys = append(keys, key)
		}
	}
	asked := make(map[table.Key]bool, 2*len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	for _, ref := range refs {
		for _, k := range parents(s.met.place(ref)) {
			if !asked[k] && len(keys) < perRequest {
				asked[k] = true
				keys = append(keys, k)
			}
		}
	}
	items, err := s.table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	var places []access.Resource
	var above []table.Key
	for _, ref := range refs {
		key, ok := own(ref)
		record, exists := items[key]
		if !ok || !exists {
			continue
		}
		r, err := placeOf(ref, record)
		if err != nil {
			return nil, err
		}
		s.met.remember(r)
		places = append(places, r)
		for _, k := range parents(r) {
			if !asked[k] {
				above = append(above, k)
			}
		}
	}
	more, err := s.table.GetMany(ctx, above, table.Strong)
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	out := places[:0]
	for _, r := range places {
		if standing(r, items, more) {
			out = append(out, r)
		}
	}
	return out, nil
}

// own gives the key of a resource's own item; false for what cannot be one.
func own(ref access.Ref) (table.Key, bool) {
	if !id.Valid(ref.ID) {
		return table.Key{}, false
	}
	switch ref.Kind {
	case access.KindOrganization:
		return table.Organization(ref.ID), true
	case access.KindEntity:
		return table.Entity(ref.ID), true
	case access.KindDocument:
		return table.Document(ref.ID), true
	default:
		return table.Key{}, false
	}
}

// placeOf reads where a resource belongs from its own item.
func placeOf(ref access.Ref, record table.Record) (access.Resource, error) {
	r := access.Resource{Kind: ref.Kind, ID: ref.ID, OrganizationID: ref.ID}
	switch ref.Kind {
	case access.KindEntity:
		var it EntityPlace
		if err := record.Decode(&it); err != nil {
			return r, err
		}
		r.OrganizationID = it.OrgID
	case access.KindDocument:
		var it DocumentPlace
		if err := record.Decode(&it); err != nil {
			return r, err
		}
		r.OrganizationID, r.EntityID = it.OrgID, it.EntityID
	}
	if !id.Valid(r.OrganizationID) || ref.Kind == access.KindDocument && !id.Valid(r.EntityID) {
		return r, fmt.Errorf("%s %s does not say where it belongs", ref.Kind, ref.ID)
	}
	return r, nil
}

// parents gives the keys of what a resource lies under.
func parents(r access.Resource) []table.Key {
	switch r.Kind {
	case access.KindEntity:
		return []table.Key{table.Organization(r.OrganizationID)}
	case access.KindDocument:
		return []table.Key{table.Entity(r.EntityID), table.Organization(r.OrganizationID)}
	default:
		return nil
	}
}

// standing reports whether everything a resource lies under exists.
func standing(r access.Resource, read ...map[table.Key]table.Record) bool {
	for _, k := range parents(r) {
		there := false
		for _, m := range read {
			if _, ok := m[k]; ok {
				there = true
			}
		}
		if !there {
			return false
		}
	}
	return true
}
