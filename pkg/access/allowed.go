package access

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// Candidate is one part of the set of things on which a user is allowed
// something. The parts do not overlap:
//
//   - KindPlatform: every entity and document there is; no other part follows.
//   - KindOrganization: every entity of it, with its documents.
//   - KindEntity: this one, with its documents.
//   - KindDocument: this one, by a share alone.
type Candidate struct {
	Kind           Kind
	ID             string // empty for the platform
	OrganizationID string // where it belongs; empty for the platform
}

// Selection narrows what Allowed gives.
type Selection struct {
	OrganizationID string   // only what belongs to it; empty: everything
	Documents      bool     // also the documents that a share alone gives
	From           Position // where to begin; the zero value is the beginning
}

// Position is a place in the order in which Allowed gives candidates. A
// candidate's position stays good when other candidates come or go.
type Position struct {
	Kind Kind
	ID   string
}

// Position gives the candidate's own place.
func (c Candidate) Position() Position { return Position{c.Kind, c.ID} }

// Allowed gives the parts of the set of entities, and on request documents, on
// which a user is allowed an action: organizations first, then single entities,
// then single documents, each in the order of ids. Who lists stops when the
// page is full and goes on later from the position it stopped at, that
// candidate included.
//
// Entities and documents that it names do exist. Of an organization the caller
// pages through its entities, reads each from the table, and keeps those that
// StandingsOn allows; then the list is the set for which Check allows, whatever
// the index said and however rights changed between two pages.
func (c *Checker) Allowed(ctx context.Context, userID string, a Action, sel Selection, how Consistency) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		w := &walk{c: c, ctx: ctx, userID: userID, action: a, sel: sel, how: how, yield: yield}
		if err := w.run(); err != nil {
			yield(Candidate{}, err)
		}
	}
}

// walk is one run of Allowed.
type walk struct {
	c      *Checker
	ctx    context.Context
	userID string
	action Action
	sel    Selection
	how    Consistency
	yield  func(Candidate, error) bool

	held   *held
	powers *Facts // super-admin power and delegations
	done   bool   // the caller has enough
}

func (w *walk) run() (err error) {
	w.how = w.c.honest(w.how)
	if w.held, err = w.c.factsOf(w.ctx, w.userID, w.how); err != nil {
		return err
	}
	w.powers = &w.held.facts
	if w.held.many {
		f, err := w.c.facts.Facts(w.ctx, w.userID, 0)
		if err != nil {
			w.c.count.loadErrors.Add(1)
			return fmt.Errorf("access: read the powers of user %s: %w", w.userID, err)
		}
		w.powers = &Facts{SuperAdmin: f.SuperAdmin, Delegations: f.Delegations}
	}
	now := w.c.now()
	if !LevelAdmin.Allows(w.action) {
		return nil
	}
	if w.sel.OrganizationID == "" && w.powers.power("", now).Kind != FactNone {
		w.give(Candidate{Kind: KindPlatform})
		return nil
	}
	for _, stage := range []func(time.Time) error{w.organizations, w.entities, w.documents} {
		if err := stage(now); err != nil || w.done {
			return err
		}
	}
	return nil
}

// organizations gives those in which a role or power alone allows the action.
func (w *walk) organizations(now time.Time) error {
	return w.pages(KindOrganization, func(f *Facts, r Resource) bool {
		return w.covered(f, r.OrganizationID, now)
	})
}

// entities gives those on which a grant is what allows the action.
func (w *walk) entities(now time.Time) error {
	return w.pages(KindEntity, func(f *Facts, r Resource) bool {
		return !w.covered(f, r.OrganizationID, now) && Resolve(f, &r, now).Level.Allows(w.action)
	})
}

// documents gives those on which a share is what allows the action.
func (w *walk) documents(now time.Time) error {
	if !w.sel.Documents {
		return nil
	}
	return w.pages(KindDocument, func(f *Facts, r Resource) bool {
		under := Resource{Kind: KindEntity, ID: r.EntityID, OrganizationID: r.OrganizationID}
		return !Resolve(f, &under, now).Level.Allows(w.action) && Resolve(f, &r, now).Level.Allows(w.action)
	})
}

