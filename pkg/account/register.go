package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// Registration is what a newcomer sends.
type Registration struct {
	Email    *string        `json:"email,omitempty" minLength:"3" maxLength:"254"`
	Username *string        `json:"username,omitempty" minLength:"3" maxLength:"64"`
	Password string         `json:"password" maxLength:"4096" doc:"By default 12 to 128 code points, and not a common password."`
	Profile  *ProfileChange `json:"profile,omitempty"`
}

// errRaced says that the claims changed between read and write.
var errRaced = errors.New("claims changed meanwhile")

// reservation is how long a username stays held for nobody, see claims.
const reservation = 24 * time.Hour

// Register makes an account and says what it waits for. For an address that
// has a verified account it gives the same answer, does work of the same size,
// and mails the owner; over an unverified account the new one replaces the old
// whole, so that whoever squatted the address keeps nothing.
func (s *Service) Register(ctx context.Context, in Registration) (Status, error) {
	if s.Config.Account.Registration == "closed" {
		return "", fault.New(fault.CodeForbidden, "Registration is closed here.")
	}
	var email, username string
	var err error
	if in.Email == nil && in.Username == nil {
		return "", fault.Invalidf("body", "expected email or username")
	}
	if err := in.Profile.check(); err != nil {
		return "", err
	}
	if in.Email != nil {
		if email, err = NormalizeEmail(*in.Email); err != nil {
			return "", err
		}
	}
	if in.Username != nil {
		if username, err = NormalizeUsername(*in.Username); err != nil {
			return "", err
		}
	}
	if err := s.checkNewPassword("body.password", in.Password, email, username); err != nil {
		return "", err
	}
	hash, err := s.Hasher.Hash(ctx, in.Password)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	n := newcomer{email: email, claimName: username, hash: hash, profile: in.Profile.apply(Profile{}), mails: map[string]bool{}}
	if in.Username != nil {
		n.username = *in.Username
	}
	for range 3 {
		err = s.admit(ctx, n)
		if !errors.Is(err, errRaced) {
			break
		}
	}
	if errors.Is(err, errRaced) && email != "" {
		// Others keep registering the address at this moment. It is as if this
		// one came first and was replaced, and the answer is the same as ever:
		// another would tell that somebody is at it.
		err = s.Audit.Write(ctx, audit.Event{Type: audit.Registered, Outcome: audit.Failure,
			Details: map[string]string{"reason": "replaced"}})
	} else if errors.Is(err, errRaced) {
		err = fault.Wrap(fault.CodeConflict, err)
	}
	if err != nil {
		return "", err
	}
	if email == "" {
		return Active, nil
	}
	return Pending, nil
}

type newcomer struct {
	email, username, claimName, hash string
	profile                          Profile
	mails                            map[string]bool // by purpose: whether one may be sent, once asked
}

// mayMail asks whether a mail of a purpose may be sent to the newcomer: once,
// however often the registration is tried. Tries that were raced by others would
// use up what the one that succeeds needs.
func (s *Service) mayMail(ctx context.Context, n newcomer, purpose string) (bool, error) {
	if may, asked := n.mails[purpose]; asked {
		return may, nil
	}
	may, err := s.Budget.MayMail(ctx, purpose, n.email)
	if err == nil {
		n.mails[purpose] = may
	}
	return may, err
}

// admit reads who holds the identifiers and writes accordingly, once.
func (s *Service) admit(ctx context.Context, n newcomer) error {
	held, owner, err := s.holders(ctx, n)
	if err != nil {
		return err
	}
	if n.claimName != "" && held.username.UserID != "" && !s.lapsed(held.username) {
		// An unverified account that is about to be replaced gives its name back.
		if owner == nil || owner.State.Status != Pending || held.username.UserID != owner.State.ID {
			if err := s.Audit.Write(ctx, audit.Event{Type: audit.Registered, Outcome: audit.Failure,
				Details: map[string]string{"reason": "username_taken"}}); err != nil {
				return err
			}
			return fault.New(fault.CodeUsernameTaken, fault.CodeUsernameTaken.Meaning())
		}
	}
	if owner != nil && owner.State.Status != Pending {
		return s.greetOwner(ctx, n, held, owner)
	}
	return s.create(ctx, n, held, owner)
}

type holders struct{ email, username claimItem }

// holders reads the claims on both identifiers in one request, and who owns
// the address in a second, which an unclaimed address costs too.
func (s *Service) holders(ctx context.Context, n newcomer) (holders, *Loaded, error) {
	var keys []table.Key
	if n.email != "" {
		keys = append(keys, table.EmailClaim(n.email))
	}
	if n.claimName != "" {
		keys = append(keys, table.UsernameClaim(n.claimName))
	}
	found, err := s.Table.GetMany(ctx, keys, table.Strong)
	if err != nil {
		return holders{}, nil, fmt.Errorf("read claims: %w", err)
	}
	var h holders
	if r, ok := found[table.EmailClaim(n.email)]; ok && n.email != "" {
		if err := r.Decode(&h.email); err != nil {
			return h, nil, err
		}
	}
	if r, ok := found[table.UsernameClaim(n.claimName)]; ok && n.claimName != "" {
		if err := r.Decode(&h.username); err != nil {
			return h, nil, err
		}
	}
	if n.email == "" {
		return h, nil, nil
	}
	owner, err := s.ForSignIn(ctx, h.email.UserID)
	if err != nil {
		return h, nil, err
	}
	if owner.State == nil {
		return h, nil, nil
	}
	return h, owner, nil
}

