package table

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Shards names a list in GSI1 that is spread over several index partitions and
// read as one, in the order of the index sort keys.
type Shards struct {
	Partitions []string
	After      string // the sort key after which to go on; empty: from the beginning
	Until      string // the last sort key wanted, included; empty: to the end
	Reverse    bool   // highest sort key first
	Limit      int    // at most so many records
}

// lowest and highest enclose every sort key there is: keys are printable ASCII.
const (
	lowest  = " "
	highest = "\x7f"
)

// QueryShards reads the next records of a sharded list and the sort key to go
// on after; empty when there are no more. Each round reads a few records from
// every partition at once and keeps those that no partition can still get in
// before; the index is eventually consistent.
func (t *Table) QueryShards(ctx context.Context, s Shards) (records []Record, next string, err error) {
	per := s.Limit/len(s.Partitions)*2 + 2
	for {
		round, horizon, err := t.shardRound(ctx, s, per)
		if err != nil {
			return nil, "", err
		}
		for _, r := range round {
			if len(records) == s.Limit {
				return records, next, nil
			}
			records = append(records, r)
			next = r.IndexSort()
		}
		if horizon == "" {
			return records, "", nil
		}
		s.After = horizon
		if len(records) == s.Limit {
			return records, next, nil
		}
	}
}

// shardRound reads up to per records of each partition. It gives, in order,
// those up to the horizon: the nearest place at which some partition has more.
func (t *Table) shardRound(ctx context.Context, s Shards, per int) (round []Record, horizon string, err error) {
	pages := make([]Page, len(s.Partitions))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, partition := range s.Partitions {
		g.Go(func() (err error) {
			q := Query{PK: partition, Index: true, From: s.After, To: s.Until, Reverse: s.Reverse, Limit: per}
			if s.After != "" {
				q.Limit++ // the bounds are included, and After itself is not wanted
			}
			if s.Reverse {
				q.From, q.To = s.Until, s.After
			}
			if q.From == "" {
				q.From = lowest
			}
			if q.To == "" {
				q.To = highest
			}
			pages[i], err = t.Query(gctx, q)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, "", err
	}
	order := strings.Compare
	if s.Reverse {
		order = func(a, b string) int { return strings.Compare(b, a) }
	}
	for _, p := range pages {
		round = append(round, p.Records...)
		if p.Next == nil {
			continue
		}
		if last := p.Next["GSI1SK"]; horizon == "" || order(last, horizon) < 0 {
			horizon = last
		}
	}
	round = slices.DeleteFunc(round, func(r Record) bool {
		k := r.IndexSort()
		return k == s.After || horizon != "" && order(k, horizon) > 0
	})
	slices.SortStableFunc(round, func(a, b Record) int { return order(a.IndexSort(), b.IndexSort()) })
	return round, horizon, nil
}

// IndexSort gives the item's sort key in GSI1.
func (r Record) IndexSort() string { return stringOf(r.item["GSI1SK"]) }
