package operator

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

const tag = "Operators"

const (
	sampleUser       = "01900000-0000-7000-8000-0000000000b1"
	sampleDelegation = "01900000-0000-7000-8000-0000000000d1"
)

var atUser = map[string]string{"userId": sampleUser}

// Operations gives every operation of this package.
func Operations(s *Service) []api.Operation {
	return []api.Operation{
		UsersListOperation(s), UsersGetOperation(s), UsersChangeOperation(s), UsersDeleteOperation(s),
		UsersSuspendOperation(s), UsersReactivateOperation(s), UsersLogoutOperation(s), UsersRoleOperation(s),
		DelegationsListOperation(s), DelegationsCreateOperation(s), DelegationsRevokeOperation(s), AuditOperation(s),
	}
}

// UserPath names a user in a path.
type UserPath struct {
	UserID string `path:"userId" maxLength:"64"`
}

// ReasonBody is the body of what needs a reason.
type ReasonBody struct {
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why; it is recorded."`
}

type userOutput struct{ Body account.User }

// UsersOutput is the answer of the list of users.
type UsersOutput struct{ Body api.List[account.User] }

// UsersListOperation is GET /api/users.
func UsersListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "users-list", Method: http.MethodGet, Path: "/api/users", Tag: tag, Access: api.SuperAdmin, Lendable: true,
		Summary:     "List users, or find one by address or username.",
		Description: "A status that few users have can give a short page that is not the last; nextCursor says so.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem),
			api.On("EMAIL#*", api.GetItem),
			api.On("USERNAME#*", api.GetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("USERS#*", api.Query),
		},
		Requests: 40, ReadUnits: 16, WriteUnits: 2, Audit: []string{string(audit.UsersRead), string(audit.AccessDenied)},
		Event: api.Event{Query: "status=active&limit=10"},
	}, func(ctx context.Context, in *struct {
		api.ListInput
		Email    string `query:"email" maxLength:"254" doc:"The whole address."`
		Username string `query:"username" maxLength:"64" doc:"The whole username."`
		Status   string `query:"status" enum:"pending,active,suspended"`
	}) (*UsersOutput, error) {
		q := Search{Status: account.Status(in.Status)}
		var err error
		if in.Email != "" {
			if q.Email, err = account.NormalizeEmail(in.Email); err != nil {
				return nil, fault.Invalidf("query.email", "not an e-mail address")
			}
		}
		if in.Username != "" {
			if q.Username, err = account.NormalizeUsername(in.Username); err != nil {
				return nil, fault.Invalidf("query.username", "not a username")
			}
		}
		list, err := s.Users(ctx, q, in.ListInput)
		return &UsersOutput{Body: list}, err
	})
}

// UsersGetOperation is GET /api/users/{userId}.
func UsersGetOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "users-get", Method: http.MethodGet, Path: "/api/users/{userId}", Tag: tag, Access: api.SuperAdmin, Lendable: true,
		Summary: "One user.", Table: []api.Use{
			api.On("USER#*", api.Query, api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 7, WriteUnits: 2,
		Audit: []string{string(audit.UsersRead), string(audit.AccessDenied)}, Event: api.Event{Params: atUser},
	}, func(ctx context.Context, in *UserPath) (*userOutput, error) {
		u, err := s.User(ctx, in.UserID)
		return &userOutput{Body: u}, err
	})
}

// UsersChangeOperation is PATCH /api/users/{userId}.
func UsersChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "users-change", Method: http.MethodPatch, Path: "/api/users/{userId}", Tag: tag, Access: api.SuperAdmin, Lendable: true,
		Summary: "Change a user's profile, or whether their address counts as verified.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 7, WriteUnits: 10,
		Audit: []string{string(audit.UserChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atUser, Body: map[string]any{"emailVerified": true}},
	}, func(ctx context.Context, in *struct {
		UserPath
		Body account.OperatorChange
	}) (*userOutput, error) {
		u, err := s.Change(ctx, in.UserID, in.Body)
		return &userOutput{Body: u}, err
	})
}

