package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/demo"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/task"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Help shows examples.
func (serveCommand) Help() string {
	return `Settings are LANYARD_* variables. Ctrl-C or SIGTERM ends it once the requests under
way are answered; a second one ends it at once.

  lanyard serve
  lanyard serve --demo --memory

  export LANYARD_PUBLIC_URL=https://auth.example.com LANYARD_MAIL_SENDER=smtp LANYARD_SMTP_URL=smtp://127.0.0.1:25
  lanyard serve --listen :8443 --tls-cert cert.pem --tls-key key.pem
  LANYARD_TRUSTED_PROXIES=127.0.0.1/32 lanyard serve --metrics-listen 127.0.0.1:9464`
}

type serveCommand struct {
	Listen   string        `help:"Address to listen on." default:"127.0.0.1:8080"`
	Data     string        `help:"Directory of the embedded store and the keys." default:".lanyard" type:"path"`
	DynamoDB string        `name:"dynamodb" help:"URL of a DynamoDB to use instead of the embedded store." placeholder:"URL"`
	Memory   bool          `help:"Keep nothing: data and keys are gone when the command ends."`
	Table    string        `help:"Name of the table (LANYARD_TABLE)." placeholder:"NAME"`
	TLSCert  string        `name:"tls-cert" help:"Certificate chain, PEM. A renewed file is taken over within a minute. Without it, put a TLS proxy in front (LANYARD_TRUSTED_PROXIES)." type:"path" placeholder:"FILE"`
	TLSKey   string        `name:"tls-key" help:"Key of the certificate, PEM." type:"path" placeholder:"FILE"`
	Metrics  string        `name:"metrics-listen" help:"Address for /metrics (Prometheus) and /healthz (ready or draining). They are nowhere else; keep it to yourself." placeholder:"ADDRESS"`
	Drain    time.Duration `help:"How long requests under way may take at the end." default:"20s"`
	Linger   time.Duration `help:"How long to go on taking requests at the end while /healthz says that it ends, so that a load balancer can notice." default:"0s"`
	Demo     bool          `help:"Fill in Coastal Marine Services, the worked example, and print commands to try; in a JSON log, one line with its ids."`
	Log      string        `help:"Log format: text for people, json for programs; auto takes LANYARD_LOG, else text." enum:"text,json,auto" default:"auto"`
}

// maxHeader bounds what is read of a request line and headers. The API itself
// refuses less with a problem (api.MaxHeader); what is beyond this as well, the
// server cuts off before there is a request to answer.
const maxHeader = 256 << 10

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, p *process) error {
	if c.Memory && c.DynamoDB != "" {
		return usage{errors.New("--memory is for the embedded store, not for --dynamodb")}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return usage{errors.New("--tls-cert and --tls-key go together")}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return badAddress(fmt.Errorf("--listen: %w", err))
	}
	var watched net.Listener
	if c.Metrics != "" {
		if watched, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Metrics); err != nil {
			return badAddress(errors.Join(fmt.Errorf("--metrics-listen: %w", err), l.Close()))
		}
		defer watched.Close()
	}
	assembly.CollectSeldom()
	return c.serve(ctx, p, l, watched)
}

// badAddress tells an address that is none from one that cannot be had.
func badAddress(err error) error {
	var form *net.AddrError
	if errors.As(err, &form) {
		return usage{err}
	}
	return err
}

