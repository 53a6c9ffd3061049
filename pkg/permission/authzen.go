package permission

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// The Authorization API 1.0 of the OpenID Foundation's AuthZEN working group
// (openid.net/specs/authorization-api-1_0-final). Its messages are open: fields
// that are not known are ignored, and so are properties and context, because
// rights here rest on nothing a request could say. What its text requires of
// statuses is the pipeline's (api.Spec.Interop).

// The types it deals in.
const (
	subjectUser      = "user"
	resourceEntity   = "entity"
	resourceDocument = "document"
)

// Open is an object of the caller's; it is accepted and ignored.
type Open map[string]any

// Subject is who is asked about.
type Subject struct {
	_          struct{} `additionalProperties:"true"`
	Type       string   `json:"type,omitempty" maxLength:"64" doc:"user"`
	ID         string   `json:"id,omitempty" maxLength:"256" doc:"A user's id; ignored where subjects are searched for."`
	Properties Open     `json:"properties,omitempty" doc:"Ignored."`
}

// Action is what they want to do.
type Action struct {
	_          struct{} `additionalProperties:"true"`
	Name       string   `json:"name,omitempty" maxLength:"64" doc:"view, edit, create, delete, share or manage."`
	Properties Open     `json:"properties,omitempty" doc:"Ignored."`
}

// Resource is what they want to do it to.
type Resource struct {
	_          struct{} `additionalProperties:"true"`
	Type       string   `json:"type,omitempty" maxLength:"64" doc:"entity or document"`
	ID         string   `json:"id,omitempty" maxLength:"256" doc:"Its id; ignored where resources are searched for."`
	Properties Open     `json:"properties,omitempty" doc:"Ignored."`
}

// Tuple is one question.
type Tuple struct {
	_        struct{}  `additionalProperties:"true"`
	Subject  *Subject  `json:"subject,omitempty"`
	Action   *Action   `json:"action,omitempty"`
	Resource *Resource `json:"resource,omitempty"`
	Context  Open      `json:"context,omitempty" doc:"Ignored."`
}

