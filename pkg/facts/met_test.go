package facts_test

import (
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// What was met once is read again in one request, with what it lies under, and
// every answer is still the table's.
func TestWhatWasMetIsReadInOneRequest(t *testing.T) {
	store := dynamotest.New(t)
	org, other, e, d := newID(t), newID(t), newID(t), newID(t)
	put(t, store.Table, organization(org), organization(other), entity(e, org), document(d, e, org))
	src := facts.New(store.Table)
	count := func(what string, want, found int, refs ...access.Ref) {
		t.Helper()
		store.Transport.Reset()
		got, err := src.Resources(t.Context(), refs)
		if err != nil {
			t.Fatal(err)
		}
		if n := store.Transport.Calls(); n != want || len(got) != found {
			t.Errorf("%s: %d requests and %d resources, want %d and %d", what, n, len(got), want, found)
		}
	}
	doc, ent := access.Ref{Kind: access.KindDocument, ID: d}, access.Ref{Kind: access.KindEntity, ID: e}
	count("an organization lies under nothing", 1, 1, access.Ref{Kind: access.KindOrganization, ID: org})
	count("a document at first", 2, 1, doc)
	count("the document again", 1, 1, doc)
	count("its entity at first", 2, 1, ent)
	count("both", 1, 2, doc, ent)
	src.Forget()
	count("both when forgotten", 2, 2, doc, ent)
	if err := store.Write(t.Context(), table.Delete(table.Organization(org))); err != nil {
		t.Fatal(err)
	}
	count("under an organization that is gone", 1, 0, doc, ent)
	put(t, store.Table, organization(org))
	if err := store.Write(t.Context(), table.Delete(table.Entity(e))); err != nil {
		t.Fatal(err)
	}
	count("an entity that is gone", 1, 0, ent)
	count("a document under it", 1, 0, doc)
	// A hint that turned out wrong would cost a request and nothing else.
	put(t, store.Table, entity(e, other))
	count("elsewhere now", 2, 1, ent)
	count("and known to be there", 1, 1, ent)
}

// The memory is bounded: what was met long ago is forgotten, and read in two
// requests like something new.
func TestWhatWasMetLongAgoIsForgotten(t *testing.T) {
	store := dynamotest.New(t)
	org, e := newID(t), newID(t)
	put(t, store.Table, organization(org), entity(e, org))
	src := facts.New(store.Table)
	ref := []access.Ref{{Kind: access.KindEntity, ID: e}}
	for range 2 {
		if _, err := src.Resources(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	facts.MeetOthers(src, 3)
	store.Transport.Reset()
	if got, err := src.Resources(t.Context(), ref); err != nil || len(got) != 1 || store.Transport.Calls() != 2 {
		t.Errorf("%d requests, %+v, %v", store.Transport.Calls(), got, err)
	}
	if n := facts.Met(src); n > 2*facts.MetAtMost {
		t.Errorf("%d are remembered", n)
	}
}
