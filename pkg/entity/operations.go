package entity

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
)

const tag = "Entities"

const (
	sampleOrg      = "01900000-0000-7000-8000-0000000000a1"
	sampleUser     = "01900000-0000-7000-8000-0000000000b1"
	sampleEntity   = "01900000-0000-7000-8000-0000000000d1"
	sampleDocument = "01900000-0000-7000-8000-0000000000e1"
)

var (
	atOrg      = map[string]string{"orgId": sampleOrg}
	atEntity   = map[string]string{"entityId": sampleEntity}
	atDocument = map[string]string{"documentId": sampleDocument}
)

// Operations gives every operation of this package.
func Operations(s *Service) []api.Operation {
	return []api.Operation{
		ListOperation(s), CreateOperation(s), GetOperation(s), ChangeOperation(s), DeleteOperation(s),
		PermissionsListOperation(s), PermissionsGrantOperation(s), PermissionsChangeOperation(s), PermissionsRevokeOperation(s),
		DocumentsListOperation(s), DocumentsCreateOperation(s), DocumentsGetOperation(s), DocumentsChangeOperation(s), DocumentsDeleteOperation(s),
		SharesListOperation(s), SharesCreateOperation(s), SharesRevokeOperation(s),
	}
}

// page answers a list: it reads the cursor, has the page made, and makes the
// cursor of the next.
func page[T any](ctx context.Context, c cursor.Cursors, in api.ListInput, query string, list func(from string) ([]T, string, error)) (api.List[T], error) {
	from, err := c.Read(ctx, in.Cursor, query)
	if err != nil {
		return api.List[T]{}, err
	}
	items, place, err := list(from)
	if err != nil {
		return api.List[T]{}, err
	}
	if items == nil {
		items = []T{}
	}
	next, err := c.Next(ctx, place, query)
	return api.List[T]{Items: items, NextCursor: next}, err
}

// EntityPath names an entity in a path. It is exported because huma looks past
// what is not.
type EntityPath struct {
	EntityID string `path:"entityId" maxLength:"64"`
}

type entityOutput struct{ Body Entity }

// EntityList is the answer of lists of entities.
type EntityList struct{ Body api.List[Entity] }

// ListOperation is GET /api/organizations/{orgId}/entities.
func ListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-list", Method: http.MethodGet, Path: "/api/organizations/{orgId}/entities", Tag: tag, Access: api.User,
		Summary:     "List the entities of an organization that the caller may view.",
		Description: "A page can hold fewer items than the limit, or none, and still have a nextCursor.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("ORG#*", api.Query),
		},
		Requests: 7, ReadUnits: 9,
		Audit: []string{string(audit.PowerUsed)},
		Event: api.Event{Params: atOrg, Query: "type=boat&limit=10"},
	}, func(ctx context.Context, in *struct {
		OrgID string `path:"orgId" maxLength:"64"`
		Type  string `query:"type" maxLength:"64" doc:"Only entities of this type."`
		api.ListInput
	}) (*EntityList, error) {
		list, err := page(ctx, s.Cursors, in.ListInput, cursor.Query("entities", in.OrgID, in.Type), func(from string) ([]Entity, string, error) {
			found, err := s.List(ctx, in.OrgID, in.Type, in.Limit, from)
			return found.Entities, found.Next, err
		})
		return &EntityList{Body: list}, err
	})
}

// CreateOperation is POST /api/organizations/{orgId}/entities.
func CreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-create", Method: http.MethodPost, Path: "/api/organizations/{orgId}/entities", Tag: tag, Access: api.User,
		Status: http.StatusCreated, Summary: "Add an entity to an organization; for its admins and managers.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.PutItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 4, ReadUnits: 4, WriteUnits: 12,
		Audit: []string{string(audit.EntityCreated), string(audit.AccessDenied)},
		Event: api.Event{Params: atOrg, Body: map[string]any{"type": "boat", "name": "Sea Breeze", "attributes": map[string]any{"length": 12.5, "hull": "GRP"}}},
	}, func(ctx context.Context, in *struct {
		OrgID string `path:"orgId" maxLength:"64"`
		Body  Fresh
	}) (*entityOutput, error) {
		e, err := s.Create(ctx, in.OrgID, in.Body)
		return &entityOutput{Body: e}, err
	})
}

// GetOperation is GET /api/entities/{entityId}.
func GetOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-get", Method: http.MethodGet, Path: "/api/entities/{entityId}", Tag: tag, Access: api.User,
		Summary: "One entity, for whoever may view it.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 7,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity},
	}, func(ctx context.Context, in *EntityPath) (*entityOutput, error) {
		e, err := s.Get(ctx, in.EntityID)
		return &entityOutput{Body: e}, err
	})
}

