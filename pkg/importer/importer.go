package importer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Parts are what an Importer is made from beside the common dependencies.
type Parts struct {
	Accounts      *account.Service
	Organizations *org.Service
	Entities      *entity.Service
	Audit         *audit.Log
	Seal          mfa.Sealer
}

// Importer imports files and takes batches back.
type Importer struct {
	service.Deps
	Parts
	shapes shapes
}

// New makes an Importer. It makes no request.
func New(d service.Deps, p Parts) *Importer { return &Importer{d, p, newShapes()} }

// shapes are what lines are held to.
type shapes struct {
	user         *api.Shape[User]
	organization *api.Shape[Organization]
	entity       *api.Shape[Entity]
	grant        *api.Shape[Grant]
	document     *api.Shape[Document]
}

func newShapes() shapes {
	return shapes{api.NewShape[User]("body"), api.NewShape[Organization]("body"), api.NewShape[Entity]("body"),
		api.NewShape[Grant]("body"), api.NewShape[Document]("body")}
}

// Fields gives the fields of a kind of line with their JSON types, for CSV.
func Fields(k Kind) (map[string]string, error) {
	s := newShapes()
	switch k {
	case Users:
		return s.user.Kinds(), nil
	case Organizations:
		return s.organization.Kinds(), nil
	case Entities:
		return s.entity.Kinds(), nil
	case Grants:
		return s.grant.Kinds(), nil
	case Documents:
		return s.document.Kinds(), nil
	}
	return nil, fmt.Errorf("%q is no kind of file", k)
}

// Line is one line of a file: a JSON object, or why there is none.
type Line struct {
	Number int
	JSON   []byte
	Refuse error
}

// Refuse is why a converter can make no line of what it read. It must not quote
// it.
func Refuse(why string) error { return fault.Invalidf("body", "%s", why) }

// Lines are those of a file, in order. An error ends them: the rest cannot be
// read.
type Lines = iter.Seq2[Line, error]

// Mode is what is done with lines.
type Mode int

// The modes.
const (
	Apply  Mode = iota
	DryRun      // check everything, write nothing
	Verify      // compare the table with the file
)

// Options say what is imported, and how.
type Options struct {
	Kind   Kind
	Mode   Mode
	Source string // name of the other system: ids are derived from it
	Batch  string // name of what this import makes
	// PersonalOrganizations makes one for each active user whose line names none.
	PersonalOrganizations bool
	// Workers is how many transactions are under way at once; 0 means 32.
	Workers int
	// Pace, when set, is called with the number of lines about to be written.
	Pace func(ctx context.Context, lines int) error
	// Progress, when set, is told how many lines are done.
	Progress func(lines int64)
	// Refused is told of every line that was not imported or, with Verify, is not
	// as in the table, in order. Its error ends the import.
	Refused func(Refusal) error
}

// Refusal is a line that was not imported, and why.
type Refusal struct {
	Line   int    `json:"line"`
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason"`
}

// Report counts lines by what became of them.
type Report struct {
	Batch     string `json:"batch"`
	Lines     int64  `json:"lines"`
	Created   int64  `json:"created"`   // with DryRun: would be; with Verify: as in the file
	Unchanged int64  `json:"unchanged"` // were there already
	Refused   int64  `json:"refused"`
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName says what is wrong with the name of a source or a batch.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q: expected 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit", name)
	}
	return nil
}

