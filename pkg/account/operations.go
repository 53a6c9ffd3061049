package account

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

type registerInput struct{ Body Registration }

type statusOutput struct {
	Body struct {
		Status string `json:"status" enum:"verification_required,active"`
	}
}

// RegisterOperation is POST /api/auth/register.
func RegisterOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-register", Method: http.MethodPost, Path: "/api/auth/register", Tag: "Sign-in", Access: api.Public,
		Status: http.StatusCreated, Summary: "Register with an e-mail address, a username, or both.",
		Description: "An address that has an account already gets the same answer, and its owner a mail. Without an address the account is active at once.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.DeleteItem, api.ConditionCheck),
			api.On("EMAIL#*", api.BatchGetItem, api.PutItem, api.ConditionCheck),
			api.On("USERNAME#*", api.BatchGetItem, api.PutItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Hashes: true, Sends: true, Secrets: true, Requests: 6, ReadUnits: 3, WriteUnits: 19,
		Audit: []string{string(audit.Registered), string(audit.RegisteredAgain)},
		Event: api.Event{Body: map[string]any{"email": "alice@example.com", "password": "correct horse battery staple"}},
	}, func(ctx context.Context, in *registerInput) (*statusOutput, error) {
		status, err := s.Register(ctx, in.Body)
		out := &statusOutput{}
		out.Body.Status = string(status)
		if status == Pending {
			out.Body.Status = "verification_required"
		}
		return out, err
	})
}

type emailInput struct {
	Body struct {
		Email string `json:"email" minLength:"1" maxLength:"254"`
	}
}

type acceptedOutput struct{}

// ForgotPasswordOperation is POST /api/auth/forgot-password.
func ForgotPasswordOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-forgot-password", Method: http.MethodPost, Path: "/api/auth/forgot-password", Tag: "Sign-in", Access: api.Public,
		Status: http.StatusAccepted, Summary: "Ask for a reset mail; the answer is always alike.",
		Table: []api.Use{
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Requests: 2, WriteUnits: 2,
		Audit: []string{string(audit.PasswordResetAsked)},
		Event: api.Event{Body: map[string]any{"email": "alice@example.com"}},
	}, func(ctx context.Context, in *emailInput) (*acceptedOutput, error) {
		return nil, s.ForgotPassword(ctx, in.Body.Email)
	})
}

// ResendVerificationOperation is POST /api/auth/resend-verification.
func ResendVerificationOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-resend-verification", Method: http.MethodPost, Path: "/api/auth/resend-verification", Tag: "Sign-in", Access: api.Public,
		Status: http.StatusAccepted, Summary: "Ask for a fresh verification mail; the answer is always alike.",
		Table: []api.Use{
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Requests: 2, WriteUnits: 2,
		Audit: []string{string(audit.VerificationRequested)},
		Event: api.Event{Body: map[string]any{"email": "alice@example.com"}},
	}, func(ctx context.Context, in *emailInput) (*acceptedOutput, error) {
		return nil, s.ResendVerification(ctx, in.Body.Email)
	})
}

type resetInput struct {
	Body struct {
		Token       string `json:"token" minLength:"1" maxLength:"256"`
		NewPassword string `json:"newPassword" maxLength:"4096"`
	}
}

// ResetPasswordOperation is POST /api/auth/reset-password.
func ResetPasswordOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-reset-password", Method: http.MethodPost, Path: "/api/auth/reset-password", Tag: "Sign-in", Access: api.Public,
		Status: http.StatusNoContent, Summary: "Set a new password with a mailed token; every session ends.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Hashes: true, Sends: true, Secrets: true, Requests: 3, ReadUnits: 1, WriteUnits: 17,
		Audit: []string{string(audit.PasswordReset)},
		Event: api.Event{Body: map[string]any{"token": "example", "newPassword": "another horse battery staple"}},
	}, func(ctx context.Context, in *resetInput) (*api.Empty, error) {
		return nil, s.ResetPassword(ctx, in.Body.Token, in.Body.NewPassword)
	})
}

type neededOutput struct {
	Body struct {
		NeedsPasswordSet bool `json:"needsPasswordSet"`
	}
}

