package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	netmail "net/mail"
	netsmtp "net/smtp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/lanyard-auth/lanyard/pkg/mail"
)

// mailServer is a real SMTP server on a loopback port.
type mailServer struct {
	addr     string
	roots    *x509.CertPool
	mu       sync.Mutex
	received []delivered
	refuse   map[string]error // by step
}

type delivered struct {
	from, to, user string
	tls            bool
	raw            []byte
}

// serverOptions say what the server offers.
type serverOptions struct {
	implicit, startTLS, login bool
	user, password            string
}

func newMailServer(t *testing.T, o serverOptions) *mailServer {
	t.Helper()
	s := &mailServer{refuse: map[string]error{}}
	cert, roots := selfSigned(t)
	s.roots = roots
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, encrypted := c.TLSConnectionState()
		base := &mailSession{server: s, tls: encrypted}
		if o.user == "" {
			return base, nil
		}
		return &authSession{base, o}, nil
	}))
	server.Domain, server.AllowInsecureAuth, server.ErrorLog = "mx.test", true, log.New(io.Discard, "", 0)
	conf := &tls.Config{Certificates: []tls.Certificate{cert}}
	if o.startTLS {
		server.TLSConfig = conf
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	if o.implicit {
		l = tls.NewListener(l, conf)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *mailServer) sender(t *testing.T, security mail.Security, change func(*mail.SMTPConfig)) *mail.SMTP {
	t.Helper()
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := mail.SMTPConfig{Host: host, Port: port, Security: security, TLS: &tls.Config{RootCAs: s.roots}, Timeout: 5 * time.Second}
	if change != nil {
		change(&c)
	}
	return mail.NewSMTP(c)
}

func (s *mailServer) inbox() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivered(nil), s.received...)
}

type mailSession struct {
	server *mailServer
	now    delivered
	tls    bool
}

func (s *mailSession) Reset()        { s.now = delivered{user: s.now.user} }
func (s *mailSession) Logout() error { return nil }
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.now.from = from
	return s.server.refuse["MAIL"]
}
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.to = to
	return s.server.refuse["RCPT"]
}
func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.refuse["DATA"]; err != nil {
		return err
	}
	s.now.raw, s.now.tls = raw, s.tls
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, s.now)
	return nil
}

type authSession struct {
	*mailSession
	o serverOptions
}

func (s *authSession) AuthMechanisms() []string {
	if s.o.login {
		return []string{"LOGIN"}
	}
	return []string{sasl.Plain}
}

func (s *authSession) check(user, password string) error {
	if user != s.o.user || password != s.o.password {
		return smtp.ErrAuthFailed
	}
	s.now.user = user
	return nil
}

func (s *authSession) Auth(mech string) (sasl.Server, error) {
	if mech == "LOGIN" {
		return &loginServer{check: s.check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return s.check(user, password) }), nil
}

// loginServer is the server's side of LOGIN.
type loginServer struct {
	step  int
	user  string
	check func(user, password string) error
}

func (l *loginServer) Next(answer []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsedCert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsedCert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func letter() *mail.Mail {
	return &mail.Mail{
		ID: "018f0000-0000-7000-8000-000000000001", From: netmail.Address{Name: "Lanyard", Address: "no-reply@example.com"},
		To: netmail.Address{Address: "ann@example.org"}, Date: start, Language: "de", Subject: "Prüfung",
		Text: "Zeile\n.\n..\nEnde " + secret, HTML: "<p>Zeile ä</p>",
	}
}

func TestSMTPDelivers(t *testing.T) {
	for name, c := range map[string]struct {
		server   serverOptions
		security mail.Security
		user     string
		tls      bool
	}{
		"plain on this machine":             {serverOptions{}, mail.Plain, "", false},
		"STARTTLS":                          {serverOptions{startTLS: true}, mail.StartTLS, "", true},
		"STARTTLS where offered":            {serverOptions{startTLS: true}, mail.Optional, "", true},
		"no STARTTLS, on this machine":      {serverOptions{}, mail.Optional, "", false},
		"TLS from the start":                {serverOptions{implicit: true}, mail.ImplicitTLS, "", true},
		"PLAIN over STARTTLS":               {serverOptions{startTLS: true, user: "u", password: "p"}, mail.StartTLS, "u", true},
		"PLAIN over TLS":                    {serverOptions{implicit: true, user: "u", password: "p"}, mail.ImplicitTLS, "u", true},
		"LOGIN over STARTTLS":               {serverOptions{startTLS: true, login: true, user: "u", password: "p"}, mail.StartTLS, "u", true},
		"LOGIN unencrypted on this machine": {serverOptions{login: true, user: "u", password: "p"}, mail.Plain, "u", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newMailServer(t, c.server)
			sender := s.sender(t, c.security, func(sc *mail.SMTPConfig) { sc.Username, sc.Password = c.user, c.server.password })
			if err := sender.Send(t.Context(), letter()); err != nil {
				t.Fatal(err)
			}
			got := s.inbox()
			if len(got) != 1 || got[0].from != "no-reply@example.com" || got[0].to != "ann@example.org" || got[0].tls != c.tls || got[0].user != c.user {
				t.Fatalf("received %+v", got)
			}
			p := parse(t, got[0].raw)
			if p.subject != "Prüfung" || strings.TrimRight(p.parts["text/plain"], "\n") != letter().Text || !strings.Contains(p.parts["text/html"], "Zeile ä") {
				t.Errorf("subject %q, parts %q", p.subject, p.parts)
			}
		})
	}
}

