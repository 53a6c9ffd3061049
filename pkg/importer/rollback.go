package importer

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// RollbackOptions say how a batch is taken back.
type RollbackOptions struct {
	Batch    string
	DryRun   bool // only count
	Workers  int  // 0 means 16
	Pace     func(ctx context.Context, records int) error
	Progress func(records int64)
	// Kept is told of every record that stays, and why.
	Kept func(what, id, reason string) error
}

// Removed counts the records of a batch that were taken back.
type Removed struct {
	Batch         string `json:"batch"`
	Documents     int64  `json:"documents"`
	Grants        int64  `json:"grants"`
	Entities      int64  `json:"entities"`
	Organizations int64  `json:"organizations"`
	Memberships   int64  `json:"memberships"`
	Users         int64  `json:"users"`
	Kept          int64  `json:"kept"`
}

// Rollback removes what a batch made and is still there, and with it what has
// come to hang on it since, as when an operator deletes it. A user who has
// become the last admin of something the batch did not make is kept, and so is
// such a membership. Interrupted, it goes on when it is run again.
//
// What hangs on what is removed is cleared away by tasks; the caller sees to it
// that they run.
func (im *Importer) Rollback(ctx context.Context, o RollbackOptions) (Removed, error) {
	out := Removed{Batch: o.Batch}
	if !nameForm.MatchString(o.Batch) {
		return out, fmt.Errorf("batch %q: expected 1 to 64 letters, digits, '.', '_' or '-'", o.Batch)
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	b := &rollback{im: im, o: &o, out: &out}
	// Each after what lies under it: what a batch made must not look, on the way,
	// like something that lost its last admin.
	for _, s := range b.steps() {
		err := im.Table.ScanHaving(ctx, s.pk, s.sk, "batch", o.Batch, func(mine []table.Record) error {
			return b.page(ctx, s, mine)
		})
		if err != nil {
			return out, fmt.Errorf("rollback was interrupted, run it again to go on: %w", err)
		}
	}
	if o.DryRun {
		return out, nil
	}
	return out, im.Audit.Write(ctx, audit.Event{Type: audit.ImportRolledBack, Details: map[string]string{
		"batch": o.Batch, "users": fmt.Sprint(out.Users), "organizations": fmt.Sprint(out.Organizations), "entities": fmt.Sprint(out.Entities),
		"documents": fmt.Sprint(out.Documents), "grants": fmt.Sprint(out.Grants), "memberships": fmt.Sprint(out.Memberships), "kept": fmt.Sprint(out.Kept)}})
}

// rollback is a rollback under way.
type rollback struct {
	im   *Importer
	o    *RollbackOptions
	out  *Removed
	seen int64
	mu   sync.Mutex // out and Kept, while workers run
}

// step removes the records of one kind.
type step struct {
	what, pk, sk string
	count        *int64
	one          func(ctx context.Context, r table.Record) (bool, error)
	// many, where there is one, removes several records at once, as far as nothing
	// stands in the way; it says how many, and which are left for one. After an
	// error each is asked for by itself, those that are gone too.
	many func(ctx context.Context, records []table.Record) (done int64, left []table.Record, err error)
}

// atOnce is how many records are removed together: an organization takes up to
// three writes of a transaction, a user some eight.
const atOnce = 25

func (b *rollback) steps() []step {
	im, batch := b.im, b.o.Batch
	user, access := table.User(""), table.PrefixAccess
	return []step{
		{"document", table.Document("").PK, table.Document("").SK, &b.out.Documents, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.WithdrawDocument(ctx, r.Text("id"), r.Text("entity"), r.Text("org"), batch)
		}, nil},
		{"grant", user, table.Grant("", "").SK, &b.out.Grants, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.WithdrawGrant(ctx, r.Text("user"), r.Text("entity"), r.Text("org"), batch)
		}, nil},
		{"entity", table.Entity("").PK, table.Entity("").SK, &b.out.Entities, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.Withdraw(ctx, r.Text("id"), r.Text("org"), batch)
		}, nil},
		{"organization", table.Organization("").PK, table.Organization("").SK, &b.out.Organizations, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Organizations.Withdraw(ctx, r.Text("id"), batch)
		}, func(ctx context.Context, records []table.Record) (int64, []table.Record, error) {
			if err := im.Organizations.WithdrawAll(ctx, texts(records, "id"), batch); err != nil {
				return 0, nil, err
			}
			return int64(len(records)), nil, nil
		}},
		{"membership", user, access + "ORG#", &b.out.Memberships, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Organizations.WithdrawMember(ctx, r.Text("user"), r.Text("org"), batch)
		}, b.orphans},
		{"user", user, table.UserState("").SK, &b.out.Users, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Accounts.Withdraw(ctx, r.Text("id"), batch)
		}, func(ctx context.Context, records []table.Record) (int64, []table.Record, error) {
			done, err := im.Accounts.WithdrawAll(ctx, texts(records, "id"), batch)
			return done, nil, err
		}},
	}
}

// orphans removes the memberships whose organization is gone.
func (b *rollback) orphans(ctx context.Context, records []table.Record) (int64, []table.Record, error) {
	members, err := table.Decode[facts.Membership](records)
	if err != nil {
		return 0, nil, err
	}
	others, err := b.im.Organizations.WithdrawOrphans(ctx, members, b.o.Batch)
	if err != nil {
		return 0, nil, err
	}
	left := slices.DeleteFunc(slices.Clone(records), func(r table.Record) bool {
		return !slices.ContainsFunc(others, func(m facts.Membership) bool { return m.Key == r.Key() })
	})
	return int64(len(records) - len(left)), left, nil
}

func texts(records []table.Record, name string) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.Text(name)
	}
	return out
}

// page removes what a page of the table has of one kind.
func (b *rollback) page(ctx context.Context, s step, mine []table.Record) error {
	if b.o.DryRun {
		*s.count += int64(len(mine))
		return nil
	}
	if b.o.Pace != nil && len(mine) > 0 {
		if err := b.o.Pace(ctx, len(mine)); err != nil {
			return err
		}
	}
	size := 1
	if s.many != nil {
		size = atOnce
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(b.o.Workers)
	for group := range slices.Chunk(mine, size) {
		g.Go(func() error { return b.remove(gctx, s, group) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if b.seen += int64(len(mine)); b.o.Progress != nil {
		b.o.Progress(b.seen)
	}
	return nil
}

// remove removes some records, together if it can be.
func (b *rollback) remove(ctx context.Context, s step, records []table.Record) error {
	if s.many != nil {
		done, left, err := s.many(ctx, records)
		if err != nil {
			// One of them may have changed meanwhile, or have to stay: each by itself
			// tells. What failed for good fails there again.
			left = records
		}
		b.mu.Lock()
		*s.count += done
		b.mu.Unlock()
		records = left
	}
	for _, r := range records {
		if err := b.removeOne(ctx, s, r); err != nil {
			return err
		}
	}
	return nil
}

func (b *rollback) removeOne(ctx context.Context, s step, r table.Record) error {
	done, err := s.one(ctx, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil && refusal(err):
		b.out.Kept++
		if b.o.Kept != nil {
			return b.o.Kept(s.what, table.IDFrom(r.Key().PK), fault.From(err).Detail)
		}
	case err != nil:
		return fmt.Errorf("%s %s: %w", s.what, table.IDFrom(r.Key().PK), err)
	case done:
		*s.count++
	}
	return nil
}
