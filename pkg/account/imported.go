package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// Imported is a user that another system kept. What it has no field for, no
// import can set: the role is always USER.
type Imported struct {
	ID       string // ours, derived from SourceID by whoever imports
	SourceID string
	Batch    string

	Email, Username string // as the other system spells them; at least one
	EmailVerified   bool
	Suspended       bool
	PasswordHash    string // as package password stores it; empty: they have to set one
	SecondFactor    bool   // an authenticator app comes along
	Profile         Profile
	CreatedAt       time.Time // zero: now
	Appointments    int64     // of how many organizations they become admin in the same transaction
}

// Status is what the account will be: one whose address was never verified
// waits for that, as after a registration.
func (i *Imported) Status() Status {
	switch {
	case i.Suspended:
		return Suspended
	case i.Email != "" && !i.EmailVerified:
		return Pending
	}
	return Active
}

// Admit gives the writes that make an imported account; the first is of the
// user's own item. It checks identifiers as a registration does. An identifier
// that is taken is email_taken or username_taken. It hashes nothing, sends no
// mail, and replaces nothing.
func (s *Service) Admit(i Imported) ([]*table.Write, error) {
	if !id.Valid(i.ID) {
		return nil, errors.New("an imported user has no id")
	}
	if i.Email == "" && i.Username == "" {
		return nil, fault.Invalidf("body", "expected email or username")
	}
	var email, name string
	var err error
	if i.Email != "" {
		if email, err = NormalizeEmail(i.Email); err != nil {
			return nil, err
		}
	}
	if i.Username != "" {
		if name, err = NormalizeUsername(i.Username); err != nil {
			return nil, err
		}
	}
	if i.EmailVerified && email == "" {
		return nil, fault.Invalidf("body.emailVerified", "this user has no address")
	}
	now := s.Now()
	created := i.CreatedAt
	if created.IsZero() {
		created = now
	}
	writes := []*table.Write{table.Create(State{
		Key: table.UserState(i.ID), IndexKey: table.InUserList(i.ID), ID: i.ID, Email: email, Username: i.Username,
		Role: caller.RoleUser, Status: i.Status(), EmailVerified: i.EmailVerified, MFAEnabled: i.SecondFactor,
		CreatedAt: table.At(created), NeedsPassword: i.PasswordHash == "", SourceID: i.SourceID, Batch: i.Batch,
		Appointments: i.Appointments,
	}).Else(fault.New(fault.CodeConflict, "This user has been imported already."))}
	if email != "" {
		writes = append(writes, table.Create(claimItem{Key: table.EmailClaim(email), UserID: i.ID}).
			Else(fault.New(fault.CodeEmailTaken, fault.CodeEmailTaken.Meaning())))
	}
	if name != "" {
		writes = append(writes, table.Put(claimItem{Key: table.UsernameClaim(name), UserID: i.ID}).
			If("attribute_not_exists(PK) OR reservedUntil <= ?", table.At(now)).
			Else(fault.New(fault.CodeUsernameTaken, fault.CodeUsernameTaken.Meaning())))
	}
	if i.PasswordHash != "" {
		writes = append(writes, table.Create(PasswordItem{Key: table.Password(i.ID), Hash: i.PasswordHash, ChangedAt: table.At(created)}))
	}
	return writes, nil
}

// AdmitProfile gives the writes of an imported user's profile. Where a system of
// record keeps profiles it is told at once, before the user is there; telling it
// again is no harm.
func (s *Service) AdmitProfile(ctx context.Context, userID string, p Profile) ([]*table.Write, error) {
	if p == (Profile{}) {
		return nil, nil
	}
	writes, err := s.profiles.Save(ctx, userID, p)
	if err != nil {
		return nil, fault.Wrap(fault.CodeProfileUnavailable, err)
	}
	return writes, nil
}

// Apply gives p with the change made; what is absent stays as it is. It refuses
// what a request may not say.
func (c *ProfileChange) Apply(p Profile) (Profile, error) { return c.apply(p), c.check() }

// Withdraw deletes a user that a batch made, as an operator's deletion does, and
// reports whether there was one.
func (s *Service) Withdraw(ctx context.Context, userID, batch string) (bool, error) {
	l, err := s.Load(ctx, userID)
	if err != nil {
		return false, err
	}
	if l.State == nil || l.State.Batch != batch || batch == "" {
		return false, nil
	}
	err = s.delete(ctx, l, audit.Event{Type: audit.UserDeleted, SubjectID: userID, Details: map[string]string{"batch": batch}})
	if err != nil {
		return false, fmt.Errorf("withdraw user: %w", err)
	}
	return true, nil
}

// WithdrawAll is Withdraw of several users, in as few transactions as they fit
// in, and reports how many it deleted. On an error some of them are gone, and
// Withdraw says of each of the others what stands in the way.
func (s *Service) WithdrawAll(ctx context.Context, userIDs []string, batch string) (done int64, err error) {
	loaded, err := s.LoadMany(ctx, userIDs)
	if err != nil {
		return 0, err
	}
	var writes []*table.Write
	var ids []string
	flush := func() error {
		if len(ids) == 0 {
			return nil
		}
		purge, err := task.New(s.Now(), TaskPurge, task.Payload{"userIds": strings.Join(ids, " ")})
		if err != nil {
			return err
		}
		if err := s.Table.Transact(ctx, append(writes, purge)...); err != nil {
			return fmt.Errorf("withdraw users: %w", err)
		}
		for _, userID := range ids {
			s.SessionsEnded(userID)
		}
		done += int64(len(ids))
		writes, ids = nil, nil
		return nil
	}
	for _, l := range loaded {
		if l.State == nil || l.State.Batch != batch || batch == "" {
			continue
		}
		own, err := s.deletion(ctx, l, audit.Event{Type: audit.UserDeleted, SubjectID: l.State.ID, Details: map[string]string{"batch": batch}})
		if err != nil {
			return done, err
		}
		if len(writes)+len(own)+1 > table.MaxTransaction {
			if err := flush(); err != nil {
				return done, err
			}
		}
		writes, ids = append(writes, own...), append(ids, l.State.ID)
	}
	err = flush()
	return done, err
}
