package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Fresh is an account that an operator makes: active at once, its address
// taken as verified. At least one of Email and Username is set.
type Fresh struct {
	Email, Username string
	Password        string
	Profile         Profile
}

// Create makes an account for somebody else and gives its id. The password
// passes the same policy as anybody's. also is written in the same transaction.
// An identifier that is taken is email_taken or username_taken; whoever may
// call this may know.
func (s *Service) Create(ctx context.Context, f Fresh, also func(userID string) []*table.Write) (string, error) {
	var email, name string
	var err error
	if f.Email == "" && f.Username == "" {
		return "", fault.Invalidf("body", "expected email or username")
	}
	if f.Email != "" {
		if email, err = NormalizeEmail(f.Email); err != nil {
			return "", err
		}
	}
	if f.Username != "" {
		if name, err = NormalizeUsername(f.Username); err != nil {
			return "", err
		}
	}
	if err := s.checkNewPassword("body.password", f.Password, email, f.Username); err != nil {
		return "", err
	}
	hash, err := s.Hasher.Hash(ctx, f.Password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	userID, err := id.New()
	if err != nil {
		return "", err
	}
	now := table.At(s.Now())
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.Registered, SubjectID: userID, Details: map[string]string{"by": "operator"}})
	if err != nil {
		return "", err
	}
	writes = append(writes,
		table.Create(State{
			Key: table.UserState(userID), IndexKey: table.InUserList(userID), ID: userID, Email: email, Username: f.Username,
			Role: caller.RoleUser, Status: Active, EmailVerified: email != "", CreatedAt: now,
		}),
		table.Create(PasswordItem{Key: table.Password(userID), Hash: hash, ChangedAt: now}))
	if email != "" {
		writes = append(writes, s.claim(table.EmailClaim(email), userID, claimItem{}).
			Else(fault.New(fault.CodeEmailTaken, fault.CodeEmailTaken.Meaning())))
	}
	if name != "" {
		writes = append(writes, s.claim(table.UsernameClaim(name), userID, claimItem{}).
			Else(fault.New(fault.CodeUsernameTaken, fault.CodeUsernameTaken.Meaning())))
	}
	if f.Profile != (Profile{}) {
		profile, err := s.profiles.Save(ctx, userID, f.Profile)
		if err != nil {
			return "", fault.Wrap(fault.CodeProfileUnavailable, err)
		}
		writes = append(writes, profile...)
	}
	if also != nil {
		writes = append(writes, also(userID)...)
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		var known *fault.Error
		if errors.As(err, &known) {
			return "", err
		}
		return "", fmt.Errorf("create account: %w", err)
	}
	return userID, nil
}
