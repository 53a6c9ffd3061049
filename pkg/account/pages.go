package account

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/template"
)

// The pages behind mailed links. Opening one consumes nothing, since mail
// scanners open links: a person presses the button, and the page POSTs.

//go:embed pages/page.html
var pageHTML string

//go:embed pages/page.css
var pageCSS string

//go:embed pages/verify.js
var verifyJS string

//go:embed pages/reset.js
var resetJS string

//go:embed pages/invite.js
var inviteJS string

// page is what page.html shows. Everything a visitor sent is escaped by
// the template; the script reads the token from the address, not from markup.
type page struct {
	words
	Product, Title, Text, Button string
	Password                     bool
	MinLength                    int
	script                       string
}

// newPage makes a page of its first words.
func newPage(product string, w words, t texts, done, script string) page {
	w.Done = done
	return page{words: w, Product: product, Title: t.title, Text: t.text, Button: t.button, script: script}
}

// PageOutput is a page for a browser, or JSON for everybody else.
type PageOutput struct {
	ContentType string `header:"Content-Type"`
	Vary        string `header:"Vary"`
	CSP         string `header:"Content-Security-Policy"`
	Body        []byte
}

// render gives the page with a policy that allows its own style and script, by
// hash, and requests to its own origin alone.
func render(p page) (*PageOutput, error) {
	source := strings.NewReplacer("/* style */", pageCSS, "/* script */", p.script).Replace(pageHTML)
	t, err := template.HTML("page.html", source)
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	body, err := t.Execute(p)
	if err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return &PageOutput{
		ContentType: "text/html; charset=utf-8", Vary: "Accept, Accept-Language",
		CSP: "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; style-src " +
			hash(pageCSS) + "; script-src " + hash(p.script),
		Body: []byte(body),
	}, nil
}

type tokenInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"256"`
	}
}

// Verified is the answer to a token that worked.
type Verified struct {
	Status string `json:"status" enum:"active"`
}

type verifiedOutput struct{ Body Verified }

// VerifyEmailOperation is POST /api/auth/verify-email.
func VerifyEmailOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-verify-email", Method: http.MethodPost, Path: "/api/auth/verify-email", Tag: "Sign-in", Access: api.Public,
		Summary: "Verify an address with a mailed token.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.UpdateItem),
			api.On("EMAIL#*", api.PutItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Sends: true, Secrets: true, Requests: 3, ReadUnits: 1, WriteUnits: 9,
		Audit: []string{string(audit.EmailVerified), string(audit.EmailChanged)},
		Event: api.Event{Body: map[string]any{"token": "example"}},
	}, func(ctx context.Context, in *tokenInput) (*verifiedOutput, error) {
		out := &verifiedOutput{}
		out.Body.Status = string(Active)
		return out, s.VerifyEmail(ctx, in.Body.Token)
	})
}

type linkInput struct {
	Token  string `path:"token" maxLength:"256"`
	Accept string `header:"Accept"`
	PageLanguage
}

// PageLanguage is in which language a page is wanted.
type PageLanguage struct {
	AcceptLanguage string `header:"Accept-Language"`
}

// wantsJSON reports whether a client asked for JSON and not for a page. A mail
// scanner or a browser never does.
func wantsJSON(accept string) bool {
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// VerifyLinkOperation is GET /api/auth/verify-email/{token}.
func VerifyLinkOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-verify-email-link", Method: http.MethodGet, Path: "/api/auth/verify-email/{token}", Tag: "Sign-in", Access: api.Public,
		Summary:     "Where a verification link leads.",
		Description: "A browser gets a page that consumes nothing until its button is pressed. With Accept: application/json the address is verified, and the answer is {\"status\": \"active\"}.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.UpdateItem),
			api.On("EMAIL#*", api.PutItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		HTML: true, Forms: api.Forms{"application/json": Verified{}}, Sends: true, Secrets: true, Requests: 3, WriteUnits: 1,
		Audit: []string{string(audit.EmailVerified), string(audit.EmailChanged)},
		Event: api.Event{Params: map[string]string{"token": "example"}},
	}, func(ctx context.Context, in *linkInput) (*PageOutput, error) {
		if !wantsJSON(in.Accept) {
			w := wordsFor(in.AcceptLanguage, s.Config.Mail.Language)
			return render(newPage(s.Config.Mail.Product, w, w.verify, w.verifyDone, verifyJS))
		}
		if err := s.VerifyEmail(ctx, in.Token); err != nil {
			return nil, err
		}
		body, err := json.Marshal(Verified{Status: string(Active)})
		return &PageOutput{ContentType: "application/json", CSP: "default-src 'none'", Body: body}, err
	})
}

// ResetPageOperation is GET /api/auth/reset-password/{token}.
func ResetPageOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-reset-password-link", Method: http.MethodGet, Path: "/api/auth/reset-password/{token}", Tag: "Sign-in", Access: api.Public,
		Summary: "Where a reset link leads: a page that asks for the new password.",
		HTML:    true, Event: api.Event{Params: map[string]string{"token": "example"}},
	}, func(_ context.Context, in *linkInput) (*PageOutput, error) {
		w := wordsFor(in.AcceptLanguage, s.Config.Mail.Language)
		w.Hint = w.hint(s.Config.Pass.MinLength)
		p := newPage(s.Config.Mail.Product, w, w.reset, w.resetDone, resetJS)
		p.Password, p.MinLength = true, s.Config.Pass.MinLength
		return render(p)
	})
}

// InvitationPage is where an invitation leads: a page whose button accepts it,
// for the user who is signed in by cookie.
func InvitationPage(in PageLanguage, c config.Config) (*PageOutput, error) {
	w := wordsFor(in.AcceptLanguage, c.Mail.Language)
	return render(newPage(c.Mail.Product, w, w.invite, w.inviteDone, inviteJS))
}
