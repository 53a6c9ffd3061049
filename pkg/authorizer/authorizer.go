// Package authorizer is the Lambda authorizer of the HTTP API: payload format
// 2.0, simple responses, result cache off. The local server runs the same
// function in front of every route that is not public.
//
// A token that is forged, malformed or not meant for this API is refused here.
// One that is absent, expired or revoked is let through with the reason in the
// context, because only the route behind can answer a proper 401 problem; a
// route refuses every request without a principal.
//
// It must not know the routes, and decides nothing about permissions.
package authorizer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Verifier checks an access token; its errors are those of package token.
type Verifier interface {
	Verify(ctx context.Context, raw string) (token.Claims, error)
}

// Sessions says whether a session is still good.
type Sessions interface {
	Check(ctx context.Context, userID, sessionID string) (standing.Finding, error)
}

// Authorizer decides who is asking. Sessions nil trusts the token alone until
// it expires.
type Authorizer struct {
	Verifier Verifier
	Sessions Sessions
	Cookie   string // name of the access-token cookie
}

// The names in the response's context. Values are scalars: nothing else
// reaches an integration.
const (
	ctxUserID   = "userId"
	ctxSession  = "sessionId"
	ctxUsername = "username"
	ctxRole     = "role"
	ctxAMR      = "amr" // separated by spaces
	ctxAuthTime = "authTime"
	ctxTokenID  = "tokenId"
	ctxExpires  = "expiresAt"
	ctxDenial   = "denial"
)

// Authorize handles one event. An error makes API Gateway answer 500: it means
// that nothing could be decided.
func (a *Authorizer) Authorize(ctx context.Context, e events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
	bearer, cookie, err := a.credentials(e)
	if errors.Is(err, errTwice) {
		return pass(caller.Conflicting), nil
	}
	if err != nil {
		return refuse(), nil
	}
	raw := bearer
	if raw == "" {
		raw = cookie
	}
	if raw == "" {
		return pass(caller.NotClaimed), nil
	}
	claims, err := a.Verifier.Verify(ctx, raw)
	switch {
	case errors.Is(err, token.ErrExpired):
		return pass(caller.Expired), nil
	case errors.Is(err, token.ErrMalformed), errors.Is(err, token.ErrForged), errors.Is(err, token.ErrClaims):
		return refuse(), nil
	case err != nil:
		return refuse(), fmt.Errorf("verify access token: %w", err)
	}
	if bearer != "" && cookie != "" {
		if other, err := a.Verifier.Verify(ctx, cookie); err == nil && other.UserID != claims.UserID {
			return pass(caller.Conflicting), nil
		}
	}
	role := claims.Role
	if a.Sessions != nil {
		f, err := a.Sessions.Check(ctx, claims.UserID, claims.SessionID)
		if err != nil {
			return refuse(), fmt.Errorf("check session: %w", err)
		}
		if !f.Good {
			return pass(caller.Revoked), nil
		}
		role = f.Role
	}
	return events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: map[string]any{
		ctxUserID: claims.UserID, ctxSession: claims.SessionID, ctxUsername: claims.Username, ctxRole: role,
		ctxAMR: strings.Join(claims.AMR, " "), ctxAuthTime: strconv.FormatInt(claims.AuthTime.Unix(), 10),
		ctxTokenID: claims.TokenID, ctxExpires: strconv.FormatInt(claims.ExpiresAt.Unix(), 10),
	}}, nil
}

func refuse() events.APIGatewayV2CustomAuthorizerSimpleResponse {
	return events.APIGatewayV2CustomAuthorizerSimpleResponse{Context: map[string]any{}}
}

func pass(d caller.Denial) events.APIGatewayV2CustomAuthorizerSimpleResponse {
	return events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: true, Context: map[string]any{ctxDenial: string(d)}}
}

var (
	errTwice  = errors.New("two different credentials of one kind")
	errScheme = errors.New("not a bearer credential")
)

// credentials finds the token in the Authorization header and in the cookie.
// The query string is never looked at (RFC 6750 §2.3 warns of it).
func (a *Authorizer) credentials(e events.APIGatewayV2CustomAuthorizerV2Request) (bearer, cookie string, err error) {
	var cookieLines []string
	cookieLines = append(cookieLines, e.Cookies...)
	seen := false
	for name, value := range e.Headers { // local emulators keep the client's case
		switch {
		case strings.EqualFold(name, "authorization"):
			if seen {
				return "", "", errTwice
			}
			seen = true
			if bearer, err = parseBearer(value); err != nil {
				return "", "", err
			}
		case strings.EqualFold(name, "cookie") && len(e.Cookies) == 0:
			cookieLines = append(cookieLines, value)
		}
	}
	header := http.Header{"Cookie": {strings.Join(cookieLines, "; ")}}
	for i, c := range (&http.Request{Header: header}).CookiesNamed(a.Cookie) {
		if i > 0 && cookie != c.Value {
			return "", "", errTwice
		}
		cookie = c.Value
	}
	return bearer, cookie, nil
}

// parseBearer reads "Bearer <token>" (RFC 6750 §2.1); the scheme's case does
// not matter (RFC 9110 §11.1). Several Authorization headers arrive joined by
// a comma, which no token contains.
func parseBearer(value string) (string, error) {
	scheme, rest, found := strings.Cut(value, " ")
	if !found || !strings.EqualFold(scheme, "bearer") {
		return "", errScheme
	}
	raw := strings.TrimLeft(rest, " ")
	if strings.Contains(raw, ",") {
		return "", errTwice
	}
	if raw == "" || strings.ContainsAny(raw, " \t") {
		return "", errScheme
	}
	return raw, nil
}

// Principal reads the authorizer's finding back out of a response's context,
// as an integration receives it. What is incomplete gives no principal.
func Principal(m map[string]any) (*caller.Principal, caller.Denial) {
	text := func(name string) string {
		s, _ := m[name].(string)
		return s
	}
	if d, ok := m[ctxDenial]; ok {
		return nil, caller.Denial(fmt.Sprint(d))
	}
	p := &caller.Principal{
		UserID: text(ctxUserID), SessionID: text(ctxSession), Username: text(ctxUsername),
		Role: caller.Role(text(ctxRole)), AMR: strings.Fields(text(ctxAMR)), TokenID: text(ctxTokenID),
	}
	authTime, err1 := strconv.ParseInt(text(ctxAuthTime), 10, 64)
	expires, err2 := strconv.ParseInt(text(ctxExpires), 10, 64)
	if p.UserID == "" || p.SessionID == "" || err1 != nil || err2 != nil {
		return nil, caller.NotClaimed
	}
	p.AuthTime, p.ExpiresAt = time.Unix(authTime, 0).UTC(), time.Unix(expires, 0).UTC()
	return p, caller.NotClaimed
}
