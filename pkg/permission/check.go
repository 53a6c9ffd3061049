package permission

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
)

// Question is one question about a right: exactly one of the two ids.
type Question struct {
	EntityID   string `json:"entityId,omitempty" maxLength:"64"`
	DocumentID string `json:"documentId,omitempty" maxLength:"64"`
	Action     string `json:"action" enum:"view,edit,create,delete,share,manage"`
}

func (q Question) parse(location string) (access.Question, error) {
	a, err := access.ParseAction(q.Action)
	if err != nil {
		return access.Question{}, fault.Invalidf(location+".action", "expected an action")
	}
	switch {
	case (q.EntityID == "") == (q.DocumentID == ""):
		return access.Question{}, fault.Invalidf(location, "expected one of entityId and documentId")
	case q.EntityID != "":
		return access.Question{Ref: access.Ref{Kind: access.KindEntity, ID: q.EntityID}, Action: a}, nil
	}
	return access.Question{Ref: access.Ref{Kind: access.KindDocument, ID: q.DocumentID}, Action: a}, nil
}

// Decision is the answer to a question.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Level   string `json:"level" enum:"none,viewer,editor,manager,admin"`
	Source  string `json:"source" enum:"org_role,grant,share,super_admin,none"`
	Reason  string `json:"reason"`
}

func decision(d access.Decision) Decision {
	return Decision{d.Allowed, d.Level.String(), d.Source.String(), d.Reason}
}

// Checks are questions about one user.
type Checks struct {
	Checks      []Question `json:"checks" minItems:"1" maxItems:"100" nullable:"false"`
	UserID      string     `json:"userId,omitempty" maxLength:"64" doc:"Who is asked about; default: the caller."`
	Consistency string     `json:"consistency,omitempty" enum:"cached,strong" default:"cached" doc:"strong asks the store anew; cached may be as old as the configured bound."`
}

// Check answers questions in their order, the same question as often as it is
// asked. One that the caller may not ask refuses them all.
func (s *Service) Check(ctx context.Context, c Checks) ([]Decision, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return nil, err
	}
	questions := make([]access.Question, len(c.Checks))
	for i, q := range c.Checks {
		if questions[i], err = q.parse(fmt.Sprintf("body.checks[%d]", i)); err != nil {
			return nil, err
		}
	}
	how := access.Cached
	if c.Consistency == access.Strong.String() {
		how = access.Strong
	}
	if c.UserID == "" {
		c.UserID = me.UserID
	}
	answers, err := s.ask(ctx, me, c.UserID, questions, how)
	if err != nil {
		return nil, err
	}
	out := make([]Decision, len(answers))
	for i, a := range answers {
		if a.refused {
			return nil, errForbidden
		}
		out[i] = decision(a.Decision)
	}
	return out, nil
}

// Held is a grant or share behind a decision.
type Held struct {
	Level     string     `json:"level" enum:"viewer,editor,manager,admin"`
	GrantedBy string     `json:"grantedBy,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it ends, or ended; absent: never."`
}

// Lent is super-admin power lent to the user.
type Lent struct {
	Scope     string    `json:"scope" doc:"platform, or an organization's id."`
	ExpiresAt time.Time `json:"expiresAt"`
	Reason    string    `json:"reason,omitempty"`
}

// Facts are the user's own facts that bear on a decision.
type Facts struct {
	OrgRole    string `json:"orgRole,omitempty" enum:"member,viewer,manager,admin"`
	Grant      *Held  `json:"grant,omitempty"`
	Share      *Held  `json:"share,omitempty"`
	Delegation *Lent  `json:"delegation,omitempty"`
	SuperAdmin bool   `json:"superAdmin,omitempty"`
}

// Explanation is a decision with the facts behind it.
type Explanation struct {
	Decision Decision `json:"decision"`
	Facts    Facts    `json:"facts"`
}

// Explain answers one question about a user, the caller if userID is empty,
// with the facts behind the answer.
func (s *Service) Explain(ctx context.Context, q Question, userID string) (Explanation, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return Explanation{}, err
	}
	question, err := q.parse("body")
	if err != nil {
		return Explanation{}, err
	}
	about := me.UserID
	if userID != "" {
		about = userID
	}
	if about != me.UserID {
		mine, _, err := s.Access.Standing(ctx, me.UserID, question.Ref, access.Strong)
		switch {
		case err != nil:
			return Explanation{}, fmt.Errorf("resolve the caller's rights: %w", err)
		case mine.Level == access.LevelNone:
			return Explanation{Decision: decision(access.Denied())}, nil
		case !mine.MaySeeGrants():
			return Explanation{}, errForbidden
		case mine.Source == access.FromSuperAdmin:
			if err := s.used(ctx, me, &mine, about, "explain"); err != nil {
				return Explanation{}, err
			}
		}
	}
	e, err := s.Access.Explain(ctx, about, question, access.Strong)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	out := Explanation{Decision: decision(e.Decision)}
	if e.Role.IsMember() {
		out.Facts.OrgRole = e.Role.String()
	}
	if e.Grant != nil {
		out.Facts.Grant = held(e.Grant.Level, e.Grant.GrantedBy, e.Grant.ExpiresAt)
	}
	if e.Share != nil {
		out.Facts.Share = held(e.Share.Level, e.Share.GrantedBy, e.Share.ExpiresAt)
	}
	if e.Delegation != nil {
		out.Facts.Delegation = &Lent{Scope: e.Delegation.Scope, ExpiresAt: e.Delegation.ExpiresAt}
		if about == me.UserID { // why power was lent is between lender and borrower
			out.Facts.Delegation.Reason = e.Delegation.Reason
		}
	}
	out.Facts.SuperAdmin = e.SuperAdmin && e.Decision.Source == access.FromSuperAdmin
	return out, nil
}

func held(level access.Level, by string, ends time.Time) *Held {
	h := &Held{Level: level.String(), GrantedBy: by}
	if !ends.IsZero() {
		h.ExpiresAt = &ends
	}
	return h
}

// EntitiesQuery asks on which entities a user is allowed an action.
type EntitiesQuery struct {
	Action         string
	OrganizationID string // empty: all
	UserID         string // empty: the caller
	Limit          int
	From           string
}

// Allowed gives one page of the entities on which a user is allowed an action.
// About another user it gives those that the caller may ask about.
func (s *Service) Allowed(ctx context.Context, q EntitiesQuery) (entity.Found, error) {
	me, err := authority.Caller(ctx)
	if err != nil {
		return entity.Found{}, err
	}
	a, err := access.ParseAction(q.Action)
	if err != nil {
		return entity.Found{}, fault.Invalidf("query.action", "expected an action")
	}
	search := entity.Search{UserID: me.UserID, Action: a, OrganizationID: q.OrganizationID, Limit: q.Limit, From: q.From}
	if q.UserID != "" {
		search.UserID = q.UserID
	}
	if q.OrganizationID != "" && !id.Valid(q.OrganizationID) {
		return entity.Found{Entities: []entity.Entity{}}, nil
	}
	finish, err := s.judged(ctx, me, &search)
	if err != nil {
		return entity.Found{}, err
	}
	found, err := s.Entities.Find(ctx, search)
	if err != nil {
		return entity.Found{}, err
	}
	return found, finish(found)
}
