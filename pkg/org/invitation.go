package org

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authority"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// InvitationStatus is where an invitation is in its life.
type InvitationStatus string

// The statuses. A revoked invitation is gone.
const (
	InvitationPending  InvitationStatus = "pending"
	InvitationAccepted InvitationStatus = "accepted"
	InvitationExpired  InvitationStatus = "expired" // never stored
)

// keepInvitations is how long an invitation is listed after its end.
const keepInvitations = 30 * 24 * time.Hour

// invitationItem is an invitation in the table.
type invitationItem struct {
	table.Key
	ID         string           `dynamo:"id"`
	OrgID      string           `dynamo:"org"`
	Email      string           `dynamo:"email"` // normalised
	Role       access.OrgRole   `dynamo:"role"`
	Status     InvitationStatus `dynamo:"status"`
	Hash       string           `dynamo:"hash"` // hex SHA-256 of the secret in the link
	InvitedBy  string           `dynamo:"invitedBy"`
	CreatedAt  table.Time       `dynamo:"createdAt"`
	ExpiresAt  table.Time       `dynamo:"expiresAt"`
	AcceptedBy string           `dynamo:"acceptedBy,omitempty"`
	TTL        int64            `dynamo:"ttl"`
}

// Invitation is an invitation as answers show it.
type Invitation struct {
	ID        string           `json:"id" format:"uuid"`
	Email     string           `json:"email"`
	Role      access.OrgRole   `json:"role" enum:"admin,manager,viewer,member"`
	Status    InvitationStatus `json:"status" enum:"pending,accepted,expired"`
	ExpiresAt time.Time        `json:"expiresAt"`
	InvitedBy string           `json:"invitedBy" format:"uuid"`
}

func (it *invitationItem) invitation(now time.Time) Invitation {
	status := it.Status
	if status == InvitationPending && !now.Before(it.ExpiresAt.Time()) {
		status = InvitationExpired
	}
	return Invitation{ID: it.ID, Email: it.Email, Role: it.Role, Status: status,
		ExpiresAt: it.ExpiresAt.Time(), InvitedBy: it.InvitedBy}
}

// An invitation's token names the organization and the invitation, so that no
// lookup item is needed, and carries 256 random bits whose SHA-256 is kept.
const (
	tokenSecret = 32
	tokenBytes  = 16 + 16 + tokenSecret
)

var errToken = fault.New(fault.CodeInvalidOneTime, fault.CodeInvalidOneTime.Meaning())

func newToken(orgID, inviteID string) (raw, hash string, err error) {
	o, err := uuid.Parse(orgID)
	if err != nil {
		return "", "", fmt.Errorf("make invitation token: %w", err)
	}
	i, err := uuid.Parse(inviteID)
	if err != nil {
		return "", "", fmt.Errorf("make invitation token: %w", err)
	}
	b := append(append(make([]byte, 0, tokenBytes), o[:]...), i[:]...)
	b = b[:tokenBytes]
	if _, err := rand.Read(b[32:]); err != nil {
		return "", "", fmt.Errorf("make invitation token: %w", err)
	}
	return string(token.OneTimeInvite) + base64.RawURLEncoding.EncodeToString(b), digest(b[32:]), nil
}

func parseToken(raw string) (orgID, inviteID, hash string, err error) {
	text, ok := strings.CutPrefix(raw, string(token.OneTimeInvite))
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(b) != tokenBytes {
		return "", "", "", errToken
	}
	return uuid.UUID(b[:16]).String(), uuid.UUID(b[16:32]).String(), digest(b[32:]), nil
}

