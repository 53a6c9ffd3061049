package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/doctor"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/service"
)

type doctorCommand struct {
	where
	output
	URL   string `name:"url" help:"Look at the server at this address instead, with a full sign-in round." placeholder:"URL"`
	Email string `help:"Account to sign in as; its password is read from standard input. Without one an account is made and deleted where the server keeps its mail." placeholder:"ADDRESS"`
	CA    string `name:"ca" help:"File of certificates to trust beside the system's, as PEM." type:"existingfile" placeholder:"FILE"`
}

// Help shows examples.
func (doctorCommand) Help() string {
	return `Without --url: configuration, table, index, expiry, stream, clock, schema version,
super admins, mail and keys. With --url: register, sign in, refresh, sign out. Exit code 3 when
something is wrong.

  lanyard doctor
  lanyard doctor --dynamodb https://dynamodb.eu-central-1.amazonaws.com --table lanyard-prod --output json
  lanyard doctor --url http://127.0.0.1:8080
  lanyard doctor --url https://auth.example.com --email probe@example.com < password.txt`
}

// Run looks and reports.
func (c *doctorCommand) Run(ctx context.Context, p *process) error {
	var r doctor.Report
	var err error
	if c.URL != "" {
		r, err = c.server(ctx, p)
	} else {
		r, err = c.deployment(ctx, p)
	}
	if err != nil {
		return err
	}
	rows := make([][]string, len(r))
	for i, f := range r {
		rows[i] = []string{f.Check, string(f.Result), f.Detail, f.Fix}
	}
	if err := c.show(p.out, r, []string{"CHECK", "RESULT", "FOUND", "WHAT TO DO"}, rows); err != nil {
		return err
	}
	if n := r.Wrong(); n > 0 {
		return wanting{fmt.Errorf("%d of %d checks failed", n, len(r))}
	}
	return nil
}

func (c *doctorCommand) server(ctx context.Context, p *process) (doctor.Report, error) {
	v := doctor.Visit{URL: c.URL, Now: time.Now, Pause: pause, Credentials: doctor.Credentials{Email: c.Email}}
	if c.Email != "" {
		var err error
		if v.Credentials.Password, err = readPassword(p); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if c.CA != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("read the system's certificates: %w", err)
		}
		raw, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, usage{fmt.Errorf("--ca: %w", err)}
		}
		if !roots.AppendCertsFromPEM(raw) {
			return nil, usage{fmt.Errorf("--ca: %s holds no certificate", c.CA)}
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	defer transport.CloseIdleConnections()
	v.Client = &http.Client{
		Transport: transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return doctor.Server(ctx, v), nil
}

// pause waits, or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// deployment looks at the parts. Nothing is made that is not there.
func (c *doctorCommand) deployment(ctx context.Context, p *process) (r doctor.Report, err error) {
	cfg, err := c.configuration(p.environ)
	if err != nil {
		return doctor.Report{{Check: "configuration", Result: doctor.Failed, Detail: err.Error(), Fix: "see docs/configuration.md"}}, nil
	}
	missing := func(check, file, fix string) bool {
		if _, err := os.Stat(filepath.Join(c.Data, file)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		r = append(r, doctor.Finding{Check: check, Result: doctor.Failed, Detail: "there is no " + filepath.Join(c.Data, file), Fix: fix})
		return true
	}
	const fix = "is --data the directory that lanyard serve has? It makes what is not there"
	noStore := cfg.Dynamo == "" && missing("table", storeFile, fix)
	noKeys := cfg.Keys.Source == "file" && missing("keys", keysFile, fix)
	if noStore || noKeys {
		return r, nil
	}
	store, err := openStore(ctx, cfg, c.Data, reportAbsent)
	if err != nil {
		detail, fix, _ := strings.Cut(err.Error(), "; ")
		return doctor.Report{{Check: "table", Result: doctor.Failed, Detail: detail, Fix: fix}}, nil
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	keys, err := openKeys(ctx, cfg, c.Data, refuseAbsent)
	if err != nil {
		return doctor.Report{{Check: "keys", Result: doctor.Failed, Detail: err.Error(), Fix: "check LANYARD_KEYS_SOURCE and what it names"}}, nil
	}
	d := &deployment{store: store, Assembly: &assembly.Assembly{Keys: keys, Version: version, Deps: service.Deps{
		Config: cfg, Table: store.table, Now: time.Now, Log: slog.New(slog.DiscardHandler), SessionsEnded: func(string) {},
	}}}
	relay, err := d.mails()
	if err != nil {
		return nil, usage{err}
	}
	operators, err := d.Operators()
	if err != nil {
		return nil, err
	}
	reach, err := mailServer(cfg)
	if err != nil {
		return doctor.Report{{Check: "mail server", Result: doctor.Failed, Detail: err.Error()}}, nil
	}
	return doctor.Deployment(ctx, doctor.Parts{
		Config: cfg, Table: store.table, Keys: keys, Relay: relay, Operators: operators, Reach: reach, Now: time.Now, Local: store.local,
	}), nil
}

// mailServer gives what tries the configured mail server, nil where there is
// none to try.
func mailServer(cfg config.Config) (func(context.Context) error, error) {
	if cfg.Mail.Sender != "smtp" {
		return nil, nil
	}
	c, err := mail.NewSMTPConfig(cfg.Mail.SMTP)
	if err != nil {
		return nil, err
	}
	c.Timeout = 10 * time.Second
	return mail.NewSMTP(c).Check, nil
}
