package permission

import (
	"context"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/entity"
)

const (
	tag        = "Permissions"
	authzenTag = "AuthZEN"
)

// How the operations of this package use the table.
var (
	// What one decision takes: the facts of its user, what is asked about, and
	// the record of power used over it.
	checks = []api.Use{
		api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
		api.On("ORG#*", api.BatchGetItem),
		api.On("ENTITY#*", api.BatchGetItem),
		api.On("DOC#*", api.BatchGetItem),
		api.On("AUDIT#*", api.PutItem),
	}
	powerUsed = []string{string(audit.PowerUsed)}
)

const (
	sampleUser   = "01900000-0000-7000-8000-0000000000b1"
	sampleEntity = "01900000-0000-7000-8000-0000000000d1"
	fallsShort   = "A page can hold fewer items than the limit, or none, and still have a next one."
)

// Operations gives every operation of this package.
func Operations(s *Service) []api.Operation {
	return []api.Operation{
		CheckOperation(s), ExplainOperation(s), EntitiesOperation(s),
		EvaluationOperation(s), EvaluationsOperation(s),
		SearchResourceOperation(s), SearchActionOperation(s), SearchSubjectOperation(s), ConfigurationOperation(s),
	}
}

type checkOutput struct {
	Body struct {
		Results []Decision `json:"results" nullable:"false" doc:"In the order of the checks."`
	}
}

// CheckOperation is POST /api/permissions/check.
func CheckOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "permissions-check", Method: http.MethodPost, Path: "/api/permissions/check", Tag: tag, Access: api.User,
		Summary:     "Whether a user may do things to entities and documents.",
		Description: "About another user may ask who manages the entity, managers and admins of its organization, and super admins. An id that does not exist, or is another tenant's, is answered with allowed false and source none.",
		Table:       checks, Requests: 7, ReadUnits: 5, Audit: powerUsed,
		Event: api.Event{Body: map[string]any{"checks": []any{map[string]any{"entityId": sampleEntity, "action": "edit"}}}},
	}, func(ctx context.Context, in *struct{ Body Checks }) (*checkOutput, error) {
		out := &checkOutput{}
		var err error
		out.Body.Results, err = s.Check(ctx, in.Body)
		return out, err
	})
}

type explainOutput struct{ Body Explanation }

// ExplainOperation is POST /api/permissions/explain.
func ExplainOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "permissions-explain", Method: http.MethodPost, Path: "/api/permissions/explain", Tag: tag, Access: api.User,
		Summary: "Why a user may, or may not, do something to an entity or a document.",
		Table:   checks, Requests: 7, ReadUnits: 5, Audit: powerUsed,
		Event: api.Event{Body: map[string]any{"entityId": sampleEntity, "action": "edit"}},
	}, func(ctx context.Context, in *struct {
		Body struct {
			Question
			UserID string `json:"userId,omitempty" maxLength:"64" doc:"Who is asked about; default: the caller."`
		}
	}) (*explainOutput, error) {
		e, err := s.Explain(ctx, in.Body.Question, in.Body.UserID)
		return &explainOutput{Body: e}, err
	})
}

// EntitiesOperation is GET /api/permissions/entities.
func EntitiesOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "permissions-entities", Method: http.MethodGet, Path: "/api/permissions/entities", Tag: tag, Access: api.User,
		Summary:     "List the entities on which a user is allowed an action.",
		Description: "About another user: those of them that the caller may ask about. " + fallsShort,
		Table: []api.Use{
			api.On("USER#*", api.Query, api.GetItem, api.BatchGetItem),
			api.On("ORG#*", api.BatchGetItem),
			api.On("ENTITY#*", api.BatchGetItem),
			api.On("AUDIT#*", api.PutItem),
			api.OnIndex("ORG#*", api.Query),
			api.OnIndex("ORGS#*", api.Query),
		},
		Requests: 7, ReadUnits: 8, Audit: powerUsed,
		Event: api.Event{Query: "action=edit&limit=10"},
	}, func(ctx context.Context, in *struct {
		Action         string `query:"action" required:"true" enum:"view,edit,create,delete,share,manage"`
		OrganizationID string `query:"organizationId" maxLength:"64" doc:"Only entities of this organization."`
		UserID         string `query:"userId" maxLength:"64" doc:"Who is asked about; default: the caller."`
		api.ListInput
	}) (*entity.EntityList, error) {
		query := cursor.Query("allowed", in.Action, in.OrganizationID, in.UserID)
		from, err := s.Cursors.Read(ctx, in.Cursor, query)
		if err != nil {
			return nil, err
		}
		found, err := s.Allowed(ctx, EntitiesQuery{in.Action, in.OrganizationID, in.UserID, in.Limit, from})
		if err != nil {
			return nil, err
		}
		next, err := s.Cursors.Next(ctx, found.Next, query)
		return &entity.EntityList{Body: api.List[entity.Entity]{Items: found.Entities, NextCursor: next}}, err
	})
}

// sampleTuple is the sample question of the AuthZEN operations.
func sampleTuple(parts ...string) map[string]any {
	all := map[string]any{
		"subject":  map[string]any{"type": subjectUser, "id": sampleUser},
		"action":   map[string]any{"name": "view"},
		"resource": map[string]any{"type": resourceEntity, "id": sampleEntity},
	}
	for _, p := range parts {
		delete(all, p)
	}
	return all
}

type outcomeOutput struct{ Body Outcome }

