package entity

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Bounds of one page of a list: how many things are looked at in one round of
// reads, such that one BatchGet of 100 takes them, and how many rounds a page
// may take. A page that is out of rounds ends early, with a place to go on; so
// no page is slow, however little of what is looked at belongs in it.
const (
	perRound  = 97 // things under one organization, entity and document
	perPair   = 49 // entities, each with its organization
	maxRounds = 12
)

// Search asks for the entities, or documents, on which a user is allowed an action.
type Search struct {
	UserID         string
	Action         access.Action
	OrganizationID string // only of this one; empty: of all
	Type           string // only entities of this type; empty: of all
	Limit          int
	From           string // Next of the page before

	// Keep narrows the result: it reports for each resource whether it may be
	// shown. Nil keeps everything.
	Keep func(ctx context.Context, resources []access.Resource) ([]bool, error)
}

// Found is one page of a search.
type Found struct {
	Entities  []Entity          // with the level of the user searched for
	Documents []access.Resource // of FindDocuments
	Next      string            // where the next page begins; empty: there is none

	// Power is a standing that something on the page rests on and that is
	// super-admin power, own or lent; nil where there is none.
	Power *access.Standing
}

// note takes notice of what a result rests on.
func (f *Found) note(st access.Standing) {
	if f.Power == nil && st.Source == access.FromSuperAdmin {
		f.Power = &st
	}
}

// position is a place in a search: the candidate it is in, or begins with, and
// the index sort key after which it goes on there; in the midst of an entity's
// documents also which entity, and the document after which it goes on.
type position struct {
	Kind   access.Kind `json:"k,omitempty"`
	ID     string      `json:"i,omitempty"`
	Sort   string      `json:"s,omitempty"`
	Entity string      `json:"e,omitempty"`
	Doc    string      `json:"d,omitempty"`
}

// within is the place behind a document of an entity.
func (st *step) within(doc string) position {
	p := st.before
	p.Entity, p.Doc = st.entity.ID, doc
	return p
}

func (p position) String() string {
	b, _ := json.Marshal(p) // strings and a number always marshal
	return string(b)
}

func parsePosition(s string) (p position, err error) {
	if s == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	return p, nil
}

// past makes an id the least that is greater in the order of the table.
func past(id string) string { return id + "!" }

// step is what a search comes across: an entity, a document by a share alone,
// or, when it is out of rounds, nothing but the place to go on.
type step struct {
	entity   *item
	standing access.Standing
	document *access.Resource
	before   position
	after    position
}

// Find gives one page of the entities that a search is for: exactly those for
// which a check allows the action.
func (s *Service) Find(ctx context.Context, q Search) (Found, error) {
	from, err := parsePosition(q.From)
	if err != nil {
		return Found{}, err
	}
	found := Found{Entities: []Entity{}}
	var last position
	for st, err := range s.walk(ctx, q, from, false) {
		switch {
		case err != nil:
			return Found{}, err
		case st.entity == nil:
			found.Next = st.after.String()
			return found, nil
		case len(found.Entities) == q.Limit:
			found.Next = last.String()
			return found, nil
		}
		found.Entities = append(found.Entities, st.entity.view(st.standing.Level))
		found.note(st.standing)
		last = st.after
	}
	return found, nil
}

// FindDocuments gives one page of the documents that a search is for.
func (s *Service) FindDocuments(ctx context.Context, q Search) (Found, error) {
	from, err := parsePosition(q.From)
	if err != nil {
		return Found{}, err
	}
	var found Found
	var last position
	rounds := 0
	take := func(d access.Resource, by access.Standing, after position) bool {
		if len(found.Documents) == q.Limit {
			found.Next = last.String()
			return false
		}
		found.Documents = append(found.Documents, d)
		found.note(by)
		last = after
		return true
	}
	for st, err := range s.walk(ctx, q, from, true) {
		if err != nil {
			return Found{}, err
		}
		if st.entity == nil && st.document == nil {
			found.Next = st.after.String()
			return found, nil
		}
		if st.document != nil {
			if !take(*st.document, st.standing, st.after) {
				return found, nil
			}
			continue
		}
		doc := ""
		if st.entity.ID == from.Entity {
			doc = from.Doc
		}
		for more := true; more; more = doc != "" {
			if rounds++; rounds > maxRounds {
				found.Next = st.within(doc).String()
				return found, nil
			}
			docs, next, err := s.documentsOf(ctx, st.entity.place(), doc, perRound)
			if err != nil {
				return Found{}, err
			}
			for _, d := range docs {
				if !take(d.place(), st.standing, st.within(d.ID)) {
					return found, nil
				}
			}
			doc = next
		}
	}
	return found, nil
}

