package table_test

import (
	"errors"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func TestARehearsalIsJudgedAndWritesNothing(t *testing.T) {
	store := dynamotest.New(t)
	type thing struct {
		table.Key
		N int `dynamo:"n"`
	}
	there, missing := table.Key{PK: "A", SK: "A"}, table.Key{PK: "B", SK: "B"}
	if err := store.Write(t.Context(), table.Put(thing{there, 1})); err != nil {
		t.Fatal(err)
	}
	taken := errors.New("taken")
	writes := func() []*table.Write {
		return []*table.Write{table.Create(thing{missing, 1}).Else(taken), table.Update(there).Add("n", 1).If("n = ?", 1)}
	}
	if err := store.Rehearse(t.Context(), writes()...); err != nil {
		t.Fatalf("what would have been done was refused: %v", err)
	}
	var got thing
	if err := store.Get(t.Context(), missing, table.Strong, &got); !errors.Is(err, table.ErrNotFound) {
		t.Errorf("it was written: %+v %v", got, err)
	}
	if err := store.Get(t.Context(), there, table.Strong, &got); err != nil || got.N != 1 {
		t.Errorf("it was changed: %+v %v", got, err)
	}
	if err := store.Transact(t.Context(), writes()...); err != nil {
		t.Fatal(err)
	}
	if err := store.Rehearse(t.Context(), writes()...); !errors.Is(err, taken) {
		t.Errorf("what would have been refused gave %v", err)
	}
}