// PasswordNeededOperation is POST /api/auth/check-password-needed.
func PasswordNeededOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-check-password-needed", Method: http.MethodPost, Path: "/api/auth/check-password-needed", Tag: "Sign-in", Access: api.Public,
		Summary:     "Whether an imported account still needs a password.",
		Description: "True only for accounts that were imported without a password and have not set one; false for every other address, known or not.",
		Table: []api.Use{
			api.On("USER#*", api.GetItem),
			api.On("EMAIL#*", api.GetItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Requests: 4, ReadUnits: 2, WriteUnits: 3,
		Audit: []string{string(audit.PasswordNeededAsked)},
		Event: api.Event{Body: map[string]any{"email": "alice@example.com"}},
	}, func(ctx context.Context, in *emailInput) (*neededOutput, error) {
		needs, err := s.NeedsPassword(ctx, in.Body.Email)
		out := &neededOutput{}
		out.Body.NeedsPasswordSet = needs
		return out, err
	})
}

type userOutput struct{ Body User }

// MeOperation is GET /api/auth/me.
func MeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-me", Method: http.MethodGet, Path: "/api/auth/me", Tag: "Sign-in", Access: api.User,
		Summary: "The signed-in user.", Table: []api.Use{
			api.On("USER#*", api.Query),
		},
		Requests: 2, ReadUnits: 3,
	}, func(ctx context.Context, _ *struct{}) (*userOutput, error) {
		u, err := s.Me(ctx)
		return &userOutput{Body: u}, err
	})
}

type changeInput struct{ Body Change }

// ChangeMeOperation is PATCH /api/auth/me.
func ChangeMeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-me-change", Method: http.MethodPatch, Path: "/api/auth/me", Tag: "Sign-in", Access: api.User,
		Summary: "Change the signed-in user's username or profile.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("USERNAME#*", api.PutItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 3, ReadUnits: 3, WriteUnits: 8,
		Audit: []string{string(audit.ProfileChanged)},
		Event: api.Event{Body: map[string]any{"profile": map[string]any{"firstName": "Alice"}}},
	}, func(ctx context.Context, in *changeInput) (*userOutput, error) {
		u, err := s.ChangeMe(ctx, in.Body)
		return &userOutput{Body: u}, err
	})
}

type passwordInput struct {
	Body struct {
		Password string `json:"password" maxLength:"4096"`
	}
}

type clearedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

// DeleteMeOperation is DELETE /api/auth/me.
func DeleteMeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-me-delete", Method: http.MethodDelete, Path: "/api/auth/me", Tag: "Sign-in", Access: api.User,
		Status: http.StatusNoContent, Summary: "Delete the signed-in user.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.DeleteItem),
			api.On("EMAIL#*", api.DeleteItem),
			api.On("USERNAME#*", api.DeleteItem),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem),
			api.On("META", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem),
		},
		Hashes: true, Cookies: true, Requests: 5, ReadUnits: 4, WriteUnits: 19,
		Audit: []string{string(audit.AccountDeleted)},
		Event: api.Event{Body: map[string]any{"password": "correct horse battery staple"}},
	}, func(ctx context.Context, in *passwordInput) (*clearedOutput, error) {
		return &clearedOutput{SetCookie: api.Cookies{Secure: s.Config.Secure()}.Clear()}, s.DeleteMe(ctx, in.Body.Password)
	})
}

type changeEmailInput struct {
	Body struct {
		NewEmail string `json:"newEmail" minLength:"1" maxLength:"254"`
		Password string `json:"password" maxLength:"4096"`
	}
}

// ChangeEmailOperation is POST /api/auth/change-email.
func ChangeEmailOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-change-email", Method: http.MethodPost, Path: "/api/auth/change-email", Tag: "Sign-in", Access: api.User,
		Status: http.StatusAccepted, Summary: "Begin a change of address; the new one confirms, the old one is told.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.UpdateItem),
			api.On("EMAIL#*", api.GetItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Hashes: true, Sends: true, Secrets: true, Requests: 6, ReadUnits: 4, WriteUnits: 16,
		Audit: []string{string(audit.EmailChangeRequested)},
		Event: api.Event{Body: map[string]any{"newEmail": "alice@example.org", "password": "correct horse battery staple"}},
	}, func(ctx context.Context, in *changeEmailInput) (*acceptedOutput, error) {
		return nil, s.ChangeEmail(ctx, in.Body.NewEmail, in.Body.Password)
	})
}
