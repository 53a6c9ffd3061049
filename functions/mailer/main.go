// Command mailer works off what requests left to do: it sends the mails of the
// outbox through SES and carries out tasks. The table's stream drives it; a
// schedule calls for a sweep, which does the retries.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/lambdahost"
	"github.com/lanyard-auth/lanyard/pkg/lambdahost/awsenv"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/mail/ses"
	"github.com/lanyard-auth/lanyard/pkg/mail/stream"
)

func main() {
	h, err := handler()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lambda.Start(h.Invoke)
}

func handler() (*stream.Handler, error) {
	a, err := lambdahost.Assemble()
	if err != nil {
		return nil, err
	}
	sender, err := sender(a)
	if err != nil {
		return nil, err
	}
	c := a.Deps.Config
	templates, err := mail.NewTemplates(mail.TemplateConfig{
		Product: c.Mail.Product, PublicURL: c.PublicURL, Language: c.Mail.Language, Dir: c.Mail.Templates,
	})
	if err != nil {
		return nil, err
	}
	relay, err := mail.NewRelay(a.Deps, mail.RelayParts{Seal: a.Codec(), Sender: sender, Templates: templates, Jitter: rand.Float64})
	if err != nil {
		return nil, err
	}
	tasks, err := a.Tasks()
	if err != nil {
		return nil, err
	}
	return &stream.Handler{
		Routes: []stream.Route{
			{Prefix: "OUTBOX#", Due: "nextAttemptAt", Handle: relay.Deliver},
			{Prefix: "TASK#", Due: "notBefore", Handle: tasks.Run},
		},
		// Tasks first: they queue mails.
		Sweep: func(ctx context.Context) error {
			_, first := tasks.Drain(ctx)
			_, second := relay.Drain(ctx)
			return errors.Join(first, second)
		},
		Now: a.Deps.Now, Log: a.Deps.Log,
	}, nil
}

// sender makes the configured sender. The local mailbox is none here: it would
// show every link to whoever reaches the table.
func sender(a *assembly.Assembly) (mail.Sender, error) {
	switch c := a.Deps.Config.Mail; c.Sender {
	case "ses":
		sdk, err := awsenv.Load()
		if err != nil {
			return nil, fmt.Errorf("load AWS configuration: %w", err)
		}
		return ses.New(sdk, ses.Options{}), nil
	case "smtp":
		smtp, err := mail.NewSMTPConfig(c.SMTP)
		if err != nil {
			return nil, err
		}
		return mail.NewSMTP(smtp), nil
	default:
		return nil, fmt.Errorf("LANYARD_MAIL_SENDER: expected ses or smtp on AWS")
	}
}