// walk goes through what a search is for, in the order of access.Allowed.
func (s *Service) walk(ctx context.Context, q Search, from position, documents bool) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		w := &walker{s: s, ctx: ctx, q: q, from: from, yield: yield}
		if err := w.run(documents); err != nil && !w.done {
			yield(step{}, err)
		}
	}
}

type walker struct {
	s      *Service
	ctx    context.Context
	q      Search
	from   position
	yield  func(step, error) bool
	rounds int
	done   bool
	batch  []access.Candidate // of single entities or documents, not yet looked at
}

func (w *walker) run(documents bool) error {
	sel := access.Selection{OrganizationID: w.q.OrganizationID, Documents: documents}
	if w.from.Kind != access.KindPlatform {
		sel.From = access.Position{Kind: w.from.Kind, ID: w.from.ID}
	}
	size := min(w.q.Limit+1, perPair)
	for c, err := range w.s.Access.Allowed(w.ctx, w.q.UserID, w.q.Action, sel, access.Cached) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		switch c.Kind {
		case access.KindPlatform:
			err = w.platform()
		case access.KindOrganization:
			err = w.organization(c.ID, access.KindOrganization)
		default:
			if len(w.batch) > 0 && w.batch[0].Kind != c.Kind {
				err = w.flush()
			}
			if w.batch = append(w.batch, c); err == nil && !w.done && len(w.batch) >= size {
				err = w.flush()
			}
		}
		if err != nil || w.done {
			return err
		}
	}
	return w.flush()
}

// round counts one round of reads; out of rounds, it ends the walk at a place.
func (w *walker) round(at position) bool {
	if w.rounds++; w.rounds <= maxRounds {
		return true
	}
	w.give(step{after: at})
	w.done = true
	return false
}

func (w *walker) give(st step) bool {
	if !w.done && !w.yield(st, nil) {
		w.done = true
	}
	return !w.done
}

