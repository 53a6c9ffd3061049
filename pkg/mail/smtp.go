package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SMTPConfig says how to reach a submission server. NewSMTPConfig makes one
// from a URL.
type SMTPConfig struct {
	Host     string
	Port     string
	Username string // empty: no authentication
	Password string
	Security Security
	// Hello is the name given in EHLO; empty means localhost.
	Hello string
	// Timeout bounds a whole delivery; 0 means 30 seconds.
	Timeout time.Duration
	// TLS may carry the roots that verify the server; nil means the system's.
	// Versions below 1.2 are refused.
	TLS *tls.Config
}

// Security says when the connection is encrypted.
type Security string

// The kinds of security.
const (
	ImplicitTLS Security = "tls"                   // from the first byte (RFC 8314 §3.3)
	StartTLS    Security = "starttls"              // before anything is said, or not at all (RFC 3207)
	Optional    Security = "starttls-if-available" // for a server on the same machine
	Plain       Security = "none"                  // for a server on the same machine
)

// NewSMTPConfig reads LANYARD_SMTP_URL:
//
//	smtps://user:password@mail.example.com       TLS from the start, port 465
//	smtp://user:password@mail.example.com        STARTTLS required, port 587
//	smtp://127.0.0.1:25                          STARTTLS where offered, since it is this machine
//	smtp://…?security=none                       no TLS; credentials are then refused except on this machine
//
// Errors do not repeat the URL, since it holds a password.
func NewSMTPConfig(raw string) (SMTPConfig, error) {
	bad := func(why string) (SMTPConfig, error) {
		return SMTPConfig{}, fmt.Errorf("LANYARD_SMTP_URL: %s; expected something like smtps://user:password@mail.example.com", why)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return bad("not a URL")
	}
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return bad("it has a path")
	}
	c := SMTPConfig{Host: u.Hostname(), Port: u.Port()}
	if u.User != nil {
		c.Username = u.User.Username()
		c.Password, _ = u.User.Password()
	}
	switch u.Scheme {
	case "smtps":
		c.Security = ImplicitTLS
		c.Port = cmp.Or(c.Port, "465")
	case "smtp":
		c.Security = StartTLS
		if thisMachine(c.Host) {
			c.Security = Optional
		}
		c.Port = cmp.Or(c.Port, "587")
	default:
		return bad("the scheme is neither smtp nor smtps")
	}
	for name, values := range u.Query() {
		if name != "security" || len(values) != 1 {
			return bad("unknown parameter")
		}
		c.Security = Security(values[0])
		if !slices.Contains([]Security{ImplicitTLS, StartTLS, Optional, Plain}, c.Security) {
			return bad("security is none of tls, starttls, starttls-if-available, none")
		}
	}
	if c.Username != "" && (c.Security == Plain || c.Security == Optional) && !thisMachine(c.Host) {
		return bad("a password would go out unencrypted")
	}
	return c, nil
}

// thisMachine reports whether a host name always means the machine that asks.
func thisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// SMTP is a Sender that submits each mail over a connection of its own (RFC 5321,
// RFC 6409). Mails about accounts are few; a kept connection would mostly be one
// that the server has closed.
type SMTP struct{ config SMTPConfig }

// NewSMTP makes the sender. It connects to nothing.
func NewSMTP(c SMTPConfig) *SMTP {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	c.Hello = cmp.Or(c.Hello, "localhost")
	if c.TLS == nil {
		c.TLS = &tls.Config{}
	}
	c.TLS = c.TLS.Clone()
	c.TLS.MinVersion = max(c.TLS.MinVersion, tls.VersionTLS12)
	c.TLS.ServerName = cmp.Or(c.TLS.ServerName, c.Host)
	return &SMTP{c}
}

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m *Mail) error {
	raw, err := m.MIME()
	if err != nil {
		return &SendError{Reason: err.Error(), Permanent: true}
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	// net/smtp knows no contexts; closing the connection is how to stop it. What
	// Close says is of no matter: the mail has been accepted by then, or not.
	hangUp := func() { _ = client.Close() }
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	return s.submit(client, m, raw)
}

// Check connects, encrypts and authenticates as for a mail, and sends none.
func (s *SMTP) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	hangUp := func() { _ = client.Close() } // as in Send
	defer hangUp()
	defer context.AfterFunc(ctx, hangUp)()
	if err := client.Noop(); err != nil {
		return replyError("NOOP", err)
	}
	_ = client.Quit() // how the farewell goes is of no matter
	return nil
}