// UsersDeleteOperation is DELETE /api/users/{userId}.
func UsersDeleteOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "users-delete", Method: http.MethodDelete, Path: "/api/users/{userId}", Tag: tag, Access: api.SuperAdmin,
		Status: http.StatusNoContent, Summary: "Delete a user. The last super admin stays, and so does the last admin of an organization.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.BatchGetItem, api.DeleteItem, api.ConditionCheck),
			api.On("EMAIL#*", api.DeleteItem),
			api.On("USERNAME#*", api.DeleteItem),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem),
			api.On("META", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 8, WriteUnits: 20, Audit: []string{string(audit.UserDeleted), string(audit.AccessDenied)}, Event: api.Event{Params: atUser},
	}, func(ctx context.Context, in *UserPath) (*api.Empty, error) {
		return nil, s.Delete(ctx, in.UserID)
	})
}

// acting declares an operation that does something to a user for a reason.
func acting(name, summary string, event audit.Type, writeUnits float64, uses []api.Use, do func(ctx context.Context, userID, reason string) error) api.Operation {
	return api.New(api.Spec{
		ID: "users-" + name, Method: http.MethodPost, Path: "/api/users/{userId}/" + name, Tag: tag, Access: api.SuperAdmin, Lendable: true,
		Status: http.StatusNoContent, Summary: summary,
		Table: uses, Requests: 4, ReadUnits: 7, WriteUnits: writeUnits,
		Audit: []string{string(event), string(audit.AccessDenied)},
		Event: api.Event{Params: atUser, Body: map[string]any{"reason": "asked by the customer"}},
	}, func(ctx context.Context, in *struct {
		UserPath
		Body ReasonBody
	}) (*api.Empty, error) {
		return nil, do(ctx, in.UserID, in.Body.Reason)
	})
}

// UsersSuspendOperation is POST /api/users/{userId}/suspend.
func UsersSuspendOperation(s *Service) api.Operation {
	return acting("suspend", "Suspend a user; their sessions end, and they are told by mail.", audit.UserSuspended, 12, []api.Use{
		api.On("USER#*", api.Query, api.BatchGetItem, api.UpdateItem, api.DeleteItem, api.ConditionCheck),
		api.On("META", api.UpdateItem),
		api.On("AUDIT#*", api.PutItem),
		api.On("TASK#*", api.PutItem),
	}, s.Suspend)
}

// UsersReactivateOperation is POST /api/users/{userId}/reactivate.
func UsersReactivateOperation(s *Service) api.Operation {
	return acting("reactivate", "End a user's suspension.", audit.UserReactivated, 10, []api.Use{
		api.On("USER#*", api.Query, api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
		api.On("META", api.UpdateItem),
		api.On("AUDIT#*", api.PutItem),
	}, s.Reactivate)
}

// UsersLogoutOperation is POST /api/users/{userId}/logout.
func UsersLogoutOperation(s *Service) api.Operation {
	return acting("logout", "End every session of a user.", audit.UserSignedOut, 10, []api.Use{
		api.On("USER#*", api.Query, api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
		api.On("AUDIT#*", api.PutItem),
	}, s.SignOut)
}

// UsersRoleOperation is PUT /api/users/{userId}/role.
func UsersRoleOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "users-role", Method: http.MethodPut, Path: "/api/users/{userId}/role", Tag: tag, Access: api.SuperAdmin,
		Summary: "Give a user a platform role. The last super admin keeps theirs.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.BatchGetItem, api.PutItem, api.UpdateItem, api.DeleteItem, api.ConditionCheck),
			api.On("META", api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 7, WriteUnits: 14,
		Audit: []string{string(audit.UserRoleChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atUser, Body: map[string]any{"role": "ADMIN", "reason": "joins the operators"}},
	}, func(ctx context.Context, in *struct {
		UserPath
		Body struct {
			ReasonBody
			Role string `json:"role" enum:"USER,ADMIN"`
		}
	}) (*userOutput, error) {
		u, err := s.SetRole(ctx, in.UserID, caller.Role(in.Body.Role), in.Body.Reason)
		return &userOutput{Body: u}, err
	})
}

// DelegationsOutput is the answer of the list of delegations.
type DelegationsOutput struct{ Body api.List[Delegation] }

// DelegationsListOperation is GET /api/admin/delegations.
func DelegationsListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "admin-delegations-list", Method: http.MethodGet, Path: "/api/admin/delegations", Tag: tag, Access: api.SuperAdmin,
		Summary: "List the delegations in force.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("DELEGATIONS", api.Query),
		},
		Requests: 5, ReadUnits: 6.5, WriteUnits: 2,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
	}, func(ctx context.Context, in *api.ListInput) (*DelegationsOutput, error) {
		list, err := s.Delegations(ctx, *in)
		return &DelegationsOutput{Body: list}, err
	})
}

