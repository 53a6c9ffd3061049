package ses

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"github.com/lanyard-auth/lanyard/pkg/mail"
)

// Options tune a Sender.
type Options struct {
	// ConfigurationSet is SES's named set of event destinations; empty for the
	// identity's own.
	ConfigurationSet string
	// Endpoint and Transport replace AWS's, for tests.
	Endpoint  string
	Transport http.RoundTripper
}

// Sender is a mail.Sender over SES. It is safe for concurrent use.
type Sender struct {
	client *sesv2.Client
	set    *string
}

// New makes the sender. It makes no request. The SDK tries once: the outbox has
// its own, longer pauses.
func New(cfg aws.Config, o Options) *Sender {
	s := &Sender{client: sesv2.NewFromConfig(cfg, func(so *sesv2.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = aws.String(o.Endpoint)
		}
		if o.Transport != nil {
			so.HTTPClient = &http.Client{Transport: o.Transport}
		}
		so.Retryer = aws.NopRetryer{}
	})}
	if o.ConfigurationSet != "" {
		s.set = aws.String(o.ConfigurationSet)
	}
	return s
}

// Send implements mail.Sender. The mail goes raw, so that it is byte for byte
// what the other senders send.
func (s *Sender) Send(ctx context.Context, m *mail.Mail) error {
	raw, err := m.MIME()
	if err != nil {
		return &mail.SendError{Reason: err.Error(), Permanent: true}
	}
	_, err = s.client.SendEmail(ctx, &sesv2.SendEmailInput{
		FromEmailAddress:     aws.String(m.From.String()),
		Destination:          &types.Destination{ToAddresses: []string{m.To.Address}},
		Content:              &types.EmailContent{Raw: &types.RawMessage{Data: raw}},
		ConfigurationSetName: s.set,
		EmailTags: []types.MessageTag{
			{Name: aws.String("template"), Value: aws.String(string(m.Template))},
			{Name: aws.String("purpose"), Value: aws.String(string(m.Purpose))},
		},
	})
	return sendError(err)
}

// sendError keeps SES's error code and drops its message, which repeats
// addresses. Permanent is what SES holds against this one mail; what it holds
// against the account or the identity the operator can mend within the hours
// that the outbox tries.
//
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
func sendError(err error) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return &mail.SendError{Reason: "ses: no answer in time"}
		}
		return &mail.SendError{Reason: fmt.Sprintf("ses: not reached: %v", rootCause(err))}
	}
	switch api.ErrorCode() {
	case "MessageRejected", "BadRequestException":
		return &mail.SendError{Reason: "ses: " + api.ErrorCode(), Permanent: true}
	}
	return &mail.SendError{Reason: "ses: " + api.ErrorCode()}
}

// rootCause gives the innermost error: the network's, without the SDK's story
// around it.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
