package account

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// The tasks of this package. Who an address belongs to is looked up by them,
// outside the request that named it, so that the answer cannot be timed.
const (
	TaskVerification task.Kind = "account.verification"
	TaskReset        task.Kind = "account.reset"
	TaskPurge        task.Kind = "account.purge"
)

// Tasks gives the handlers of this package's tasks.
func (s *Service) Tasks() map[task.Kind]task.Handler {
	return map[task.Kind]task.Handler{
		TaskVerification: s.sendVerification,
		TaskReset:        s.sendReset,
		TaskPurge:        s.purge,
		TaskNotice:       s.sendNotice,
	}
}

// ask queues a task about an address, with the facts of the request for the
// audit event that the task will write.
func (s *Service) ask(ctx context.Context, kind task.Kind, email string) error {
	w, err := s.asking(ctx, kind, email)
	if err != nil {
		return err
	}
	// The task's id is of this call's making, so an item that has it is what an
	// earlier try wrote whose reply was lost.
	if err := s.Table.Write(ctx, w.Else(errQueued)); err != nil && !errors.Is(err, errQueued) {
		return fmt.Errorf("queue %s: %w", kind, err)
	}
	return nil
}

// errQueued says that a task is in the table already.
var errQueued = errors.New("task is queued")

// asking gives the write that ask makes.
func (s *Service) asking(ctx context.Context, kind task.Kind, email string) (*table.Write, error) {
	c := caller.Of(ctx)
	return task.New(s.Now(), kind, task.Payload{
		"email": email, "ip": c.SourceIP, "userAgent": c.UserAgent, "requestId": c.RequestID,
	})
}

// asker gives a context with the facts of the request that queued a task.
func asker(ctx context.Context, p task.Payload) context.Context {
	return caller.With(ctx, &caller.Caller{RequestID: p["requestId"], SourceIP: p["ip"], UserAgent: p["userAgent"]})
}

// ResendVerification queues a fresh verification mail, if the address has an
// account that waits for one. It says nothing about that.
func (s *Service) ResendVerification(ctx context.Context, email string) error {
	email, err := NormalizeEmail(email)
	if err != nil {
		return err
	}
	return s.ask(ctx, TaskVerification, email)
}

// AskVerification gives the write that queues a fresh verification mail, for a
// sign-in to an unverified account.
func (s *Service) AskVerification(ctx context.Context, email string) (*table.Write, error) {
	return s.asking(ctx, TaskVerification, email)
}

// errMoot says that what a task was for is not so any more.
var errMoot = errors.New("moot")

// owner loads who holds an address, nil for nobody.
func (s *Service) owner(ctx context.Context, email string) (*Loaded, error) {
	userID, err := s.FindID(ctx, Identifier{Email: email})
	if err != nil || userID == "" {
		return nil, err
	}
	l, err := s.Load(ctx, userID)
	if err != nil || l.State == nil || l.State.Email != email {
		return nil, err
	}
	return l, nil
}

// sendVerification is the handler of TaskVerification.
func (s *Service) sendVerification(ctx context.Context, p task.Payload) error {
	ctx = asker(ctx, p)
	l, err := s.owner(ctx, p["email"])
	if err != nil {
		return err
	}
	event := audit.Event{Type: audit.VerificationRequested}
	if l == nil || l.State.Status != Pending {
		event.Outcome = audit.Failure
		if l != nil {
			event.SubjectID = l.State.ID
		}
		return s.Audit.Write(ctx, event)
	}
	event.SubjectID = l.State.ID
	token, hash, err := newOneTime(l.State.ID)
	if err != nil {
		return err
	}
	return s.sendLink(ctx, l, event, "verify", func(w *table.Write) *table.Write {
		w.Set("verifyHash", hash).Set("verifyExpires", table.At(s.Now().Add(s.Config.Account.VerifyTTL))).If("'status' = ?", Pending)
		if earlier := l.State.earlier(s.Now()); len(earlier) > 0 {
			w.Set("verifyEarlier", earlier)
		}
		return w
	}, func() (*table.Write, error) { return s.Mail.VerifyEmail(ctx, l.recipient(), token) })
}

// maxEarlier is how many verification links keep working beside the newest: as
// many mails as the limit lets out in an hour, counting that one.
const maxEarlier = 4

// earlier gives the links that keep working beside one that is being made,
// newest first. A mail that is sent because of a sign-in must not spoil the one
// that its receiver has open: each was sent to the same address, for the same
// account with the same password, since registering again makes another account.
func (st *State) earlier(now time.Time) []string {
	all := append([]string{linkEntry(st.VerifyHash, st.VerifyExpires)}, st.VerifyEarlier...)
	var out []string
	for _, e := range all {
		if hash, expires := splitEntry(e); hash != "" && now.Before(expires.Time()) && len(out) < maxEarlier {
			out = append(out, e)
		}
	}
	return out
}

// linkEntry gives a link as VerifyEarlier holds it: the hash, a colon, and the
// end in Unix milliseconds.
func linkEntry(hash string, expires table.Time) string {
	return hash + ":" + strconv.FormatInt(int64(expires), 10)
}

func splitEntry(e string) (hash string, expires table.Time) {
	hash, end, _ := strings.Cut(e, ":")
	ms, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return "", 0
	}
	return hash, table.Time(ms)
}

