package ses_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/mail/ses"
)

// service answers in SES's place, at the HTTP transport.
type service func(*http.Request) (*http.Response, error)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answer(status int, kind, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if kind != "" {
		h.Set("X-Amzn-Errortype", kind)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func sender(s service, set string) *ses.Sender {
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	return ses.New(cfg, ses.Options{Transport: s, Endpoint: "https://ses.test", ConfigurationSet: set})
}

func letter() *mail.Mail {
	return &mail.Mail{
		ID: "018f0000-0000-7000-8000-000000000001", Template: mail.TemplateVerifyEmail, Purpose: mail.PurposeAccount,
		From: netmail.Address{Name: "Küste", Address: "no-reply@example.com"}, To: netmail.Address{Name: "Ann", Address: "ann@example.org"},
		Date: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Language: "en", Subject: "Confirm", Text: "t", HTML: "<p>h</p>",
	}
}

func TestMailGoesOutRaw(t *testing.T) {
	var got struct {
		FromEmailAddress     string
		ConfigurationSetName string
		Destination          struct{ ToAddresses []string }
		Content              struct{ Raw struct{ Data []byte } }
		EmailTags            []struct{ Name, Value string }
	}
	calls := 0
	s := sender(func(r *http.Request) (*http.Response, error) {
		calls++
		if r.Method != http.MethodPost || r.URL.Path != "/v2/email/outbound-emails" || !strings.Contains(r.Header.Get("Authorization"), "/ses/") {
			t.Errorf("%s %s, %s", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		return answer(http.StatusOK, "", `{"MessageId":"1"}`), nil
	}, "events")
	m := letter()
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	raw, err := m.MIME()
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 || string(got.Content.Raw.Data) != string(raw) || got.FromEmailAddress != m.From.String() ||
		len(got.Destination.ToAddresses) != 1 || got.Destination.ToAddresses[0] != "ann@example.org" || got.ConfigurationSetName != "events" {
		t.Errorf("%d calls, sent %+v", calls, got)
	}
	tags := map[string]string{}
	for _, tag := range got.EmailTags {
		tags[tag.Name] = tag.Value
	}
	if tags["template"] != "verify-email" || tags["purpose"] != "account" {
		t.Errorf("tags %v", tags)
	}
}

func TestFailuresSayWhetherToTryAgainAndNameNobody(t *testing.T) {
	const body = `{"message":"Email address is not verified: ann@example.org"}`
	for _, c := range []struct {
		name      string
		service   service
		want      string
		permanent bool
	}{
		{"rejected", func(*http.Request) (*http.Response, error) { return answer(400, "MessageRejected", body), nil }, "ses: MessageRejected", true},
		{"bad request", func(*http.Request) (*http.Response, error) { return answer(400, "BadRequestException", body), nil }, "ses: BadRequestException", true},
		{"throttled", func(*http.Request) (*http.Response, error) { return answer(429, "TooManyRequestsException", body), nil }, "ses: TooManyRequestsException", false},
		{"paused", func(*http.Request) (*http.Response, error) { return answer(400, "SendingPausedException", body), nil }, "ses: SendingPausedException", false},
		{"domain not verified", func(*http.Request) (*http.Response, error) {
			return answer(400, "MailFromDomainNotVerifiedException", body), nil
		}, "ses: MailFromDomainNotVerifiedException", false},
		{"not permitted", func(*http.Request) (*http.Response, error) { return answer(403, "AccessDeniedException", body), nil }, "ses: AccessDeniedException", false},
		{"broken", func(*http.Request) (*http.Response, error) { return answer(500, "", `oops ann@example.org`), nil }, "ses: ", false},
		{"unreachable", func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }, "ses: not reached: connection refused", false},
		{"late", func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, "ses: no answer in time", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			err := sender(func(r *http.Request) (*http.Response, error) { calls++; return c.service(r) }, "").Send(t.Context(), letter())
			var se *mail.SendError
			if !errors.As(err, &se) || !strings.HasPrefix(se.Reason, c.want) || se.Permanent != c.permanent {
				t.Fatalf("got %v (%+v)", err, se)
			}
			if strings.Contains(err.Error(), "ann@") {
				t.Errorf("names the recipient: %v", err)
			}
			if calls != 1 {
				t.Errorf("%d calls; the outbox does the retrying", calls)
			}
		})
	}
}

func TestMailThatCannotBeComposedIsNotSent(t *testing.T) {
	m := letter()
	m.Language = "en\r\nX: y"
	err := sender(func(*http.Request) (*http.Response, error) {
		t.Error("called")
		return nil, errors.New("no")
	}, "").Send(t.Context(), m)
	var se *mail.SendError
	if !errors.As(err, &se) || !se.Permanent {
		t.Errorf("got %v", err)
	}
}