func TestSMTPFailuresSayWhetherToTryAgainAndNameNobody(t *testing.T) {
	reply := func(code int, ec smtp.EnhancedCode) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: ec, Message: "<ann@example.org> " + secret}
	}
	for name, c := range map[string]struct {
		server    serverOptions
		refuse    map[string]error
		security  mail.Security
		change    func(*mail.SMTPConfig)
		want      string
		permanent bool
	}{
		"recipient unknown":    {refuse: map[string]error{"RCPT": reply(550, smtp.EnhancedCode{5, 1, 1})}, want: "smtp: RCPT TO: 550 5.1.1", permanent: true},
		"greylisted":           {refuse: map[string]error{"RCPT": reply(451, smtp.EnhancedCode{4, 7, 1})}, want: "smtp: RCPT TO: 451 4.7.1"},
		"without its own code": {refuse: map[string]error{"RCPT": reply(452, smtp.NoEnhancedCode)}, want: "smtp: RCPT TO: 452"},
		"sender refused":       {refuse: map[string]error{"MAIL": reply(553, smtp.EnhancedCode{5, 7, 1})}, want: "smtp: MAIL FROM: 553 5.7.1", permanent: true},
		"content refused":      {refuse: map[string]error{"DATA": reply(554, smtp.EnhancedCode{5, 7, 1})}, want: "smtp: end of DATA: 554 5.7.1", permanent: true},
		"content later":        {refuse: map[string]error{"DATA": reply(450, smtp.EnhancedCode{4, 3, 0})}, want: "smtp: end of DATA: 450 4.3.0"},
		"no STARTTLS offered":  {security: mail.StartTLS, want: "offers no STARTTLS"},
		"unknown certificate":  {server: serverOptions{startTLS: true}, security: mail.StartTLS, change: func(c *mail.SMTPConfig) { c.TLS = nil }, want: "smtp: STARTTLS: "},
		"wrong certificate":    {server: serverOptions{implicit: true}, security: mail.ImplicitTLS, change: func(c *mail.SMTPConfig) { c.TLS = &tls.Config{ServerName: "other.test"} }, want: "smtp: connect: "},
		"wrong password": {server: serverOptions{startTLS: true, user: "u", password: "p"}, security: mail.StartTLS,
			change: func(c *mail.SMTPConfig) { c.Username, c.Password = "u", secret }, want: "smtp: AUTH: 535 5.7.8"},
		"nobody listens": {change: func(c *mail.SMTPConfig) { c.Port = "1" }, want: "smtp: connect: "},
	} {
		t.Run(name, func(t *testing.T) {
			s := newMailServer(t, c.server)
			s.refuse = c.refuse
			security := c.security
			if security == "" {
				security = mail.Plain
			}
			err := s.sender(t, security, c.change).Send(t.Context(), letter())
			var se *mail.SendError
			if !errors.As(err, &se) || !strings.Contains(se.Reason, c.want) || se.Permanent != c.permanent {
				t.Fatalf("got %v (%+v), want %q, permanent %v", err, se, c.want, c.permanent)
			}
			assertNoSecrets(t, "the error", err.Error())
			if len(s.inbox()) != 0 {
				t.Error("delivered all the same")
			}
		})
	}
}