func digest(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// Invite makes an invitation for an address and mails its token there.
func (s *Service) Invite(ctx context.Context, orgID, email string, role access.OrgRole) (Invitation, error) {
	a, _, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return Invitation{}, err
	}
	if err := s.lasting(ctx, a, orgID); err != nil {
		return Invitation{}, err
	}
	address, err := account.NormalizeEmail(email)
	if err != nil {
		return Invitation{}, err
	}
	o, err := s.load(ctx, orgID)
	if err != nil {
		return Invitation{}, err
	}
	may, err := s.Budget.MayMail(ctx, "invite", address)
	if err != nil {
		return Invitation{}, err
	}
	if !may {
		f := fault.New(fault.CodeThrottled, fault.CodeThrottled.Meaning())
		f.RetryAfter = time.Hour
		return Invitation{}, f
	}
	inviteID, err := id.New()
	if err != nil {
		return Invitation{}, err
	}
	raw, hash, err := newToken(orgID, inviteID)
	if err != nil {
		return Invitation{}, err
	}
	now := s.Now().UTC()
	ends := now.Add(s.Config.Account.InviteTTL)
	mail, err := s.Mail.Invitation(ctx, account.Recipient{Address: address}, o.Name, role.String(), by(ctx), raw, ends)
	if err != nil {
		return Invitation{}, fmt.Errorf("write invitation mail: %w", err)
	}
	it := invitationItem{Key: table.Invitation(orgID, inviteID), ID: inviteID, OrgID: orgID, Email: address, Role: role,
		Status: InvitationPending, Hash: hash, InvitedBy: a.UserID, CreatedAt: table.At(now), ExpiresAt: table.At(ends),
		TTL: table.TTL(ends.Add(keepInvitations))}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.InvitationCreated, OrganizationID: orgID,
		Details: map[string]string{"invitationId": inviteID, "role": role.String()}})
	if err != nil {
		return Invitation{}, err
	}
	writes = append(writes, table.Create(it), mail, exists(orgID))
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	return it.invitation(now), nil
}

// by names the caller in a mail, as far as the token in hand does.
func by(ctx context.Context) string {
	if p := caller.Of(ctx).Principal; p != nil {
		return p.Username
	}
	return ""
}

// Invitations lists an organization's invitations in the order they were made:
// those that wait, and for a while those that were accepted or have expired.
func (s *Service) Invitations(ctx context.Context, orgID string, in api.ListInput) (api.List[Invitation], error) {
	out := api.List[Invitation]{Items: []Invitation{}}
	a, _, err := s.authorize(ctx, orgID, access.Cached, adminsOnly)
	if err != nil {
		return out, err
	}
	if _, err := s.load(ctx, orgID); err != nil {
		return out, err
	}
	query := cursor.Query("invitations", orgID)
	after, err := s.Cursors.Read(ctx, in.Cursor, query)
	if err != nil {
		return out, err
	}
	first := table.Invitation(orgID, "")
	q := table.Query{PK: first.PK, Prefix: first.SK, Limit: in.Limit, Strong: table.Strong}
	if after != "" {
		q.After = table.Position{"PK": first.PK, "SK": first.SK + after}
	}
	page, err := s.Table.Query(ctx, q)
	if err != nil {
		return out, fmt.Errorf("list invitations: %w", err)
	}
	items, err := table.Decode[invitationItem](page.Records)
	if err != nil {
		return out, err
	}
	now := s.Now()
	for i := range items {
		out.Items = append(out.Items, items[i].invitation(now))
	}
	if page.Next != nil {
		if out.NextCursor, err = s.Cursors.Next(ctx, items[len(items)-1].ID, query); err != nil {
			return out, err
		}
	}
	return out, s.used(ctx, a, orgID, "invitations")
}

// Revoke removes an invitation; its token works no more.
func (s *Service) Revoke(ctx context.Context, orgID, inviteID string) error {
	a, _, err := s.authorize(ctx, orgID, access.Strong, adminsOnly)
	if err != nil {
		return err
	}
	if !id.Valid(inviteID) {
		return errNotFound
	}
	writes, err := s.record(ctx, a, audit.Event{Type: audit.InvitationRevoked, OrganizationID: orgID,
		Details: map[string]string{"invitationId": inviteID}})
	if err != nil {
		return err
	}
	writes = append(writes, table.Delete(table.Invitation(orgID, inviteID)).IfExists().Else(errNotFound))
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("revoke invitation: %w", err)
	}
	return nil
}

