package org

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/oneline"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Mail queues the mail of an invitation: the write for the transaction that
// makes it; the token is sealed in it.
type Mail interface {
	Invitation(ctx context.Context, to account.Recipient, organization, role, invitedBy, token string, ends time.Time) (*table.Write, error)
}

// MailBudget says whether one more mail may go to an address.
type MailBudget interface {
	MayMail(ctx context.Context, purpose, address string) (bool, error)
}

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Access  *access.Checker
	Audit   *audit.Log
	Mail    Mail
	Budget  MailBudget
	Cursors cursor.Cursors
}

// Service is the organization service.
type Service struct {
	service.Deps
	Parts
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service { return &Service{Deps: d, Parts: p} }

var (
	errNotFound  = fault.New(fault.CodeNotFound, fault.CodeNotFound.Meaning())
	errForbidden = fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
	errLastAdmin = fault.New(fault.CodeLastAdmin, fault.CodeLastAdmin.Meaning())
)

// errRaced says that what was read changed before the write; it is read again.
var errRaced = errors.New("changed meanwhile")

// rereads bounds how often.
const rereads = 5

// again repeats an attempt that lost a race.
func again(attempt func() error) error {
	var err error
	for range rereads {
		if err = attempt(); !errors.Is(err, errRaced) {
			return err
		}
	}
	return fault.Wrap(fault.CodeConflict, err)
}

// item is an organization in the table.
type item struct {
	table.Key
	table.IndexKey
	ID         string     `dynamo:"id"`
	Name       string     `dynamo:"name"`
	AdminCount int64      `dynamo:"adminCount"`
	CreatedAt  table.Time `dynamo:"createdAt"`
	UpdatedAt  table.Time `dynamo:"updatedAt"`
	SourceID   string     `dynamo:"sourceId,omitempty"` // the id in the system it was imported from
	Batch      string     `dynamo:"batch,omitempty"`    // the import that made it
}

// Organization is an organization as answers show it.
type Organization struct {
	ID        string         `json:"id" format:"uuid"`
	Name      string         `json:"name"`
	Role      access.OrgRole `json:"role" doc:"The caller's role." enum:"admin,manager,viewer,member"`
	CreatedAt time.Time      `json:"createdAt"`
	UpdatedAt time.Time      `json:"updatedAt"`
}

func (it *item) organization(role access.OrgRole) Organization {
	return Organization{ID: it.ID, Name: it.Name, Role: role, CreatedAt: it.CreatedAt.Time(), UpdatedAt: it.UpdatedAt.Time()}
}

// exists is the condition that an organization has not been deleted meanwhile.
func exists(orgID string) *table.Write {
	return table.Check(table.Organization(orgID)).IfExists().Else(errNotFound)
}

// gains and loses change the count of admins.
func gains(orgID string) *table.Write {
	return table.Update(table.Organization(orgID)).Add("adminCount", 1).IfExists().Else(errNotFound)
}

func loses(orgID string) *table.Write {
	return table.Update(table.Organization(orgID)).Add("adminCount", -1).If("adminCount > ?", 1).Else(errLastAdmin)
}

// anyMember and adminsOnly say which roles may do something.
func anyMember(access.OrgRole) bool       { return true }
func adminsOnly(role access.OrgRole) bool { return role.MayChangeOrganization() }

// authorize gives the right by which the caller acts on an organization. To
// whoever is nothing there it does not exist; a role that is not enough is
// refused, and that is recorded.
func (s *Service) authorize(ctx context.Context, orgID string, how access.Consistency, may func(access.OrgRole) bool) (authority.Authority, access.OrgRole, error) {
	p, err := authority.Caller(ctx)
	if err != nil {
		return authority.Authority{}, access.RoleNone, err
	}
	if !id.Valid(orgID) {
		return authority.Authority{}, access.RoleNone, errNotFound
	}
	standing, err := s.Access.Role(ctx, p.UserID, orgID, how)
	if err != nil {
		return authority.Authority{}, access.RoleNone, fmt.Errorf("authorize: %w", err)
	}
	if standing.Role == access.RoleNone {
		return authority.Authority{}, access.RoleNone, errNotFound
	}
	a := authority.InOrganization(p.UserID, standing)
	if err := a.SecondFactor(s.Config.MFA.RequireForAdmins, p); err != nil {
		return a, standing.Role, err
	}
	if !may(standing.Role) {
		return a, standing.Role, s.deny(ctx, a, orgID, errForbidden)
	}
	return a, standing.Role, nil
}

// deny records a refusal, then gives it.
func (s *Service) deny(ctx context.Context, a authority.Authority, orgID string, refusal error) error {
	err := s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.AccessDenied, Outcome: audit.Failure, OrganizationID: orgID}))
	if err != nil {
		return err
	}
	return refusal
}

// lasting refuses lent power what would outlast it: who becomes a member, and
// with which role.
func (s *Service) lasting(ctx context.Context, a authority.Authority, orgID string) error {
	if err := a.Limited(); err != nil {
		return s.deny(ctx, a, orgID, err)
	}
	return nil
}

// used records that super-admin power, own or lent, was used to read.
func (s *Service) used(ctx context.Context, a authority.Authority, orgID, what string) error {
	if a.Own() {
		return nil
	}
	return s.Audit.Write(ctx, a.Event(audit.Event{Type: audit.PowerUsed, OrganizationID: orgID,
		Details: map[string]string{"read": what}}))
}

// record gives the writes of an event and the condition that the right behind
// it still stands; skip is as for authority.Holds.
func (s *Service) record(ctx context.Context, a authority.Authority, e audit.Event, skip ...table.Key) ([]*table.Write, error) {
	writes, err := s.Audit.Record(ctx, a.Event(e))
	if err != nil {
		return nil, err
	}
	if w := a.Holds(s.Now(), skip...); w != nil {
		writes = append(writes, w)
	}
	return writes, nil
}

// load reads an organization's own item.
func (s *Service) load(ctx context.Context, orgID string) (*item, error) {
	var it item
	err := s.Table.Get(ctx, table.Organization(orgID), table.Strong, &it)
	if errors.Is(err, table.ErrNotFound) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read organization: %w", err)
	}
	return &it, nil
}

// checkName accepts a name that shows as one line of text.
func checkName(location, name string) error {
	if strings.TrimSpace(name) != name || name == "" {
		return fault.Invalidf(location, "expected text without space around it")
	}
	return oneline.Check(location, name)
}
