package mail

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"time"
)

// Mail is one mail as a sender gets it: complete, and safe in every part.
type Mail struct {
	ID       string // the same at every attempt
	Template Template
	Purpose  Purpose
	From     netmail.Address
	To       netmail.Address
	Caused   time.Time // when it was queued, the same at every attempt
	Date     time.Time // when this attempt began
	Language string
	Subject  string
	Text     string
	HTML     string
	Links    []string // the links in it, for the local mailbox
}

// MessageID is the Message-ID header's value. It is the same at every attempt,
// so that a mail that was sent twice is recognised as one.
func (m *Mail) MessageID() string {
	_, domain, _ := strings.Cut(m.From.Address, "@")
	return "<" + m.ID + "@" + domain + ">"
}

// errHeader says that something would have broken out of its header.
var errHeader = errors.New("a header of the mail holds a line break")

// MIME gives the mail as it goes over the wire (RFC 5322, RFC 2045–2047):
// multipart/alternative, text before HTML, both UTF-8 in quoted-printable,
// lines ended by CRLF and at most 76 bytes long in the bodies.
func (m *Mail) MIME() ([]byte, error) {
	// "=_" cannot come out of quoted-printable, so no body holds the boundary
	// (RFC 2045 §6.7).
	boundary := "=_" + m.ID
	var b bytes.Buffer
	for _, h := range [][2]string{
		{"From", m.From.String()},
		{"To", m.To.String()},
		{"Subject", encodeSubject(m.Subject)},
		{"Date", m.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"Message-ID", m.MessageID()},
		{"MIME-Version", "1.0"},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: no automatic answer, please
		{"Content-Language", m.Language},
		{"Content-Type", `multipart/alternative; boundary="` + boundary + `"`},
	} {
		if strings.ContainsAny(strings.ReplaceAll(h[1], "\r\n ", ""), "\r\n\x00") {
			return nil, fmt.Errorf("compose mail: %w", errHeader)
		}
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	for _, part := range [][2]string{{"text/plain", m.Text}, {"text/html", m.HTML}} {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", boundary, part[0])
		q := quotedprintable.NewWriter(&b)
		if _, err := q.Write([]byte(part[1])); err != nil {
			return nil, fmt.Errorf("compose mail: %w", err)
		}
		if err := q.Close(); err != nil {
			return nil, fmt.Errorf("compose mail: %w", err)
		}
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes(), nil
}

// encodeSubject encodes what is not ASCII (RFC 2047) and folds between the
// encoded words, as lines of a header may not grow without bound (RFC 5322 §2.1.1).
func encodeSubject(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}
