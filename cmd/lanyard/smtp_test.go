package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/lanyard-auth/lanyard/internal/doctor"
)

// inbox is a mail server on this machine that keeps what it gets.
type inbox struct{ got chan string }

func (b inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &delivery{box: b}, nil }

type delivery struct {
	box inbox
	to  string
}

func (d *delivery) Reset()                                    { d.to = "" }
func (d *delivery) Logout() error                             { return nil }
func (d *delivery) Mail(string, *smtp.MailOptions) error      { return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error { d.to = to; return nil }
func (d *delivery) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err == nil {
		d.box.got <- d.to + "\n" + string(raw)
	}
	return err
}

func TestServeSendsItsMailBySMTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := inbox{make(chan string, 10)}
	server := smtp.NewServer(box)
	server.Domain = "localhost"
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() { _ = server.Close(); <-served }()
	env := []string{"LANYARD_MAIL_SENDER=smtp", "LANYARD_SMTP_URL=smtp://" + l.Addr().String(), "LANYARD_MAIL_FROM=Harbour <no-reply@harbour.example>"}
	dir := withAdmin(t)
	s := serve(t, &serveCommand{Data: dir}, env...)

	if got := examined(t, env, exitDone, "", "--data", dir); got["mail server"].Result != doctor.OK {
		t.Errorf("found %+v", got["mail server"])
	}
	res, err := http.Post(s.url+"/api/auth/register", "application/json",
		strings.NewReader(`{"email":"grace@example.com","password":"a quiet harbour at dawn","profile":{"firstName":"Grace","language":"de"}}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	select {
	case m := <-box.got:
		for _, want := range []string{"grace@example.com\n", "From: \"Harbour\" <no-reply@harbour.example>", "Content-Type: multipart/alternative", "/verify-email/"} {
			if !strings.Contains(strings.ReplaceAll(m, "=\r\n", ""), want) {
				t.Errorf("no %q in\n%s", want, m)
			}
		}
	case <-t.Context().Done():
		t.Fatal("no mail came")
	}
	// Nobody can read it here.
	if status, _ := get(t, http.DefaultClient, s.url+"/dev/mail"); status != http.StatusNotFound {
		t.Errorf("the mailbox answers %d", status)
	}
}