// with fills in what the tuple leaves out, down to the required fields.
func (t Tuple) with(defaults Tuple) Tuple {
	if t.Subject == nil {
		t.Subject = defaults.Subject
	} else if d := defaults.Subject; d != nil {
		t.Subject = &Subject{Type: or(t.Subject.Type, d.Type), ID: or(t.Subject.ID, d.ID)}
	}
	if t.Action == nil {
		t.Action = defaults.Action
	} else if d := defaults.Action; d != nil {
		t.Action = &Action{Name: or(t.Action.Name, d.Name)}
	}
	if t.Resource == nil {
		t.Resource = defaults.Resource
	} else if d := defaults.Resource; d != nil {
		t.Resource = &Resource{Type: or(t.Resource.Type, d.Type), ID: or(t.Resource.ID, d.ID)}
	}
	return t
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// required gives the fault of a request in which something is missing; each
// pair is a location and whether it is there.
func required(pairs ...any) error {
	f := fault.New(fault.CodeInvalidRequest, "Something that this request needs is missing; see errors.")
	for i := 0; i < len(pairs); i += 2 {
		if there := pairs[i+1].(bool); !there {
			f.Fields = append(f.Fields, fault.Field{Location: "body." + pairs[i].(string), Message: "expected it to be there"})
		}
	}
	if len(f.Fields) == 0 {
		return nil
	}
	return f
}

func (s *Subject) typed() bool  { return s != nil && s.Type != "" }
func (s *Subject) named() bool  { return s != nil && s.ID != "" }
func (a *Action) named() bool   { return a != nil && a.Name != "" }
func (r *Resource) typed() bool { return r != nil && r.Type != "" }
func (r *Resource) named() bool { return r != nil && r.ID != "" }

// complete reports what is missing from a question.
func (t Tuple) complete() error {
	return required("subject.type", t.Subject.typed(), "subject.id", t.Subject.named(), "action.name", t.Action.named(),
		"resource.type", t.Resource.typed(), "resource.id", t.Resource.named())
}

// question gives the question in this package's terms; false for one about
// types or actions there are not, on which nobody is allowed anything.
func (t Tuple) question() (access.Question, bool) {
	ref, known := t.Resource.ref()
	a, err := access.ParseAction(t.Action.Name)
	return access.Question{Ref: ref, Action: a}, known && err == nil && t.Subject.Type == subjectUser
}

func (r *Resource) ref() (access.Ref, bool) {
	switch r.Type {
	case resourceEntity:
		return access.Ref{Kind: access.KindEntity, ID: r.ID}, true
	case resourceDocument:
		return access.Ref{Kind: access.KindDocument, ID: r.ID}, true
	}
	return access.Ref{}, false
}

// Outcome is the answer to one question.
type Outcome struct {
	Decision bool            `json:"decision"`
	Context  *OutcomeContext `json:"context,omitempty"`
}

// OutcomeContext says why.
type OutcomeContext struct {
	Reason string        `json:"reason"`
	Level  string        `json:"level,omitempty" enum:"none,viewer,editor,manager,admin"`
	Source string        `json:"source,omitempty" enum:"org_role,grant,share,super_admin,none"`
	Error  *OutcomeError `json:"error,omitempty" doc:"That this question could not be asked."`
}

// OutcomeError is what is wrong with one question among several.
type OutcomeError struct {
	Status  int    `json:"status"`
	Message string `json:"message"`
}

func outcome(d access.Decision) Outcome {
	return Outcome{d.Allowed, &OutcomeContext{Reason: d.Reason, Level: d.Level.String(), Source: d.Source.String()}}
}

func failed(status int, message string) Outcome {
	return Outcome{false, &OutcomeContext{Reason: message, Error: &OutcomeError{status, message}}}
}

// Evaluate answers one question.
func (s *Service) Evaluate(ctx context.Context, t Tuple) (Outcome, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if err := t.complete(); err != nil {
		return Outcome{}, err
	}
	outcomes, err := s.evaluate(ctx, me, []Tuple{t})
	if err != nil {
		return Outcome{}, err
	}
	if c := outcomes[0].Context; c.Error != nil {
		return Outcome{}, errForbidden
	}
	return outcomes[0], nil
}

// The evaluation semantics.
const (
	executeAll     = "execute_all"
	untilFirstDeny = "deny_on_first_deny"
	untilPermit    = "permit_on_first_permit"
)

// Evaluations are several questions, with what they have in common.
type Evaluations struct {
	Tuple
	Evaluations []Tuple           `json:"evaluations,omitempty" maxItems:"100" nullable:"false"`
	Options     EvaluationOptions `json:"options,omitempty"`
}

// EvaluationOptions say how several questions are answered.
type EvaluationOptions struct {
	_        struct{} `additionalProperties:"true"`
	Semantic string   `json:"evaluations_semantic,omitempty" maxLength:"64" doc:"execute_all (default), deny_on_first_deny or permit_on_first_permit."`
}

// EvaluateAll answers several questions in their order, up to the one at which
// the semantic stops. A question that is incomplete or may not be asked is
// denied, by itself.
func (s *Service) EvaluateAll(ctx context.Context, e Evaluations) ([]Outcome, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return nil, err
	}
	switch e.Options.Semantic {
	case "", executeAll, untilFirstDeny, untilPermit:
	default:
		return nil, fault.New(fault.CodeInvalidRequest, "There is no such evaluations_semantic.")
	}
	tuples := make([]Tuple, len(e.Evaluations))
	for i, t := range e.Evaluations {
		tuples[i] = t.with(e.Tuple)
	}
	outcomes, err := s.evaluate(ctx, me, tuples)
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		if o.Decision && e.Options.Semantic == untilPermit || !o.Decision && e.Options.Semantic == untilFirstDeny {
			return outcomes[:i+1], nil
		}
	}
	return outcomes, nil
}

// evaluate answers questions, those about one user together.
func (s *Service) evaluate(ctx context.Context, me *caller.Principal, tuples []Tuple) ([]Outcome, error) {
	out := make([]Outcome, len(tuples))
	bySubject := map[string][]int{}
	var subjects []string
	for i, t := range tuples {
		if t.complete() != nil {
			out[i] = failed(400, "the evaluation is not complete")
			continue
		}
		if _, known := t.question(); !known {
			out[i] = outcome(access.Denied())
			continue
		}
		if bySubject[t.Subject.ID] == nil {
			subjects = append(subjects, t.Subject.ID)
		}
		bySubject[t.Subject.ID] = append(bySubject[t.Subject.ID], i)
	}
	for _, subject := range subjects {
		places := bySubject[subject]
		questions := make([]access.Question, len(places))
		for n, i := range places {
			questions[n], _ = tuples[i].question()
		}
		answers, err := s.ask(ctx, me, subject, questions, access.Cached)
		if err != nil {
			return nil, err
		}
		for n, i := range places {
			if answers[n].refused {
				out[i] = failed(403, errForbidden.Detail)
			} else {
				out[i] = outcome(answers[n].Decision)
			}
		}
	}
	return out, nil
}

// PageRequest says which page of a search is wanted.
type PageRequest struct {
	_     struct{} `additionalProperties:"true"`
	Token string   `json:"token,omitempty" maxLength:"2048" doc:"next_token of the page before."`
	Limit int      `json:"limit,omitempty" minimum:"0" doc:"At most so many results; never more than 100."`
}

// Searching is a search: a question with one part left open.
type Searching struct {
	Tuple
	Page PageRequest `json:"page,omitempty"`
}

func (q Searching) limit() int {
	if q.Page.Limit < 1 {
		return 50
	}
	return min(q.Page.Limit, 100)
}

