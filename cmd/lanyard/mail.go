package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/mail"
)

type mailCommand struct {
	List   mailListCommand   `cmd:"" help:"List mail that was given up, or that waits."`
	Resend mailResendCommand `cmd:"" help:"Send given-up mail again, with all its attempts."`
}

// mails gives what lists and resends mail; nothing is sent from here.
func (d *deployment) mails() (*mail.Relay, error) {
	return mail.NewRelay(d.Deps, mail.RelayParts{Seal: d.Codec()})
}

type mailListCommand struct {
	where
	output
	acting
	Status string `help:"dead: given up after its attempts; pending: waiting for the next one." enum:"dead,pending" default:"dead"`
	Limit  bound  `help:"At most so many, the newest first." default:"100"`
}

// Help shows examples.
func (mailListCommand) Help() string {
	return `Addresses are shown, links never. A mail is given up after ten attempts, about
three hours, or at once when the server refuses it for good; it is kept two weeks.

  lanyard mail list
  lanyard mail list --status pending --output json`
}

// Run lists.
func (c *mailListCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	relay, err := d.mails()
	if err != nil {
		return err
	}
	if ctx, err = c.actingOrNobody(ctx, d, "mail list"); err != nil {
		return err
	}
	list, err := relay.List(ctx, mail.Filter{Status: mail.Status(c.Status), Limit: int(c.Limit)})
	if err != nil {
		return err
	}
	if err := audit.New(d.Deps).Write(ctx, audit.Event{Type: audit.UsersRead, Details: map[string]string{"read": "mail", "by": "command"}}); err != nil {
		return err
	}
	rows := make([][]string, len(list))
	for i, m := range list {
		rows[i] = []string{m.ID, string(m.Template), m.To, strconv.Itoa(m.Attempts), moment(&m.CreatedAt), moment(&m.NextAttemptAt), moment(&m.EndsAt), m.Failure}
	}
	return c.show(p.out, append([]mail.Entry{}, list...), []string{"ID", "TEMPLATE", "TO", "ATTEMPTS", "QUEUED", "NEXT ATTEMPT", "LINK ENDS", "FAILURE"}, rows)
}

type mailResendCommand struct {
	where
	dryRun
	output
	acting
	because
	ID   []string `arg:"" optional:"" help:"Ids of mails, see mail list."`
	Dead bool     `help:"Every given-up mail whose link has not ended."`
}

// Help shows examples.
func (mailResendCommand) Help() string {
	return `The running server or the mailer function sends it. A mail whose link has ended is
refused: the person asks for a new one.

  lanyard mail resend 01995b2c-8f00-7000-8000-000000000000
  lanyard mail resend --dead --dry-run`
}

// resent is what mail resend says of one mail.
type resent struct {
	ID     string `json:"id"`
	Error  string `json:"error,omitempty"`
	DryRun bool   `json:"dryRun"`
}

// Run resends.
func (c *mailResendCommand) Run(ctx context.Context, p *process) (err error) {
	if (len(c.ID) == 0) != c.Dead {
		return usage{errors.New("mail resend: give ids, or --dead")}
	}
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	relay, err := d.mails()
	if err != nil {
		return err
	}
	if ctx, err = c.actingOrNobody(ctx, d, "mail resend"); err != nil {
		return err
	}
	ids := c.ID
	if c.Dead {
		if ids, err = deadMail(ctx, d, relay); err != nil {
			return err
		}
	}
	log := audit.New(d.Deps)
	said := make([]resent, len(ids))
	rows := make([][]string, len(ids))
	var failed error
	for i, mailID := range ids {
		did := "queued"
		if c.DryRun {
			did, err = "would be queued", relay.RehearseResend(ctx, mailID)
		} else {
			err = resend(ctx, relay, log, mailID, c.Reason)
		}
		said[i] = resent{ID: mailID, DryRun: c.DryRun}
		if err != nil {
			failed, did = err, plain(err)
			said[i].Error = did
		}
		rows[i] = []string{mailID, did}
	}
	return errors.Join(c.show(p.out, said, []string{"ID", "RESULT"}, rows), failed)
}

// resend queues a mail anew, with its event.
func resend(ctx context.Context, relay *mail.Relay, log *audit.Log, mailID, reason string) error {
	writes, err := log.Record(ctx, audit.Event{Type: audit.MailResent, Details: map[string]string{"mail": mailID, "reason": reason, "by": "command"}})
	if err != nil {
		return fmt.Errorf("resend mail: %w", err)
	}
	return relay.Resend(ctx, mailID, writes...)
}

// deadMail gives the ids of every given-up mail that can still be sent.
func deadMail(ctx context.Context, d *deployment, relay *mail.Relay) ([]string, error) {
	var ids []string
	before := ""
	for {
		list, err := relay.List(ctx, mail.Filter{Status: mail.Dead, Before: before})
		if err != nil || len(list) == 0 {
			return ids, err
		}
		for _, m := range list {
			if m.EndsAt.IsZero() || d.Deps.Now().Before(m.EndsAt) {
				ids = append(ids, m.ID)
			}
		}
		before = list[len(list)-1].ID
	}
}
