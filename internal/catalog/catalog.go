// Package catalog lists every operation of Lanyard, bound to one assembly. The
// Lambda functions do not import it: each binds its own. The local server, the
// generators and the drift tests do.
package catalog

import (
	"errors"
	"fmt"

	openapi "github.com/lanyard-auth/lanyard/api"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/operator"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/permission"
	"github.com/lanyard-auth/lanyard/pkg/public"
	"github.com/lanyard-auth/lanyard/pkg/session"
)

// Services are the services that operations are bound to.
type Services struct {
	Accounts      *account.Service
	Sessions      *session.Service
	SecondFactors *mfa.Service
	Organizations *org.Service
	Entities      *entity.Service
	Permissions   *permission.Service
	Operators     *operator.Service
	Public        *public.Service
}

// NewServices makes the services of an assembly.
func NewServices(a *assembly.Assembly) (Services, error) {
	var s Services
	var errs [7]error
	s.Sessions, errs[0] = a.Sessions()
	s.Organizations, errs[1] = a.Organizations()
	s.Entities, errs[2] = a.Entities()
	s.Permissions, errs[3] = a.Permissions()
	s.Public, errs[4] = a.Public()
	s.SecondFactors, errs[5] = a.SecondFactors()
	s.Operators, errs[6] = a.Operators()
	if err := errors.Join(errs[:]...); err != nil {
		return Services{}, fmt.Errorf("make services: %w", err)
	}
	s.Accounts = s.Sessions.Accounts
	return s, nil
}

// Operations gives every operation. document is the OpenAPI document that one
// of them serves; it may be nil while it is being made. Nil services will do
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
		session.ChangePasswordOperation(s.Sessions),
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
		mfa.VerifyOperation(s.SecondFactors),
		mfa.EnrolOperation(s.SecondFactors),
		mfa.ConfirmOperation(s.SecondFactors),
		mfa.DisableOperation(s.SecondFactors),
		mfa.RecoveryCodesOperation(s.SecondFactors),
		org.ListOperation(s.Organizations),
		org.CreateOperation(s.Organizations),
		org.GetOperation(s.Organizations),
		org.ChangeOperation(s.Organizations),
		org.DeleteOperation(s.Organizations),
		org.MembersListOperation(s.Organizations),
		org.MembersAddOperation(s.Organizations),
		org.MembersChangeOperation(s.Organizations),
		org.MembersRemoveOperation(s.Organizations),
		org.InvitationsListOperation(s.Organizations),
		org.InvitationsCreateOperation(s.Organizations),
		org.InvitationsRevokeOperation(s.Organizations),
		org.InvitationsAcceptOperation(s.Organizations),
		org.InvitationLinkOperation(s.Organizations),
		org.AuditOperation(s.Organizations),
		entity.ListOperation(s.Entities),
		entity.CreateOperation(s.Entities),
		entity.GetOperation(s.Entities),
		entity.ChangeOperation(s.Entities),
		entity.DeleteOperation(s.Entities),
		entity.PermissionsListOperation(s.Entities),
		entity.PermissionsGrantOperation(s.Entities),
		entity.PermissionsChangeOperation(s.Entities),
		entity.PermissionsRevokeOperation(s.Entities),
		entity.DocumentsListOperation(s.Entities),
		entity.DocumentsCreateOperation(s.Entities),
		entity.DocumentsGetOperation(s.Entities),
		entity.DocumentsChangeOperation(s.Entities),
		entity.DocumentsDeleteOperation(s.Entities),
		entity.SharesListOperation(s.Entities),
		entity.SharesCreateOperation(s.Entities),
		entity.SharesRevokeOperation(s.Entities),
		permission.CheckOperation(s.Permissions),
		permission.ExplainOperation(s.Permissions),
		permission.EntitiesOperation(s.Permissions),
		permission.EvaluationOperation(s.Permissions),
		permission.EvaluationsOperation(s.Permissions),
		permission.SearchResourceOperation(s.Permissions),
		permission.SearchActionOperation(s.Permissions),
		permission.SearchSubjectOperation(s.Permissions),
		permission.ConfigurationOperation(s.Permissions),
		operator.UsersListOperation(s.Operators),
		operator.UsersGetOperation(s.Operators),
		operator.UsersChangeOperation(s.Operators),
		operator.UsersDeleteOperation(s.Operators),
		operator.UsersSuspendOperation(s.Operators),
		operator.UsersReactivateOperation(s.Operators),
		operator.UsersLogoutOperation(s.Operators),
		operator.UsersRoleOperation(s.Operators),
		operator.DelegationsListOperation(s.Operators),
		operator.DelegationsCreateOperation(s.Operators),
		operator.DelegationsRevokeOperation(s.Operators),
		operator.AuditOperation(s.Operators),
		public.JWKSOperation(s.Public),
		public.MetadataOperation(s.Public),
		public.HealthOperation(s.Public),
		public.OpenAPIOperation(document),
		public.DocsOperation(openapi.Page),
	}
}
