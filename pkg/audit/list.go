package audit

import (
	"context"
	"fmt"
	"strings"
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

// String spells the filter out, the same for equal filters: what a cursor of
// the list is bound to.
func (f Filter) String() string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(moment)
	}
	return strings.Join([]string{string(f.Type), f.ActorID, at(f.From), at(f.To)}, "\x00")
}

func (f Filter) match(it item) bool {
	return (f.Type == "" || it.Type == f.Type) && (f.ActorID == "" || it.Actor == f.ActorID)
}

// Position is where a list goes on: what sorts before it is still to come.
type Position string

// moment is how sort keys spell a time; an event's key goes on with # and its id.
const moment = "2006-01-02T15:04:05.000Z"

// Bounds of what one page reads. Where they are reached the page is short, or
// empty, and says where to go on: a filter that matches little, or a long quiet
// time, costs more pages instead of a longer request.
const (
	maxReads = 20 // requests, for one stream
	maxDays  = 31 // of the platform's list
)

// List gives a stream's events, newest first, at most limit, and where to go
// on; no position when there are no more. The end of the retention bounds how
// far back it looks.
func (l *Log) List(ctx context.Context, stream string, f Filter, limit int, after Position) ([]Event, Position, error) {
	p, low, err := l.begin(f, limit, after)
	if err != nil {
		return nil, "", err
	}
	for range maxReads {
		if string(p.position) <= low {
			return p.events, "", nil
		}
		month := monthOf(p.at())
		page, err := l.table.Query(ctx, table.Query{
			PK: table.AuditPartition(stream, month), From: low, To: string(p.position), Reverse: true, Limit: limit + 2,
		})
		if err != nil {
			return nil, "", fmt.Errorf("list audit events: %w", err)
		}
		full, err := p.take(page.Records, func(r table.Record) string { return r.Key().SK })
		if err != nil || full {
			return p.events, p.position, err
		}
		if page.Next == nil {
			p.position = Position(month.Format(moment))
		}
	}
	return p.left(low)
}

// Platform gives the events of every stream, newest first, from the index that
// holds each day's; otherwise it is like List.
func (l *Log) Platform(ctx context.Context, f Filter, limit int, after Position) ([]Event, Position, error) {
	p, low, err := l.begin(f, limit, after)
	if err != nil {
		return nil, "", err
	}
	for range maxDays {
		if string(p.position) <= low {
			return p.events, "", nil
		}
		day := p.at().Truncate(24 * time.Hour)
		partitions := make([]string, Shards)
		for i := range partitions {
			partitions[i] = PlatformPartition(day, i)
		}
		records, next, err := l.table.QueryShards(ctx, table.Shards{
			Partitions: partitions, After: string(p.position), Until: low, Reverse: true, Limit: limit + 1,
		})
		if err != nil {
			return nil, "", fmt.Errorf("list audit events: %w", err)
		}
		full, err := p.take(records, table.Record.IndexSort)
		if err != nil || full {
			return p.events, p.position, err
		}
		if next == "" {
			p.position = Position(day.Format(moment))
		}
	}
	return p.left(low)
}

// page is one page being filled.
type page struct {
	filter   Filter
	limit    int
	events   []Event
	position Position // everything from here on has been looked at
}

// begin starts a page at a position, or at the newest that the filter wants. It
// gives the sort key at which the list ends.
func (l *Log) begin(f Filter, limit int, after Position) (*page, string, error) {
	now := l.now().UTC()
	oldest := now.Add(-l.retention)
	if f.From.After(oldest) {
		oldest = f.From.UTC()
	}
	p := &page{filter: f, limit: limit, events: []Event{}, position: after}
	if after == "" {
		newest := now.Add(time.Minute) // clocks differ
		if !f.To.IsZero() && f.To.Before(newest) {
			newest = f.To.UTC()
		}
		p.position = Position(newest.Format(moment))
	} else if _, err := time.Parse(moment, string(after[:min(len(after), len(moment))])); err != nil {
		return nil, "", fmt.Errorf("list audit events: %w", err)
	}
	return p, oldest.Format(moment), nil
}

// left gives a page that its bounds ended.
func (p *page) left(low string) ([]Event, Position, error) {
	if string(p.position) <= low {
		p.position = ""
	}
	return p.events, p.position, nil
}

// at is the moment just before the position: what is still to come lies in its
// month and its day or earlier.
func (p *page) at() time.Time {
	t, _ := time.Parse(moment, string(p.position[:len(moment)])) // begin and take saw to the form
	if len(p.position) == len(moment) {
		return t.Add(-time.Millisecond)
	}
	return t
}

// take adds records to the page, newest first. It reports whether the page is
// full; then the position is that of its last event.
func (p *page) take(records []table.Record, key func(table.Record) string) (full bool, err error) {
	for _, r := range records {
		k := key(r)
		if k >= string(p.position) {
			continue
		}
		var it item
		if err := r.Decode(&it); err != nil {
			return false, err
		}
		if p.filter.match(it) {
			if len(p.events) == p.limit {
				last := p.events[p.limit-1]
				p.position = Position(last.At.Format(moment) + "#" + last.ID)
				return true, nil
			}
			p.events = append(p.events, it.event())
		}
		p.position = Position(k)
	}
	return false, nil
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}