// serve serves on l until ctx ends, and shows how it is doing on watched, if
// that is not nil. It closes l.
func (c *serveCommand) serve(ctx context.Context, p *process, l, watched net.Listener) (err error) {
	cfg, err := c.configuration(p.environ, l.Addr())
	if err != nil {
		return errors.Join(usage{err}, l.Close())
	}
	logs := newConsole(p.out, cfg)
	var identity *certificate
	if c.TLSCert != "" {
		if identity, err = newCertificate(c.TLSCert, c.TLSKey, time.Now, logs.logger); err != nil {
			return errors.Join(usage{err}, l.Close())
		}
	}
	dir := c.Data
	if c.Memory {
		dir = ""
	}
	lost := c.lost(cfg)
	store, err := ownStore(ctx, cfg, dir)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if lost != "" {
		logs.logger.WarnContext(ctx, lost)
	}
	if store.engine != nil && !c.Memory {
		unshare, err := shareStore(ctx, store.engine, c.Data)
		if err != nil {
			logs.logger.WarnContext(ctx, "other commands cannot reach this store while it is served", "error", err.Error())
		}
		defer func() { _ = unshare() }() // the store itself is closed after it
	}
	keys, err := c.keys(ctx, cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	seals, err := keyService(ctx, cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	a := &assembly.Assembly{Keys: keys, Version: version, KeyService: seals, Deps: service.Deps{
		Config: cfg, Table: store.table, Now: time.Now, Log: logs.logger, SessionsEnded: func(string) {},
	}}
	watch := newWatch(a)
	run, err := c.start(ctx, a, store, logs, watch)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if watched != nil {
		stop := watch.serve(ctx, watched)
		defer stop()
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	for _, loop := range run.loops {
		work.Go(func() { loop(background) })
	}
	logs.greet(cfg, c, store.local)
	if run.example != nil {
		logs.tour(cfg, run.example)
	}
	server := &http.Server{
		Handler: run.handler, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(logs.logger.Handler(), slog.LevelWarn),
	}
	if identity != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: identity.get}
	}
	// Under systemd (Type=notify); elsewhere there is nobody to tell.
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	err = serveUntil(ctx, server, l, ending{grace: c.Drain, linger: c.Linger, begin: func() {
		watch.drain()
		_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	}})
	stop()
	work.Wait()
	return err
}

// lost says which half of a deployment is not in the directory where the other
// half is. Both are made where they are not, as on the first start; then it is
// more likely that one was left behind or deleted.
func (c *serveCommand) lost(cfg config.Config) string {
	if c.Memory || cfg.Dynamo != "" || cfg.Keys.Source != "file" {
		return ""
	}
	there := func(name string) bool {
		info, err := os.Stat(filepath.Join(c.Data, name))
		return err == nil && info.Size() > 0
	}
	switch {
	case there(storeFile) && !there(keysFile):
		return "a store was there without its key ring, and a new ring is made: sessions end, and second factors and waiting mail " +
			"of before cannot be opened; if the old " + keysFile + " is anywhere, stop and put it back"
	case there(keysFile) && !there(storeFile):
		return "a key ring was there without its store, and an empty one is made: is this the right directory? Else stop and restore a backup"
	}
	return ""
}

// keys opens the key ring, or makes one that is gone with the process.
func (c *serveCommand) keys(ctx context.Context, cfg config.Config) (token.Source, error) {
	if c.Memory && cfg.Keys.Source == "file" {
		return newKeys(cfg)
	}
	return openKeys(ctx, cfg, c.Data, makeAbsent)
}

// running is what serve runs: the handler, and the loops beside it.
type running struct {
	handler http.Handler
	loops   []func(context.Context)
	example *demo.Example // nil without --demo
}

// start puts the server together on an assembly.
func (c *serveCommand) start(ctx context.Context, a *assembly.Assembly, store *store, logs *console, watch *watch) (*running, error) {
	auth, checker, err := a.Authorizer()
	if err != nil {
		return nil, err
	}
	rights, err := a.Access()
	if err != nil {
		return nil, err
	}
	a.Deps.SessionsEnded = func(userID string) {
		if checker != nil {
			checker.Forget(userID)
		}
		rights.ForgetUsers(userID)
	}
	services, err := catalog.NewServices(a)
	if err != nil {
		return nil, err
	}
	tasks, err := a.Tasks()
	if err != nil {
		return nil, err
	}
	relay, box, err := c.mail(a, store)
	if err != nil {
		return nil, err
	}
	wake := make(chan struct{}, 1)
	handler, err := a.Server(catalog.Operations(services, openapi.Document), auth, watch.observer(logs.observer(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})))
	if err != nil {
		return nil, err
	}
	run := &running{handler: handler}
	if box != nil && reachable(a.Deps.Config) {
		page, err := box.Handler(a.Deps.Config.Mail.Product, a.Deps.Config.PublicURL, ownConnection)
		if err != nil {
			return nil, err
		}
		run.handler = beside(handler, mail.MailboxPath, page)
	}
	if c.Demo {
		if !store.local || !a.Deps.Config.Local() {
			return nil, errors.New("--demo makes accounts with a known password: it is for a store and an address of this machine")
		}
		if run.example, err = demo.Seed(ctx, a.Deps.Table, services); err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	ticks := make(chan time.Time)
	run.loops = []func(context.Context){
		func(ctx context.Context) { relay.Run(ctx, ticks) },
		func(ctx context.Context) { followUp(ctx, a, tasks, relay, wake) },
	}
	return run, nil
}

// beside serves page at a path and below, and the API everywhere else. A path
// that is not clean is the API's to refuse: http.ServeMux would redirect it, as
// API Gateway never does.
func beside(api http.Handler, at string, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		below := r.URL.Path == at || strings.HasPrefix(r.URL.Path, at+"/")
		if below && path.Clean(r.URL.Path) == strings.TrimSuffix(r.URL.Path, "/") {
			page.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// followUp carries out tasks and then wakes the relay: after every request
// that may have written some, and once a second for what became due.
func followUp(ctx context.Context, a *assembly.Assembly, tasks *task.Runner, relay *mail.Relay, wake <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := tasks.Drain(ctx); err != nil && ctx.Err() == nil {
			a.Deps.Log.ErrorContext(ctx, "tasks", "error", err.Error())
		}
		relay.Wake()
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// reachable reports whether the mailbox may have a page at all. Behind a proxy
// every request comes from this machine, so there it has none.
func reachable(cfg config.Config) bool { return cfg.Local() || len(cfg.TrustedProxies) == 0 }

// mail makes the relay and, where mail stays here, the mailbox.
func (c *serveCommand) mail(a *assembly.Assembly, store *store) (*mail.Relay, *mail.Mailbox, error) {
	cfg := a.Deps.Config
	templates, err := mail.NewTemplates(mail.TemplateConfig{
		Product: cfg.Mail.Product, PublicURL: cfg.PublicURL, Language: cfg.Mail.Language, Dir: cfg.Mail.Templates,
	})
	if err != nil {
		return nil, nil, err
	}
	var box *mail.Mailbox
	var sender mail.Sender
	if cfg.Mail.Sender == "local" && !cfg.Local() {
		a.Deps.Log.Warn("mail is kept on this machine and reaches nobody: set LANYARD_MAIL_SENDER=smtp")
	}
	switch {
	case cfg.Mail.Sender == "local" && store.local:
		box = mail.NewMailbox(a.Deps, a.Codec(), rand.Reader)
		sender = box
	case cfg.Mail.Sender == "smtp":
		smtp, err := mail.NewSMTPConfig(cfg.Mail.SMTP)
		if err != nil {
			return nil, nil, err
		}
		sender = mail.NewSMTP(smtp)
	default:
		return nil, nil, fmt.Errorf("LANYARD_MAIL_SENDER=%s cannot be used with this store: use smtp", cfg.Mail.Sender)
	}
	relay, err := mail.NewRelay(a.Deps, mail.RelayParts{Seal: a.Codec(), Sender: sender, Templates: templates, Jitter: mathrand.Float64})
	return relay, box, err
}

// configuration reads the environment and lets the flags and the address that
// was really taken fill in what it leaves open.
func (c *serveCommand) configuration(environ []string, addr net.Addr) (config.Config, error) {
	environ = append([]string{}, environ...)
	set := map[string]bool{}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	if !set["LANYARD_PUBLIC_URL"] {
		scheme := "http"
		if c.TLSCert != "" {
			scheme = "https"
		}
		environ = append(environ, "LANYARD_PUBLIC_URL="+publicURL(scheme, addr))
	}
	if c.Table != "" {
		environ = append(environ, "LANYARD_TABLE="+c.Table)
	}
	if c.Log != "auto" {
		environ = append(environ, "LANYARD_LOG="+c.Log)
	} else if !set["LANYARD_LOG"] {
		environ = append(environ, "LANYARD_LOG=text")
	}
	if c.DynamoDB != "" {
		if _, err := url.ParseRequestURI(c.DynamoDB); err != nil {
			return config.Config{}, fmt.Errorf("--dynamodb: %w", err)
		}
		environ = append(environ, "LANYARD_DYNAMODB="+c.DynamoDB)
	}
	return config.Load(environ)
}

// publicURL is the origin of a listener; one on all addresses is reached as localhost.
func publicURL(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
