package mail_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// everything gives all that the store has been sent, as it went over the wire.
func everything(t *testing.T, p *post) *lockedBuffer {
	t.Helper()
	seen := &lockedBuffer{}
	p.store.Transport.Intercept(func(r *http.Request, _ string, next http.RoundTripper) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if _, err := seen.Write(body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return next.RoundTrip(r)
	})
	return seen
}

func TestQueuedMailHoldsNoTokenLinkOrAddress(t *testing.T) {
	p := newPost(t)
	wire := everything(t, p)
	for _, m := range []mail.Message{
		mail.VerifyEmail{Token: secret}, mail.ResetPassword{Token: secret}, mail.ConfirmNewEmail{Token: secret},
		mail.SetPassword{Token: secret}, mail.Invitation{Token: secret, Organization: "Coastal", Role: "viewer", ExpiresAt: start.AddDate(0, 0, 7)},
	} {
		p.queue(t, ann(), m)
	}
	p.out.failWith(&mail.SendError{Reason: "smtp: RCPT TO: 550 5.1.1", Permanent: true})
	p.drain(t) // to the dead letters, which must not hold it either
	if n := len(p.list(t, mail.Dead)); n != 5 {
		t.Fatalf("%d dead mails, want 5", n)
	}
	assertNoSecrets(t, "the table", wire.String())
	assertNoSecrets(t, "the log", p.log.String())
	if !strings.Contains(p.log.String(), "mail given up") {
		t.Error("the log does not tell of the failure")
	}
}

func TestMailExistsOnlyWithItsCause(t *testing.T) {
	p := newPost(t)
	w, err := p.outbox.Enqueue(t.Context(), ann(), mail.PasswordChanged{})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("lost the race")
	err = p.store.Transact(t.Context(), table.Check(table.UserState("x")).IfExists().Else(cause), w)
	if !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
	if n := p.drain(t); n != 0 {
		t.Errorf("met %d mails of a transaction that did not happen", n)
	}
}

func TestEnqueueRefuses(t *testing.T) {
	p := newPost(t)
	for name, c := range map[string]struct {
		to mail.Recipient
		m  mail.Message
	}{
		"line break in the address":    {mail.Recipient{Address: "a@example.org\r\nBcc: b@example.org"}, mail.PasswordChanged{}},
		"name around the address":      {mail.Recipient{Address: "Ann <a@example.org>"}, mail.PasswordChanged{}},
		"two addresses":                {mail.Recipient{Address: "a@example.org,b@example.org"}, mail.PasswordChanged{}},
		"no address":                   {mail.Recipient{}, mail.PasswordChanged{}},
		"too long":                     {mail.Recipient{Address: strings.Repeat("a", 250) + "@example.org"}, mail.PasswordChanged{}},
		"token that leaves its link":   {ann(), mail.VerifyEmail{Token: "../../evil?x=1"}},
		"token with a line break":      {ann(), mail.ResetPassword{Token: "a\nb"}},
		"token of unreasonable length": {ann(), mail.ResetPassword{Token: strings.Repeat("a", 513)}},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := p.outbox.Enqueue(t.Context(), c.to, c.m)
			if err == nil || w != nil {
				t.Fatalf("accepted: %v, %v", w, err)
			}
			assertNoSecrets(t, "the error", err.Error())
		})
	}
}

func TestEnqueueFailsWithoutKeysOrRandomness(t *testing.T) {
	p := newPost(t)
	broken := mail.NewOutbox(p.deps, p.codec, strings.NewReader(""))
	if _, err := broken.Enqueue(t.Context(), ann(), mail.VerifyEmail{Token: secret}); err == nil {
		t.Error("sealed without randomness")
	}
	p.keys.set(nil, token.ErrUnavailable)
	if _, err := p.outbox.Enqueue(t.Context(), ann(), mail.VerifyEmail{Token: secret}); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
