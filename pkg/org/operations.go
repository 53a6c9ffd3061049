package org

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
)

const tag = "Organizations"

const (
	sampleOrg    = "01900000-0000-7000-8000-0000000000a1"
	sampleUser   = "01900000-0000-7000-8000-0000000000b1"
	sampleInvite = "01900000-0000-7000-8000-0000000000c1"
)

var atOrg = map[string]string{"orgId": sampleOrg}

// Operations gives every operation of this package.
func Operations(s *Service) []api.Operation {
	return []api.Operation{
		ListOperation(s), CreateOperation(s), GetOperation(s), ChangeOperation(s), DeleteOperation(s),
		MembersListOperation(s), MembersAddOperation(s), MembersChangeOperation(s), MembersRemoveOperation(s),
		InvitationsListOperation(s), InvitationsCreateOperation(s), InvitationsRevokeOperation(s),
		InvitationsAcceptOperation(s), InvitationLinkOperation(s), AuditOperation(s),
	}
}

// OrgPath names an organization in a path.
type OrgPath struct {
	OrgID string `path:"orgId" maxLength:"64"`
}

type organizationOutput struct{ Body Organization }

// NameBody is the body that names an organization.
type NameBody struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
}

// ListOutput is the answer of the list of organizations.
type ListOutput struct{ Body api.List[Organization] }

// ListOperation is GET /api/organizations.
func ListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-list", Method: http.MethodGet, Path: "/api/organizations", Tag: tag, Access: api.User,
		Summary: "List the organizations that the caller is a member of.",
		Table: []api.Use{
			api.On("USER#*", api.Query),
			api.On("ORG#*", api.BatchGetItem),
		},
		Requests: 3, ReadUnits: 4,
		Event: api.Event{Query: "limit=10"},
	}, func(ctx context.Context, in *api.ListInput) (*ListOutput, error) {
		list, err := s.List(ctx, *in)
		return &ListOutput{Body: list}, err
	})
}

// CreateOperation is POST /api/organizations.
func CreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-create", Method: http.MethodPost, Path: "/api/organizations", Tag: tag, Access: api.User,
		Status: http.StatusCreated, Summary: "Make an organization; the caller becomes its admin.",
		Table: []api.Use{
			api.On("USER#*", api.PutItem, api.UpdateItem),
			api.On("ORG#*", api.PutItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 2, ReadUnits: 2, WriteUnits: 18,
		Audit: []string{string(audit.OrganizationCreated)},
		Event: api.Event{Body: map[string]any{"name": "Coastal Marine Services"}},
	}, func(ctx context.Context, in *struct{ Body NameBody }) (*organizationOutput, error) {
		o, err := s.Create(ctx, in.Body.Name)
		return &organizationOutput{Body: o}, err
	})
}

// GetOperation is GET /api/organizations/{orgId}.
func GetOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-get", Method: http.MethodGet, Path: "/api/organizations/{orgId}", Tag: tag, Access: api.User,
		Summary: "One organization, for its members.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.GetItem, api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 5, Audit: []string{string(audit.PowerUsed)},
		Event: api.Event{Params: atOrg},
	}, func(ctx context.Context, in *OrgPath) (*organizationOutput, error) {
		o, err := s.Get(ctx, in.OrgID)
		return &organizationOutput{Body: o}, err
	})
}

// ChangeOperation is PATCH /api/organizations/{orgId}.
func ChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-change", Method: http.MethodPatch, Path: "/api/organizations/{orgId}", Tag: tag, Access: api.User,
		Summary: "Rename an organization; for its admins.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.GetItem, api.BatchGetItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 5, WriteUnits: 12,
		Audit: []string{string(audit.OrganizationChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg, Body: map[string]any{"name": "Coastal Marine"}},
	}, func(ctx context.Context, in *struct {
		OrgPath
		Body NameBody
	}) (*organizationOutput, error) {
		o, err := s.Rename(ctx, in.OrgID, in.Body.Name)
		return &organizationOutput{Body: o}, err
	})
}

// DeleteOperation is DELETE /api/organizations/{orgId}.
func DeleteOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-delete", Method: http.MethodDelete, Path: "/api/organizations/{orgId}", Tag: tag, Access: api.User,
		Status: http.StatusNoContent, Summary: "End an organization; for its admins. Nothing under it answers afterwards.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 4, WriteUnits: 14,
		Audit: []string{string(audit.OrganizationDeleted), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg},
	}, func(ctx context.Context, in *OrgPath) (*api.Empty, error) {
		return nil, s.Delete(ctx, in.OrgID)
	})
}

// OrgListInput is what lists below an organization take.
type OrgListInput struct {
	OrgPath
	api.ListInput
}

