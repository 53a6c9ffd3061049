package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/operator"
	"github.com/lanyard-auth/lanyard/pkg/service"
)

// deployment is what a command works on: its table, its keys, its services.
type deployment struct {
	*assembly.Assembly
	store *store
}

// Close closes the store.
func (d *deployment) Close() error { return d.store.Close() }

// deployment opens the table and the keys.
func (w *where) deployment(ctx context.Context, p *process, absent ifAbsent) (*deployment, error) {
	cfg, store, err := w.open(ctx, p.environ, absent)
	if err != nil {
		return nil, err
	}
	keys, err := openKeys(ctx, cfg, w.Data, absent)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	seals, err := keyService(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &deployment{store: store, Assembly: &assembly.Assembly{Keys: keys, Version: version, KeyService: seals, Deps: service.Deps{
		Config: cfg, Table: store.table, Now: time.Now, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {},
	}}}, nil
}

// acting is the flag of commands that somebody answers for.
type acting struct {
	As string `help:"Address, username or id of the super admin who acts. It may be left out where there is only one." placeholder:"WHO"`
}

// because is the flag of commands whose reason is recorded.
type because struct {
	Reason string `help:"Why; it is kept in the audit log." placeholder:"TEXT"`
}

// context puts the super admin who acts into a context, for the audit log.
// Where the deployment has none yet, nobody is named.
func (a acting) context(ctx context.Context, d *deployment, command string) (context.Context, *operator.Service, error) {
	operators, err := d.Operators()
	if err != nil {
		return nil, nil, err
	}
	who, err := operators.Acting(ctx, a.As)
	if errors.Is(err, operator.ErrWho) {
		return nil, nil, usage{fmt.Errorf("%w with --as", err)}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--as: %w", err)
	}
	ctx, err = by(ctx, command, who)
	return ctx, operators, err
}

// actingOrNobody is context where a deployment without any super admin is no
// obstacle: its keys and mail must be seen to as well.
func (a acting) actingOrNobody(ctx context.Context, d *deployment, command string) (context.Context, error) {
	operators, err := d.Operators()
	if err != nil {
		return nil, err
	}
	if n, err := operators.AdminCount(ctx); err != nil {
		return nil, err
	} else if n == 0 && a.As == "" {
		return by(ctx, command, nil)
	}
	ctx, _, err = a.context(ctx, d, command)
	return ctx, err
}

// by says in the audit log which command did something, and which account of
// the machine ran it.
func by(ctx context.Context, command string, who *caller.Principal) (context.Context, error) {
	requestID, err := id.New()
	if err != nil {
		return nil, err
	}
	agent := "lanyard " + command
	if u, err := user.Current(); err == nil {
		agent += " by " + u.Username
	}
	if host, err := os.Hostname(); err == nil {
		agent += " on " + host
	}
	return caller.With(ctx, &caller.Caller{RequestID: requestID, UserAgent: printable(agent[:min(len(agent), 256)]), Principal: who}), nil
}

// readPassword reads a line from standard input, which a terminal does not
// show. An argument would show in process lists and histories.
func readPassword(p *process) (string, error) {
	if f, ok := p.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(p.err, "Password: ")
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(p.err)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return string(line), nil
	}
	line, err := bufio.NewReader(p.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
