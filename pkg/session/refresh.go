package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// errNotCurrent says that a rotation's condition failed; the item tells why.
var errNotCurrent = errors.New("refresh token is not the current one")

// Refresh exchanges a refresh token for its successor and a new access token.
//
// The rotation is one conditional write on the generation, together with its
// audit event; the user and the session are read beside it. A token that was
// used already gets the same successor within the grace window and from the
// same client; otherwise its use is reuse, and the family ends. What is not a
// token of ours is refused before any read.
func (s *Service) Refresh(ctx context.Context, raw string) (Granted, error) {
	f, err := s.Tokens.ParseRefresh(ctx, raw)
	if errors.Is(err, ErrNotOurs) {
		s.Log.InfoContext(ctx, "refresh token refused", "requestId", caller.Of(ctx).RequestID, "reason", "not ours")
		return Granted{}, errInvalidRefresh
	}
	if err != nil {
		return Granted{}, fault.Wrap(fault.CodeUnavailable, err)
	}
	now := s.Now().UTC()
	var was Item
	var rotated error
	var l *account.Loaded
	var it *Item
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		rotated = s.rotate(gctx, f, now, &was)
		if errors.Is(rotated, errNotCurrent) {
			return nil
		}
		return rotated
	})
	g.Go(func() (err error) {
		l, it, err = s.read(gctx, f)
		return err
	})
	if err := g.Wait(); err != nil {
		return Granted{}, fmt.Errorf("refresh: %w", err)
	}
	if rotated != nil {
		if it, err = s.repeat(ctx, f, &was, now); err != nil {
			return Granted{}, err
		}
	}
	if !Standing(it, l.State, now) {
		// A password change moves user and session together; the two reads may
		// have fallen on either side of it.
		if l, it, err = s.read(ctx, f); err != nil {
			return Granted{}, fmt.Errorf("refresh: %w", err)
		}
		if !Standing(it, l.State, now) {
			return Granted{}, s.refuseRefresh(ctx, f, "ended")
		}
	}
	it.ExpiresAt = s.slide(now, it.EndsAt)
	if rotated != nil {
		it.ExpiresAt = min(was.ExpiresAt, was.EndsAt)
	}
	return s.grant(ctx, it, f.Generation+1, l)
}

// rotate moves the family to the next generation if f is the current one.
// Otherwise it fills was, where there is a family, and gives errNotCurrent.
func (s *Service) rotate(ctx context.Context, f Family, now time.Time, was *Item) error {
	c := caller.Of(ctx)
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.Refreshed, ActorID: f.UserID, SubjectID: f.UserID,
		Details: map[string]string{"sessionId": f.SessionID}})
	if err != nil {
		return err
	}
	expires := now.Add(s.Config.Session.Sliding)
	w := table.Update(table.Session(f.UserID, f.SessionID)).
		Set("gen", f.Generation+1).Set("rotatedAt", table.At(now)).Set("client", fingerprint(c)).
		Set("expiresAt", table.At(expires)).Set("ttl", table.TTL(expires)).
		Set("ip", c.SourceIP).Set("ua", c.UserAgent).
		If("gen = ? AND attribute_not_exists(revokedAt) AND expiresAt > ? AND endsAt > ?", f.Generation, table.At(now), table.At(now)).
		Else(errNotCurrent).Old(was)
	return s.Table.Transact(ctx, append(record, w)...)
}

// read gets the user and the session in one request.
func (s *Service) read(ctx context.Context, f Family) (*account.Loaded, *Item, error) {
	key := table.Session(f.UserID, f.SessionID)
	l, others, err := s.Accounts.LoadWith(ctx, f.UserID, key)
	if err != nil {
		return nil, nil, err
	}
	r, ok := others[key]
	if !ok {
		return l, nil, nil
	}
	it := &Item{}
	return l, it, r.Decode(it)
}

// repeat decides about a token that is not the current one: the same client
// repeating itself within the grace window gets the family as it stands,
// anything else is refused, and reuse ends the family.
func (s *Service) repeat(ctx context.Context, f Family, was *Item, now time.Time) (*Item, error) {
	switch {
	case was.ID == "":
		return nil, s.refuseRefresh(ctx, f, "unknown")
	case !was.live(now):
		return nil, s.refuseRefresh(ctx, f, "ended")
	case f.Generation >= was.Generation:
		// Only a store that went back in time could have issued it.
		return nil, s.refuseRefresh(ctx, f, "ahead")
	case f.Generation == was.Generation-1 && now.Sub(was.RotatedAt.Time()) <= s.Config.Session.Grace && was.Client == fingerprint(caller.Of(ctx)):
		return was, nil
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.RefreshReuse, Outcome: audit.Failure, SubjectID: f.UserID,
		Details: map[string]string{"sessionId": f.SessionID}})
	if err != nil {
		return nil, err
	}
	end := table.Update(table.Session(f.UserID, f.SessionID)).
		SetOnce("revokedAt", table.At(now)).SetOnce("reason", "reuse").IfExists().Else(errInvalidRefresh)
	if err := s.Table.Transact(ctx, append(record, end)...); err != nil {
		return nil, fmt.Errorf("end reused family: %w", err)
	}
	s.SessionsEnded(f.UserID)
	return nil, errInvalidRefresh.Because(fault.ReasonReuse)
}

// refuseRefresh records the refusal of an authentic token.
func (s *Service) refuseRefresh(ctx context.Context, f Family, reason string) error {
	err := s.Audit.Write(ctx, audit.Event{Type: audit.RefreshFailed, Outcome: audit.Failure, SubjectID: f.UserID,
		Details: map[string]string{"sessionId": f.SessionID, "reason": reason}})
	if err != nil {
		return err
	}
	return errInvalidRefresh
}
