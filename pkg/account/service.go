package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Hasher hashes and checks passwords.
//
// Hash gives the encoded hash of a password in the configured scheme. Verify
// reports whether password matches encoded, and whether encoded is due for
// renewal. Decoy takes the time that Verify of a hash in the configured scheme
// takes. Each waits for its turn and fails when ctx ends first.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, encoded, password string) (ok, renew bool, err error)
	Decoy(ctx context.Context, password string) error
}

// Policy judges new passwords. It gives one message for each rule that is
// broken; identifiers are the user's own, which a password may not contain.
type Policy interface {
	Refuse(password string, identifiers ...string) []string
}

// Guard bounds guessing at a signed-in user's own password, for routes that ask
// for it again. Reserve counts one attempt before it is evaluated and fails
// when there were too many; the writes it gives forget the failures, for the
// transaction of a success, and last says that a limit is used up with it. ForgetFailures gives the writes that forget every
// failure at an account, for the transaction in which its owner proved who they
// are by a mailed link: the way in for an owner whose account is being guessed
// at while they are at a new device.
type Guard interface {
	ReserveReauthentication(ctx context.Context, userID string) (forget []*table.Write, last bool, err error)
	ForgetFailures(ctx context.Context, userID string) ([]*table.Write, error)
}

// MailBudget says whether one more mail may go to an address; a refusal is not
// shown to whoever asked.
type MailBudget interface {
	MayMail(ctx context.Context, purpose, address string) (bool, error)
}

// Departure is asked when a user is being deleted: it gives the writes by which
// the user leaves what it keeps, for the transaction of the deletion, and fails
// when something would be left without anybody, such as an organization without
// an admin. All of them together give at most 85 writes.
type Departure interface {
	Leave(ctx context.Context, st *State) ([]*table.Write, error)
}

// Parts are what a Service is made from beside the common dependencies.
type Parts struct {
	Audit      *audit.Log
	Hasher     Hasher
	Policy     Policy
	Guard      Guard
	Mail       Mail
	Budget     MailBudget
	Cursors    cursor.Cursors
	Departures []Departure
}

// Service is the account service.
type Service struct {
	service.Deps
	Parts
	profiles ProfileSource
}

// New makes the service. It makes no request.
func New(d service.Deps, p Parts) *Service {
	s := &Service{Deps: d, Parts: p, profiles: tableProfiles{}}
	if c := d.Config.Profile; c.Source == "http" {
		s.profiles = &HTTPProfiles{URL: c.URL, Token: c.Token, Timeout: c.Timeout, Client: &http.Client{}}
	}
	return s
}

// Loaded is what one read of a user's partition brought.
type Loaded struct {
	State    *State
	Password *PasswordItem  // nil without one
	Others   []table.Record // credentials of other kinds, and sessions, as read
	profile  *table.Record
}

// decodeLoaded sorts the records of a user's partition. State is nil for a
// user who does not exist.
func decodeLoaded(userID string, records []table.Record) (*Loaded, error) {
	l := &Loaded{}
	for i := range records {
		r := &records[i]
		switch r.Key() {
		case table.UserState(userID):
			l.State = &State{}
			if err := r.Decode(l.State); err != nil {
				return nil, err
			}
		case table.UserProfile(userID):
			l.profile = r
		case table.Password(userID):
			l.Password = &PasswordItem{}
			if err := r.Decode(l.Password); err != nil {
				return nil, err
			}
		default:
			l.Others = append(l.Others, *r)
		}
	}
	return l, nil
}

// ForSignIn reads a user with credentials and sessions, in one request. For an
// empty userID it reads a partition that does not exist, so that an unknown
// identifier costs what a known one does.
func (s *Service) ForSignIn(ctx context.Context, userID string) (*Loaded, error) {
	if userID == "" {
		var err error
		if userID, err = id.New(); err != nil {
			return nil, err
		}
	}
	page, err := s.Table.Query(ctx, table.SignInRange(userID))
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}
	return decodeLoaded(userID, page.Records)
}

// Load reads a user's state and profile, in one request; a missing user has a
// nil State.
func (s *Service) Load(ctx context.Context, userID string) (*Loaded, error) {
	page, err := s.Table.Query(ctx, table.UserRange(userID))
	if err != nil {
		return nil, fmt.Errorf("read user: %w", err)
	}
	return decodeLoaded(userID, page.Records)
}

// Merge gives the user as answers show it. A system of record that does not
// answer leaves the profile empty and says so; it never fails a sign-in.
func (s *Service) Merge(ctx context.Context, l *Loaded) User {
	p, err := s.profiles.Load(ctx, l.State.ID, l.profile)
	if err != nil {
		s.Log.WarnContext(ctx, "profile unavailable", "userId", l.State.ID, "error", err.Error())
		return l.State.user(Profile{}, ProfileUnavailable)
	}
	return l.State.user(p, ProfileCurrent)
}

// Identifier is a normalised e-mail address or username.
type Identifier struct {
	Email    string
	Username string
}

// ParseIdentifier normalises what a sign-in names: exactly one of the two.
func ParseIdentifier(email, username *string) (Identifier, error) {
	switch {
	case email != nil && username != nil, email == nil && username == nil:
		return Identifier{}, fault.Invalidf("body", "expected one of email and username")
	case email != nil:
		e, err := NormalizeEmail(*email)
		return Identifier{Email: e}, err
	}
	u, err := NormalizeUsername(*username)
	return Identifier{Username: u}, err
}

