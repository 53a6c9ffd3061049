package access_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// world is a store in memory: the tests' own idea of what is true.
type world struct {
	mu        sync.Mutex
	now       time.Time
	resources map[access.Ref]access.Resource
	facts     map[string]access.Facts

	factReads, pointReads, placeReads int
	err                               error                 // what every read answers, if anything
	before                            func(context.Context) // runs in every read, before it looks
	after                             func(context.Context) // runs in every read, after it looked
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		now:       epoch,
		resources: map[access.Ref]access.Resource{},
		facts:     map[string]access.Facts{},
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func org(id string) access.Ref      { return access.Ref{Kind: access.KindOrganization, ID: id} }
func entity(id string) access.Ref   { return access.Ref{Kind: access.KindEntity, ID: id} }
func document(id string) access.Ref { return access.Ref{Kind: access.KindDocument, ID: id} }

func (w *world) addOrganization(id string) {
	w.addResource(access.Resource{Kind: access.KindOrganization, ID: id, OrganizationID: id})
}

func (w *world) addEntity(id, organizationID string) {
	w.addResource(access.Resource{Kind: access.KindEntity, ID: id, OrganizationID: organizationID})
}

func (w *world) addDocument(id, entityID, organizationID string) {
	w.addResource(access.Resource{Kind: access.KindDocument, ID: id, EntityID: entityID, OrganizationID: organizationID})
}

func (w *world) addResource(r access.Resource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resources[r.Ref()] = r
}

func (w *world) remove(ref access.Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.resources, ref)
}

// change replaces a user's facts by a changed copy: what was read stays as it was.
func (w *world) change(userID string, edit func(*access.Facts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := clone(w.facts[userID])
	edit(&f)
	w.facts[userID] = f
}

func clone(f access.Facts) access.Facts {
	f.Memberships = cloneMap(f.Memberships)
	f.Grants = cloneMap(f.Grants)
	f.Shares = cloneMap(f.Shares)
	f.Delegations = cloneMap(f.Delegations)
	return f
}

func cloneMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

func (w *world) join(userID, organizationID string, role access.OrgRole) {
	w.change(userID, func(f *access.Facts) {
		f.Memberships[organizationID] = access.Membership{OrganizationID: organizationID, Role: role}
	})
}

func (w *world) grant(userID, entityID string, level access.Level, expires time.Time) {
	w.change(userID, func(f *access.Facts) {
		f.Grants[entityID] = access.Grant{
			EntityID: entityID, OrganizationID: w.resources[entity(entityID)].OrganizationID,
			Level: level, GrantedBy: "giver", ExpiresAt: expires,
		}
	})
}

func (w *world) share(userID, documentID string, level access.Level, expires time.Time) {
	w.change(userID, func(f *access.Facts) {
		f.Shares[documentID] = access.Share{DocumentID: documentID, Level: level, GrantedBy: "giver", ExpiresAt: expires}
	})
}

func (w *world) delegate(userID, scope string, expires time.Time) {
	w.change(userID, func(f *access.Facts) {
		f.Delegations[scope] = access.Delegation{Scope: scope, GrantedBy: "giver", ExpiresAt: expires}
	})
}

// lookup gives a resource if it and all it lies under exist. The lock is held.
func (w *world) lookup(ref access.Ref) (access.Resource, bool) {
	r, ok := w.resources[ref]
	if !ok {
		return r, false
	}
	if _, ok := w.resources[org(r.OrganizationID)]; !ok {
		return r, false
	}
	if r.Kind == access.KindDocument {
		if _, ok := w.resources[entity(r.EntityID)]; !ok {
			return r, false
		}
	}
	return r, true
}

// read runs one read of the store with its hooks.
func (w *world) read(ctx context.Context, count *int, look func()) error {
	w.mu.Lock()
	*count++
	before, after, err := w.before, w.after, w.err
	w.mu.Unlock()
	if before != nil {
		before(ctx)
	}
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	look()
	w.mu.Unlock()
	if after != nil {
		after(ctx)
	}
	return ctx.Err()
}

func (w *world) Facts(ctx context.Context, userID string, limit int) (access.Facts, error) {
	var f access.Facts
	err := w.read(ctx, &w.factReads, func() {
		all := w.facts[userID]
		if size(all) > limit {
			f = access.Facts{SuperAdmin: all.SuperAdmin, Delegations: all.Delegations}
			return
		}
		f = all
		f.Complete = true
	})
	return f, err
}

func size(f access.Facts) int {
	return len(f.Memberships) + len(f.Grants) + len(f.Shares) + len(f.Delegations)
}

func (w *world) FactsAbout(ctx context.Context, userID string, resources []access.Resource) (access.Facts, error) {
	var f access.Facts
	err := w.read(ctx, &w.pointReads, func() {
		all := w.facts[userID]
		f = clone(access.Facts{SuperAdmin: all.SuperAdmin})
		if d, ok := all.Delegations[access.ScopePlatform]; ok {
			f.Delegations[access.ScopePlatform] = d
		}
		for _, r := range resources {
			take(f.Delegations, all.Delegations, r.OrganizationID)
			take(f.Memberships, all.Memberships, r.OrganizationID)
			switch r.Kind {
			case access.KindEntity:
				take(f.Grants, all.Grants, r.ID)
			case access.KindDocument:
				take(f.Grants, all.Grants, r.EntityID)
				take(f.Shares, all.Shares, r.ID)
			}
		}
	})
	return f, err
}

func take[V any](to, from map[string]V, key string) {
	if v, ok := from[key]; ok {
		to[key] = v
	}
}

func (w *world) Held(ctx context.Context, userID string, kind access.Kind, from string, limit int) ([]access.Resource, error) {
	var out []access.Resource
	err := w.read(ctx, &w.pointReads, func() {
		all := w.facts[userID]
		var ids []string
		switch kind {
		case access.KindOrganization:
			ids = slices.Sorted(maps.Keys(all.Memberships))
		case access.KindEntity:
			ids = slices.Sorted(maps.Keys(all.Grants))
		case access.KindDocument:
			ids = slices.Sorted(maps.Keys(all.Shares))
		}
		for _, id := range ids {
			if id >= from && len(out) < limit {
				out = append(out, access.Resource{Kind: kind, ID: id})
			}
		}
	})
	return out, err
}

func (w *world) Resources(ctx context.Context, refs []access.Ref) ([]access.Resource, error) {
	var out []access.Resource
	err := w.read(ctx, &w.placeReads, func() {
		if len(refs) > access.MaxBatch {
			panic("too many resources at once")
		}
		seen := map[access.Ref]bool{}
		for _, ref := range refs {
			if seen[ref] {
				panic("a resource twice in one read")
			}
			seen[ref] = true
			if r, ok := w.lookup(ref); ok {
				out = append(out, r)
			}
		}
	})
	return out, err
}
