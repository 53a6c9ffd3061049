// Package demo fills a local store with the worked example of the documents:
// Coastal Marine Services, its four people and three boats. It goes through the
// services, as a client would, so what it makes is what clients could make.
package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Password is the password of the example's people.
const Password = "four boats in the harbour"

// Domain is the domain of their addresses.
const Domain = "coastal.example"

// Example is what was made, by name.
type Example struct {
	OrganizationID string
	Users          map[string]string // alice, bob, carol, dave, erin
	Boats          []string          // ids of boat 1 to 3
	Documents      []string
	Fresh          bool // false: it was there already
}

// markKey is where the store remembers the example, so that a second start
// finds it.
var markKey = table.Key{PK: "META", SK: "DEMO"}

type mark struct {
	table.Key
	Organization string            `dynamo:"organization"`
	Users        map[string]string `dynamo:"users"`
	Boats        []string          `dynamo:"boats"`
	Documents    []string          `dynamo:"documents"`
}

// Seed makes the example, or finds it.
func Seed(ctx context.Context, t *table.Table, s catalog.Services) (*Example, error) {
	var m mark
	err := t.Get(ctx, markKey, table.Strong, &m)
	if err == nil {
		return &Example{OrganizationID: m.Organization, Users: m.Users, Boats: m.Boats, Documents: m.Documents}, nil
	}
	if !errors.Is(err, table.ErrNotFound) {
		return nil, fmt.Errorf("look for the example: %w", err)
	}
	e := &Example{Users: map[string]string{}, Fresh: true}
	for _, p := range []struct{ name, first, last string }{
		{"alice", "Alice", "Andersen"}, {"bob", "Bob", "Berg"}, {"carol", "Carol", "Chen"}, {"dave", "Dave", "Díaz"}, {"erin", "Erin", "Eklund"},
	} {
		id, err := s.Accounts.Create(ctx, account.Fresh{
			Email: p.name + "@" + Domain, Password: Password, Profile: account.Profile{FirstName: p.first, LastName: p.last},
		}, nil)
		if fault.HasCode(err, fault.CodeEmailTaken) {
			id, err = s.Accounts.FindID(ctx, account.Identifier{Email: p.name + "@" + Domain})
		}
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", p.name, err)
		}
		e.Users[p.name] = id
	}
	alice := caller.With(ctx, &caller.Caller{SourceIP: "127.0.0.1", UserAgent: "demo", Principal: &caller.Principal{UserID: e.Users["alice"], Role: caller.RoleUser}})
	if err := e.fill(alice, s); err != nil {
		return nil, err
	}
	err = t.Write(ctx, table.Put(mark{Key: markKey, Organization: e.OrganizationID, Users: e.Users, Boats: e.Boats, Documents: e.Documents}))
	return e, err
}

// fill makes the organization and what is in it, as Alice.
func (e *Example) fill(ctx context.Context, s catalog.Services) error {
	o, err := s.Organizations.Create(ctx, "Coastal Marine Services")
	if err != nil {
		return fmt.Errorf("make the organization: %w", err)
	}
	e.OrganizationID = o.ID
	for name, role := range map[string]access.OrgRole{"bob": access.RoleManager, "carol": access.RoleMember, "dave": access.RoleViewer} {
		if _, err := s.Organizations.Add(ctx, o.ID, e.Users[name], role); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
	}
	for i, name := range []string{"Sea Breeze", "Nordic Star", "Blue Heron"} {
		b, err := s.Entities.Create(ctx, o.ID, entity.Fresh{Type: "boat", Name: fmt.Sprintf("Boat %d: %s", i+1, name)})
		if err != nil {
			return fmt.Errorf("make boat %d: %w", i+1, err)
		}
		e.Boats = append(e.Boats, b.ID)
		d, err := s.Entities.CreateDocument(ctx, b.ID, entity.FreshDocument{
			Title: "Maintenance log", ContentType: "text/markdown", Content: "# " + name + "\n\nHull cleaned, engine serviced.\n",
		})
		if err != nil {
			return fmt.Errorf("make a document of boat %d: %w", i+1, err)
		}
		e.Documents = append(e.Documents, d.ID)
	}
	for boat, level := range map[int]string{0: "editor", 2: "viewer"} {
		if _, err := s.Entities.Grant(ctx, e.Boats[boat], entity.Grant{UserID: e.Users["carol"], Level: level}); err != nil {
			return fmt.Errorf("grant carol %s on boat %d: %w", level, boat+1, err)
		}
	}
	// Erin is no member: she sees one document of boat 2 and nothing else.
	if _, err := s.Entities.Share(ctx, e.Documents[1], entity.FreshShare{UserID: e.Users["erin"], Level: "viewer"}); err != nil {
		return fmt.Errorf("share a document with erin: %w", err)
	}
	return nil
}