// covered reports whether the action is allowed on all of an organization.
func (w *walk) covered(f *Facts, organizationID string, now time.Time) bool {
	return ResolveRole(f, organizationID, now).Role.Level().Allows(w.action)
}

// pages goes through what the user holds facts of one kind about, a batch at a
// time, and gives what exists and is wanted.
func (w *walk) pages(kind Kind, wanted func(*Facts, Resource) bool) error {
	if kind < w.sel.From.Kind {
		return nil
	}
	from := ""
	if kind == w.sel.From.Kind {
		from = w.sel.From.ID
	}
	for {
		refs, next, err := w.page(kind, from)
		if err != nil {
			return err
		}
		found, missing := w.c.known(refs, w.how, w.c.now().UnixNano())
		if len(missing) > 0 {
			if err := w.c.readPlaces(w.ctx, missing, w.how, found); err != nil {
				return err
			}
		}
		batch := make([]Resource, 0, len(found))
		for _, ref := range refs {
			if r, ok := found[ref]; ok && (w.sel.OrganizationID == "" || r.OrganizationID == w.sel.OrganizationID) {
				batch = append(batch, r)
			}
		}
		known, err := w.c.factsAbout(w.ctx, w.userID, w.held, batch, w.how)
		if err != nil {
			return err
		}
		for _, r := range batch {
			if wanted(known.about(r.Ref()), r) && !w.give(Candidate{kind, r.ID, r.OrganizationID}) {
				return nil
			}
		}
		if next == "" {
			return nil
		}
		from = next
	}
}

// page gives up to MaxBatch ids of one kind from a place on, and where the next
// page begins; empty when there is none.
func (w *walk) page(kind Kind, from string) (refs []Ref, next string, err error) {
	var ids []string
	switch {
	case kind == KindOrganization && w.sel.OrganizationID != "":
		ids = []string{w.sel.OrganizationID}
	case w.held.many:
		if ids, next, err = w.read(kind, from); err != nil {
			return nil, "", err
		}
	case kind == KindOrganization:
		ids = slices.Collect(maps.Keys(w.held.facts.Memberships))
	case kind == KindEntity:
		for id, g := range w.held.facts.Grants {
			ids = w.add(ids, id, g.OrganizationID)
		}
	default:
		for id, s := range w.held.facts.Shares {
			ids = w.add(ids, id, s.OrganizationID)
		}
	}
	if kind == KindOrganization && w.sel.OrganizationID == "" {
		for scope := range w.powers.Delegations {
			if scope != ScopePlatform {
				ids = append(ids, scope)
			}
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id < from })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > MaxBatch {
		// The tail, and what the source holds beyond it, comes with the next page.
		next = ids[MaxBatch]
		ids = ids[:MaxBatch]
	}
	refs = make([]Ref, len(ids))
	for i, id := range ids {
		refs[i] = Ref{kind, id}
	}
	return refs, next, nil
}

// read gives ids from the source, and the first that it leaves for the next page.
func (w *walk) read(kind Kind, from string) (ids []string, next string, err error) {
	limit := MaxBatch
	if w.sel.OrganizationID != "" {
		limit = 10 * MaxBatch // most of which will be other organizations'
	}
	list, err := w.c.facts.Held(w.ctx, w.userID, kind, from, limit+1)
	if err != nil {
		w.c.count.loadErrors.Add(1)
		return nil, "", fmt.Errorf("access: list what user %s holds: %w", w.userID, err)
	}
	if len(list) > limit {
		list, next = list[:limit], list[limit].ID
	}
	for _, r := range list {
		ids = w.add(ids, r.ID, r.OrganizationID)
	}
	return ids, next, nil
}

// add takes an id into account unless the fact about it is recorded as another
// organization's than the one selected. That only saves reading it: what is
// given in the end goes by where the resource itself says it belongs.
func (w *walk) add(ids []string, id, organizationID string) []string {
	if w.sel.OrganizationID != "" && organizationID != "" && organizationID != w.sel.OrganizationID {
		return ids
	}
	return append(ids, id)
}

// give hands one candidate to the caller, and reports whether more are wanted.
func (w *walk) give(c Candidate) bool {
	w.done = !w.yield(c, nil)
	return !w.done
}