// verifies gives the condition under which a token verifies the account's
// address; nil where it does not.
func (st *State) verifies(t oneTime, now time.Time) func(*table.Write) *table.Write {
	if st.Status != Pending {
		return nil
	}
	if live(st.VerifyHash, t.hash, st.VerifyExpires, now) {
		return func(w *table.Write) *table.Write {
			return w.If("verifyHash = ? AND verifyExpires > ? AND 'status' = ?", t.hash, table.At(now), Pending)
		}
	}
	for _, e := range st.VerifyEarlier {
		if hash, expires := splitEntry(e); live(hash, t.hash, expires, now) {
			return func(w *table.Write) *table.Write {
				return w.If("contains(verifyEarlier, ?) AND 'status' = ?", e, Pending)
			}
		}
	}
	return nil
}

// sendLink writes a new link into the user's state, its mail into the outbox
// and its event, unless the address has had its fill of mail.
func (s *Service) sendLink(ctx context.Context, l *Loaded, event audit.Event, purpose string, set func(*table.Write) *table.Write, mail func() (*table.Write, error)) error {
	send, err := s.Budget.MayMail(ctx, purpose, l.State.Email)
	if err != nil {
		return err
	}
	if !send {
		event.Outcome, event.Details = audit.Failure, map[string]string{"reason": "mail_limit"}
		return s.Audit.Write(ctx, event)
	}
	m, err := mail()
	if err != nil {
		return err
	}
	record, err := s.Audit.Record(ctx, event)
	if err != nil {
		return err
	}
	update := set(table.Update(l.State.Key).If("email = ?", l.State.Email).Else(errMoot))
	err = s.Table.Transact(ctx, append(record, update, m)...)
	if errors.Is(err, errMoot) {
		return nil
	}
	return err
}

// VerifyEmail uses up a mailed token: it verifies a new account's address, or
// confirms a change of address. Every token that does not work gives the same
// fault.
func (s *Service) VerifyEmail(ctx context.Context, token string) error {
	t, err := parseOneTime(token)
	if err != nil {
		return s.refuseLink(ctx, audit.EmailVerified, "", err)
	}
	l, err := s.Load(ctx, t.userID)
	if err != nil {
		return err
	}
	if l.State != nil {
		if still := l.State.verifies(t, s.Now()); still != nil {
			return s.activate(ctx, l, still)
		}
	}
	switch {
	case l.State != nil && l.State.Status == Active && live(l.State.ChangeHash, t.hash, l.State.ChangeExpires, s.Now()):
		return s.confirmChange(ctx, l, t)
	case l.State != nil:
		return s.refuseLink(ctx, audit.EmailVerified, l.State.ID, errOneTime)
	}
	return s.refuseLink(ctx, audit.EmailVerified, "", errOneTime)
}

// refuseLink records a token that did not work.
func (s *Service) refuseLink(ctx context.Context, t audit.Type, subject string, cause error) error {
	if err := s.Audit.Write(ctx, audit.Event{Type: t, Outcome: audit.Failure, SubjectID: subject,
		Details: map[string]string{"reason": "invalid_token"}}); err != nil {
		return err
	}
	return cause
}

// activate verifies the address of a pending account, if that may still be.
func (s *Service) activate(ctx context.Context, l *Loaded, still func(*table.Write) *table.Write) error {
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.EmailVerified, ActorID: l.State.ID, SubjectID: l.State.ID})
	if err != nil {
		return err
	}
	w := still(table.Update(l.State.Key).
		Set("status", Active).Set("emailVerified", true).
		Remove("verifyHash").Remove("verifyExpires").Remove("verifyEarlier").Remove("resetHash").Remove("resetExpires")).
		Else(errOneTime)
	return s.Table.Transact(ctx, append(record, w)...)
}

// confirmChange moves an account to its new address.
func (s *Service) confirmChange(ctx context.Context, l *Loaded, t oneTime) error {
	st := l.State
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.EmailChanged, ActorID: st.ID, SubjectID: st.ID})
	if err != nil {
		return err
	}
	writes := append(record,
		table.Create(claimItem{Key: table.EmailClaim(st.ChangeEmail), UserID: st.ID}).
			Else(fault.New(fault.CodeEmailTaken, fault.CodeEmailTaken.Meaning())),
		table.Update(st.Key).
			Set("email", st.ChangeEmail).Set("emailVerified", true).
			Remove("changeEmail").Remove("changeHash").Remove("changeExpires").
			Remove("resetHash").Remove("resetExpires").Remove("verifyHash").Remove("verifyExpires").Remove("verifyEarlier").
			If("changeHash = ? AND changeExpires > ? AND 'status' = ?", t.hash, table.At(s.Now()), Active).
			Else(errOneTime))
	if st.Email != "" {
		writes = append(writes, table.Delete(table.EmailClaim(st.Email)).If("userId = ?", st.ID).Else(errOneTime))
		notice, err := s.Mail.EmailChanged(ctx, l.recipient(), st.ChangeEmail)
		if err != nil {
			return err
		}
		writes = append(writes, notice)
	}
	err = s.Table.Transact(ctx, writes...)
	if fault.HasCode(err, fault.CodeEmailTaken) {
		return s.refuseLink(ctx, audit.EmailChanged, st.ID, err)
	}
	return err
}
