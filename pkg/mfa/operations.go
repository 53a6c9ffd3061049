package mfa

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/session"
)

// table uses of the operations of this package.
type verifyInput struct {
	Body struct {
		MFAToken    string           `json:"mfaToken" minLength:"1" maxLength:"512"`
		Code        string           `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the authenticator app, or a recovery code."`
		Delivery    session.Delivery `json:"delivery,omitempty" enum:"cookie,body" doc:"How the tokens travel; default cookie."`
		DeviceToken string           `json:"deviceToken,omitempty" maxLength:"1024" doc:"From an earlier sign-in of this client with delivery body."`
	}
}

// VerifyOperation is POST /api/auth/mfa/verify.
func VerifyOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-mfa-verify", Method: http.MethodPost, Path: "/api/auth/mfa/verify", Tag: "Second factor", Access: api.Public,
		Summary:     "Complete a sign-in with a second factor.",
		Description: "mfaToken comes from a sign-in that answered mfaRequired; it is good for ten minutes and once. A code works once, at its own time step or the one before or after.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem, api.DeleteItem),
			api.On("TOKEN#*", api.PutItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Cookies: true, Secrets: true, Seals: true, Opens: true, Sends: true, Requests: 8, ReadUnits: 1, WriteUnits: 23,
		Audit: []string{string(audit.MFAVerified), string(audit.MFAFailed), string(audit.SignedIn), string(audit.Throttled), string(audit.SessionEnded)},
		Event: api.Event{Body: map[string]any{"mfaToken": "example", "code": "123456"}},
	}, func(ctx context.Context, in *verifyInput) (*session.GrantedOutput, error) {
		b := in.Body
		if c := caller.Of(ctx); c.DeviceCookie == "" && b.DeviceToken != "" {
			c.DeviceCookie = b.DeviceToken
		}
		granted, err := s.Verify(ctx, b.MFAToken, b.Code)
		if err != nil {
			return nil, err
		}
		return s.Sessions.Deliver(granted, b.Delivery), nil
	})
}

type enrolInput struct {
	Body struct {
		Password string `json:"password" maxLength:"4096"`
	}
}

type enrolOutput struct {
	Body struct {
		Secret     string `json:"secret" doc:"Base32; shown this once."`
		OTPAuthURL string `json:"otpauthUrl" doc:"For a QR code."`
	}
}

// EnrolOperation is POST /api/auth/mfa/totp.
func EnrolOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-mfa-totp-enrol", Method: http.MethodPost, Path: "/api/auth/mfa/totp", Tag: "Second factor", Access: api.User,
		Summary:     "Begin to set up an authenticator app.",
		Description: "The secret is shown once and is not in force until it is confirmed with a code, within fifteen minutes.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.DeleteItem),
		},
		Hashes: true, Secrets: true, Seals: true, Requests: 5, ReadUnits: 3, WriteUnits: 11,
		Audit: []string{string(audit.MFAEnrolled)},
		Event: api.Event{Body: map[string]any{"password": "correct horse battery staple"}},
	}, func(ctx context.Context, in *enrolInput) (*enrolOutput, error) {
		e, err := s.Enrol(ctx, in.Body.Password)
		out := &enrolOutput{}
		out.Body.Secret, out.Body.OTPAuthURL = e.Secret, e.URL
		return out, err
	})
}

type confirmInput struct {
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the authenticator app."`
	}
}

type codesOutput struct {
	Body struct {
		RecoveryCodes []string `json:"recoveryCodes" doc:"Each works once in place of the app; shown this once."`
	}
}

// ConfirmOperation is POST /api/auth/mfa/totp/confirm.
func ConfirmOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-mfa-totp-confirm", Method: http.MethodPost, Path: "/api/auth/mfa/totp/confirm", Tag: "Second factor", Access: api.User,
		Summary: "Put the authenticator app into force; the user's other sessions end.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Secrets: true, Opens: true, Sends: true, Requests: 5, ReadUnits: 3, WriteUnits: 21,
		Audit: []string{string(audit.MFAEnabled), string(audit.MFAFailed)},
		Event: api.Event{Body: map[string]any{"code": "123456"}},
	}, func(ctx context.Context, in *confirmInput) (*codesOutput, error) {
		codes, err := s.Confirm(ctx, in.Body.Code)
		out := &codesOutput{}
		out.Body.RecoveryCodes = codes
		return out, err
	})
}

type bothInput struct {
	Body struct {
		Password string `json:"password" maxLength:"4096"`
		Code     string `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the authenticator app, or a recovery code."`
	}
}

// DisableOperation is DELETE /api/auth/mfa/totp.
func DisableOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-mfa-totp-disable", Method: http.MethodDelete, Path: "/api/auth/mfa/totp", Tag: "Second factor", Access: api.User,
		Status: http.StatusNoContent, Summary: "Remove the second factor; needs the password and a code.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.UpdateItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Hashes: true, Secrets: true, Opens: true, Sends: true, Requests: 6, ReadUnits: 3, WriteUnits: 22,
		Audit: []string{string(audit.MFADisabled), string(audit.MFAFailed)},
		Event: api.Event{Body: map[string]any{"password": "correct horse battery staple", "code": "123456"}},
	}, func(ctx context.Context, in *bothInput) (*api.Empty, error) {
		return nil, s.Disable(ctx, in.Body.Password, in.Body.Code)
	})
}

// RecoveryCodesOperation is POST /api/auth/mfa/recovery-codes.
func RecoveryCodesOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "auth-mfa-recovery-codes", Method: http.MethodPost, Path: "/api/auth/mfa/recovery-codes", Tag: "Second factor", Access: api.User,
		Summary: "Replace the recovery codes; the old ones stop working.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem, api.DeleteItem),
		},
		Hashes: true, Secrets: true, Opens: true, Sends: true, Requests: 6, ReadUnits: 3, WriteUnits: 18,
		Audit: []string{string(audit.RecoveryCodesRenewed), string(audit.MFAFailed)},
		Event: api.Event{Body: map[string]any{"password": "correct horse battery staple", "code": "123456"}},
	}, func(ctx context.Context, in *bothInput) (*codesOutput, error) {
		codes, err := s.RenewRecoveryCodes(ctx, in.Body.Password, in.Body.Code)
		out := &codesOutput{}
		out.Body.RecoveryCodes = codes
		return out, err
	})
}