// MembersOutput is the answer of the member list.
type MembersOutput struct{ Body api.List[Member] }

// MembersListOperation is GET /api/organizations/{orgId}/members.
func MembersListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-members-list", Method: http.MethodGet, Path: "/api/organizations/{orgId}/members", Tag: tag, Access: api.User,
		Summary: "List an organization's members, for its members.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("ORG#*", api.Query),
		},
		Requests: 7, ReadUnits: 16, Audit: []string{string(audit.PowerUsed)},
		Event: api.Event{Params: atOrg, Query: "limit=10"},
	}, func(ctx context.Context, in *OrgListInput) (*MembersOutput, error) {
		list, err := s.Members(ctx, in.OrgID, in.ListInput)
		return &MembersOutput{Body: list}, err
	})
}

type memberOutput struct{ Body Member }

// MembersAddOperation is POST /api/organizations/{orgId}/members.
func MembersAddOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-members-add", Method: http.MethodPost, Path: "/api/organizations/{orgId}/members", Tag: tag, Access: api.User,
		Status: http.StatusCreated, Summary: "Make a user a member; for admins.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 6, WriteUnits: 16,
		Audit: []string{string(audit.MemberAdded), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg, Body: map[string]any{"userId": sampleUser, "role": "manager"}},
	}, func(ctx context.Context, in *struct {
		OrgPath
		Body struct {
			UserID string         `json:"userId" format:"uuid"`
			Role   access.OrgRole `json:"role" enum:"admin,manager,viewer,member"`
		}
	}) (*memberOutput, error) {
		m, err := s.Add(ctx, in.OrgID, in.Body.UserID, in.Body.Role)
		return &memberOutput{Body: m}, err
	})
}

// MemberPath names a member of an organization in a path.
type MemberPath struct {
	OrgPath
	UserID string `path:"userId" maxLength:"64"`
}

var atMember = map[string]string{"orgId": sampleOrg, "userId": sampleUser}

// MembersChangeOperation is PATCH /api/organizations/{orgId}/members/{userId}.
func MembersChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-members-change", Method: http.MethodPatch, Path: "/api/organizations/{orgId}/members/{userId}", Tag: tag, Access: api.User,
		Summary: "Give a member another role; for admins. The last admin keeps theirs.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 6, WriteUnits: 14,
		Audit: []string{string(audit.MemberChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atMember, Body: map[string]any{"role": "viewer"}},
	}, func(ctx context.Context, in *struct {
		MemberPath
		Body struct {
			Role access.OrgRole `json:"role" enum:"admin,manager,viewer,member"`
		}
	}) (*memberOutput, error) {
		m, err := s.Change(ctx, in.OrgID, in.UserID, in.Body.Role)
		return &memberOutput{Body: m}, err
	})
}

// MembersRemoveOperation is DELETE /api/organizations/{orgId}/members/{userId}.
func MembersRemoveOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-members-remove", Method: http.MethodDelete, Path: "/api/organizations/{orgId}/members/{userId}", Tag: tag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Remove a member, with their grants and shares in the organization; for admins, and for oneself.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.DeleteItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 7, WriteUnits: 14,
		Audit: []string{string(audit.MemberRemoved), string(audit.AccessDenied)},
		Event: api.Event{Params: atMember},
	}, func(ctx context.Context, in *MemberPath) (*api.Empty, error) {
		return nil, s.Remove(ctx, in.OrgID, in.UserID)
	})
}

// InvitationsOutput is the answer of the list of invitations.
type InvitationsOutput struct{ Body api.List[Invitation] }

// InvitationsListOperation is GET /api/organizations/{orgId}/invitations.
func InvitationsListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-invitations-list", Method: http.MethodGet, Path: "/api/organizations/{orgId}/invitations", Tag: tag, Access: api.User,
		Summary: "List an organization's invitations; for admins.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 6,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg},
	}, func(ctx context.Context, in *OrgListInput) (*InvitationsOutput, error) {
		list, err := s.Invitations(ctx, in.OrgID, in.ListInput)
		return &InvitationsOutput{Body: list}, err
	})
}

