package cascade_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// tree is two organizations with everything that can lie under one.
type tree struct {
	t      *testing.T
	store  *dynamotest.Store
	now    time.Time
	deps   service.Deps
	runner *task.Runner
}

func newTree(t *testing.T) *tree {
	tr := &tree{t: t, store: dynamotest.New(t), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	d := service.Deps{Table: tr.store.Table, Now: func() time.Time { return tr.now }, Log: slog.New(slog.DiscardHandler)}
	tr.deps, tr.runner = d, task.NewRunner(d, cascade.New(d).Tasks())
	return tr
}

func (tr *tree) put(items ...any) {
	tr.t.Helper()
	for _, it := range items {
		if err := tr.store.Write(tr.t.Context(), table.Put(it)); err != nil {
			tr.t.Fatal(err)
		}
	}
}

type entityItem struct {
	table.Key
	table.IndexKey
	facts.EntityPlace
}

type documentItem struct {
	table.Key
	table.IndexKey
	facts.DocumentPlace
}

// grow makes an organization of so many entities, each with documents, grants
// and shares, and gives the ids of the last entity and document.
func (tr *tree) grow(org string, entities, each int) (entity, document string) {
	tr.t.Helper()
	tr.put(struct{ table.Key }{table.Organization(org)}, struct{ table.Key }{table.Invitation(org, uuid.NewString())})
	for range each {
		tr.put(facts.NewMembership(uuid.NewString(), org, access.RoleMember, "", tr.now))
	}
	for range entities {
		entity = uuid.NewString()
		tr.put(entityItem{table.Entity(entity), table.InOrgEntities(org, "boat", entity), facts.EntityPlace{ID: entity, OrgID: org}})
		for range each {
			document = uuid.NewString()
			tr.put(documentItem{table.Document(document), table.IndexKey{GSI1PK: table.EntityDocuments(entity), GSI1SK: document},
				facts.DocumentPlace{ID: document, EntityID: entity, OrgID: org}},
				struct{ table.Key }{table.DocumentContent(document)},
				facts.NewGrant(uuid.NewString(), entity, org, access.LevelViewer, "", tr.now, time.Time{}))
			for range each {
				tr.put(facts.NewShare(uuid.NewString(), document, org, access.LevelViewer, "", tr.now, time.Time{}))
			}
		}
	}
	return entity, document
}

func (tr *tree) items() map[string]int {
	tr.t.Helper()
	out := map[string]int{}
	err := tr.store.Scan(tr.t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
		for _, r := range records {
			kind, _, _ := strings.Cut(r.Key().PK, "#")
			if rest, ok := strings.CutPrefix(r.Key().SK, table.PrefixAccess); ok {
				kind, _, _ = strings.Cut(rest, "#")
				kind = "ACCESS " + kind
			}
			out[kind]++
		}
		return nil
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	return out
}

// remove deletes an own item with its cascade, and carries the tasks out.
func (tr *tree) remove(kind task.Kind, id string, own table.Key) {
	tr.t.Helper()
	w, err := cascade.After(tr.now, kind, id)
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := tr.store.Transact(tr.t.Context(), table.Delete(own), w); err != nil {
		tr.t.Fatal(err)
	}
	tr.drain()
}

func (tr *tree) drain() {
	tr.t.Helper()
	for range 500 {
		n, err := tr.runner.Drain(tr.t.Context())
		if err != nil {
			tr.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	tr.t.Fatal("the tasks do not end")
}

func TestWhatLiesUnderADeletedOneIsClearedAwayAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		kind task.Kind
		left map[string]int // beside the other organization
	}{
		"organization": {cascade.Organization, map[string]int{}},
		"entity":       {cascade.Entity, map[string]int{"ORG": 2, "ENTITY": 1, "DOC": 6, "ACCESS ORG": 3, "ACCESS ENTITY": 3, "ACCESS DOC": 9}},
		"document":     {cascade.Document, map[string]int{"ORG": 2, "ENTITY": 2, "DOC": 10, "ACCESS ORG": 3, "ACCESS ENTITY": 6, "ACCESS DOC": 15}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			org, other := uuid.NewString(), uuid.NewString()
			tr.grow(other, 2, 2)
			before := tr.items()
			entity, document := tr.grow(org, 2, 3)
			switch c.kind {
			case cascade.Organization:
				tr.remove(c.kind, org, table.Organization(org))
			case cascade.Entity:
				tr.remove(c.kind, entity, table.Entity(entity))
			case cascade.Document:
				tr.remove(c.kind, document, table.Document(document))
			}
			after := tr.items()
			if after["TASK"] == 0 {
				t.Error("no second run is queued")
			}
			tr.now = tr.now.Add(2 * time.Minute)
			tr.drain()
			tr.now = tr.now.Add(2 * time.Minute)
			tr.drain()
			after = tr.items()
			for _, kind := range []string{"ORG", "ENTITY", "DOC", "ACCESS ORG", "ACCESS ENTITY", "ACCESS DOC", "TASK"} {
				if got, want := after[kind], before[kind]+c.left[kind]; got != want {
					t.Errorf("%s: %d are left, want %d", kind, got, want)
				}
			}
		})
	}
}

func TestTheSecondRunFindsWhatTheIndexDidNotShow(t *testing.T) {
	tr := newTree(t)
	org := uuid.NewString()
	entity, _ := tr.grow(org, 1, 1)
	tr.remove(cascade.Entity, entity, table.Entity(entity))
	late := uuid.NewString()
	tr.put(documentItem{table.Document(late), table.IndexKey{GSI1PK: table.EntityDocuments(entity), GSI1SK: late},
		facts.DocumentPlace{ID: late, EntityID: entity, OrgID: org}})
	tr.now = tr.now.Add(2 * time.Minute)
	tr.drain()
	if left := tr.items(); left["DOC"] != 0 || left["TASK"] != 0 {
		t.Errorf("%v", left)
	}
}

func TestSeveralDeletedTogetherAreClearedAway(t *testing.T) {
	tr := newTree(t)
	var gone []string
	var writes []*table.Write
	for range 3 {
		org := uuid.NewString()
		tr.grow(org, 2, 2)
		gone, writes = append(gone, org), append(writes, table.Delete(table.Organization(org)))
	}
	const members = 600 // more than the pages of one task
	for range members / 50 {
		var many []*table.Write
		for range 50 {
			many = append(many, table.Put(facts.NewMembership(uuid.NewString(), gone[1], access.RoleMember, "", tr.now)))
		}
		if err := tr.store.Transact(t.Context(), many...); err != nil {
			t.Fatal(err)
		}
	}
	other := uuid.NewString()
	tr.grow(other, 1, 1)
	w, err := cascade.AfterAll(tr.now, cascade.Organization, gone)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.store.Transact(t.Context(), append(writes, w)...); err != nil {
		t.Fatal(err)
	}
	tr.drain()
	late := facts.NewMembership(uuid.NewString(), gone[2], access.RoleMember, "", tr.now)
	tr.put(late)
	tr.now = tr.now.Add(2 * time.Minute)
	tr.drain()
	tr.now = tr.now.Add(2 * time.Minute)
	tr.drain()
	left := tr.items()
	for kind, want := range map[string]int{"ORG": 2, "ENTITY": 1, "DOC": 2, "ACCESS ORG": 1, "ACCESS ENTITY": 1, "ACCESS DOC": 1, "TASK": 0} {
		if left[kind] != want {
			t.Errorf("%d %s are left, want %d", left[kind], kind, want)
		}
	}
}

func TestALongCascadeGoesOnInFurtherTasks(t *testing.T) {
	tr := newTree(t)
	org := uuid.NewString()
	tr.put(struct{ table.Key }{table.Organization(org)})
	const members = 700 // more than the pages of one task
	for range members / 50 {
		var writes []*table.Write
		for range 50 {
			writes = append(writes, table.Put(facts.NewMembership(uuid.NewString(), org, access.RoleMember, "", tr.now)))
		}
		if err := tr.store.Transact(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.store.Write(t.Context(), table.Delete(table.Organization(org))); err != nil {
		t.Fatal(err)
	}
	first := cascade.New(tr.deps).Tasks()[cascade.Organization]
	if err := first(t.Context(), task.Payload{"id": org}); err != nil {
		t.Fatal(err)
	}
	if left := tr.items(); left["ACCESS ORG"] == 0 {
		t.Error("one task did it all")
	}
	tr.drain()
	if left := tr.items(); left["ACCESS ORG"] != 0 {
		t.Errorf("%v", left)
	}
}
