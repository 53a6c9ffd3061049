package entity

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
)

const documentTag = "Documents"

// DocumentPath names a document in a path.
type DocumentPath struct {
	DocumentID string `path:"documentId" maxLength:"64"`
}

type documentOutput struct{ Body Document }

// DocumentList is the answer of the list of documents.
type DocumentList struct{ Body api.List[Document] }

// DocumentsListOperation is GET /api/entities/{entityId}/documents.
func DocumentsListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-list", Method: http.MethodGet, Path: "/api/entities/{entityId}/documents", Tag: documentTag, Access: api.User,
		Summary: "List an entity's documents, without their contents; for whoever may view it.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("ENTITY#*", api.Query),
		},
		Requests: 6, ReadUnits: 18,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity, Query: "limit=10"},
	}, func(ctx context.Context, in *struct {
		EntityPath
		api.ListInput
	}) (*DocumentList, error) {
		list, err := page(ctx, s.Cursors, in.ListInput, cursor.Query("documents", in.EntityID), func(from string) ([]Document, string, error) {
			return s.Documents(ctx, in.EntityID, in.Limit, from)
		})
		return &DocumentList{Body: list}, err
	})
}

// DocumentsCreateOperation is POST /api/entities/{entityId}/documents.
func DocumentsCreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-create", Method: http.MethodPost, Path: "/api/entities/{entityId}/documents", Tag: documentTag, Access: api.User,
		Status: http.StatusCreated, Summary: "Add a document to an entity; for whoever may create there.", MaxBody: maxDocumentBody,
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.ConditionCheck),
			api.On("DOC#*", api.PutItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 5, WriteUnits: 16,
		Audit: []string{string(audit.DocumentCreated), string(audit.AccessDenied)},
		Event: api.Event{Params: atEntity, Body: map[string]any{"title": "Insurance", "content": "Policy 4711"}},
	}, func(ctx context.Context, in *struct {
		EntityPath
		Body FreshDocument
	}) (*documentOutput, error) {
		d, err := s.CreateDocument(ctx, in.EntityID, in.Body)
		return &documentOutput{Body: d}, err
	})
}

// DocumentsGetOperation is GET /api/documents/{documentId}.
func DocumentsGetOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-get", Method: http.MethodGet, Path: "/api/documents/{documentId}", Tag: documentTag, Access: api.User,
		Summary: "One document with its content, for whoever may view it.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 10,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atDocument},
	}, func(ctx context.Context, in *DocumentPath) (*documentOutput, error) {
		d, err := s.Document(ctx, in.DocumentID)
		return &documentOutput{Body: d}, err
	})
}

// DocumentsChangeOperation is PATCH /api/documents/{documentId}.
func DocumentsChangeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-change", Method: http.MethodPatch, Path: "/api/documents/{documentId}", Tag: documentTag, Access: api.User,
		Summary: "Change a document's title, type or content; for whoever may edit it.", MaxBody: maxDocumentBody,
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem, api.ConditionCheck),
			api.On("DOC#*", api.BatchGetItem, api.PutItem, api.UpdateItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 10, WriteUnits: 14,
		Audit: []string{string(audit.DocumentChanged), string(audit.AccessDenied)},
		Event: api.Event{Params: atDocument, Body: map[string]any{"content": "Policy 4712"}},
	}, func(ctx context.Context, in *struct {
		DocumentPath
		Body DocumentChange
	}) (*documentOutput, error) {
		d, err := s.ChangeDocument(ctx, in.DocumentID, in.Body)
		return &documentOutput{Body: d}, err
	})
}

// DocumentsDeleteOperation is DELETE /api/documents/{documentId}.
func DocumentsDeleteOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-delete", Method: http.MethodDelete, Path: "/api/documents/{documentId}", Tag: documentTag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Delete a document with its shares; for whoever may.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem, api.DeleteItem),
			api.On("AUDIT#*", api.PutItem),
			api.On("TASK#*", api.PutItem),
		},
		Requests: 5, ReadUnits: 6, WriteUnits: 14,
		Audit: []string{string(audit.DocumentDeleted), string(audit.AccessDenied)},
		Event: api.Event{Params: atDocument},
	}, func(ctx context.Context, in *DocumentPath) (*api.Empty, error) {
		return nil, s.DeleteDocument(ctx, in.DocumentID)
	})
}

type shareOutput struct{ Body Share }

// ShareList is the answer of the list of shares.
type ShareList struct{ Body api.List[Share] }

// SharesListOperation is GET /api/documents/{documentId}/shares.
func SharesListOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-shares-list", Method: http.MethodGet, Path: "/api/documents/{documentId}/shares", Tag: documentTag, Access: api.User,
		Summary: "List a document's shares; for whoever may share it.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("DOC#*", api.Query),
		},
		Requests: 6, ReadUnits: 19.5,
		Audit: []string{string(audit.PowerUsed), string(audit.AccessDenied)},
		Event: api.Event{Params: atDocument, Query: "limit=10"},
	}, func(ctx context.Context, in *struct {
		DocumentPath
		api.ListInput
	}) (*ShareList, error) {
		list, err := page(ctx, s.Cursors, in.ListInput, cursor.Query("shares", in.DocumentID), func(from string) ([]Share, string, error) {
			return s.Shares(ctx, in.DocumentID, in.Limit, from)
		})
		return &ShareList{Body: list}, err
	})
}

// SharesCreateOperation is POST /api/documents/{documentId}/shares.
func SharesCreateOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-shares-create", Method: http.MethodPost, Path: "/api/documents/{documentId}/shares", Tag: documentTag, Access: api.User,
		Status: http.StatusCreated, Summary: "Share one document with a user, member or not.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.PutItem, api.UpdateItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem, api.ConditionCheck),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 7, WriteUnits: 20,
		Audit: []string{string(audit.ShareCreated), string(audit.AccessDenied)},
		Event: api.Event{Params: atDocument, Body: map[string]any{"userId": sampleUser, "level": "viewer"}},
	}, func(ctx context.Context, in *struct {
		DocumentPath
		Body FreshShare
	}) (*shareOutput, error) {
		sh, err := s.Share(ctx, in.DocumentID, in.Body)
		return &shareOutput{Body: sh}, err
	})
}

// SharesRevokeOperation is DELETE /api/documents/{documentId}/shares/{userId}.
func SharesRevokeOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "documents-shares-revoke", Method: http.MethodDelete, Path: "/api/documents/{documentId}/shares/{userId}", Tag: documentTag, Access: api.User,
		Status: http.StatusNoContent, Summary: "Take a share away.",
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem, api.DeleteItem, api.ConditionCheck),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("DOC#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
		},
		Requests: 6, ReadUnits: 7, WriteUnits: 12,
		Audit: []string{string(audit.ShareRevoked), string(audit.AccessDenied)},
		Event: api.Event{Params: map[string]string{"documentId": sampleDocument, "userId": sampleUser}},
	}, func(ctx context.Context, in *struct {
		DocumentPath
		UserID string `path:"userId" maxLength:"64"`
	}) (*api.Empty, error) {
		return nil, s.Unshare(ctx, in.DocumentID, in.UserID)
	})
}