// platform goes through every organization there is.
func (w *walker) platform() error {
	after := ""
	if w.from.Kind == access.KindPlatform && w.from.ID != "" {
		if err := w.organization(w.from.ID, access.KindPlatform); err != nil || w.done {
			return err
		}
		after = w.from.ID
	}
	for {
		if !w.round(position{Kind: access.KindPlatform, ID: after, Sort: "~"}) {
			return nil
		}
		records, next, err := w.s.Table.QueryShards(w.ctx, table.Shards{Partitions: table.OrgListPartitions(), After: after, Limit: perRound})
		if err != nil {
			return fmt.Errorf("list organizations: %w", err)
		}
		for _, r := range records {
			if err := w.organization(r.IndexSort(), access.KindPlatform); err != nil || w.done {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// organization goes through an organization's entities.
func (w *walker) organization(orgID string, kind access.Kind) error {
	low, high := " ", "\x7f"
	if w.q.Type != "" {
		low = table.OrgEntitiesOfType(w.q.Type)
		high = low + "~"
	}
	at := position{Kind: kind, ID: orgID}
	if w.from.Kind == kind && w.from.ID == orgID {
		at.Sort = w.from.Sort
	}
	for {
		if at.Sort > high || !w.round(at) {
			return nil
		}
		page, err := w.s.Table.Query(w.ctx, table.Query{
			PK: table.OrgEntities(orgID), Index: true, From: max(low, at.Sort), To: high, Limit: min(w.q.Limit+2, perRound),
		})
		if err != nil {
			return fmt.Errorf("list entities: %w", err)
		}
		keys := []table.Key{table.Organization(orgID)}
		for _, r := range page.Records {
			keys = append(keys, r.Key())
		}
		items, err := w.s.Table.GetMany(w.ctx, keys, table.Strong)
		if err != nil {
			return fmt.Errorf("read entities: %w", err)
		}
		if _, ok := items[keys[0]]; !ok {
			return nil // deleted, with all that is in it
		}
		steps := make([]step, 0, len(page.Records))
		for _, listed := range page.Records {
			before := at
			if at.Sort = listed.IndexSort(); at.Sort == before.Sort {
				continue // the lower bound is included
			}
			record, ok := items[listed.Key()]
			if !ok {
				continue
			}
			var it item
			if err := record.Decode(&it); err != nil {
				return err
			}
			if it.OrgID == orgID && (w.q.Type == "" || it.Type == w.q.Type) {
				steps = append(steps, step{entity: &it, before: before, after: at})
			}
		}
		if err := w.judge(steps); err != nil || w.done {
			return err
		}
		if page.Next == nil {
			return nil
		}
	}
}

// flush looks at the single entities or documents gathered so far.
func (w *walker) flush() error {
	batch := w.batch
	w.batch = nil
	if len(batch) == 0 || w.done {
		return nil
	}
	if !w.round(position{Kind: batch[0].Kind, ID: batch[0].ID}) {
		return nil
	}
	if batch[0].Kind == access.KindDocument {
		return w.flushDocuments(batch)
	}
	keys := make([]table.Key, 0, 2*len(batch))
	for _, c := range batch {
		keys = append(keys, table.Entity(c.ID), table.Organization(c.OrganizationID))
	}
	items, err := w.s.Table.GetMany(w.ctx, keys, table.Strong)
	if err != nil {
		return fmt.Errorf("read entities: %w", err)
	}
	var steps []step
	for _, c := range batch {
		r, ok := items[table.Entity(c.ID)]
		_, stands := items[table.Organization(c.OrganizationID)]
		if !ok || !stands {
			continue
		}
		var it item
		if err := r.Decode(&it); err != nil {
			return err
		}
		if w.q.Type == "" || it.Type == w.q.Type {
			steps = append(steps, step{entity: &it,
				before: position{Kind: access.KindEntity, ID: c.ID}, after: position{Kind: access.KindEntity, ID: past(c.ID)}})
		}
	}
	return w.judge(steps)
}

// flushDocuments gives documents that a share opens. That they exist was read a
// moment ago, as their places were.
func (w *walker) flushDocuments(batch []access.Candidate) error {
	refs := make([]access.Ref, len(batch))
	for i, c := range batch {
		refs[i] = access.Ref{Kind: access.KindDocument, ID: c.ID}
	}
	var steps []step
	for _, ref := range refs {
		_, place, err := w.s.Access.Standing(w.ctx, w.q.UserID, ref, access.Cached)
		if err != nil {
			return err
		}
		if place.ID != "" {
			steps = append(steps, step{document: &place,
				before: position{Kind: ref.Kind, ID: ref.ID}, after: position{Kind: ref.Kind, ID: past(ref.ID)}})
		}
	}
	return w.judge(steps)
}

// judge gives those of the steps on which the user is allowed the action, and
// that are to be kept.
func (w *walker) judge(steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	places := make([]access.Resource, len(steps))
	for i, st := range steps {
		if st.document != nil {
			places[i] = *st.document
		} else {
			places[i] = st.entity.place()
		}
	}
	standings, err := w.s.Access.StandingsOn(w.ctx, w.q.UserID, places, access.Cached)
	if err != nil {
		return fmt.Errorf("resolve rights: %w", err)
	}
	var keep []bool
	if w.q.Keep != nil {
		if keep, err = w.q.Keep(w.ctx, places); err != nil {
			return err
		}
	}
	for i, st := range steps {
		if !standings[i].Level.Allows(w.q.Action) || keep != nil && !keep[i] {
			continue
		}
		st.standing = standings[i]
		if !w.give(st) {
			return nil
		}
	}
	return nil
}
