package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// errGone says that there is no live session to end.
var errGone = errors.New("session has ended")

// SignOut ends the session of a refresh token of any generation or, without
// one, the session of the access token. Neither is no error: whoever signs out
// is out.
func (s *Service) SignOut(ctx context.Context, refresh string) error {
	var userID, sessionID string
	f, err := s.Tokens.ParseRefresh(ctx, refresh)
	if err != nil && !errors.Is(err, ErrNotOurs) {
		return fault.Wrap(fault.CodeUnavailable, err)
	}
	if err == nil {
		userID, sessionID = f.UserID, f.SessionID
	} else if p := caller.Of(ctx).Principal; p != nil {
		userID, sessionID = p.UserID, p.SessionID
	} else {
		return nil
	}
	if err := s.end(ctx, userID, sessionID, audit.SignedOut); !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// end revokes one session; errGone when it was not live.
func (s *Service) end(ctx context.Context, userID, sessionID string, event audit.Type) error {
	record, err := s.Audit.Record(ctx, audit.Event{Type: event, ActorID: userID, SubjectID: userID,
		Details: map[string]string{"sessionId": sessionID}})
	if err != nil {
		return err
	}
	w := table.Update(table.Session(userID, sessionID)).
		Set("revokedAt", table.At(s.Now())).Set("reason", string(event)).
		If("attribute_exists(PK) AND attribute_not_exists(revokedAt)").Else(errGone)
	if err := s.Table.Transact(ctx, append(record, w)...); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	s.SessionsEnded(userID)
	return nil
}

// SignOutEverywhere ends every session of the signed-in user: one write.
func (s *Service) SignOutEverywhere(ctx context.Context) error {
	p, err := principal(ctx)
	if err != nil {
		return err
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.SignedOutEverywhere, SubjectID: p.UserID})
	if err != nil {
		return err
	}
	w := table.Update(table.UserState(p.UserID)).Add("epoch", 1).IfExists()
	if err := s.Table.Transact(ctx, append(record, w)...); err != nil {
		return fmt.Errorf("end every session: %w", err)
	}
	s.SessionsEnded(p.UserID)
	return nil
}

// View is a session as its user sees it.
type View struct {
	ID         string    `json:"id" format:"uuid"`
	CreatedAt  time.Time `json:"createdAt"`
	LastUsedAt time.Time `json:"lastUsedAt"`
	IP         string    `json:"ip"`
	UserAgent  string    `json:"userAgent"`
	Current    bool      `json:"current" doc:"This request's own session."`
}

// List gives the signed-in user's live sessions, the last used first. The
// session limit bounds them.
func (s *Service) List(ctx context.Context) ([]View, error) {
	p, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	l, err := s.Accounts.ForSignIn(ctx, p.UserID)
	if err != nil {
		return nil, err
	}
	items, err := sessionsOf(p.UserID, l.Others)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	views := []View{}
	for _, it := range items {
		if Standing(&it, l.State, now) {
			views = append(views, View{
				ID: it.ID, CreatedAt: it.CreatedAt.Time(), LastUsedAt: it.RotatedAt.Time(),
				IP: it.IP, UserAgent: it.UserAgent, Current: it.ID == p.SessionID,
			})
		}
	}
	slices.SortFunc(views, func(a, b View) int { return b.LastUsedAt.Compare(a.LastUsedAt) })
	return views, nil
}

// End ends one of the signed-in user's sessions. One that is not theirs, or
// not live, is not found.
func (s *Service) End(ctx context.Context, sessionID string) error {
	p, err := principal(ctx)
	if err != nil {
		return err
	}
	if !id.Valid(sessionID) {
		return errNotFound
	}
	err = s.end(ctx, p.UserID, sessionID, audit.SessionEnded)
	if errors.Is(err, errGone) {
		return errNotFound
	}
	return err
}
