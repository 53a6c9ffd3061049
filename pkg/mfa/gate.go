package mfa

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// pendingLife is how long a sign-in waits for its second factor.
const pendingLife = 10 * time.Minute

// The methods by which a pending sign-in can be completed.
const (
	MethodTOTP     = "totp"
	MethodRecovery = "recovery_code"
)

// Tickets makes and reads signed statements about a user; *token.Codec does.
type Tickets interface {
	EncodeTicket(ctx context.Context, t token.Ticket) (string, error)
	ParseTicket(ctx context.Context, p token.Purpose, raw string) (token.Ticket, error)
}

// Gate hands out pending tokens: it is the session service's SecondFactor.
// Nothing is written for one: it is a signed ticket whose id carries the
// user's epoch, and using it leaves a mark.
type Gate struct {
	Tickets Tickets
	Now     func() time.Time
	Rand    io.Reader
}

// Begin implements session.SecondFactor.
func (g *Gate) Begin(ctx context.Context, l *account.Loaded) (session.Pending, []*table.Write, error) {
	pendingID, err := newPendingID(l.State.Epoch, g.Rand)
	if err != nil {
		return session.Pending{}, nil, err
	}
	now := g.Now()
	raw, err := g.Tickets.EncodeTicket(ctx, token.Ticket{
		Purpose: token.PurposeMFAPending, UserID: l.State.ID, ID: pendingID, IssuedAt: now, ExpiresAt: now.Add(pendingLife),
	})
	if err != nil {
		return session.Pending{}, nil, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("make pending token: %w", err))
	}
	return session.Pending{Token: raw, Methods: []string{MethodTOTP, MethodRecovery}}, nil, nil
}

// errPending answers every pending token that does not work: forged, too old,
// used, or overtaken by a new password.
var errPending = fault.New(fault.CodeMFAInvalid, "This sign-in has ended. Begin again with your password.")

// newPendingID makes the id of a pending sign-in: a UUIDv8 (RFC 9562 §5.8) of
// the user's epoch, 48 bits, and 74 random ones.
func newPendingID(epoch int64, rand io.Reader) (string, error) {
	var u uuid.UUID
	if _, err := io.ReadFull(rand, u[:]); err != nil {
		return "", fmt.Errorf("make pending sign-in: %w", err)
	}
	var e [8]byte
	binary.BigEndian.PutUint64(e[:], uint64(epoch))
	copy(u[:6], e[2:])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String(), nil
}

// epochOf reads the epoch back out of a pending sign-in's id.
func epochOf(pendingID string) int64 {
	u, err := uuid.Parse(pendingID)
	if err != nil {
		return -1
	}
	var e [8]byte
	copy(e[2:], u[:6])
	return int64(binary.BigEndian.Uint64(e[:]))
}

// parse reads a pending token.
func (g *Gate) parse(ctx context.Context, raw string) (token.Ticket, error) {
	t, err := g.Tickets.ParseTicket(ctx, token.PurposeMFAPending, raw)
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return token.Ticket{}, fault.Wrap(fault.CodeUnavailable, fmt.Errorf("read pending token: %w", err))
	case err != nil:
		return token.Ticket{}, errors.Join(errPending, err)
	}
	return t, nil
}

// usedItem marks a pending sign-in as completed, for as long as its token lives.
type usedItem struct {
	table.Key
	TTL int64 `dynamo:"ttl"`
}

// use gives the write that completes a pending sign-in, once.
func use(t token.Ticket) *table.Write {
	sum := sha256.Sum256([]byte(t.ID))
	return table.Create(usedItem{Key: table.OneTime(hex.EncodeToString(sum[:])), TTL: table.TTL(t.ExpiresAt)}).Else(errPending)
}
