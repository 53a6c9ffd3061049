package audit

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Filter narrows a list of events. Zero fields do not narrow.
type Filter struct {
	Type    Type
	ActorID string
	From    time.Time // included
	To      time.Time // not included
}

func (f Filter) match(it item) bool {
	return (f.Type == "" || it.Type == f.Type) && (f.ActorID == "" || it.Actor == f.ActorID)
}

// Position is where a list goes on: the sort key of the last event given.
type Position string

// maxEmptyMonths bounds how far back one page looks through months without events.
const maxEmptyMonths = 24

// List gives a stream's events, newest first, at most limit, and where to go
// on. The end of the retention bounds how far back it looks.
func (l *Log) List(ctx context.Context, stream string, f Filter, limit int, after Position) ([]Event, Position, error) {
	now := l.now().UTC()
	newest, oldest := now, now.Add(-l.retention)
	if f.From.After(oldest) {
		oldest = f.From
	}
	if !f.To.IsZero() && f.To.Before(newest) {
		newest = f.To
	}
	month := newest
	if after != "" {
		at, err := time.Parse("2006-01-02T15:04:05.000Z", string(after)[:min(24, len(after))])
		if err != nil {
			return nil, "", err
		}
		month = at
	}
	low := oldest.Format("2006-01-02T15:04:05.000Z")
	high := "9"
	if !f.To.IsZero() {
		high = f.To.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	var events []Event
	start := monthOf(oldest)
	for m, looked := monthOf(month), 0; !m.Before(start) && looked < maxEmptyMonths; m, looked = m.AddDate(0, -1, 0), looked+1 {
		partition := table.AuditPartition(stream, m)
		var pos table.Position
		if after != "" {
			pos = table.Position{"PK": partition, "SK": string(after)}
			after = ""
		}
		for {
			page, err := l.table.Query(ctx, table.Query{
				PK: partition, From: low, To: high, Reverse: true, Limit: limit + 1, After: pos,
			})
			if err != nil {
				return nil, "", err
			}
			items, err := table.Decode[item](page.Records)
			if err != nil {
				return nil, "", err
			}
			for _, it := range items {
				if !f.match(it) || !f.To.IsZero() && !it.At.Time().Before(f.To) {
					continue
				}
				if len(events) == limit {
					return events, lastOf(events), nil
				}
				events = append(events, it.event())
			}
			if pos = page.Next; pos == nil {
				break
			}
		}
	}
	return events, "", nil
}

func lastOf(events []Event) Position {
	e := events[len(events)-1]
	return Position(e.At.UTC().Format("2006-01-02T15:04:05.000Z") + "#" + e.ID)
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