func (o *Options) check() error {
	if _, err := Fields(o.Kind); err != nil {
		return err
	}
	for what, name := range map[string]string{"source": o.Source, "batch": o.Batch} {
		if err := CheckName(name); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if o.Workers <= 0 {
		o.Workers = 32
	}
	return nil
}

// perChunk is how many lines are worked on at once; their own items are one
// request.
const perChunk = 96

// FileError says that the rest of a file cannot be read. The lines before it have
// been worked off; running the import again does not help.
type FileError struct {
	Line int
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("read line %d: %v", e.Line, e.Err) }

// Unwrap gives the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Run imports lines. An error means that it was interrupted, not that lines were
// refused: run again, it goes on.
func (im *Importer) Run(ctx context.Context, lines Lines, o Options) (Report, error) {
	r := Report{Batch: o.Batch}
	if err := o.check(); err != nil {
		return r, err
	}
	if err := im.trail(ctx, o, r, "started"); err != nil {
		return r, err
	}
	c := &chunk{im: im, o: o, report: &r, seen: map[string]bool{}}
	for l, err := range lines {
		if err != nil {
			if flushed := c.flush(ctx); flushed != nil {
				return r, flushed
			}
			return r, &FileError{Line: l.Number, Err: err}
		}
		if err := c.add(ctx, l); err != nil {
			return r, err
		}
	}
	if err := c.flush(ctx); err != nil {
		return r, err
	}
	return r, im.trail(ctx, o, r, "finished")
}

func (im *Importer) trail(ctx context.Context, o Options, r Report, what string) error {
	if o.Mode != Apply {
		return nil
	}
	e := audit.Event{Type: audit.Imported, Details: map[string]string{"batch": o.Batch, "kind": string(o.Kind), "source": o.Source, "run": what}}
	if what == "finished" {
		e.Details["created"], e.Details["refused"] = strconv.FormatInt(r.Created, 10), strconv.FormatInt(r.Refused, 10)
	}
	return im.Audit.Write(ctx, e)
}

// row is a decoded line that knows what it has to look up, and then what to write.
type row interface {
	id() string
	needs(o *Options) []table.Key
	plan(ctx context.Context, im *Importer, o *Options, found map[table.Key]table.Record) (*plan, error)
}

// plan is what a line makes: the first write is of its own item.
type plan struct {
	writes   []*table.Write
	identity []string    // attributes in which an item that is there already must be equal
	names    []table.Key // what only one line can have
	uses     []table.Key // what an earlier line of the file may make
	before   func(ctx context.Context) error
	seal     func(ctx context.Context) error // what must be in writes before they are written
}

// task is a line on its way through a chunk.
type task struct {
	line   int
	row    row
	plan   *plan
	own    table.Record
	result result
}

type result struct {
	unchanged bool
	refused   error
}

// chunk gathers lines that cannot get in each other's way, so that all can be
// written at once and the result is as if they had been one by one.
type chunk struct {
	im     *Importer
	o      Options
	report *Report
	tasks  []*task
	seen   map[string]bool // with DryRun: the names of all earlier lines
}

func (c *chunk) add(ctx context.Context, l Line) error {
	t := &task{line: l.Number, result: result{refused: l.Refuse}}
	if l.Refuse == nil {
		t.row, t.result.refused = c.im.decode(c.o.Kind, l.JSON)
	}
	c.tasks = append(c.tasks, t)
	if len(c.tasks) < perChunk {
		return nil
	}
	return c.flush(ctx)
}

// flush works the gathered lines off.
func (c *chunk) flush(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	for rest := c.tasks; len(rest) > 0; {
		n := independent(rest)
		if err := c.settle(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	c.tasks = c.tasks[:0]
	return ctx.Err()
}

// prepare looks up what lines refer to and plans their writes.
func (c *chunk) prepare(ctx context.Context) error {
	need := map[table.Key]bool{}
	for _, t := range c.tasks {
		if t.row != nil && t.result.refused == nil {
			for _, k := range t.row.needs(&c.o) {
				need[k] = true
			}
		}
	}
	found, err := c.get(ctx, slices.Collect(maps.Keys(need)))
	if err != nil {
		return err
	}
	for _, t := range c.tasks {
		if t.result.refused != nil {
			continue
		}
		if t.plan, err = t.row.plan(ctx, c.im, &c.o, found); err != nil {
			if !refusal(err) {
				return err
			}
			t.result.refused = err
			continue
		}
		if t.own, _, err = t.plan.writes[0].Item(); err != nil {
			return err
		}
		t.plan.names = append(t.plan.names, t.own.Key())
	}
	return nil
}

// get is GetMany of any number of keys.
func (c *chunk) get(ctx context.Context, keys []table.Key) (map[table.Key]table.Record, error) {
	out := map[table.Key]table.Record{}
	for part := range slices.Chunk(keys, 100) {
		found, err := c.im.Table.GetMany(ctx, part, table.Strong)
		if err != nil {
			return nil, fmt.Errorf("look up what lines refer to: %w", err)
		}
		maps.Copy(out, found)
	}
	return out, nil
}

// independent gives how many of the next lines have no name in common and use
// nothing of each other.
func independent(tasks []*task) int {
	seen := map[table.Key]bool{}
	for i, t := range tasks {
		if t.plan == nil {
			continue
		}
		for _, k := range slices.Concat(t.plan.names, t.plan.uses) {
			if seen[k] {
				return i
			}
		}
		for _, k := range t.plan.names {
			seen[k] = true
		}
	}
	return len(tasks)
}

// settle carries lines out and reports them.
func (c *chunk) settle(ctx context.Context, tasks []*task) error {
	var open []*task
	for _, t := range tasks {
		if t.result.refused == nil {
			open = append(open, t)
		}
	}
	var err error
	if c.o.Mode == Verify {
		err = c.verify(ctx, open)
	} else {
		err = c.apply(ctx, open)
	}
	if err != nil {
		return err
	}
	for _, t := range tasks {
		c.report.Lines++
		switch {
		case t.result.refused != nil:
			c.report.Refused++
			r := Refusal{Line: t.line, Reason: reason(t.result.refused)}
			if t.row != nil {
				r.ID = t.row.id()
			}
			if c.o.Refused != nil {
				if err := c.o.Refused(r); err != nil {
					return err
				}
			}
		case t.result.unchanged:
			c.report.Unchanged++
		default:
			c.report.Created++
		}
	}
	if c.o.Progress != nil {
		c.o.Progress(c.report.Lines)
	}
	return nil
}

// apply writes what is not there, or rehearses it.
func (c *chunk) apply(ctx context.Context, tasks []*task) error {
	keys := make([]table.Key, len(tasks))
	for i, t := range tasks {
		keys[i] = t.own.Key()
	}
	there, err := c.get(ctx, keys)
	if err != nil {
		return err
	}
	var open []*task
	for _, t := range tasks {
		if r, ok := there[t.own.Key()]; ok {
			t.result = t.compare(r)
		} else if c.o.Mode == Apply || c.first(t) {
			open = append(open, t)
		}
	}
	if c.o.Pace != nil && len(open) > 0 {
		if err := c.o.Pace(ctx, len(open)); err != nil {
			return err
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.o.Workers)
	for _, t := range open {
		g.Go(func() error {
			err := c.write(gctx, t)
			if err != nil && refusal(err) {
				t.result.refused = err
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("import was interrupted, run it again to go on: %w", err)
	}
	return nil
}

func (c *chunk) write(ctx context.Context, t *task) error {
	if c.o.Mode == DryRun {
		return c.im.Table.Rehearse(ctx, t.plan.writes...)
	}
	if t.plan.seal != nil {
		if err := t.plan.seal(ctx); err != nil {
			return err
		}
	}
	if t.plan.before != nil {
		if err := t.plan.before(ctx); err != nil {
			return err
		}
	}
	return c.im.Table.Transact(ctx, t.plan.writes...)
}

// first reports, for a rehearsal, whether no earlier line has one of the line's
// names; otherwise the line is refused, or unchanged if it is the same record.
func (c *chunk) first(t *task) bool {
	had := func(k table.Key) bool { return c.seen[k.PK+k.SK] }
	if had(t.own.Key()) {
		t.result.unchanged = true
		return false
	}
	if slices.ContainsFunc(t.plan.names, had) {
		t.result.refused = fault.New(fault.CodeConflict, "An earlier line has this address or username.")
		return false
	}
	for _, k := range t.plan.names {
		c.seen[k.PK+k.SK] = true
	}
	// What an earlier line would make is not there to be asked for.
	return !slices.ContainsFunc(t.plan.uses, had)
}

// compare judges a line whose own item is there already.
func (t *task) compare(there table.Record) result {
	var differs []string
	for _, name := range there.Differences(t.own) {
		if slices.Contains(t.plan.identity, name) {
			differs = append(differs, name)
		}
	}
	if len(differs) == 0 {
		return result{unchanged: true}
	}
	return result{refused: fault.New(fault.CodeConflict, "It is there already, with another "+strings.Join(differs, ", ")+"; an import changes nothing.")}
}

// living are the attributes that change in use, or that no file says.
func living() []string {
	return []string{"hash", "changedAt", "secret", "confirmedAt", "createdAt", "joinedAt", "updatedAt", "lastLoginAt", "lastStep",
		"epoch", "appointments", "adminCount", "issued", "version", "batch"}
}

// verify compares every item of lines with the table.
func (c *chunk) verify(ctx context.Context, tasks []*task) error {
	var keys []table.Key
	want := make([][]table.Record, len(tasks))
	for i, t := range tasks {
		for _, w := range t.plan.writes {
			r, put, err := w.Item()
			if err != nil {
				return err
			}
			if put {
				want[i] = append(want[i], r)
				keys = append(keys, r.Key())
			}
		}
	}
	there, err := c.get(ctx, keys)
	if err != nil {
		return err
	}
	for i, t := range tasks {
		var wrong []string
		for _, r := range want[i] {
			found, ok := there[r.Key()]
			if !ok {
				wrong = append(wrong, "missing "+kindOf(r.Key()))
				continue
			}
			for _, name := range found.Differences(r, living()...) {
				wrong = append(wrong, "another "+name)
			}
		}
		if len(wrong) > 0 {
			t.result.refused = fault.New(fault.CodeConflict, "Not as in the file: "+strings.Join(wrong, ", ")+".")
		}
	}
	return nil
}

// kindOf names an item by its key, without ids.
func kindOf(k table.Key) string {
	if kind, _, _ := strings.Cut(k.PK, "#"); k.SK == k.PK || kind != "USER" {
		return strings.ToLower(kind)
	}
	return strings.ToLower(strings.Split(k.SK, "#")[0])
}

// refusal reports whether an error is a verdict on a line; any other ends the
// import, and nothing is known of the line.
func refusal(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return false
	}
	switch f.Kind {
	case fault.Invalid, fault.Malformed, fault.Conflict, fault.NotFound, fault.Forbidden:
		return true
	}
	return false
}

// reason says what is wrong with a line, without its values.
func reason(err error) string {
	f := fault.From(err)
	if len(f.Fields) == 0 {
		return f.Detail
	}
	out := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		at := strings.TrimPrefix(strings.TrimPrefix(field.Location, "body"), ".")
		if out[i] = field.Message; at != "" {
			out[i] = at + ": " + field.Message
		}
	}
	return strings.Join(out, "; ")
}
