package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/service"
)

type adminCommand struct {
	Create adminCreateCommand `cmd:"" help:"Make a super admin. The password is read from standard input."`
}

type adminCreateCommand struct {
	Email    string `help:"Address of the new super admin; it counts as verified." required:""`
	Data     string `help:"Directory of the embedded store and the keys; its server must not be running." default:".lanyard"`
	DynamoDB string `name:"dynamodb" help:"URL of a DynamoDB to use instead of the embedded store." placeholder:"URL"`
}

// Run makes the super admin. There is no default account: this command is how a
// deployment gets its first, and a new one when it has lost them.
func (c *adminCreateCommand) Run(ctx context.Context) error {
	return c.run(ctx, os.Environ(), os.Stdin, os.Stdout)
}

func (c *adminCreateCommand) run(ctx context.Context, environ []string, in io.Reader, out io.Writer) (err error) {
	if c.DynamoDB != "" {
		environ = append(environ, config.Prefix+"DYNAMODB="+c.DynamoDB)
	}
	cfg, err := config.Load(environ)
	if err != nil {
		return err
	}
	// From standard input: an argument shows in process lists and histories.
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read password: %w", err)
	}
	store, err := openStore(ctx, cfg, c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	keys, err := openKeys(ctx, cfg, c.Data)
	if err != nil {
		return err
	}
	a := &assembly.Assembly{Keys: keys, Version: version, Deps: service.Deps{
		Config: cfg, Table: store.table, Now: time.Now, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {},
	}}
	operators, err := a.Operators()
	if err != nil {
		return err
	}
	u, err := operators.Bootstrap(ctx, c.Email, strings.TrimRight(line, "\r\n"))
	if err != nil {
		return fmt.Errorf("make super admin: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s is a super admin (user %s)\n", *u.Email, u.ID); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
