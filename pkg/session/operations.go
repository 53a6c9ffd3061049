package session

import (
	"context"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Delivery says how tokens travel.
type Delivery string

// The deliveries: HttpOnly cookies and never a token in a body, or the body.
const (
	ByCookie Delivery = "cookie"
	ByBody   Delivery = "body"
)

// Ends is the session part of an answer: which, and when its tokens end.
type Ends struct {
	ID               string    `json:"id" format:"uuid"`
	ExpiresAt        time.Time `json:"expiresAt" doc:"When the access token ends."`
	RefreshExpiresAt time.Time `json:"refreshExpiresAt" doc:"When the refresh token ends."`
}

// TokenSet is the tokens part of an answer with delivery body.
type TokenSet struct {
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
	TokenType    string `json:"tokenType" enum:"Bearer"`
	ExpiresIn    int    `json:"expiresIn" doc:"Seconds until the access token ends."`
	DeviceToken  string `json:"deviceToken,omitempty" doc:"Send it as deviceToken at later sign-ins, so that failures of others cannot lock this device out."`
}

// Answer is the body of a sign-in or refresh.
type Answer struct {
	User    account.User `json:"user"`
	Session Ends         `json:"session"`
	Tokens  *TokenSet    `json:"tokens,omitempty" doc:"Only with delivery body."`
}

// GrantedOutput is the HTTP form of a granted session.
type GrantedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Answer
}

// Deliver gives the HTTP form of a granted session: cookies, or tokens in the
// body, never both.
func (s *Service) Deliver(g Granted, d Delivery) *GrantedOutput {
	out := &GrantedOutput{Body: Answer{User: g.User, Session: Ends{ID: g.SessionID, ExpiresAt: g.AccessExpires, RefreshExpiresAt: g.RefreshExpires}}}
	if d == ByBody {
		out.Body.Tokens = &TokenSet{
			AccessToken: g.AccessToken, RefreshToken: g.RefreshToken, TokenType: "Bearer",
			ExpiresIn: int(math.Ceil(g.AccessLife.Seconds())), DeviceToken: g.Device,
		}
		return out
	}
	cookies := api.Cookies{Secure: s.Config.Secure()}
	out.SetCookie = []http.Cookie{
		cookies.SetAccess(g.AccessToken, g.AccessLife),
		cookies.SetRefresh(g.RefreshToken, g.RefreshExpires.Sub(s.Now())),
	}
	if g.Device != "" {
		out.SetCookie = append(out.SetCookie, cookies.SetDevice(g.Device, g.DeviceLife))
	}
	return out
}

type loginInput struct {
	Body struct {
		Email       *string  `json:"email,omitempty" maxLength:"254"`
		Username    *string  `json:"username,omitempty" maxLength:"64"`
		Password    string   `json:"password" minLength:"1" maxLength:"4096"`
		Delivery    Delivery `json:"delivery,omitempty" enum:"cookie,body" doc:"How the tokens travel; default cookie."`
		DeviceToken string   `json:"deviceToken,omitempty" maxLength:"1024" doc:"From an earlier sign-in of this client with delivery body."`
	}
}

// LoginAnswer is either a session or what the second factor needs.
type LoginAnswer struct {
	User        *account.User `json:"user,omitempty"`
	Session     *Ends         `json:"session,omitempty"`
	Tokens      *TokenSet     `json:"tokens,omitempty" doc:"Only with delivery body."`
	MFARequired bool          `json:"mfaRequired,omitempty" doc:"A second factor is needed: send mfaToken with a code to mfa/verify."`
	MFAToken    string        `json:"mfaToken,omitempty"`
	Methods     []string      `json:"methods,omitempty" enum:"totp,recovery_code"`
}

type loginOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      LoginAnswer
}

