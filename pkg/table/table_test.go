package table_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

type thing struct {
	table.Key
	Count  int64    `dynamo:"count"`
	Status string   `dynamo:"status,omitempty"`
	Tags   []string `dynamo:"tags,set"`
}

func TestConditionalWritesNameWhatFailed(t *testing.T) {
	s := dynamotest.New(t)
	ctx := context.Background()
	key := table.Key{PK: "A#1", SK: "META"}
	errTaken := errors.New("taken")
	if err := s.Write(ctx, table.Create(thing{Key: key, Count: 1, Status: "new"})); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, table.Create(thing{Key: key}).Else(errTaken)); !errors.Is(err, errTaken) {
		t.Fatalf("second create: %v", err)
	}
	var old thing
	err := s.Transact(ctx,
		table.Update(key).Add("count", 1).If("'status' = ?", "other").Else(errTaken).Old(&old),
		table.Put(thing{Key: table.Key{PK: "A#2", SK: "META"}}))
	if !errors.Is(err, errTaken) || old.Count != 1 {
		t.Fatalf("transaction: %v, old %+v", err, old)
	}
	var now thing
	if err := s.Write(ctx, table.Update(key).Add("count", 1).IfExists().Updated(&now)); err != nil || now.Count != 2 {
		t.Fatalf("update: %v %+v", err, now)
	}
	if err := s.Get(ctx, table.Key{PK: "A#2", SK: "META"}, table.Strong, &old); !errors.Is(err, table.ErrNotFound) {
		t.Fatalf("cancelled transaction wrote: %v", err)
	}
}

func TestQueryPagesInOrder(t *testing.T) {
	s := dynamotest.New(t)
	ctx := context.Background()
	for _, sk := range []string{"C", "A", "B", "D"} {
		if err := s.Write(ctx, table.Put(thing{Key: table.Key{PK: "P", SK: sk}})); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	q := table.Query{PK: "P", Limit: 3, Strong: table.Strong}
	for range 3 {
		page, err := s.Query(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			got += r.Key().SK
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	if got != "ABCD" {
		t.Fatalf("got %q", got)
	}
	page, err := s.Query(ctx, table.Query{PK: "P", From: "B", To: "C", Reverse: true})
	if err != nil || len(page.Records) != 2 || page.Records[0].Key().SK != "C" {
		t.Fatalf("range: %v %v", err, page.Records)
	}
}