// InvitationsCreateOperation is POST /api/organizations/{orgId}/invitations.
func InvitationsCreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-invitations-create", Method: http.MethodPost, Path: "/api/organizations/{orgId}/invitations", Tag: tag, Access: api.User,
		Status: http.StatusCreated, Summary: "Invite an address; for admins.",
		Description: "The address gets a mail with a link that works once, for the account whose verified address it is. Nobody learns here whether there is one.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.GetItem, api.BatchGetItem, api.PutItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
			api.On("OUTBOX#*", api.PutItem),
			api.On("THROTTLE#*", api.PutItem, api.UpdateItem),
		},
		Sends: true, Secrets: true, Requests: 6, ReadUnits: 5, WriteUnits: 15,
		Audit: []string{string(audit.InvitationCreated), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg, Body: map[string]any{"email": "erin@example.com", "role": "viewer"}},
	}, func(ctx context.Context, in *struct {
		OrgPath
		Body struct {
			Email string         `json:"email" minLength:"3" maxLength:"254"`
			Role  access.OrgRole `json:"role" enum:"admin,manager,viewer,member"`
		}
	}) (*struct{ Body Invitation }, error) {
		i, err := s.Invite(ctx, in.OrgID, in.Body.Email, in.Body.Role)
		return &struct{ Body Invitation }{i}, err
	})
}

// InvitationsRevokeOperation is DELETE /api/organizations/{orgId}/invitations/{invitationId}.
func InvitationsRevokeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-invitations-revoke", Method: http.MethodDelete, Path: "/api/organizations/{orgId}/invitations/{invitationId}", Tag: tag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Take an invitation back; for admins.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 4, WriteUnits: 10,
		Audit: []string{string(audit.InvitationRevoked), string(audit.AccessDenied)},
		Event: api.Event{Params: map[string]string{"orgId": sampleOrg, "invitationId": sampleInvite}},
	}, func(ctx context.Context, in *struct {
		OrgPath
		InvitationID string `path:"invitationId" maxLength:"64"`
	}) (*api.Empty, error) {
		return nil, s.Revoke(ctx, in.OrgID, in.InvitationID)
	})
}

// InvitationsAcceptOperation is POST /api/invitations/accept.
func InvitationsAcceptOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "invitations-accept", Method: http.MethodPost, Path: "/api/invitations/accept", Tag: tag, Access: api.User,
		Summary:     "Accept an invitation, as the user whose verified address was invited.",
		Description: "A token works once; repeating the acceptance answers the same. Whoever is a member already keeps the role they have.",
		Table: []api.Use{
			api.On("USER#*", api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 3, ReadUnits: 6, WriteUnits: 16,
		Audit: []string{string(audit.InvitationAccepted)},
		Event: api.Event{Body: map[string]any{"token": "lyi_example"}},
	}, func(ctx context.Context, in *struct {
		Body struct {
			Token string `json:"token" minLength:"1" maxLength:"256"`
		}
	}) (*organizationOutput, error) {
		o, err := s.Accept(ctx, in.Body.Token)
		return &organizationOutput{Body: o}, err
	})
}

// InvitationLinkOperation is GET /api/invitations/accept/{token}.
func InvitationLinkOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "invitations-accept-link", Method: http.MethodGet, Path: "/api/invitations/accept/{token}", Tag: tag, Access: api.Public,
		Summary: "Where an invitation leads: a page whose button accepts it. Opening it uses nothing up.",
		HTML:    true, Event: api.Event{Params: map[string]string{"token": "lyi_example"}},
	}, func(_ context.Context, in *struct {
		Token string `path:"token" maxLength:"256"`
		account.PageLanguage
	}) (*account.PageOutput, error) {
		return account.InvitationPage(in.PageLanguage, s.Config)
	})
}

// TrailInput is what the audit lists take.
type TrailInput struct {
	api.ListInput
	Type    string    `query:"type" maxLength:"64" doc:"Only events of this type."`
	ActorID string    `query:"actorId" format:"uuid" doc:"Only what this user did."`
	From    time.Time `query:"from" doc:"Only from this moment on."`
	To      time.Time `query:"to" doc:"Only before this moment."`
}

// Filter gives the filter that was asked for.
func (in *TrailInput) Filter() audit.Filter {
	return audit.Filter{Type: audit.Type(in.Type), ActorID: in.ActorID, From: in.From, To: in.To}
}

// AuditOperation is GET /api/organizations/{orgId}/audit.
func AuditOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "orgs-audit", Method: http.MethodGet, Path: "/api/organizations/{orgId}/audit", Tag: tag, Access: api.User,
		Summary:     "List an organization's audit events, newest first; for admins.",
		Description: "A filter that matches little can give a short page that is not the last; nextCursor says so.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.GetItem, api.BatchGetItem),
			api.On("AUDIT#*", api.Query, api.PutItem),
		},
		Requests: 24, ReadUnits: 8.5,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg, Query: "type=member.added&limit=10"},
	}, func(ctx context.Context, in *struct {
		OrgPath
		TrailInput
	}) (*struct{ Body api.List[audit.Event] }, error) {
		list, err := s.Trail(ctx, in.OrgID, in.Filter(), in.ListInput)
		return &struct{ Body api.List[audit.Event] }{list}, err
	})
}