// String gives the identifier for digests: what kind, and which.
func (i Identifier) String() string {
	if i.Email != "" {
		return "email:" + i.Email
	}
	return "username:" + i.Username
}

func (i Identifier) claim() table.Key {
	if i.Email != "" {
		return table.EmailClaim(i.Email)
	}
	return table.UsernameClaim(i.Username)
}

// FindID gives the id of the user who holds an identifier, "" for nobody.
func (s *Service) FindID(ctx context.Context, i Identifier) (string, error) {
	var c claimItem
	err := s.Table.Get(ctx, i.claim(), table.Strong, &c)
	switch {
	case errors.Is(err, table.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find user: %w", err)
	}
	return c.UserID, nil
}

// principal gives the signed-in user of a request; operations declared for
// users always have one, and without one this fails closed.
func principal(ctx context.Context) (*caller.Principal, error) {
	c, ok := caller.From(ctx)
	if !ok || c.Principal == nil {
		return nil, fault.New(fault.CodeUnauthenticated, fault.CodeUnauthenticated.Meaning())
	}
	return c.Principal, nil
}

// self loads the signed-in user with credentials, and refuses one who is gone
// or not active any more: sensitive routes do not wait for the session check.
func (s *Service) self(ctx context.Context) (*caller.Principal, *Loaded, error) {
	p, err := principal(ctx)
	if err != nil {
		return nil, nil, err
	}
	l, err := s.ForSignIn(ctx, p.UserID)
	if err != nil {
		return nil, nil, err
	}
	if l.State == nil || l.State.Status != Active {
		return nil, nil, fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())
	}
	if err := s.requireLiveSession(l, p); err != nil {
		return nil, nil, err
	}
	return p, l, nil
}

// Self is self for the packages that add credentials to an account.
func (s *Service) Self(ctx context.Context) (*caller.Principal, *Loaded, error) { return s.self(ctx) }

// requireLiveSession refuses a session that has ended since the authorizer
// last looked.
func (s *Service) requireLiveSession(l *Loaded, p *caller.Principal) error {
	for _, r := range l.Others {
		if r.Key() != table.Session(p.UserID, p.SessionID) {
			continue
		}
		var it struct {
			Epoch   int64      `dynamo:"epoch"`
			Revoked table.Time `dynamo:"revokedAt"`
		}
		if err := r.Decode(&it); err != nil {
			return err
		}
		if it.Revoked == 0 && it.Epoch == l.State.Epoch {
			return nil
		}
	}
	return fault.New(fault.CodeSessionRevoked, fault.CodeSessionRevoked.Meaning())
}

// errWrongPassword answers a re-authentication that failed: the session is
// fine, the proof was not.
var errWrongPassword = fault.New(fault.CodeInvalidCredentials, "The current password is not right.")

// Reauthenticate checks a signed-in user's own password, counted against
// guessing. It gives the writes that forget the failures, for the transaction
// of what the password was asked for.
func (s *Service) Reauthenticate(ctx context.Context, l *Loaded, password string, failure audit.Type) ([]*table.Write, error) {
	forget, last, err := s.Guard.ReserveReauthentication(ctx, l.State.ID)
	if err != nil {
		return nil, err
	}
	ok := false
	if l.Password == nil {
		err = s.Hasher.Decoy(ctx, password)
	} else {
		ok, _, err = s.Hasher.Verify(ctx, l.Password.Hash, password)
	}
	if err != nil {
		return nil, fmt.Errorf("check password: %w", err)
	}
	if !ok {
		if err := s.Audit.Write(ctx, audit.Event{Type: failure, Outcome: audit.Failure, SubjectID: l.State.ID,
			Details: map[string]string{"reason": "wrong_password"}}); err != nil {
			return nil, err
		}
		if last {
			return nil, errWrongPassword.Because(fault.ReasonLockout)
		}
		return nil, errWrongPassword
	}
	return forget, nil
}

// checkNewPassword applies the policy and gives the fault that names every
// broken rule.
func (s *Service) checkNewPassword(location, password string, identifiers ...string) error {
	messages := s.Policy.Refuse(password, identifiers...)
	if len(messages) == 0 {
		return nil
	}
	f := fault.New(fault.CodeWeakPassword, fault.CodeWeakPassword.Meaning())
	for _, m := range messages {
		f.Fields = append(f.Fields, fault.Field{Location: location, Message: m})
	}
	return f
}

// live reports, in constant time, whether a stored hash is the given one and
// its link has not ended.
func live(stored, given string, expires table.Time, now time.Time) bool {
	return stored != "" && subtle.ConstantTimeCompare([]byte(stored), []byte(given)) == 1 && now.Before(expires.Time())
}

// LoadWith reads a user's state, profile and one more item, in one request.
func (s *Service) LoadWith(ctx context.Context, userID string, more table.Key) (*Loaded, map[table.Key]table.Record, error) {
	found, err := s.Table.GetMany(ctx, []table.Key{table.UserState(userID), table.UserProfile(userID), more}, table.Strong)
	if err != nil {
		return nil, nil, fmt.Errorf("read user: %w", err)
	}
	records := make([]table.Record, 0, len(found))
	for _, r := range found {
		records = append(records, r)
	}
	l, err := decodeLoaded(userID, records)
	return l, found, err
}