func TestSMTPPasswordStaysHomeWithoutEncryption(t *testing.T) {
	s := newMailServer(t, serverOptions{user: "u", password: "p"})
	// Another spelling of this machine, which does not count as it.
	sender := s.sender(t, mail.Plain, func(c *mail.SMTPConfig) { c.Host, c.Username, c.Password = "::ffff:127.0.0.1", "u", "p" })
	if err := sender.Send(t.Context(), letter()); err == nil || !strings.Contains(err.Error(), "unencrypted connection") {
		t.Errorf("PLAIN: %v", err)
	}
	if len(s.inbox()) != 0 {
		t.Error("delivered")
	}
	if _, _, err := mail.LoginAuth("u", "p").Start(&netsmtp.ServerInfo{Name: "mx.test"}); err == nil {
		t.Error("LOGIN started unencrypted")
	}
	login := mail.LoginAuth("u", "p")
	if _, _, err := login.Start(&netsmtp.ServerInfo{Name: "mx.test", TLS: true}); err != nil {
		t.Error(err)
	}
	if answer, err := login.Next([]byte("Your bank PIN:"), true); err == nil {
		t.Errorf("answered another question with %q", answer)
	}
}

func TestSMTPGivesUpOnASilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	silent := mail.NewSMTP(mail.SMTPConfig{Host: host, Port: port, Security: mail.Plain, Timeout: 20 * time.Millisecond})
	var se *mail.SendError
	if err := silent.Send(t.Context(), letter()); !errors.As(err, &se) || se.Permanent {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := silent.Send(ctx, letter()); err == nil {
		t.Error("sent after the end")
	}
	bad := letter()
	bad.Language = "x\ny"
	if err := silent.Send(t.Context(), bad); !errors.As(err, &se) || !se.Permanent {
		t.Errorf("broken header: %v", err)
	}
}

func TestRelayOverSMTP(t *testing.T) {
	p := newPost(t)
	s := newMailServer(t, serverOptions{startTLS: true})
	relay, err := mail.NewRelay(p.deps, mail.RelayParts{
		Seal: p.codec, Sender: s.sender(t, mail.StartTLS, nil), Templates: templates(t, ""), Jitter: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.queue(t, mail.Recipient{Address: "ann@example.org", Language: "de"}, mail.ResetPassword{Token: secret})
	if _, err := relay.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.inbox()
	if len(got) != 1 {
		t.Fatalf("received %d; log:\n%s", len(got), p.log)
	}
	m := parse(t, got[0].raw)
	if link := publicURL + "/api/auth/reset-password/" + secret; m.subject != "Passwort zurücksetzen" || !strings.Contains(m.parts["text/plain"], link) || !strings.Contains(m.parts["text/html"], link) {
		t.Errorf("subject %q, text:\n%s", m.subject, m.parts["text/plain"])
	}
}

func TestSMTPURL(t *testing.T) {
	for raw, want := range map[string]mail.SMTPConfig{
		"smtps://u:p%40s@mail.example.com":       {Host: "mail.example.com", Port: "465", Username: "u", Password: "p@s", Security: mail.ImplicitTLS},
		"smtp://u:p@mail.example.com":            {Host: "mail.example.com", Port: "587", Username: "u", Password: "p", Security: mail.StartTLS},
		"smtp://mail.example.com:2525/":          {Host: "mail.example.com", Port: "2525", Security: mail.StartTLS},
		"smtp://127.0.0.1:25":                    {Host: "127.0.0.1", Port: "25", Security: mail.Optional},
		"smtp://u:p@localhost:25?security=none":  {Host: "localhost", Port: "25", Username: "u", Password: "p", Security: mail.Plain},
		"smtp://[::1]:25":                        {Host: "::1", Port: "25", Security: mail.Optional},
		"smtp://relay.internal:25?security=none": {Host: "relay.internal", Port: "25", Security: mail.Plain},
		"smtp://127.0.0.1:25?security=starttls":  {Host: "127.0.0.1", Port: "25", Security: mail.StartTLS},
	} {
		got, err := mail.NewSMTPConfig(raw)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{
		"", "mail.example.com", "https://mail.example.com", "smtp://", "smtp://h/inbox", "smtp://h?tls=1", "smtp://h?security=maybe", "smtp://h#x",
		"smtp://u:hunter2@mail.example.com?security=none", "smtp://u:hunter2@mail.example.com?security=starttls-if-available", "smtp://u:hunter2@h:port",
	} {
		_, err := mail.NewSMTPConfig(raw)
		if err == nil || !strings.Contains(err.Error(), "LANYARD_SMTP_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
