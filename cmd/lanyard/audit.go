package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/id"
)

type auditCommand struct {
	Search auditSearchCommand `cmd:"" help:"List events, newest first."`
	Tail   auditTailCommand   `cmd:"" help:"Follow events as they happen, until Ctrl-C."`
	Export auditExportCommand `cmd:"" help:"Write events to a file as JSON Lines."`
}

// selection is which events are wanted.
type selection struct {
	Type  string `help:"Only events of this type, such as session.sign_in_failed." placeholder:"TYPE"`
	Actor string `help:"Only what this user did: address, username or id." placeholder:"WHO"`
	User  string `help:"Only the stream of this user: address, username or id." placeholder:"WHO"`
	Org   string `help:"Only the stream of this organization, by id." placeholder:"ID"`
}

// span is of which time.
type span struct {
	Since string `help:"From this moment on: 2026-01-31, 2026-01-31T12:00:00Z, or so long ago: 90m, 24h, 7d." placeholder:"TIME"`
	Until string `help:"Before this moment; spelled as --since." placeholder:"TIME"`
}

// trail reads one list of events.
type trail struct {
	log    *audit.Log
	stream string // empty: every stream
	filter audit.Filter
}

// trail makes the list that is wanted and records that it is read.
func (s *selection) trail(ctx context.Context, d *deployment) (*trail, error) {
	if s.User != "" && s.Org != "" {
		return nil, usage{errors.New("--user and --org are two streams: give one")}
	}
	if err := s.known(); err != nil {
		return nil, usage{err}
	}
	operators, err := d.Operators()
	if err != nil {
		return nil, err
	}
	t := &trail{log: audit.New(d.Deps), filter: audit.Filter{Type: audit.Type(s.Type)}}
	details := map[string]string{"by": "command"}
	if s.Actor != "" {
		if t.filter.ActorID, err = operators.Resolve(ctx, s.Actor); err != nil {
			return nil, fmt.Errorf("--actor: %w", err)
		}
	}
	switch {
	case s.User != "":
		userID, err := operators.Resolve(ctx, s.User)
		if err != nil {
			return nil, fmt.Errorf("--user: %w", err)
		}
		t.stream, details["user"] = audit.UserStream(userID), userID
	case s.Org != "":
		if !id.Valid(s.Org) {
			return nil, usage{errors.New("--org: expected an id")}
		}
		t.stream, details["organization"] = audit.OrgStream(s.Org), s.Org
	}
	return t, t.log.Write(ctx, audit.Event{Type: audit.AuditRead, Details: details})
}

// known refuses a type that there is not: its list would be empty, as if nothing
// had happened.
func (s *selection) known() error {
	if s.Type == "" || slices.Contains(audit.Types(), audit.Type(s.Type)) {
		return nil
	}
	area, _, _ := strings.Cut(s.Type, ".")
	var near, areas []string
	for _, t := range audit.Types() {
		of, _, _ := strings.Cut(string(t), ".")
		if of == area {
			near = append(near, string(t))
		}
		if !slices.Contains(areas, of+".…") {
			areas = append(areas, of+".…")
		}
	}
	if len(near) == 0 {
		near = areas
	}
	return fmt.Errorf("--type: no event is called %q; there are %s", s.Type, strings.Join(near, ", "))
}

func (t *trail) page(ctx context.Context, f audit.Filter, after audit.Position) ([]audit.Event, audit.Position, error) {
	if t.stream == "" {
		return t.log.Platform(ctx, f, 100, after)
	}
	return t.log.List(ctx, t.stream, f, 100, after)
}