// lapsed reports whether a username is held for nobody any more.
func (s *Service) lapsed(c claimItem) bool {
	return c.ReservedUntil != 0 && !s.Now().Before(c.ReservedUntil.Time())
}

// claim takes an identifier, on the condition that it stands as it was read.
func (s *Service) claim(key table.Key, userID string, was claimItem) *table.Write {
	w := table.Put(claimItem{Key: key, UserID: userID}).Else(errRaced)
	if was.UserID == "" {
		return w.If("attribute_not_exists(PK)")
	}
	return w.If("userId = ?", was.UserID)
}

// create writes the new account with everything it needs, or nothing.
func (s *Service) create(ctx context.Context, n newcomer, held holders, replaced *Loaded) error {
	userID, err := id.New()
	if err != nil {
		return err
	}
	now := s.Now().UTC()
	state := State{
		Key: table.UserState(userID), IndexKey: table.InUserList(userID), ID: userID, Email: n.email,
		Username: n.username, Role: caller.RoleUser, Status: Active, CreatedAt: table.At(now),
	}
	var writes []*table.Write
	if n.email != "" {
		state.Status = Pending
		token, hash, err := newOneTime(userID)
		if err != nil {
			return err
		}
		state.VerifyHash, state.VerifyExpires = hash, table.At(now.Add(s.Config.Account.VerifyTTL))
		writes = append(writes, s.claim(table.EmailClaim(n.email), userID, held.email))
		send, err := s.mayMail(ctx, n, "verify")
		if err != nil {
			return err
		}
		if send {
			mail, err := s.Mail.VerifyEmail(ctx, Recipient{n.email, n.profile.FirstName, n.profile.Language}, token)
			if err != nil {
				return err
			}
			writes = append(writes, mail)
		}
	}
	if n.claimName != "" {
		writes = append(writes, s.claim(table.UsernameClaim(n.claimName), userID, held.username))
	}
	if replaced != nil {
		writes = append(writes, s.discard(replaced, n.claimName)...)
	}
	if n.profile != (Profile{}) {
		profile, err := s.profiles.Save(ctx, userID, n.profile)
		if err != nil {
			return fault.Wrap(fault.CodeProfileUnavailable, err)
		}
		writes = append(writes, profile...)
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.Registered, ActorID: userID, SubjectID: userID})
	if err != nil {
		return err
	}
	writes = append(writes, table.Create(state),
		table.Create(PasswordItem{Key: table.Password(userID), Hash: n.hash, ChangedAt: table.At(now)}))
	writes = append(writes, record...)
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("create account: %w", err)
	}
	return nil
}

// discard removes an unverified account that a new registration replaces.
func (s *Service) discard(l *Loaded, keepName string) []*table.Write {
	st := l.State
	writes := []*table.Write{
		table.Delete(st.Key).If("'status' = ?", Pending).Else(errRaced),
		table.Delete(table.UserProfile(st.ID)),
		table.Delete(table.Password(st.ID)),
	}
	if name := lowerASCII(st.Username); name != "" && name != keepName {
		writes = append(writes, table.Delete(table.UsernameClaim(name)).If("userId = ?", st.ID).Else(errRaced))
	}
	return writes
}

// greetOwner answers a registration of an address that has an account: the
// owner gets a mail. A username that came along is held for a day as if the
// registration had succeeded; otherwise a second attempt at it would tell. The
// conditions on keys that never exist make the transaction as large as create's.
func (s *Service) greetOwner(ctx context.Context, n newcomer, held holders, owner *Loaded) error {
	nobody, err := id.New()
	if err != nil {
		return err
	}
	writes := []*table.Write{
		table.Check(table.EmailClaim(n.email)).If("userId = ?", held.email.UserID).Else(errRaced),
		table.Check(table.UserState(nobody)).If("attribute_not_exists(PK)"),
		table.Check(table.Password(nobody)).If("attribute_not_exists(PK)"),
	}
	if n.profile != (Profile{}) {
		writes = append(writes, table.Check(table.UserProfile(nobody)).If("attribute_not_exists(PK)"))
	}
	if n.claimName != "" {
		until := s.Now().Add(reservation)
		w := table.Put(claimItem{Key: table.UsernameClaim(n.claimName), UserID: nobody,
			ReservedUntil: table.At(until), TTL: table.TTL(until)}).Else(errRaced)
		if held.username.UserID == "" {
			w.If("attribute_not_exists(PK)")
		} else {
			w.If("userId = ?", held.username.UserID)
		}
		writes = append(writes, w)
	}
	send, err := s.mayMail(ctx, n, "already_registered")
	if err != nil {
		return err
	}
	if send {
		mail, err := s.Mail.AlreadyRegistered(ctx, owner.recipient())
		if err != nil {
			return err
		}
		writes = append(writes, mail)
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.RegisteredAgain, Outcome: audit.Failure, SubjectID: owner.State.ID})
	if err != nil {
		return err
	}
	if err := s.Table.Transact(ctx, append(writes, record...)...); err != nil {
		return fmt.Errorf("answer registration of a known address: %w", err)
	}
	return nil
}
