// Package catalog lists every operation of Lanyard, bound to one assembly. The
// Lambda functions do not import it: each binds its own. The local server, the
// generators and the drift tests do.
package catalog

import (
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/public"
	"github.com/lanyard-auth/lanyard/pkg/session"
)

// Services are the services that operations are bound to.
type Services struct {
	Accounts *account.Service
	Sessions *session.Service
	Public   *public.Service
}

// NewServices makes the services of an assembly.
func NewServices(a *assembly.Assembly) (Services, error) {
	sessions, err := a.Sessions()
	if err != nil {
		return Services{}, fmt.Errorf("make services: %w", err)
	}
	documents, err := a.Public()
	if err != nil {
		return Services{}, fmt.Errorf("make services: %w", err)
	}
	return Services{Accounts: sessions.Accounts, Sessions: sessions, Public: documents}, nil
}

// Operations gives every operation. document is the OpenAPI document that two
// of them serve; it may be nil while it is being made. Nil services will do
// where only the declarations are read.
func Operations(s Services, document []byte) []api.Operation {
	return []api.Operation{
		account.RegisterOperation(s.Accounts),
		session.LoginOperation(s.Sessions),
		session.RefreshOperation(s.Sessions),
		session.LogoutOperation(s.Sessions),
		session.LogoutAllOperation(s.Sessions),
		account.ForgotPasswordOperation(s.Accounts),
		account.ResetPasswordOperation(s.Accounts),
		account.ResetPageOperation(s.Accounts),
		account.ChangePasswordOperation(s.Accounts),
		account.PasswordNeededOperation(s.Accounts),
		account.VerifyLinkOperation(s.Accounts),
		account.VerifyEmailOperation(s.Accounts),
		account.ResendVerificationOperation(s.Accounts),
		account.MeOperation(s.Accounts),
		account.ChangeMeOperation(s.Accounts),
		account.DeleteMeOperation(s.Accounts),
		account.ChangeEmailOperation(s.Accounts),
		session.ListOperation(s.Sessions),
		session.EndOperation(s.Sessions),
		account.ActivityOperation(s.Accounts),
		public.JWKSOperation(s.Public),
		public.MetadataOperation(s.Public),
		public.HealthOperation(s.Public),
		public.OpenAPIOperation(document),
		public.DocsOperation(document),
	}
}
