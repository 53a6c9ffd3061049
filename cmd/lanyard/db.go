package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

type dbCommand struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8000"`
	Data   string `help:"Directory of the data file." default:".lanyard" type:"path"`
	Memory bool   `help:"Keep nothing: the data is gone when the command ends."`
}

// Help shows examples.
func (dbCommand) Help() string {
	return `Any credentials will do; nothing of AWS is reached.

  lanyard db --listen 127.0.0.1:8000
  aws dynamodb list-tables --endpoint-url http://127.0.0.1:8000`
}

// Run serves the engine until ctx ends.
func (c *dbCommand) Run(ctx context.Context) (err error) {
	o := localdynamo.Options{Dir: c.Data}
	if c.Memory {
		o.Dir = ""
	}
	e, err := openEngine(o) //nolint:contextcheck // the engine lives until it is closed
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if !c.Memory {
		unshare, err := shareStore(ctx, e, c.Data)
		if err != nil {
			fmt.Fprintf(os.Stderr, "lanyard: other commands need --dynamodb meanwhile: %v\n", err)
		}
		defer func() { _ = unshare() }() // the store itself is closed after it
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return badAddress(fmt.Errorf("--listen: %w", err))
	}
	fmt.Fprintf(os.Stdout, "DynamoDB-compatible store on http://%s\n", l.Addr())
	return serveUntil(ctx, &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}, l, ending{grace: 20 * time.Second})
}

// ending is how serving ends.
type ending struct {
	begin  func()        // told that it begins; may be nil
	linger time.Duration // requests are taken for so long all the same
	grace  time.Duration // requests under way may take so long
}

// serveUntil serves until ctx ends, then lets the requests under way finish. It
// closes l.
func serveUntil(ctx context.Context, s *http.Server, l net.Listener, e ending) error {
	failed := make(chan error, 1)
	go func() {
		if s.TLSConfig != nil {
			failed <- s.ServeTLS(l, "", "")
		} else {
			failed <- s.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	ctx = context.WithoutCancel(ctx)
	if e.begin != nil {
		e.begin()
	}
	if e.linger > 0 {
		_ = pause(ctx, e.linger) // this context does not end
	}
	grace, cancel := context.WithTimeout(ctx, e.grace)
	defer cancel()
	if err := s.Shutdown(grace); err != nil {
		return fmt.Errorf("stop: %w", errors.Join(err, s.Close()))
	}
	return nil
}
