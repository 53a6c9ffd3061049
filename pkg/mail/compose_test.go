package mail_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/mail"
)

// parsed is a mail as a reader's program understands it.
type parsed struct {
	header  netmail.Header
	subject string
	parts   map[string]string
	order   []string
}

func parse(t testing.TB, raw []byte) parsed {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	p := parsed{header: msg.Header, parts: map[string]string{}}
	if p.subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	r := multipart.NewReader(msg.Body, params["boundary"])
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("encoding %q", part.Header.Get("Content-Transfer-Encoding"))
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err != nil || params["charset"] != "utf-8" {
			t.Errorf("part %q %v: %v", kind, params, err)
		}
		p.parts[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
		p.order = append(p.order, kind)
	}
}

func TestMIMEIsWhatWasMeant(t *testing.T) {
	p := newPost(t)
	for _, lang := range mail.Languages() {
		for _, msg := range messages() {
			m := p.one(t, mail.Recipient{Address: "ann@example.org", Name: "Žofie Müller-Łęcka", Language: lang}, msg)
			raw, err := m.MIME()
			if err != nil {
				t.Fatal(err)
			}
			got := parse(t, raw)
			if got.subject != m.Subject || strings.Join(got.order, " ") != "text/plain text/html" {
				t.Errorf("subject %q, parts %v", got.subject, got.order)
			}
			// Quoted-printable ends a part's last line as the boundary needs it.
			if strings.TrimRight(got.parts["text/plain"], "\n") != strings.TrimRight(m.Text, "\n") ||
				strings.TrimRight(got.parts["text/html"], "\n") != strings.TrimRight(m.HTML, "\n") {
				t.Error("the parts are not what was written")
			}
			to, err := got.header.AddressList("To")
			if err != nil || len(to) != 1 || to[0].Address != "ann@example.org" || to[0].Name != "Žofie Müller-Łęcka" {
				t.Errorf("to %v: %v", to, err)
			}
			from, err := got.header.AddressList("From")
			if err != nil || from[0].Address != "no-reply@example.com" || from[0].Name != "Lanyard" {
				t.Errorf("from %v: %v", from, err)
			}
			if date, err := got.header.Date(); err != nil || !date.Equal(start) {
				t.Errorf("date %v: %v", date, err)
			}
			if id := got.header.Get("Message-Id"); id != m.MessageID() || id != "<"+m.ID+"@example.com>" {
				t.Errorf("message id %q", id)
			}
			if got.header.Get("Auto-Submitted") != "auto-generated" || got.header.Get("Mime-Version") != "1.0" || got.header.Get("Content-Language") != lang {
				t.Errorf("headers %v", got.header)
			}
			for i, line := range bytes.SplitAfter(raw, []byte("\n")) {
				if len(line) > 0 && !bytes.HasSuffix(line, []byte("\r\n")) {
					t.Errorf("line %d does not end in CRLF: %q", i, line)
				}
				if len(line) > 100 {
					t.Errorf("line %d has %d bytes: %q", i, len(line), line)
				}
				for _, c := range line {
					if c > 0x7e {
						t.Fatalf("line %d is not ASCII: %q", i, line)
					}
				}
			}
		}
	}
}

func TestLongSubjectsAreFolded(t *testing.T) {
	m := mail.Mail{
		ID: "1", From: netmail.Address{Address: "a@example.com"}, To: netmail.Address{Address: "b@example.com"},
		Subject: strings.Repeat("Prüfung „Öl“ ", 12), Text: "x", HTML: "y",
	}
	raw, err := m.MIME()
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, raw).subject; got != m.Subject {
		t.Errorf("subject %q", got)
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if len(line) > 90 {
			t.Errorf("line of %d bytes: %s", len(line), line)
		}
	}
}

func TestHeadersCannotBeBrokenOutOf(t *testing.T) {
	good := mail.Mail{ID: "1", From: netmail.Address{Address: "a@example.com"}, To: netmail.Address{Address: "b@example.com"}, Subject: "s", Language: "en"}
	for name, spoil := range map[string]func(*mail.Mail){
		"recipient": func(m *mail.Mail) { m.To.Address = "b@example.com>\r\nBcc: <c@example.com" },
		"sender":    func(m *mail.Mail) { m.From.Address = "a@example.com\nX: y" },
		"language":  func(m *mail.Mail) { m.Language = "en\r\nX: y" },
		"folding":   func(m *mail.Mail) { m.Language = "en\r\n X: y\nZ: y" },
		"id":        func(m *mail.Mail) { m.ID = "1\r\nX: y" },
	} {
		m := good
		spoil(&m)
		raw, err := m.MIME()
		if err != nil {
			continue
		}
		if h := parse(t, raw).header; len(h) != 9 || h.Get("Bcc") != "" || h.Get("X") != "" {
			t.Errorf("%s: became %v", name, h)
		}
	}
	for _, s := range []string{"s\r\nBcc: c@example.com", "s\nX: y", "\r\n\r\nbody"} {
		m := good
		m.Subject = s
		raw, err := m.MIME()
		if err != nil {
			continue
		}
		if h := parse(t, raw).header; h.Get("Bcc") != "" || h.Get("X") != "" || h.Get("To") == "" {
			t.Errorf("subject %q became %v", s, h)
		}
	}
}