// ChangeOperation is PATCH /api/entities/{entityId}.
func ChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-change", Method: http.MethodPatch, Path: "/api/entities/{entityId}", Tag: tag, Access: api.User,
		Summary: "Change an entity's name or attributes; for whoever may edit it.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 7, WriteUnits: 12,
		Audit: []string{string(audit.EntityChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity, Body: map[string]any{"name": "Sea Breeze II"}},
	}, func(ctx context.Context, in *struct {
		EntityPath
		Body Change
	}) (*entityOutput, error) {
		e, err := s.Change(ctx, in.EntityID, in.Body)
		return &entityOutput{Body: e}, err
	})
}

// DeleteOperation is DELETE /api/entities/{entityId}.
func DeleteOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-delete", Method: http.MethodDelete, Path: "/api/entities/{entityId}", Tag: tag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Delete an entity with its grants, documents and shares; for whoever may.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 5, WriteUnits: 14,
		Audit: []string{string(audit.EntityDeleted), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity},
	}, func(ctx context.Context, in *EntityPath) (*api.Empty, error) {
		return nil, s.Delete(ctx, in.EntityID)
	})
}

// PermissionPath names a user's grant on an entity.
type PermissionPath struct {
	EntityPath
	UserID string `path:"userId" maxLength:"64"`
}

type permissionOutput struct{ Body Permission }

// PermissionList is the answer of the list of permissions.
type PermissionList struct{ Body api.List[Permission] }

// PermissionsListOperation is GET /api/entities/{entityId}/permissions.
func PermissionsListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-permissions-list", Method: http.MethodGet, Path: "/api/entities/{entityId}/permissions", Tag: tag, Access: api.User,
		Summary:     "List everyone with access to an entity, by grant or by organization role.",
		Description: "For whoever may manage the entity, and for organization managers. Each user is listed once, with the higher of the two. A page can hold fewer items than the limit, or none, and still have a nextCursor.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("ORG#*", api.Query),
			api.OnIndex("ENTITY#*", api.Query),
		},
		Requests: 8, ReadUnits: 64.5,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity, Query: "limit=10"},
	}, func(ctx context.Context, in *struct {
		EntityPath
		api.ListInput
	}) (*PermissionList, error) {
		list, err := page(ctx, s.Cursors, in.ListInput, cursor.Query("permissions", in.EntityID), func(from string) ([]Permission, string, error) {
			return s.Permissions(ctx, in.EntityID, in.Limit, from)
		})
		return &PermissionList{Body: list}, err
	})
}

// PermissionsGrantOperation is POST /api/entities/{entityId}/permissions.
func PermissionsGrantOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-permissions-grant", Method: http.MethodPost, Path: "/api/entities/{entityId}/permissions", Tag: tag, Access: api.User,
		Status: http.StatusCreated, Summary: "Grant a member of the organization a level on an entity.",
		Description: "Organization managers grant up to manager; whoever may manage the entity, any level.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 5, WriteUnits: 18,
		Audit: []string{string(audit.GrantCreated), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity, Body: map[string]any{"userId": sampleUser, "level": "editor"}},
	}, func(ctx context.Context, in *struct {
		EntityPath
		Body Grant
	}) (*permissionOutput, error) {
		p, err := s.Grant(ctx, in.EntityID, in.Body)
		return &permissionOutput{Body: p}, err
	})
}

// PermissionsChangeOperation is PATCH /api/entities/{entityId}/permissions/{userId}.
func PermissionsChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-permissions-change", Method: http.MethodPatch, Path: "/api/entities/{entityId}/permissions/{userId}", Tag: tag, Access: api.User,
		Summary: "Change a grant's level or end.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 6, WriteUnits: 14,
		Audit: []string{string(audit.GrantChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: map[string]string{"entityId": sampleEntity, "userId": sampleUser}, Body: map[string]any{"level": "viewer"}},
	}, func(ctx context.Context, in *struct {
		PermissionPath
		Body GrantChange
	}) (*permissionOutput, error) {
		p, err := s.ChangeGrant(ctx, in.EntityID, in.UserID, in.Body)
		return &permissionOutput{Body: p}, err
	})
}

// PermissionsRevokeOperation is DELETE /api/entities/{entityId}/permissions/{userId}.
func PermissionsRevokeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "entities-permissions-revoke", Method: http.MethodDelete, Path: "/api/entities/{entityId}/permissions/{userId}", Tag: tag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Take a grant away.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.DeleteItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 6, WriteUnits: 12,
		Audit: []string{string(audit.GrantRevoked), string(audit.AccessDenied)},
		Event: api.Event{Params: map[string]string{"entityId": sampleEntity, "userId": sampleUser}},
	}, func(ctx context.Context, in *PermissionPath) (*api.Empty, error) {
		return nil, s.Revoke(ctx, in.EntityID, in.UserID)
	})
}
