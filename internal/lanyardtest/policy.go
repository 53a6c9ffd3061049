package lanyardtest

import (
	"context"
	"sync/atomic"

	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/standing"
)

// checkedByAuthorizer lets the authorizer read in its own name.
type checkedByAuthorizer struct{ *standing.Checker }

// Check implements authorizer.Sessions.
func (c checkedByAuthorizer) Check(ctx context.Context, userID, sessionID string) (standing.Finding, error) {
	return c.Checker.Check(policytest.As(ctx, policytest.Authorizer), userID, sessionID)
}

var _ authorizer.Sessions = checkedByAuthorizer{}

// delivered hands mails on outside of the mailer: SES keeps them elsewhere.
type delivered struct {
	mail.Sender
	fails *atomic.Pointer[mail.SendError]
	count *atomic.Int64
}

// Send implements mail.Sender.
func (d delivered) Send(ctx context.Context, m *mail.Mail) error {
	if err := d.fails.Load(); err != nil {
		return err
	}
	d.count.Add(1)
	return d.Sender.Send(policytest.As(ctx, ""), m)
}

// RefuseMail has the sending service refuse every mail, nil none.
func (w *World) RefuseMail(err *mail.SendError) { w.refusal.Store(err) }

// Sent gives how many mails were handed on so far.
func (w *World) Sent() int { return int(w.sent.Load()) }
