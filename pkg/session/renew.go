package session

import (
	"context"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

type changePasswordInput struct {
	Body struct {
		CurrentPassword string `json:"currentPassword" maxLength:"4096"`
		NewPassword     string `json:"newPassword" maxLength:"4096"`
	}
}

type changePasswordOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

// ChangePasswordOperation is POST /api/auth/change-password.
func ChangePasswordOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-change-password", Method: http.MethodPost, Path: "/api/auth/change-password", Tag: "Sign-in", Access: api.User,
		Status: http.StatusNoContent, Summary: "Change the password; the user's other sessions end.",
		Description: "A browser that is signed in by cookies goes on with a new session, and its old cookies work no more.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.DeleteItem),
		},
		Cookies: true, Hashes: true, Sends: true, Secrets: true, Requests: 6, ReadUnits: 4, WriteUnits: 33,
		Audit: []string{string(audit.PasswordChanged), string(audit.SignedIn), string(audit.SessionEnded)},
		Event: api.Event{Body: map[string]any{"currentPassword": "correct horse battery staple", "newPassword": "another horse battery staple"}},
	}, func(ctx context.Context, in *changePasswordInput) (*changePasswordOutput, error) {
		if err := s.Accounts.ChangePassword(ctx, in.Body.CurrentPassword, in.Body.NewPassword); err != nil {
			return nil, err
		}
		granted, ok, err := s.renew(ctx)
		if err != nil {
			// The password is changed, and only the session that did it goes on: as
			// it is for clients that hold tokens.
			s.Log.WarnContext(ctx, "session not renewed", "requestId", caller.Of(ctx).RequestID, "error", err.Error())
		}
		out := &changePasswordOutput{}
		if ok {
			out.SetCookie = s.Deliver(granted, ByCookie).SetCookie
		}
		return out, nil
	})
}

// renew replaces the session of a browser whose user has just proved who they
// are, in one transaction: cookies from before, which somebody may have planted
// or copied, are worth nothing afterwards (OWASP ASVS 5.0, 7.2.4). A client that
// holds tokens could not be told of new ones and keeps its session; ok is then
// false.
func (s *Service) renew(ctx context.Context) (granted Granted, ok bool, err error) {
	p, err := principal(ctx)
	if err != nil {
		return Granted{}, false, err
	}
	f, err := s.Tokens.ParseRefresh(ctx, caller.Of(ctx).RefreshCookie)
	if err != nil || f.UserID != p.UserID || f.SessionID != p.SessionID {
		return Granted{}, false, nil // not by cookie
	}
	l, err := s.Accounts.ForSignIn(ctx, p.UserID)
	if err != nil {
		return Granted{}, false, err
	}
	all, err := sessionsOf(p.UserID, l.Others)
	if err != nil {
		return Granted{}, false, err
	}
	was := slices.IndexFunc(all, func(it Item) bool { return it.ID == p.SessionID })
	if was < 0 || !Standing(&all[was], l.State, s.Now()) {
		return Granted{}, false, errGone
	}
	// It makes room by itself.
	key := table.Session(p.UserID, p.SessionID)
	l.Others = slices.DeleteFunc(l.Others, func(r table.Record) bool { return r.Key() == key })
	also, err := s.Audit.Record(ctx, audit.Event{Type: audit.SessionEnded, SubjectID: p.UserID,
		Details: map[string]string{"sessionId": p.SessionID, "reason": "renewed"}})
	if err != nil {
		return Granted{}, false, err
	}
	also = append(also, table.Update(key).Set("revokedAt", table.At(s.Now())).Set("reason", "renewed").
		If("attribute_exists(PK) AND attribute_not_exists(revokedAt)").Else(errGone))
	if granted, err = s.Begin(ctx, l, all[was].AMR, also); err != nil {
		return Granted{}, false, err
	}
	s.SessionsEnded(p.UserID)
	return granted, true, nil
}
