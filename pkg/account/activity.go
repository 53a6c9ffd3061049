package account

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/id"
)

type activityOutput struct{ Body api.List[audit.Event] }

// ActivityOperation is GET /api/auth/activity.
func ActivityOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-activity", Method: http.MethodGet, Path: "/api/auth/activity", Tag: "Sign-in", Access: api.User,
		Summary: "The signed-in user's own audit events, newest first.",
		Table: []api.Use{
			api.On("AUDIT#USER-*", api.Query),
		},
		Secrets: true, Requests: 14, ReadUnits: 2.5, // a month each, back to the account's first
	}, s.activity)
}

func (s *Service) activity(ctx context.Context, in *api.ListInput) (*activityOutput, error) {
	p, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	query := cursor.Query("activity")
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return nil, err
	}
	events, next, err := s.Audit.List(ctx, audit.UserStream(p.UserID), audit.Filter{From: began(p.UserID)}, in.Limit, audit.Position(after))
	if err != nil {
		return nil, err
	}
	out := &activityOutput{Body: api.List[audit.Event]{Items: events}}
	out.Body.NextCursor, err = s.Cursors.Next(ctx, string(next), query)
	return out, err
}

// began is a moment before a user's first event. Their id tells when it was
// made, so that a young account's list need not look through the months before
// it; a day's slack is for clocks that differ. An id that tells no time gives
// the zero time, and the retention alone bounds the list.
func began(userID string) time.Time {
	made := id.Time(userID)
	if made.IsZero() {
		return made
	}
	return made.Add(-24 * time.Hour)
}
