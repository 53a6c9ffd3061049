package importer

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/audit"
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
	user, access := table.User(""), table.PrefixAccess
	var seen int64
	// Each after what lies under it: what a batch made must not look, on the way,
	// like something that lost its last admin.
	for _, step := range []struct {
		what, pk, sk string
		count        *int64
		remove       func(ctx context.Context, r table.Record) (bool, error)
	}{
		{"document", table.Document("").PK, table.Document("").SK, &out.Documents, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.WithdrawDocument(ctx, r.Text("id"), r.Text("entity"), r.Text("org"), o.Batch)
		}},
		{"grant", user, table.Grant("", "").SK, &out.Grants, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.WithdrawGrant(ctx, r.Text("user"), r.Text("entity"), r.Text("org"), o.Batch)
		}},
		{"entity", table.Entity("").PK, table.Entity("").SK, &out.Entities, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Entities.Withdraw(ctx, r.Text("id"), r.Text("org"), o.Batch)
		}},
		{"organization", table.Organization("").PK, table.Organization("").SK, &out.Organizations, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Organizations.Withdraw(ctx, r.Text("id"), o.Batch)
		}},
		{"membership", user, access + "ORG#", &out.Memberships, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Organizations.WithdrawMember(ctx, r.Text("user"), r.Text("org"), o.Batch)
		}},
		{"user", user, table.UserState("").SK, &out.Users, func(ctx context.Context, r table.Record) (bool, error) {
			return im.Accounts.Withdraw(ctx, r.Text("id"), o.Batch)
		}},
	} {
		err := im.Table.ScanKind(ctx, step.pk, step.sk, nil, func(records []table.Record, _ table.Position) error {
			var mine []table.Record
			for _, r := range records {
				if r.Text("batch") == o.Batch {
					mine = append(mine, r)
				}
			}
			if o.DryRun {
				*step.count += int64(len(mine))
				return nil
			}
			if o.Pace != nil && len(mine) > 0 {
				if err := o.Pace(ctx, len(mine)); err != nil {
					return err
				}
			}
			var mu sync.Mutex
			g, gctx := errgroup.WithContext(ctx)
			g.SetLimit(o.Workers)
			for _, r := range mine {
				g.Go(func() error {
					done, err := step.remove(gctx, r)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil && refusal(err):
						out.Kept++
						if o.Kept != nil {
							return o.Kept(step.what, table.IDFrom(r.Key().PK), fault.From(err).Detail)
						}
						return nil
					case err != nil:
						return fmt.Errorf("%s %s: %w", step.what, table.IDFrom(r.Key().PK), err)
					case done:
						*step.count++
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				return err
			}
			if seen += int64(len(mine)); o.Progress != nil {
				o.Progress(seen)
			}
			return nil
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
