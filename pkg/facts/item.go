package facts

import (
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Membership is a user's role in an organization.
//
// Issued counts the grants that were ever given under it. Giving one raises it
// in the same transaction (see UnderMembership), and whoever removes the
// membership requires the count they read: so a grant given meanwhile is never
// left behind, to come alive when the user joins again.
type Membership struct {
	table.Key
	table.IndexKey
	UserID   string         `dynamo:"user"`
	OrgID    string         `dynamo:"org"`
	Role     access.OrgRole `dynamo:"role"`
	JoinedAt table.Time     `dynamo:"joinedAt"`
	AddedBy  string         `dynamo:"addedBy,omitempty"`
	Issued   int64          `dynamo:"issued"`
	Batch    string         `dynamo:"batch,omitempty"` // the import that made it
}

// NewMembership makes a membership that begins now.
func NewMembership(userID, orgID string, role access.OrgRole, by string, now time.Time) Membership {
	return Membership{
		Key:      table.Membership(userID, orgID),
		IndexKey: table.IndexKey{GSI1PK: table.OrgMembers(orgID), GSI1SK: userID},
		UserID:   userID, OrgID: orgID, Role: role, JoinedAt: table.At(now), AddedBy: by,
	}
}

// UnderMembership gives the write that must be in the transaction that gives a
// member a grant: it requires the membership and counts the grant. The caller
// attaches what it means that there is no membership, with Else.
func UnderMembership(userID, orgID string) *table.Write {
	return table.Update(table.Membership(userID, orgID)).Add("issued", 1).IfExists()
}

// Grant is a user's level on an entity.
type Grant struct {
	table.Key
	table.IndexKey
	UserID    string       `dynamo:"user"`
	EntityID  string       `dynamo:"entity"`
	OrgID     string       `dynamo:"org"`
	Level     access.Level `dynamo:"level"`
	GrantedBy string       `dynamo:"grantedBy"`
	CreatedAt table.Time   `dynamo:"createdAt"`
	ExpiresAt table.Time   `dynamo:"expiresAt,omitempty"`
	TTL       int64        `dynamo:"ttl,omitempty"`
	Batch     string       `dynamo:"batch,omitempty"` // the import that made it
}

// NewGrant makes a grant; a zero end means never.
func NewGrant(userID, entityID, orgID string, level access.Level, by string, now, ends time.Time) Grant {
	return Grant{
		Key:      table.Grant(userID, entityID),
		IndexKey: table.IndexKey{GSI1PK: table.EntityGrants(entityID), GSI1SK: userID},
		UserID:   userID, EntityID: entityID, OrgID: orgID, Level: level, GrantedBy: by,
		CreatedAt: table.At(now), ExpiresAt: table.At(ends), TTL: ttl(ends),
	}
}

// Live reports whether the grant is in force.
func (g *Grant) Live(now time.Time) bool { return live(g.ExpiresAt, now) }

// Share is a user's level on one document.
type Share struct {
	table.Key
	table.IndexKey
	UserID     string       `dynamo:"user"`
	DocumentID string       `dynamo:"document"`
	OrgID      string       `dynamo:"org"`
	Level      access.Level `dynamo:"level"`
	GrantedBy  string       `dynamo:"grantedBy"`
	CreatedAt  table.Time   `dynamo:"createdAt"`
	ExpiresAt  table.Time   `dynamo:"expiresAt,omitempty"`
	TTL        int64        `dynamo:"ttl,omitempty"`
}

// NewShare makes a share; a zero end means never.
func NewShare(userID, docID, orgID string, level access.Level, by string, now, ends time.Time) Share {
	return Share{
		Key:      table.Share(userID, docID),
		IndexKey: table.IndexKey{GSI1PK: table.DocumentShares(docID), GSI1SK: userID},
		UserID:   userID, DocumentID: docID, OrgID: orgID, Level: level, GrantedBy: by,
		CreatedAt: table.At(now), ExpiresAt: table.At(ends), TTL: ttl(ends),
	}
}

// Live reports whether the share is in force.
func (s *Share) Live(now time.Time) bool { return live(s.ExpiresAt, now) }

// Delegation is super-admin power lent to a user over a scope.
type Delegation struct {
	table.Key
	table.IndexKey
	ID        string     `dynamo:"id"`
	UserID    string     `dynamo:"user"`
	Scope     string     `dynamo:"scope"` // access.ScopePlatform, or an organization's id
	GrantedBy string     `dynamo:"grantedBy"`
	Reason    string     `dynamo:"reason"`
	CreatedAt table.Time `dynamo:"createdAt"`
	ExpiresAt table.Time `dynamo:"expiresAt"`
	TTL       int64      `dynamo:"ttl"`
}

// NewDelegation makes a delegation; it always ends.
func NewDelegation(id, userID, scope, by, reason string, now, ends time.Time) Delegation {
	return Delegation{
		Key:      table.Delegation(userID, scope),
		IndexKey: table.IndexKey{GSI1PK: table.Delegations(), GSI1SK: id},
		ID:       id, UserID: userID, Scope: scope, GrantedBy: by, Reason: reason,
		CreatedAt: table.At(now), ExpiresAt: table.At(ends), TTL: ttl(ends),
	}
}

// Live reports whether the delegation is in force.
func (d *Delegation) Live(now time.Time) bool { return now.Before(d.ExpiresAt.Time()) }

// SuperAdmin is the fact that a user holds the platform role ADMIN and is
// active; it is written and removed together with these.
type SuperAdmin struct {
	table.Key
	UserID string     `dynamo:"user"`
	Since  table.Time `dynamo:"since"`
}

// NewSuperAdmin makes the fact.
func NewSuperAdmin(userID string, now time.Time) SuperAdmin {
	return SuperAdmin{Key: table.SuperAdmin(userID), UserID: userID, Since: table.At(now)}
}

// EntityPlace is what an entity's own item says of where it belongs; the item's
// struct embeds it.
type EntityPlace struct {
	ID    string `dynamo:"id"`
	OrgID string `dynamo:"org"`
}

// DocumentPlace is what a document's own item says of where it belongs; the
// item's struct embeds it.
type DocumentPlace struct {
	ID       string `dynamo:"id"`
	EntityID string `dynamo:"entity"`
	OrgID    string `dynamo:"org"`
}

func live(ends table.Time, now time.Time) bool { return ends == 0 || now.Before(ends.Time()) }

func ttl(ends time.Time) int64 {
	if ends.IsZero() {
		return 0
	}
	return table.TTL(ends)
}