// DelegationsCreateOperation is POST /api/admin/delegations.
func DelegationsCreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "admin-delegations-create", Method: http.MethodPost, Path: "/api/admin/delegations", Tag: tag, Access: api.SuperAdmin,
		Status: http.StatusCreated, Summary: "Lend a user super-admin power over the platform or one organization, until a moment.",
		Description: "Lent power cannot be lent on, and does not reach credentials, roles, memberships or invitations.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem, api.PutItem, api.ConditionCheck),
			api.On("ORG#*", api.ConditionCheck),
			api.On("DELEGATION#*", api.PutItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 3, ReadUnits: 6, WriteUnits: 14,
		Audit: []string{string(audit.DelegationCreated), string(audit.AccessDenied)},
		Event: api.Event{Body: map[string]any{"userId": sampleUser, "scope": "platform", "expiresAt": "2030-01-01T00:00:00Z", "reason": "holiday cover"}},
	}, func(ctx context.Context, in *struct {
		Body struct {
			ReasonBody
			UserID    string    `json:"userId" format:"uuid"`
			Scope     string    `json:"scope" minLength:"1" maxLength:"64" doc:"platform, or an organization's id."`
			ExpiresAt time.Time `json:"expiresAt"`
		}
	}) (*struct{ Body Delegation }, error) {
		b := in.Body
		d, err := s.Lend(ctx, Loan{UserID: b.UserID, Scope: b.Scope, ExpiresAt: b.ExpiresAt, Reason: b.Reason})
		return &struct{ Body Delegation }{d}, err
	})
}

// DelegationsRevokeOperation is DELETE /api/admin/delegations/{delegationId}.
func DelegationsRevokeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "admin-delegations-revoke", Method: http.MethodDelete, Path: "/api/admin/delegations/{delegationId}", Tag: tag, Access: api.SuperAdmin,
		Status: http.StatusNoContent, Summary: "Take lent power back.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem, api.DeleteItem, api.ConditionCheck),
			api.On("DELEGATION#*", api.GetItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 7, WriteUnits: 12,
		Audit: []string{string(audit.DelegationRevoked), string(audit.AccessDenied)},
		Event: api.Event{Params: map[string]string{"delegationId": sampleDelegation}},
	}, func(ctx context.Context, in *struct {
		DelegationID string `path:"delegationId" maxLength:"64"`
	}) (*api.Empty, error) {
		return nil, s.TakeBack(ctx, in.DelegationID)
	})
}

// AuditOperation is GET /api/admin/audit.
func AuditOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "admin-audit", Method: http.MethodGet, Path: "/api/admin/audit", Tag: tag, Access: api.SuperAdmin, Lendable: true,
		Summary:     "List every tenant's audit events, newest first.",
		Description: "A page looks back a month at most; a quiet time or a filter that matches little gives short pages that are not the last, and nextCursor says so.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("AUDIT#ALL#*", api.Query),
		},
		Requests: 499, ReadUnits: 14, WriteUnits: 2,
		Audit: []string{string(audit.AuditRead), string(audit.AccessDenied)},
		Event: api.Event{Query: "type=user.suspended&limit=10"},
	}, func(ctx context.Context, in *struct {
		api.ListInput
		Type    string    `query:"type" maxLength:"64" doc:"Only events of this type."`
		ActorID string    `query:"actorId" format:"uuid" doc:"Only what this user did."`
		From    time.Time `query:"from" doc:"Only from this moment on."`
		To      time.Time `query:"to" doc:"Only before this moment."`
	}) (*struct{ Body api.List[audit.Event] }, error) {
		f := audit.Filter{Type: audit.Type(in.Type), ActorID: in.ActorID, From: in.From, To: in.To}
		list, err := s.Trail(ctx, f, in.ListInput)
		return &struct{ Body api.List[audit.Event] }{list}, err
	})
}
