package session

import (
	"context"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Claims are the facts of an access token.
type Claims struct {
	UserID    string
	SessionID string
	Username  string
	Role      string
	AMR       []string
	AuthTime  time.Time
}

// Family is what a refresh token says: whose, which session, which generation.
type Family struct {
	UserID     string
	SessionID  string
	Generation int64
}

// Tokens makes and reads tokens.
//
// AccessToken signs claims and gives the token and its end. RefreshToken
// encodes a family's generation; equal input gives an equal token while the
// keys stand. ParseRefresh authenticates a token without any read: ErrNotOurs
// means that it is none of ours, any other error that nothing was decided.
type Tokens interface {
	AccessToken(ctx context.Context, c Claims) (string, time.Time, error)
	RefreshToken(ctx context.Context, f Family) (string, error)
	ParseRefresh(ctx context.Context, raw string) (Family, error)
}

// Reservation is an attempt that was counted before its outcome is looked at.
type Reservation struct {
	Forget []*table.Write // for the transaction of a success
	Last   bool           // uses a limit of the account up: should it fail, its owner is told
}

// ErrNotOurs says that a refresh token was not made here.
var ErrNotOurs = errors.New("not a refresh token of ours")

// Guard counts sign-in attempts. Reserve fails with too_many_requests when the
// attempt may not be evaluated; account is a user's id, or an identifier that
// nobody has. NewDevice gives the token by which this client is known to a user
// later, and its life.
type Guard interface {
	Reserve(ctx context.Context, account string) (Reservation, error)
	NewDevice(ctx context.Context, userID string) (string, time.Duration, error)
}

// SecondFactor takes over a sign-in whose password was right, for users with
// one. Begin gives the pending token, its methods, and the writes that record it.
type SecondFactor interface {
	Begin(ctx context.Context, l *account.Loaded) (Pending, []*table.Write, error)
}

// Pending is a sign-in that waits for its second factor.
type Pending struct {
	Token   string
	Methods []string
}

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Accounts     *account.Service
	Audit        *audit.Log
	Tokens       Tokens
	Guard        Guard
	SecondFactor SecondFactor // nil: nobody can have one
}

// Service is the session service.
type Service struct {
	service.Deps
	Parts
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

// Granted is a session with its tokens, as sign-in and refresh give them.
type Granted struct {
	User           account.User
	SessionID      string
	AccessToken    string
	AccessExpires  time.Time
	AccessLife     time.Duration // of AccessToken, new as it is (RFC 6749 section 5.1, expires_in)
	RefreshToken   string
	RefreshExpires time.Time
	Device         string        // token by which the client is known later; "" unless new
	DeviceLife     time.Duration // of Device
}

var (
	errInvalidCredentials = fault.New(fault.CodeInvalidCredentials, fault.CodeInvalidCredentials.Meaning())
	errInvalidRefresh     = fault.New(fault.CodeInvalidRefresh, fault.CodeInvalidRefresh.Meaning())
	errNotFound           = fault.New(fault.CodeNotFound, fault.CodeNotFound.Meaning())
)

// principal gives the signed-in user of a request, or fails closed.
func principal(ctx context.Context) (*caller.Principal, error) {
	c, ok := caller.From(ctx)
	if !ok || c.Principal == nil {
		return nil, fault.New(fault.CodeUnauthenticated, fault.CodeUnauthenticated.Meaning())
	}
	return c.Principal, nil
}

// grant makes the tokens of a family's generation.
func (s *Service) grant(ctx context.Context, it *Item, generation int64, l *account.Loaded) (Granted, error) {
	st := l.State
	access, accessExpires, err := s.Tokens.AccessToken(ctx, Claims{
		UserID: st.ID, SessionID: it.ID, Username: st.Username, Role: string(st.Role),
		AMR: it.AMR, AuthTime: it.AuthTime.Time(),
	})
	if err != nil {
		return Granted{}, fault.Wrap(fault.CodeUnavailable, err)
	}
	refresh, err := s.Tokens.RefreshToken(ctx, Family{UserID: st.ID, SessionID: it.ID, Generation: generation})
	if err != nil {
		return Granted{}, fault.Wrap(fault.CodeUnavailable, err)
	}
	return Granted{
		User: s.Accounts.Merge(ctx, l), SessionID: it.ID, AccessToken: access, AccessExpires: accessExpires, AccessLife: s.Config.Token.TTL,
		RefreshToken: refresh, RefreshExpires: it.ExpiresAt.Time(),
	}, nil
}