// EvaluationOperation is POST /access/v1/evaluation.
func EvaluationOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "authzen-evaluation", Method: http.MethodPost, Path: "/access/v1/evaluation", Tag: authzenTag, Access: api.User, Interop: true,
		Summary: "One access evaluation (AuthZEN Authorization API 1.0).",
		Table:   checks, Requests: 7, ReadUnits: 5, Audit: powerUsed, Event: api.Event{Body: sampleTuple()},
	}, func(ctx context.Context, in *struct{ Body Tuple }) (*outcomeOutput, error) {
		o, err := s.Evaluate(ctx, in.Body)
		return &outcomeOutput{Body: o}, err
	})
}

type outcomesOutput struct {
	Body struct {
		Decision    *bool           `json:"decision,omitempty" doc:"Where the request had no evaluations."`
		Context     *OutcomeContext `json:"context,omitempty"`
		Evaluations []Outcome       `json:"evaluations,omitempty"`
	}
}

// EvaluationsOperation is POST /access/v1/evaluations.
func EvaluationsOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "authzen-evaluations", Method: http.MethodPost, Path: "/access/v1/evaluations", Tag: authzenTag, Access: api.User, Interop: true,
		Summary: "Several access evaluations (AuthZEN Authorization API 1.0).",
		Table:   checks, Requests: 7, ReadUnits: 6, Audit: powerUsed,
		Event: api.Event{Body: map[string]any{
			"subject":     map[string]any{"type": subjectUser, "id": sampleUser},
			"evaluations": []any{sampleTuple("subject")}, "options": map[string]any{"evaluations_semantic": executeAll},
		}},
	}, func(ctx context.Context, in *struct{ Body Evaluations }) (*outcomesOutput, error) {
		out := &outcomesOutput{}
		if len(in.Body.Evaluations) == 0 { // then it is a single evaluation
			o, err := s.Evaluate(ctx, in.Body.Tuple)
			out.Body.Decision, out.Body.Context = &o.Decision, o.Context
			return out, err
		}
		var err error
		out.Body.Evaluations, err = s.EvaluateAll(ctx, in.Body)
		return out, err
	})
}

type searchInput struct{ Body Searching }

type resultsOutput struct{ Body Results }

func searchOperation(kind, summary string, requests int, readUnits float64, uses []api.Use, sample map[string]any, search func(context.Context, Searching) (Results, error)) api.Operation {
	return api.New(api.Spec{
		ID: "authzen-search-" + kind, Method: http.MethodPost, Path: "/access/v1/search/" + kind, Tag: authzenTag, Access: api.User, Interop: true,
		Summary: summary, Description: fallsShort,
		Table: uses, Requests: requests, ReadUnits: readUnits, Audit: powerUsed, Event: api.Event{Body: sample},
	}, func(ctx context.Context, in *searchInput) (*resultsOutput, error) {
		r, err := search(ctx, in.Body)
		return &resultsOutput{Body: r}, err
	})
}

// SearchResourceOperation is POST /access/v1/search/resource.
func SearchResourceOperation(s *Service) api.Operation {
	return searchOperation("resource", "Find what a subject may do something to (AuthZEN Authorization API 1.0).",
		30, 8, append(slices.Clone(checks), api.OnIndex("ORGS#*", api.Query), api.OnIndex("ORG#*", api.Query), api.OnIndex("ENTITY#*", api.Query)), sampleTuple(), s.SearchResources)
}

// SearchActionOperation is POST /access/v1/search/action.
func SearchActionOperation(s *Service) api.Operation {
	return searchOperation("action", "Find what a subject may do to a resource (AuthZEN Authorization API 1.0).", 7, 5, checks, sampleTuple("action"), s.SearchActions)
}

// SearchSubjectOperation is POST /access/v1/search/subject.
func SearchSubjectOperation(s *Service) api.Operation {
	return searchOperation("subject", "Find who may do something to a resource, by a role, grant or share (AuthZEN Authorization API 1.0).",
		12, 73, append(slices.Clone(checks), api.OnIndex("ORG#*", api.Query), api.OnIndex("ENTITY#*", api.Query), api.OnIndex("DOC#*", api.Query)), sampleTuple(), s.SearchSubjects)
}

// Configuration is the metadata of the policy decision point.
type Configuration struct {
	PolicyDecisionPoint    string `json:"policy_decision_point"`
	EvaluationEndpoint     string `json:"access_evaluation_endpoint"`
	EvaluationsEndpoint    string `json:"access_evaluations_endpoint"`
	SearchSubjectEndpoint  string `json:"search_subject_endpoint"`
	SearchResourceEndpoint string `json:"search_resource_endpoint"`
	SearchActionEndpoint   string `json:"search_action_endpoint"`
}

type configurationOutput struct {
	CacheControl string `header:"Cache-Control"`
	Origin       string `header:"Access-Control-Allow-Origin"`
	Policy       string `header:"Cross-Origin-Resource-Policy"`
	Body         Configuration
}

// ConfigurationOperation is GET /.well-known/authzen-configuration.
func ConfigurationOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "authzen-configuration", Method: http.MethodGet, Path: "/.well-known/authzen-configuration", Tag: authzenTag, Access: api.Public, Interop: true,
		Summary: "Where the AuthZEN endpoints are (AuthZEN Authorization API 1.0).",
	}, func(context.Context, *struct{}) (*configurationOutput, error) {
		base := s.Config.PublicURL
		return &configurationOutput{
			CacheControl: "public, max-age=300", Origin: "*", Policy: "cross-origin",
			Body: Configuration{
				PolicyDecisionPoint: base, EvaluationEndpoint: base + "/access/v1/evaluation", EvaluationsEndpoint: base + "/access/v1/evaluations",
				SearchSubjectEndpoint: base + "/access/v1/search/subject", SearchResourceEndpoint: base + "/access/v1/search/resource",
				SearchActionEndpoint: base + "/access/v1/search/action",
			},
		}, nil
	})
}
