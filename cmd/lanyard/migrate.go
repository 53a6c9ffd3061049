package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/migrate"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the table to the newest version, or to one."`
	Down   migrateDownCommand   `cmd:"" help:"Bring the table back to a version."`
	Status migrateStatusCommand `cmd:"" help:"Say which version the table has, and what is pending or broken off."`
	Verify migrateVerifyCommand `cmd:"" help:"Look whether the table is as its version says."`
}

// paced is the flag of commands that read or write much.
type paced struct {
	Rate bound `help:"Items a second at most; 0 is without bound." default:"0"`
}

type migrateUpCommand struct {
	where
	dryRun
	paced
	To     int  `help:"Version to go to; -1 is the newest." default:"-1"`
	Repair bool `help:"Do the migrations that the table has had once more, for what an older program has written since."`
}

// Help says more than one line.
func (migrateUpCommand) Help() string {
	return `Migrations run while the table is in use: the programs of the version before and
after both work until it is done and beyond. Interrupted, the same command goes
on. Deploy the new programs first, then migrate, then --repair once the last old
program has ended.

  lanyard migrate up --dry-run
  lanyard migrate up --rate 200
  lanyard migrate up --repair`
}

// Run migrates up.
func (c *migrateUpCommand) Run(ctx context.Context, p *process) error {
	return c.with(ctx, p, c.orRehearse(), c.Rate, func(m *migrate.Migrator) error {
		version := c.To
		if version == -1 {
			version = m.Latest()
		}
		if err := known(m, version); err != nil {
			return err
		}
		st, err := m.Status(ctx)
		if err != nil {
			return err
		}
		switch {
		case version < st.Version:
			return usage{fmt.Errorf("the table is at version %d: lanyard migrate down --to %d", st.Version, version)}
		case c.DryRun:
			n, err := m.Pending(ctx, version)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "from version %d to %d: %d items would change\n", st.Version, version, n)
			return nil
		case c.Repair:
			n, err := m.Repair(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.out, "version %d: %d items repaired\n", st.Version, n)
			return nil
		}
		return goTo(ctx, m, version, p.out)
	})
}

type migrateDownCommand struct {
	where
	paced
	To int `help:"Version to go back to; 0 deletes the table if it is empty." required:""`
}

// Help says more than one line.
func (migrateDownCommand) Help() string {
	return `Takes away what migrations after a version have added. Roll the programs back
first.

  lanyard migrate down --to 1`
}

// Run migrates down.
func (c *migrateDownCommand) Run(ctx context.Context, p *process) error {
	return c.with(ctx, p, refuseAbsent, c.Rate, func(m *migrate.Migrator) error {
		st, err := m.Status(ctx)
		if err != nil {
			return err
		}
		if err := known(m, c.To); err != nil {
			return err
		}
		if c.To > st.Version {
			return usage{fmt.Errorf("the table is at version %d: lanyard migrate up --to %d", st.Version, c.To)}
		}
		return goTo(ctx, m, c.To, p.out)
	})
}

// known refuses a version that there is not.
func known(m *migrate.Migrator, version int) error {
	if version < 0 || version > m.Latest() {
		return usage{fmt.Errorf("--to: there are versions 0 to %d", m.Latest())}
	}
	return nil
}

func goTo(ctx context.Context, m *migrate.Migrator, version int, out io.Writer) error {
	n, err := m.To(ctx, version)
	if err != nil {
		return fmt.Errorf("%w; %d items changed, the same command goes on", err, n)
	}
	fmt.Fprintf(out, "version %d: %d items changed\n", version, n)
	return nil
}

type migrateStatusCommand struct {
	where
	output
}

// Help says more than one line.
func (migrateStatusCommand) Help() string {
	return `It ends with 3 when migrations are pending or one was broken off.

  lanyard migrate status --output json`
}

// Run shows the state.
func (c *migrateStatusCommand) Run(ctx context.Context, p *process) error {
	return c.with(ctx, p, refuseAbsent, 0, func(m *migrate.Migrator) error {
		st, err := m.Status(ctx)
		if err != nil {
			return err
		}
		rows := [][]string{}
		for _, v := range migrate.Versions() {
			state := "pending"
			switch {
			case st.Running == v.Version:
				state = fmt.Sprintf("%s broken off or under way since %s, %d items changed", st.Direction, st.Since.Format(time.RFC3339), st.Changed)
			case v.Version <= st.Version:
				state = "done"
			}
			rows = append(rows, []string{strconv.Itoa(v.Version), state, v.Name})
		}
		if err := c.show(p.out, struct {
			migrate.State
			Latest int `json:"latest"`
		}{st, m.Latest()}, []string{"VERSION", "STATE", "MIGRATION"}, rows); err != nil {
			return err
		}
		if st.Version != m.Latest() || st.Running != 0 {
			return wanting{fmt.Errorf("the table is at version %d, this program knows %d", st.Version, m.Latest())}
		}
		return nil
	})
}

type migrateVerifyCommand struct {
	where
	paced
}

// Help says more than one line.
func (migrateVerifyCommand) Help() string {
	return `Reads the whole table and names what is not as its version says; it ends with 3
when there is anything.

  lanyard migrate verify`
}

// Run verifies.
func (c *migrateVerifyCommand) Run(ctx context.Context, p *process) error {
	return c.with(ctx, p, refuseAbsent, c.Rate, func(m *migrate.Migrator) error {
		st, err := m.Status(ctx)
		if err != nil {
			return err
		}
		n, err := m.Verify(ctx, func(f migrate.Finding) error {
			_, err := fmt.Fprintf(p.out, "migration %d: %s\n", f.Migration, printable(f.Item))
			return err
		})
		if err != nil {
			return err
		}
		if n > 0 {
			return wanting{fmt.Errorf("%d items are not as version %d leaves them; lanyard migrate up --repair", n, st.Version)}
		}
		fmt.Fprintf(p.out, "the table is as version %d leaves it\n", st.Version)
		return nil
	})
}

// with opens the table and runs do on a Migrator.
func (w *where) with(ctx context.Context, p *process, absent ifAbsent, perSecond bound, do func(*migrate.Migrator) error) (err error) {
	_, store, err := w.open(ctx, p.environ, absent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	bar := newProgress(p.err, "items", -1)
	defer bar.done()
	m, err := migrate.New(store.table, migrate.Options{Now: time.Now, Pace: pace(perSecond), Progress: bar.at})
	if err != nil {
		return err
	}
	return do(m)
}
