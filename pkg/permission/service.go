package permission

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
)

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Access   *access.Checker
	Entities *entity.Service
	Audit    *audit.Log
	Cursors  cursor.Cursors
}

// Service answers questions about rights.
type Service struct {
	service.Deps
	Parts
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

var errForbidden = fault.New(fault.CodeForbidden, "You may not ask about this user there.")

// answer is the answer to one question: a decision, or that it may not be asked.
type answer struct {
	access.Decision
	refused bool
}

// ask answers questions about one user, in their order. Questions about another
// that the caller may not ask are refused, each by itself.
func (s *Service) ask(ctx context.Context, me *caller.Principal, userID string, questions []access.Question, how access.Consistency) ([]answer, error) {
	out := make([]answer, len(questions))
	hidden := make([]bool, len(questions))
	if userID != me.UserID {
		mine := make([]access.Question, len(questions))
		for i, q := range questions {
			mine[i] = access.Question{Ref: q.Ref, Action: access.ActionManage}
		}
		own, err := s.Access.CheckMany(ctx, me.UserID, mine, how)
		if err != nil {
			return nil, fmt.Errorf("resolve the caller's rights: %w", err)
		}
		var power *access.Standing
		for i, d := range own {
			st := access.Standing{Level: d.Level, Source: d.Source, Because: d.Because}
			hidden[i] = d.Level == access.LevelNone
			out[i].refused = !hidden[i] && !st.MaySeeGrants()
			if st.Source == access.FromSuperAdmin {
				power = &st
			}
		}
		if err := s.used(ctx, me, power, userID, "check"); err != nil {
			return nil, err
		}
	}
	decisions, err := s.Access.CheckMany(ctx, userID, questions, how)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	for i, d := range decisions {
		if out[i].Decision = d; hidden[i] || out[i].refused {
			out[i].Decision = access.Denied()
		}
	}
	return out, nil
}

// used holds the use of super-admin power, if there was any, to the rules for
// it: a second factor where the deployment wants one, and a record.
func (s *Service) used(ctx context.Context, me *caller.Principal, power *access.Standing, userID, what string) error {
	if power == nil {
		return nil
	}
	by := authority.On(me.UserID, *power)
	if err := by.SecondFactor(s.Config.MFA.RequireForAdmins, me); err != nil {
		return err
	}
	return s.Audit.Write(ctx, by.Event(audit.Event{Type: audit.PowerUsed, SubjectID: userID, Details: map[string]string{"read": what}}))
}

// judged limits a search about another user to what the caller may ask about,
// and refuses whoever may ask about nothing. It gives the filter for the
// search; finish is to be called when the search is done.
func (s *Service) judged(ctx context.Context, me *caller.Principal, q *entity.Search) (finish func(entity.Found) error, err error) {
	if q.UserID == me.UserID {
		return func(f entity.Found) error { return s.used(ctx, me, f.Power, me.UserID, "search") }, nil
	}
	may, err := s.mayAskSomewhere(ctx, me.UserID, q.OrganizationID)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, errForbidden
	}
	var power *access.Standing
	q.Keep = func(ctx context.Context, resources []access.Resource) ([]bool, error) {
		standings, err := s.Access.StandingsOn(ctx, me.UserID, resources, access.Cached)
		if err != nil {
			return nil, fmt.Errorf("resolve the caller's rights: %w", err)
		}
		keep := make([]bool, len(standings))
		for i, st := range standings {
			if keep[i] = st.MaySeeGrants(); keep[i] && st.Source == access.FromSuperAdmin {
				power = &standings[i]
			}
		}
		return keep, nil
	}
	return func(entity.Found) error { return s.used(ctx, me, power, q.UserID, "search") }, nil
}

// mayAskSomewhere reports whether there is anything in an organization, or
// anywhere, about which the caller may ask of others.
func (s *Service) mayAskSomewhere(ctx context.Context, userID, orgID string) (bool, error) {
	sel := access.Selection{OrganizationID: orgID}
	// Whole organizations come first. One in which the caller may delete, which
	// takes a manager, is one in which they may ask.
	for c, err := range s.Access.Allowed(ctx, userID, access.ActionDelete, sel, access.Cached) {
		if err != nil {
			return false, fmt.Errorf("resolve the caller's rights: %w", err)
		}
		if c.Kind == access.KindPlatform || c.Kind == access.KindOrganization {
			return true, nil
		}
		break
	}
	for _, err := range s.Access.Allowed(ctx, userID, access.ActionManage, sel, access.Cached) {
		if err != nil {
			return false, fmt.Errorf("resolve the caller's rights: %w", err)
		}
		return true, nil
	}
	return false, nil
}