// each visits events, newest first, until visit has had enough.
func (t *trail) each(ctx context.Context, f audit.Filter, visit func(audit.Event) (more bool, err error)) error {
	var after audit.Position
	for {
		events, next, err := t.page(ctx, f, after)
		if err != nil {
			return err
		}
		for _, e := range events {
			if more, err := visit(e); err != nil || !more {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// bound reads the span into a filter.
func (s span) bound(f *audit.Filter, now time.Time) (err error) {
	if f.From, err = parseMoment(s.Since, now); err != nil {
		return usage{fmt.Errorf("--since: %w", err)}
	}
	if f.To, err = parseMoment(s.Until, now); err != nil {
		return usage{fmt.Errorf("--until: %w", err)}
	}
	if !f.To.IsZero() && !f.From.Before(f.To) {
		return usage{errors.New("--until is not after --since")}
	}
	return nil
}

func parseMoment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	var ago time.Duration
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n float64
		if err := json.Unmarshal([]byte(days), &n); err == nil && n >= 0 && n <= 36500 {
			return now.Add(-time.Duration(n * float64(24*time.Hour))), nil
		}
	}
	ago, err := time.ParseDuration(s)
	if err != nil || ago < 0 {
		return time.Time{}, fmt.Errorf("%q: expected such as 2026-01-31, 2026-01-31T12:00:00Z, 90m, 24h or 7d", s)
	}
	return now.Add(-ago), nil
}

var eventHeadings = []string{"TIME", "TYPE", "OUTCOME", "ACTOR", "SUBJECT", "ORGANIZATION", "SOURCE", "DETAILS"}

func eventRow(e audit.Event) []string {
	var details []string
	for k, v := range e.Details {
		if v != "" {
			details = append(details, k+"="+v)
		}
	}
	slices.Sort(details)
	return []string{e.At.UTC().Format("2006-01-02 15:04:05"), string(e.Type), string(e.Outcome), dash(e.ActorID), dash(e.SubjectID), dash(e.OrganizationID), dash(e.IP), strings.Join(details, " ")}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type auditSearchCommand struct {
	where
	output
	acting
	selection
	span
	Limit bound `help:"At most so many events." default:"100"`
}

// Help shows examples.
func (auditSearchCommand) Help() string {
	return `Without --since it looks back 30 days. Reading the log is itself audited.

  lanyard audit search --since 24h --type session.sign_in_failed
  lanyard audit search --user ada@example.com --output json
  lanyard audit search --actor root@example.com --since 2026-01-01 --until 2026-02-01`
}

// Run searches.
func (c *auditSearchCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	f := audit.Filter{}
	if c.Since == "" {
		c.Since = "30d" // each day is a list of its own
	}
	if err := c.bound(&f, d.Deps.Now()); err != nil {
		return err
	}
	if ctx, err = c.actingOrNobody(ctx, d, "audit search"); err != nil {
		return err
	}
	t, err := c.trail(ctx, d)
	if err != nil {
		return err
	}
	t.filter.From, t.filter.To = f.From, f.To
	events := []audit.Event{}
	if c.Limit > 0 {
		err = t.each(ctx, t.filter, func(e audit.Event) (bool, error) {
			events = append(events, e)
			return len(events) < int(c.Limit), nil
		})
	}
	if err != nil {
		return err
	}
	rows := make([][]string, len(events))
	for i, e := range events {
		rows[i] = eventRow(e)
	}
	return c.show(p.out, events, eventHeadings, rows)
}

type auditTailCommand struct {
	where
	output
	acting
	selection
	Since    string        `help:"Begin with what happened since: so long ago, such as 10m, or a moment." default:"0s"`
	Interval time.Duration `help:"How often to look." default:"2s"`
}

// Help shows examples.
func (auditTailCommand) Help() string {
	return `With --output json each event is one line. Events appear in the order of their
times; one whose writer's clock is up to half a minute behind is not missed.

  lanyard audit tail
  lanyard audit tail --type session.throttled --since 1h --output json`
}

// late is how far behind the newest event another may still turn up: clocks
// differ, and an index follows its table.
const late = 30 * time.Second

// Run follows.
func (c *auditTailCommand) Run(ctx context.Context, p *process) (err error) {
	if c.Interval <= 0 {
		return usage{errors.New("--interval: expected a time such as 2s")}
	}
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	since, err := parseMoment(c.Since, d.Deps.Now())
	if err != nil {
		return usage{fmt.Errorf("--since: %w", err)}
	}
	as, err := c.actingOrNobody(ctx, d, "audit tail")
	if err != nil {
		return err
	}
	t, err := c.trail(as, d)
	if err != nil {
		return err
	}
	seen := map[string]time.Time{}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	newest := since
	for {
		fresh, err := t.fresh(ctx, since, newest, seen)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		for _, e := range fresh {
			if e.At.After(newest) {
				newest = e.At
			}
			if err := c.line(p.out, e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil // Ctrl-C is how it ends
		case <-tick.C:
		}
	}
}

// fresh gives the events not seen yet, oldest first, and forgets those seen
// that can turn up no more.
func (t *trail) fresh(ctx context.Context, since, newest time.Time, seen map[string]time.Time) ([]audit.Event, error) {
	f := t.filter
	f.From = newest.Add(-late)
	if f.From.Before(since) {
		f.From = since
	}
	for eventID, at := range seen {
		if at.Before(f.From) {
			delete(seen, eventID)
		}
	}
	var out []audit.Event
	err := t.each(ctx, f, func(e audit.Event) (bool, error) {
		if _, ok := seen[e.ID]; !ok {
			seen[e.ID] = e.At
			out = append(out, e)
		}
		return true, nil
	})
	slices.Reverse(out)
	return out, err
}

func (c *auditTailCommand) line(w io.Writer, e audit.Event) error {
	if c.Output == "json" {
		return writeLine(w, e)
	}
	row := eventRow(e)
	for i := range row {
		row[i] = printable(row[i])
	}
	if _, err := fmt.Fprintln(w, strings.Join(row, "  ")); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

func writeLine(w io.Writer, e audit.Event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if _, err := w.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

type auditExportCommand struct {
	where
	acting
	selection
	span
	File string `arg:"" optional:"" help:"Where to write; - is standard output." default:"-"`
}

// Help shows examples.
func (auditExportCommand) Help() string {
	return `One event a line, newest first, for an archive or another system. Events are kept
for LANYARD_AUDIT_RETENTION.

  lanyard audit export --since 2026-01-01 --until 2026-02-01 january.jsonl
  lanyard audit export --org 01995b2c-8f00-7000-8000-000000000000 | gzip > org.jsonl.gz`
}

// Run exports.
func (c *auditExportCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	f := audit.Filter{}
	if err := c.bound(&f, d.Deps.Now()); err != nil {
		return err
	}
	if ctx, err = c.actingOrNobody(ctx, d, "audit export"); err != nil {
		return err
	}
	t, err := c.trail(ctx, d)
	if err != nil {
		return err
	}
	t.filter.From, t.filter.To = f.From, f.To
	bar := newProgress(p.err, "events", -1)
	var n int64
	write := func(w io.Writer) error {
		return t.each(ctx, t.filter, func(e audit.Event) (bool, error) {
			n++
			bar.at(n)
			return true, writeLine(w, e)
		})
	}
	if c.File == "-" {
		err = write(p.out)
	} else {
		err = writeFile(c.File, write)
	}
	bar.done()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "%d events\n", n)
	return nil
}
