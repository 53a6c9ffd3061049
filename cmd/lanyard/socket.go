package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

// The embedded store is a file that one process has open. While a server has it,
// other commands reach it through a socket beside the file, which its owner
// alone can connect to: they work on a running deployment as on a stopped one.

// socketOf is the socket of the store in dir. Systems bound the path of a socket
// at about a hundred bytes; from the directory one is in, a long one may be short.
func socketOf(dir string) string {
	path := filepath.Join(dir, "dynamo.sock")
	if len(path) < 100 {
		return path
	}
	if wd, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(wd, path); err == nil && len(short) < len(path) {
			return short
		}
	}
	return path
}

// shareStore serves the engine on the socket of dir until ctx ends. Where there
// can be no socket (a path longer than the system's bound), stop alone is given
// with the reason; the server itself needs none.
func shareStore(ctx context.Context, e *localdynamo.Engine, dir string) (stop func() error, err error) {
	path := socketOf(dir)
	// Whoever has the store open has the right to the socket: one that is there
	// already was left behind.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, fmt.Errorf("share the store: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return func() error { return nil }, fmt.Errorf("share the store: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return func() error { return nil }, errors.Join(fmt.Errorf("share the store: %w", err), l.Close())
	}
	s := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	return func() error {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := s.Shutdown(grace)
		if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// sharedStore gives a transport to the store in dir when a server has it open,
// nil otherwise.
func sharedStore(ctx context.Context, dir string) http.RoundTripper {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketOf(dir))
	}
	c, err := dial(ctx, "", "")
	if err != nil {
		return nil
	}
	_ = c.Close() // it has shown what it was to show
	return &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 64}
}
