package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"time"
)

// options say what is done.
type options struct {
	url, serve, out string
	bcrypt          int
	users, signIns  int
	rate, batch     int
	checks, mixed   time.Duration
	workers         int
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "http://127.0.0.1:8080", "the server; a loopback address")
	flag.StringVar(&o.serve, "serve", "", "start this lanyard binary on an empty store instead, and end it")
	flag.StringVar(&o.out, "json", "", "write the report here as JSON as well; - prints nothing else")
	flag.IntVar(&o.bcrypt, "bcrypt", 4, "with -serve: bcrypt's cost; a real one measures bcrypt and little else")
	flag.IntVar(&o.users, "users", 200, "users to register")
	flag.IntVar(&o.signIns, "sign-ins", 1000, "sign-ins at once; 0: none")
	flag.IntVar(&o.rate, "rate", 10_000, "permission checks a second")
	flag.IntVar(&o.batch, "batch", 20, "checks in a request")
	flag.DurationVar(&o.checks, "checks", time.Minute, "how long to check; 0: not at all")
	flag.DurationVar(&o.mixed, "mixed", 30*time.Second, "how long the mixed load lasts; 0: not at all")
	flag.IntVar(&o.workers, "workers", 16, "clients at once in the mixed load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

// errNotHere refuses to put load on anything but this machine.
var errNotHere = errors.New("not a loopback address")

// loopback checks that a URL names this machine by address.
func loopback(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "http" || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("server %s: %w", raw, errNotHere)
	}
	return nil
}

func run(ctx context.Context, o options) (err error) {
	pid := 0
	if o.serve != "" {
		s, err := start(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.end()) }()
		o.url, pid = s.url, s.pid()
	}
	if err := loopback(o.url); err != nil {
		return err
	}
	g := newGenerator(o)
	defer g.transport.CloseIdleConnections()
	report := report{Bcrypt: o.bcrypt, Users: o.users}
	if err := g.prepare(ctx); err != nil {
		return err
	}
	for _, phase := range []struct {
		wanted bool
		run    func(context.Context) result
	}{{o.signIns > 0, g.allSignIn}, {o.checks > 0, g.check}, {o.mixed > 0, g.mix}} {
		if !phase.wanted {
			continue
		}
		r := phase.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.PeakMemory = peakMemory(pid)
		if o.out != "-" {
			fmt.Println(r)
		}
		report.Results = append(report.Results, r)
	}
	if o.out != "" {
		raw, err := json.MarshalIndent(report, "", " ")
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		raw = append(raw, '\n')
		if o.out == "-" {
			_, err = os.Stdout.Write(raw)
		} else {
			err = os.WriteFile(o.out, raw, 0o600)
		}
		if err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return report.failed()
}