// Accept makes the signed-in user a member by an invitation to their own,
// verified address. The invitation is used up by it. Whoever is a member
// already keeps the role they have; so of two invitations accepted at once, the
// first to be written decides. Repeating an acceptance answers the same.
func (s *Service) Accept(ctx context.Context, raw string) (Organization, error) {
	p, err := authority.Caller(ctx)
	if err != nil {
		return Organization{}, err
	}
	orgID, inviteID, hash, err := parseToken(raw)
	if err != nil {
		return Organization{}, s.refuseToken(ctx, p.UserID, err)
	}
	var out Organization
	err = again(func() error {
		out, err = s.accept(ctx, p.UserID, orgID, inviteID, hash)
		return err
	})
	if errors.Is(err, errToken) || errors.Is(err, errForbidden) {
		return Organization{}, s.refuseToken(ctx, p.UserID, err)
	}
	if err != nil {
		return Organization{}, fmt.Errorf("accept invitation: %w", err)
	}
	return out, nil
}

// refuseToken records an acceptance that was refused.
func (s *Service) refuseToken(ctx context.Context, userID string, refusal error) error {
	reason := "invalid_token"
	if errors.Is(refusal, errForbidden) {
		reason = "another_address"
	}
	if err := s.Audit.Write(ctx, audit.Event{Type: audit.InvitationAccepted, Outcome: audit.Failure, SubjectID: userID,
		Details: map[string]string{"reason": reason}}); err != nil {
		return err
	}
	return refusal
}

// membership reads one membership by itself; nil for none.
func (s *Service) membership(ctx context.Context, userID, orgID string) (*facts.Membership, error) {
	found, err := s.Table.GetMany(ctx, []table.Key{table.Membership(userID, orgID)}, table.Strong)
	if err != nil {
		return nil, err
	}
	m, _, err := decodeMember(found, userID, orgID)
	return m, err
}

// accept reads everything and writes accordingly, once; errRaced when something
// of it changed between.
func (s *Service) accept(ctx context.Context, userID, orgID, inviteID, hash string) (Organization, error) {
	keys := []table.Key{table.Invitation(orgID, inviteID), table.Organization(orgID), table.Membership(userID, orgID), table.UserState(userID)}
	found, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return Organization{}, err
	}
	m, st, err := decodeMember(found, userID, orgID)
	if err != nil {
		return Organization{}, err
	}
	var inv invitationItem
	var o item
	r, invited := found[keys[0]]
	or, there := found[keys[1]]
	if !invited || !there {
		return Organization{}, errToken
	}
	if err := r.Decode(&inv); err != nil {
		return Organization{}, err
	}
	if err := or.Decode(&o); err != nil {
		return Organization{}, err
	}
	if subtle.ConstantTimeCompare([]byte(inv.Hash), []byte(hash)) != 1 {
		return Organization{}, errToken
	}
	if inv.Status == InvitationAccepted && inv.AcceptedBy == userID {
		if m == nil {
			// A batch read is not one moment: it may have met the invitation after
			// the acceptance and the membership before.
			if m, err = s.membership(ctx, userID, orgID); err != nil {
				return Organization{}, err
			}
		}
		if m != nil {
			return o.organization(m.Role), nil
		}
	}
	now := s.Now()
	if inv.Status != InvitationPending || !now.Before(inv.ExpiresAt.Time()) {
		return Organization{}, errToken
	}
	if st == nil || st.Status != account.Active || st.Email != inv.Email || !st.EmailVerified {
		return Organization{}, fault.New(fault.CodeForbidden, "This invitation is for another address, or yours is not verified.")
	}
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.InvitationAccepted, OrganizationID: orgID, SubjectID: userID,
		Details: map[string]string{"invitationId": inviteID, "role": inv.Role.String()}})
	if err != nil {
		return Organization{}, err
	}
	writes = append(writes, table.Update(inv.Key).Set("status", InvitationAccepted).Set("acceptedBy", userID).
		If("'hash' = ? AND 'status' = ? AND expiresAt > ?", hash, InvitationPending, table.At(now)).Else(errRaced))
	role := inv.Role
	if m != nil {
		role = m.Role
		writes = append(writes, exists(orgID), table.Check(m.Key).If("'role' = ?", m.Role.String()).Else(errRaced))
	} else {
		create, others := joins(facts.NewMembership(userID, orgID, inv.Role, inv.InvitedBy, now))
		// The user's own item is in others already; the address is part of its condition.
		others[1].If("email = ? AND emailVerified = ?", inv.Email, true).Else(errRaced)
		others[0].Else(errToken)
		writes = append(append(writes, create.Else(errRaced)), others...)
	}
	defer s.Access.ForgetUsers(userID)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Organization{}, err
	}
	return o.organization(role), nil
}