// PageResponse says where the next page begins.
type PageResponse struct {
	NextToken string `json:"next_token" doc:"Empty on the last page."`
	Count     int    `json:"count"`
}

// Result is a subject, a resource or an action that was found.
type Result struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Results are one page of a search.
type Results struct {
	Results []Result     `json:"results" nullable:"false"`
	Page    PageResponse `json:"page"`
}

// search reads the cursor, has the page made, and makes the next cursor.
func (s *Service) search(ctx context.Context, q Searching, query string, page func(from string) ([]Result, string, error)) (Results, error) {
	from, err := s.Cursors.Read(ctx, q.Page.Token, query)
	if err != nil {
		return Results{}, err
	}
	found, next, err := page(from)
	if err != nil {
		return Results{}, err
	}
	token, err := s.Cursors.Next(ctx, next, query)
	if found == nil {
		found = []Result{}
	}
	return Results{found, PageResponse{token, len(found)}}, err
}

// SearchSubjects finds the users to whom a role, grant or share of their own
// allows an action on a resource. Super-admin power is not searched for.
func (s *Service) SearchSubjects(ctx context.Context, q Searching) (Results, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Results{}, err
	}
	err = required("subject.type", q.Subject.typed(), "action.name", q.Action.named(), "resource.type", q.Resource.typed(), "resource.id", q.Resource.named())
	if err != nil {
		return Results{}, err
	}
	question, known := q.question()
	return s.search(ctx, q, cursor.Query("authzen-subjects", q.Resource.Type, q.Resource.ID, q.Action.Name), func(from string) ([]Result, string, error) {
		if !known {
			return nil, "", nil
		}
		mine, place, err := s.Access.Standing(ctx, me.UserID, question.Ref, access.Cached)
		switch {
		case err != nil:
			return nil, "", fmt.Errorf("resolve the caller's rights: %w", err)
		case mine.Level == access.LevelNone:
			return nil, "", nil
		case !mine.MaySeeGrants():
			return nil, "", errForbidden
		case mine.Source == access.FromSuperAdmin:
			if err := s.used(ctx, me, &mine, "", "search"); err != nil {
				return nil, "", err
			}
		}
		holders, next, err := s.Entities.Holders(ctx, place, question.Action, q.limit(), from)
		if err != nil {
			return nil, "", err
		}
		var out []Result
		for _, h := range holders {
			out = append(out, Result{Type: subjectUser, ID: h.UserID})
		}
		return out, next, nil
	})
}

// SearchResources finds the entities, or documents, on which a user is allowed
// an action: exactly those for which an evaluation says so, and that the caller
// may ask about.
func (s *Service) SearchResources(ctx context.Context, q Searching) (Results, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Results{}, err
	}
	err = required("subject.type", q.Subject.typed(), "subject.id", q.Subject.named(), "action.name", q.Action.named(), "resource.type", q.Resource.typed())
	if err != nil {
		return Results{}, err
	}
	question, known := q.question()
	return s.search(ctx, q, cursor.Query("authzen-resources", q.Subject.ID, q.Resource.Type, q.Action.Name), func(from string) ([]Result, string, error) {
		if !known {
			return nil, "", nil
		}
		search := entity.Search{UserID: q.Subject.ID, Action: question.Action, Limit: q.limit(), From: from}
		finish, err := s.judged(ctx, me, &search)
		if err != nil {
			return nil, "", err
		}
		find := s.Entities.Find
		if question.Kind == access.KindDocument {
			find = s.Entities.FindDocuments
		}
		found, err := find(ctx, search)
		if err != nil {
			return nil, "", err
		}
		var out []Result
		for _, e := range found.Entities {
			out = append(out, Result{Type: resourceEntity, ID: e.ID})
		}
		for _, d := range found.Documents {
			out = append(out, Result{Type: resourceDocument, ID: d.ID})
		}
		return out, found.Next, finish(found)
	})
}

// SearchActions finds what a user may do to a resource.
func (s *Service) SearchActions(ctx context.Context, q Searching) (Results, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Results{}, err
	}
	err = required("subject.type", q.Subject.typed(), "subject.id", q.Subject.named(), "resource.type", q.Resource.typed(), "resource.id", q.Resource.named())
	if err != nil {
		return Results{}, err
	}
	ref, known := q.Resource.ref()
	return s.search(ctx, q, cursor.Query("authzen-actions", q.Subject.ID, q.Resource.Type, q.Resource.ID), func(string) ([]Result, string, error) {
		if !known || q.Subject.Type != subjectUser {
			return nil, "", nil
		}
		answers, err := s.ask(ctx, me, q.Subject.ID, []access.Question{{Ref: ref, Action: access.ActionView}}, access.Cached)
		if err != nil {
			return nil, "", err
		}
		if answers[0].refused {
			return nil, "", errForbidden
		}
		var out []Result
		for _, a := range answers[0].Level.Actions() {
			out = append(out, Result{Name: a.String()})
		}
		return out, "", nil
	})
}
