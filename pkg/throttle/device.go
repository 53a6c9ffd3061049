package throttle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Tickets makes and reads signed statements about a user; *token.Codec does. A
// ticket that is not one of ours is an error of package token;
// token.ErrUnavailable says that nothing could be decided.
type Tickets interface {
	EncodeTicket(ctx context.Context, t token.Ticket) (string, error)
	ParseTicket(ctx context.Context, p token.Purpose, raw string) (token.Ticket, error)
}

// A device token is up to maxTickets tickets, the newest first, so that people
// who share a browser stay known in it.
const (
	maxTickets      = 4
	ticketSeparator = "."
	deviceLife      = 180 * 24 * time.Hour
)

// device gives the id under which the request's client is known to an account,
// "" for an unknown client.
func (l *Limiter) device(ctx context.Context, account string) (string, error) {
	raw := caller.Of(ctx).DeviceCookie
	if raw == "" || l.Tickets == nil || !id.Valid(account) {
		return "", nil
	}
	mine, _, err := l.readDevice(ctx, raw, account)
	return mine, err
}

// knownDevice reports whether a device token is anybody's at all: such a client
// is not turned away for what others at its address did. The tokens that its
// request carries are checked all the same.
func (l *Limiter) knownDevice(ctx context.Context, raw string) bool {
	if raw == "" || l.Tickets == nil {
		return false
	}
	mine, others, err := l.readDevice(ctx, raw, "")
	return err == nil && (mine != "" || len(others) > 0)
}

// readDevice splits a device token into the ticket of one account and the
// tickets of others that are good.
func (l *Limiter) readDevice(ctx context.Context, raw, account string) (mine string, others []string, err error) {
	parts := strings.SplitN(raw, ticketSeparator, maxTickets+1)
	for _, part := range parts[:min(len(parts), maxTickets)] {
		t, err := l.Tickets.ParseTicket(ctx, token.PurposeDevice, part)
		switch {
		case errors.Is(err, token.ErrUnavailable):
			return "", nil, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("read device token: %w", err))
		case err != nil: // forged, or too old: an unknown client
		case t.UserID == account && mine == "":
			mine = t.ID
		case t.UserID != account:
			others = append(others, part)
		}
	}
	return mine, others, nil
}

// NewDevice gives the token by which this client is known to the account at
// later sign-ins, and its life. A client that is known already keeps its id.
func (l *Limiter) NewDevice(ctx context.Context, userID string) (string, time.Duration, error) {
	if l.Tickets == nil {
		return "", 0, nil
	}
	mine, others, err := l.readDevice(ctx, caller.Of(ctx).DeviceCookie, userID)
	if err != nil {
		return "", 0, err
	}
	if mine == "" {
		if mine, err = id.New(); err != nil {
			return "", 0, err
		}
	}
	now := l.now()
	raw, err := l.Tickets.EncodeTicket(ctx, token.Ticket{
		Purpose: token.PurposeDevice, UserID: userID, ID: mine, IssuedAt: now, ExpiresAt: now.Add(deviceLife),
	})
	if err != nil {
		return "", 0, fmt.Errorf("make device token: %w", err)
	}
	tickets := append([]string{raw}, others...)
	return strings.Join(tickets[:min(len(tickets), maxTickets)], ticketSeparator), deviceLife, nil
}