// LoginOperation is POST /api/auth/login.
func LoginOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-login", Method: http.MethodPost, Path: "/api/auth/login", Tag: "Sign-in", Access: api.Public,
		Summary:     "Sign in with an e-mail address or a username.",
		Description: "Wrong, unknown, suspended and unverified all answer the same 401. An unverified account gets a fresh mail.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem, api.DeleteItem),
			api.On("EMAIL#*", api.GetItem),
			api.On("USERNAME#*", api.GetItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Hashes: true, Cookies: true, Secrets: true, Requests: 8, ReadUnits: 2, WriteUnits: 13,
		Audit: []string{string(audit.SignedIn), string(audit.SignInFailed), string(audit.Throttled), string(audit.MFAPending), string(audit.SessionEnded)},
		Event: api.Event{Body: map[string]any{"email": "alice@example.com", "password": "correct horse battery staple"}},
	}, s.login)
}

func (s *Service) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	b := in.Body
	who, err := account.ParseIdentifier(b.Email, b.Username)
	if err != nil {
		return nil, err
	}
	if c := caller.Of(ctx); c.DeviceCookie == "" && b.DeviceToken != "" {
		c.DeviceCookie = b.DeviceToken
	}
	granted, pending, err := s.SignIn(ctx, who, b.Password)
	if err != nil {
		return nil, err
	}
	if pending != nil {
		return &loginOutput{Body: LoginAnswer{MFARequired: true, MFAToken: pending.Token, Methods: pending.Methods}}, nil
	}
	out := s.Deliver(granted, b.Delivery)
	return &loginOutput{SetCookie: out.SetCookie, Body: LoginAnswer{
		User: &out.Body.User, Session: &out.Body.Session, Tokens: out.Body.Tokens}}, nil
}

type refreshInput struct {
	Body *struct {
		RefreshToken string   `json:"refreshToken,omitempty" maxLength:"1024"`
		Delivery     Delivery `json:"delivery,omitempty" enum:"cookie,body" doc:"How the tokens travel; default: as the refresh token came."`
	}
}

// RefreshOperation is POST /api/auth/refresh.
func RefreshOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-refresh", Method: http.MethodPost, Path: "/api/auth/refresh", Tag: "Sign-in", Access: api.Public,
		Summary: "Exchange a refresh token for a new one and a new access token.",
		Description: "The token comes in the body or in the cookie that sign-in set. A token from the cookie is never answered in a body. " +
			"Repeating a refresh within ten seconds from the same client gives the same successor; using an older token ends the session.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Cookies: true, Secrets: true, Requests: 2, ReadUnits: 3, WriteUnits: 6,
		Audit: []string{string(audit.Refreshed), string(audit.RefreshFailed), string(audit.RefreshReuse)},
		Event: api.Event{Body: map[string]any{"refreshToken": "lr1.example", "delivery": "body"}},
	}, s.refresh)
}

func (s *Service) refresh(ctx context.Context, in *refreshInput) (*GrantedOutput, error) {
	raw, came, want := caller.Of(ctx).RefreshCookie, ByCookie, Delivery("")
	if in.Body != nil {
		want = in.Body.Delivery
		// The cookie's own token stays a cookie's, also where the body repeats it.
		if sent := in.Body.RefreshToken; sent != "" && sent != raw {
			raw, came = sent, ByBody
		}
	}
	if raw == "" {
		return nil, errInvalidRefresh
	}
	if err := s.refuseTwoUsers(ctx, raw); err != nil {
		return nil, err
	}
	if want == "" {
		want = came
	}
	if came == ByCookie && want == ByBody {
		return nil, fault.New(fault.CodeInvalidRequest, "A refresh token from a cookie is not answered in a body.")
	}
	granted, err := s.Refresh(ctx, raw)
	if err != nil {
		return nil, err
	}
	return s.Deliver(granted, want), nil
}

// refuseTwoUsers refuses a refresh whose body and cookie are refresh tokens of
// different users, as it is refused everywhere to be two users at once. A stale
// or forged cookie beside a good token says nothing.
func (s *Service) refuseTwoUsers(ctx context.Context, raw string) error {
	cookie := caller.Of(ctx).RefreshCookie
	if cookie == "" || cookie == raw {
		return nil
	}
	sent, err := s.Tokens.ParseRefresh(ctx, raw)
	if err != nil {
		return nil // refused as what it is
	}
	if other, err := s.Tokens.ParseRefresh(ctx, cookie); err == nil && other.UserID != sent.UserID {
		return fault.New(fault.CodeInvalidRequest, "The body and the cookie have refresh tokens of two different users.")
	}
	return nil
}

