package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func TestQueryShardsReadsEveryShardAsOneList(t *testing.T) {
	tab := dynamotest.New(t).Table
	partitions := []string{"LIST#0", "LIST#1", "LIST#2", "LIST#3"}
	var keys []string
	for i := range 60 {
		k := fmt.Sprintf("%03d", i)
		keys = append(keys, k)
		shard := i * i % 7 % len(partitions) // uneven, and one shard much longer
		if i > 40 {
			shard = 1
		}
		err := tab.Write(t.Context(), table.Put(struct {
			table.Key
			table.IndexKey
		}{table.Key{PK: "ITEM#" + k, SK: "META"}, table.IndexKey{GSI1PK: partitions[shard], GSI1SK: k}}))
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(s table.Shards) (got []string) {
		for range 100 {
			records, next, err := tab.QueryShards(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if len(records) > s.Limit {
				t.Fatalf("%d records with a limit of %d", len(records), s.Limit)
			}
			for _, r := range records {
				got = append(got, r.IndexSort())
			}
			if next == "" {
				return got
			}
			s.After = next
		}
		t.Fatal("the list does not end")
		return nil
	}
	for _, limit := range []int{1, 2, 7, 59, 60, 61, 100} {
		if got := read(table.Shards{Partitions: partitions, Limit: limit}); !slices.Equal(got, keys) {
			t.Errorf("limit %d: %v", limit, got)
		}
		back := read(table.Shards{Partitions: partitions, Limit: limit, Reverse: true})
		slices.Reverse(back)
		if !slices.Equal(back, keys) {
			t.Errorf("limit %d in reverse: %v", limit, back)
		}
		if got := read(table.Shards{Partitions: partitions, Limit: limit, After: "010", Until: "020"}); !slices.Equal(got, keys[11:21]) {
			t.Errorf("limit %d between: %v", limit, got)
		}
		if got := read(table.Shards{Partitions: partitions, Limit: limit, After: "020", Until: "010", Reverse: true}); len(got) != 10 || got[0] != "019" || got[9] != "010" {
			t.Errorf("limit %d between in reverse: %v", limit, got)
		}
	}
	if got := read(table.Shards{Partitions: partitions[:1], Limit: 5, After: "999"}); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
}