func (s *SMTP) connect(ctx context.Context) (*smtp.Client, error) {
	address := net.JoinHostPort(s.config.Host, s.config.Port)
	var conn net.Conn
	var err error
	if s.config.Security == ImplicitTLS {
		conn, err = (&tls.Dialer{Config: s.config.TLS}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, &SendError{Reason: "smtp: connect: " + err.Error()}
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(replyError("connect", err), conn.Close())
	}
	client, err := smtp.NewClient(conn, s.config.Host)
	if err != nil {
		_ = conn.Close()
		return nil, replyError("greeting", err)
	}
	if err := s.greet(client); err != nil {
		_ = client.Close()
		return nil, err
	}
	return client, nil
}

// greet says hello, encrypts and authenticates, as configured.
func (s *SMTP) greet(client *smtp.Client) error {
	if err := client.Hello(s.config.Hello); err != nil {
		return replyError("EHLO", err)
	}
	if s.config.Security == StartTLS || s.config.Security == Optional {
		offered, _ := client.Extension("STARTTLS")
		switch {
		case offered:
			if err := client.StartTLS(s.config.TLS); err != nil {
				return replyError("STARTTLS", err)
			}
		case s.config.Security == StartTLS:
			return &SendError{Reason: "smtp: the server offers no STARTTLS, so nothing is sent"}
		}
	}
	if s.config.Username == "" {
		return nil
	}
	_, mechanisms := client.Extension("AUTH")
	auth := smtp.PlainAuth("", s.config.Username, s.config.Password, s.config.Host)
	if offered := strings.Fields(strings.ToUpper(mechanisms)); !slices.Contains(offered, "PLAIN") && slices.Contains(offered, "LOGIN") {
		auth = &loginAuth{s.config.Username, s.config.Password}
	}
	if err := client.Auth(auth); err != nil {
		// A wrong password is the operator's to mend; the mail is good.
		e := replyError("AUTH", err)
		e.Permanent = false
		return e
	}
	return nil
}

func (s *SMTP) submit(client *smtp.Client, m *Mail, raw []byte) error {
	if err := client.Mail(m.From.Address); err != nil {
		return replyError("MAIL FROM", err)
	}
	if err := client.Rcpt(m.To.Address); err != nil {
		return replyError("RCPT TO", err)
	}
	w, err := client.Data()
	if err != nil {
		return replyError("DATA", err)
	}
	if _, err := w.Write(raw); err != nil {
		return replyError("DATA", err)
	}
	if err := w.Close(); err != nil {
		return replyError("end of DATA", err)
	}
	// The mail is the server's now; how the farewell goes is of no matter.
	_ = client.Quit()
	return nil
}

// replyError says at which step a delivery ended, with the server's codes. The
// words of the reply are left out: servers repeat the address in them. Replies
// of 500 and above are permanent (RFC 5321 §4.2.1).
func replyError(step string, err error) *SendError {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		reason := fmt.Sprintf("smtp: %s: %d", step, reply.Code)
		if code := enhancedCode(reply.Msg); code != "" {
			reason += " " + code
		}
		return &SendError{Reason: reason, Permanent: reply.Code >= 500}
	}
	return &SendError{Reason: "smtp: " + step + ": " + err.Error()}
}

// enhancedCode gives the status code that may begin a reply, such as 5.1.1
// (RFC 2034), or nothing.
func enhancedCode(reply string) string {
	code, _, _ := strings.Cut(reply, " ")
	var class, subject, detail int
	if n, err := fmt.Sscanf(code, "%1d.%3d.%3d", &class, &subject, &detail); n != 3 || err != nil {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", class, subject, detail)
}

// loginAuth is the LOGIN mechanism, which some servers still offer alone.
type loginAuth struct{ username, password string }

// Start implements smtp.Auth. As with PLAIN, the password goes to nobody
// unencrypted but to this machine.
func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !thisMachine(server.Name) {
		return "", nil, errors.New("unencrypted connection")
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (a *loginAuth) Next(prompt []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch strings.ToLower(strings.TrimSuffix(string(prompt), ":")) {
	case "username", "user name":
		return []byte(a.username), nil
	case "password":
		return []byte(a.password), nil
	}
	return nil, errors.New("unexpected prompt")
}
