package stream_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/mail/ses"
	"github.com/lanyard-auth/lanyard/pkg/mail/stream"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// sesAnswers stands in SES's place, at the HTTP transport.
type sesAnswers struct{ bodies []string }

func (s *sesAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	s.bodies = append(s.bodies, string(b))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`))}, err
}

// TestOutboxToSES takes an item as it was written, makes of it the record that
// the table's stream would bring, and follows it through the function.
func TestOutboxToSES(t *testing.T) {
	store := dynamotest.New(t)
	ring, err := token.NewRing(token.ES256, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	codec := token.NewCodec(token.Static(ring), clock)
	deps := service.Deps{Table: store.Table, Now: clock, Log: slog.New(slog.DiscardHandler), Config: config.Config{
		Account: config.Account{VerifyTTL: time.Hour}, Mail: config.Mail{From: "no-reply@example.com"},
	}}
	templates, err := mail.NewTemplates(mail.TemplateConfig{Product: "Lanyard", PublicURL: "https://auth.example.com", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	service := &sesAnswers{}
	relay, err := mail.NewRelay(deps, mail.RelayParts{
		Seal: codec, Sender: ses.New(dynamotest.Config(), ses.Options{Endpoint: "https://ses.test", Transport: service}),
		Templates: templates, Jitter: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}

	var image json.RawMessage
	store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(string(raw)))
		if op == "TransactWriteItems" {
			var in struct {
				TransactItems []struct {
					Put struct{ Item json.RawMessage }
				}
			}
			if err := json.Unmarshal(raw, &in); err != nil {
				return nil, err
			}
			image = in.TransactItems[0].Put.Item
		}
		return next.RoundTrip(r)
	})
	w, err := mail.NewOutbox(deps, codec, rand.Reader).Enqueue(t.Context(), mail.Recipient{Address: "ann@example.org"}, mail.VerifyEmail{Token: "tok"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Transact(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	store.Transport.Intercept(nil)
	var keys struct{ PK, SK json.RawMessage }
	if err := json.Unmarshal(image, &keys); err != nil {
		t.Fatal(err)
	}

	h := stream.Handler{
		Routes: []stream.Route{{Prefix: "OUTBOX#", Due: "nextAttemptAt", Handle: relay.Deliver}},
		Sweep:  func(ctx context.Context) error { _, err := relay.Drain(ctx); return err },
		Now:    clock, Log: deps.Log,
	}
	event := json.RawMessage(`{"Records":[` + rec("INSERT", string(keys.PK), string(keys.SK), "7", string(image)) + `]}`)
	for range 2 { // streams deliver at least once
		answer, err := h.Invoke(t.Context(), event)
		if err != nil || len(answer.BatchItemFailures) != 0 {
			t.Fatal(answer, err)
		}
	}
	if _, err := h.Invoke(t.Context(), json.RawMessage(`{"source":"aws.scheduler"}`)); err != nil {
		t.Fatal(err)
	}
	if len(service.bodies) != 1 || !strings.Contains(service.bodies[0], "ann@example.org") {
		t.Errorf("SES was asked %d times: %v", len(service.bodies), service.bodies)
	}
}
