package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

func TestAScanGivesTheItemsOfAKind(t *testing.T) {
	tab := dynamotest.New(t).Table
	type item struct {
		table.Key
		Batch string `dynamo:"batch,omitempty"`
	}
	for _, pk := range []string{"USER#1", "USER#2", "ORG#1"} {
		for _, sk := range []string{"A", "AB", "B"} {
			batch := ""
			if sk != "AB" {
				batch = pk
			}
			if err := tab.Write(t.Context(), table.Put(item{table.Key{PK: pk, SK: sk}, batch})); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		pk, sk, batch string
		want          []string
	}{
		{"USER#", "", "", []string{"USER#1 A", "USER#1 AB", "USER#1 B", "USER#2 A", "USER#2 AB", "USER#2 B"}},
		{"USER#", "A", "", []string{"USER#1 A", "USER#1 AB", "USER#2 A", "USER#2 AB"}},
		{"", "B", "", []string{"ORG#1 B", "USER#1 B", "USER#2 B"}},
		{"NO#", "", "", nil},
		{"USER#", "A", "USER#2", []string{"USER#2 A"}},
		{"", "", "ORG#1", []string{"ORG#1 A", "ORG#1 B"}},
		{"USER#", "", "ORG#1", nil},
	} {
		var got []string
		add := func(records []table.Record) error {
			for _, r := range records {
				got = append(got, fmt.Sprint(r.Key().PK, " ", r.Key().SK))
			}
			return nil
		}
		var err error
		if c.batch != "" {
			err = tab.ScanHaving(t.Context(), c.pk, c.sk, "batch", c.batch, add)
		} else {
			err = tab.ScanKind(t.Context(), c.pk, c.sk, nil, func(records []table.Record, _ table.Position) error { return add(records) })
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q %q %q: %q, want %q (%v)", c.pk, c.sk, c.batch, got, c.want, err)
		}
	}
}