type logoutInput struct {
	Body *struct {
		RefreshToken string `json:"refreshToken,omitempty" maxLength:"1024"`
	}
}

type clearedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (s *Service) cleared() *clearedOutput {
	return &clearedOutput{SetCookie: api.Cookies{Secure: s.Config.Secure()}.Clear()}
}

// LogoutOperation is POST /api/auth/logout.
func LogoutOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-logout", Method: http.MethodPost, Path: "/api/auth/logout", Tag: "Sign-in", Access: api.Optional,
		Status: http.StatusNoContent, Summary: "End the session; also when it has ended already.",
		Table: []api.Use{
			api.On("USER#*", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Cookies: true, Secrets: true, Requests: 2, ReadUnits: 2, WriteUnits: 7, Audit: []string{string(audit.SignedOut)},
		Event: api.Event{Body: map[string]any{"refreshToken": "lr1.example"}},
	}, func(ctx context.Context, in *logoutInput) (*clearedOutput, error) {
		raw := caller.Of(ctx).RefreshCookie
		if in.Body != nil && in.Body.RefreshToken != "" {
			raw = in.Body.RefreshToken
		}
		return s.cleared(), s.SignOut(ctx, raw)
	})
}

// LogoutAllOperation is POST /api/auth/logout-all.
func LogoutAllOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-logout-all", Method: http.MethodPost, Path: "/api/auth/logout-all", Tag: "Sign-in", Access: api.User,
		Status: http.StatusNoContent, Summary: "End every session of the signed-in user.",
		Table: []api.Use{
			api.On("USER#*", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Cookies: true, Requests: 2, ReadUnits: 2, WriteUnits: 8, Audit: []string{string(audit.SignedOutEverywhere)},
	}, func(ctx context.Context, _ *struct{}) (*clearedOutput, error) {
		return s.cleared(), s.SignOutEverywhere(ctx)
	})
}

// ListOutput is the answer of the session list.
type ListOutput struct{ Body api.List[View] }

// ListOperation is GET /api/auth/sessions.
func ListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-sessions-list", Method: http.MethodGet, Path: "/api/auth/sessions", Tag: "Sign-in", Access: api.User,
		Summary: "List the signed-in user's sessions.",
		Table: []api.Use{
			api.On("USER#*", api.Query),
		},
		Secrets: true, Requests: 2, ReadUnits: 3,
	}, s.list)
}

func (s *Service) list(ctx context.Context, in *api.ListInput) (*ListOutput, error) {
	query := cursor.Query("sessions")
	after, err := s.Accounts.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return nil, err
	}
	views, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	// The session limit bounds the whole list; a page goes on behind the session
	// that the last one ended with, or from the start where that has ended.
	if i := slices.IndexFunc(views, func(v View) bool { return v.ID == after }); i >= 0 {
		views = views[i+1:]
	}
	next := ""
	if len(views) > in.Limit {
		views = views[:in.Limit]
		next = views[in.Limit-1].ID
	}
	out := &ListOutput{Body: api.List[View]{Items: views}}
	out.Body.NextCursor, err = s.Accounts.Cursors.Next(ctx, next, query)
	return out, err
}

type endInput struct {
	SessionID string `path:"sessionId" maxLength:"64"`
}

// EndOperation is DELETE /api/auth/sessions/{sessionId}.
func EndOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-sessions-end", Method: http.MethodDelete, Path: "/api/auth/sessions/{sessionId}", Tag: "Sign-in", Access: api.User,
		Status: http.StatusNoContent, Summary: "End one of the signed-in user's sessions.",
		Table: []api.Use{
			api.On("USER#*", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 2, ReadUnits: 2, WriteUnits: 6, Audit: []string{string(audit.SessionEnded)},
		Event: api.Event{Params: map[string]string{"sessionId": "01900000-0000-7000-8000-000000000001"}},
	}, func(ctx context.Context, in *endInput) (*api.Empty, error) {
		return nil, s.End(ctx, in.SessionID)
	})
}
