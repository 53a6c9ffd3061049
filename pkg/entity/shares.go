package entity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Share is what one user holds on one document by a share.
type Share struct {
	UserID    string     `json:"userId" format:"uuid"`
	Level     string     `json:"level" enum:"viewer,editor"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it ends; absent: never."`
}

func shareView(it *facts.Share) Share {
	return Share{UserID: it.UserID, Level: it.Level.String(), ExpiresAt: shown(it.ExpiresAt.Time())}
}

// FreshShare is what is shared with whom.
type FreshShare struct {
	UserID    string `json:"userId" maxLength:"64" doc:"Any user; they need not be a member of the organization."`
	Level     string `json:"level" enum:"viewer,editor"`
	ExpiresAt Expiry `json:"expiresAt,omitempty"`
}

var errNoUser = fault.Invalidf("body.userId", "expected a user's id")

// Share opens one document to a user, for whoever may share it.
//
// A share given to a member is counted under the membership, as grants are: so
// it never outlives a removal of the member that happens at the same time.
func (s *Service) Share(ctx context.Context, docID string, f FreshShare) (Share, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindDocument, ID: docID}, access.ActionShare, access.Strong)
	if err != nil {
		return Share{}, err
	}
	level, err := access.ParseShareLevel(f.Level)
	if err != nil {
		return Share{}, fault.Invalidf("body.level", "expected viewer or editor")
	}
	ends, err := f.ExpiresAt.end(s.Now())
	if err != nil {
		return Share{}, err
	}
	if !id.Valid(f.UserID) {
		return Share{}, errNoUser
	}
	if f.UserID == r.me.UserID {
		if err := r.by.Limited(); err != nil {
			return Share{}, err
		}
	}
	org := r.place.OrganizationID
	it := facts.NewShare(f.UserID, docID, org, level, r.me.UserID, s.Now(), ends)
	err = again(func() error {
		under, err := s.asTheyAre(ctx, f.UserID, org, r)
		if err != nil {
			return err
		}
		return s.commit(ctx, r.by, audit.Event{
			Type: audit.ShareCreated, SubjectID: f.UserID, OrganizationID: org, EntityID: r.place.EntityID,
			Details: merged(details(level, ends), "documentId", docID),
		}, []*table.Write{
			table.Check(table.Document(docID)).IfExists().Else(errNotFound),
			table.Check(table.UserState(f.UserID)).IfExists().Else(errNotFound),
			under,
			table.Put(it).If("attribute_not_exists(PK) OR expiresAt <= ?", table.At(s.Now())).Else(errExists),
		}, table.Membership(f.UserID, org), it.Key)
	})
	s.Access.ForgetUsers(f.UserID)
	if err != nil {
		return Share{}, fmt.Errorf("share: %w", err)
	}
	return shareView(&it), nil
}

// asTheyAre gives the write that requires a user to be, or not to be, a member
// as they are now, and counts what is given to a member.
func (s *Service) asTheyAre(ctx context.Context, userID, orgID string, r right) (*table.Write, error) {
	key := table.Membership(userID, orgID)
	found, err := s.Table.GetMany(ctx, []table.Key{key}, table.Strong)
	if err != nil {
		return nil, err
	}
	if _, member := found[key]; !member {
		return table.Check(key).If("attribute_not_exists(PK)").Else(errStale), nil
	}
	w := facts.UnderMembership(userID, orgID)
	if r.by.Because.Kind == access.FactMembership && userID == r.me.UserID {
		return w.If("'role' = ?", r.by.Role.String()).Else(errForbidden), nil
	}
	return w.Else(errStale), nil
}

// Shares gives one page of a document's shares in force, and where the next
// begins, to whoever may share it.
func (s *Service) Shares(ctx context.Context, docID string, limit int, from string) ([]Share, string, error) {
	r, err := s.may(ctx, access.Ref{Kind: access.KindDocument, ID: docID}, access.ActionShare, access.Cached)
	if err != nil {
		return nil, "", err
	}
	shares := []Share{}
	for range maxRounds {
		users, more, err := s.listed(ctx, r.place, runShares, from, min(limit-len(shares), perRound))
		if err != nil {
			return nil, "", err
		}
		keys := make([]table.Key, len(users))
		for i, u := range users {
			keys[i] = table.Share(u, docID)
		}
		found, err := s.read(ctx, r.place, keys...)
		if err != nil {
			return nil, "", fmt.Errorf("read shares: %w", err)
		}
		for i, u := range users {
			from = u
			record, ok := found[keys[i]]
			if !ok {
				continue
			}
			var it facts.Share
			if err := record.Decode(&it); err != nil {
				return nil, "", err
			}
			if it.Live(s.Now()) {
				shares = append(shares, shareView(&it))
			}
		}
		if !more {
			return shares, "", nil
		}
		if len(shares) == limit {
			break
		}
	}
	return shares, from, nil
}

// Unshare takes a share away.
func (s *Service) Unshare(ctx context.Context, docID, userID string) error {
	r, err := s.may(ctx, access.Ref{Kind: access.KindDocument, ID: docID}, access.ActionShare, access.Strong)
	if err != nil {
		return err
	}
	if !id.Valid(userID) {
		return errNotFound
	}
	var it facts.Share
	switch err := s.Table.Get(ctx, table.Share(userID, docID), table.Strong, &it); {
	case errors.Is(err, table.ErrNotFound):
		return errNotFound
	case err != nil:
		return err
	case !it.Live(s.Now()):
		return errNotFound
	}
	err = s.commit(ctx, r.by, audit.Event{
		Type: audit.ShareRevoked, SubjectID: userID, OrganizationID: r.place.OrganizationID, EntityID: r.place.EntityID,
		Details: map[string]string{"level": it.Level.String(), "documentId": docID},
	}, []*table.Write{table.Delete(it.Key).IfExists().Else(errNotFound)}, it.Key)
	s.Access.ForgetUsers(userID)
	if err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return nil
}
