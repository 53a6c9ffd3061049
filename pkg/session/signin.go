package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// SignIn checks an identifier and a password. It gives a session, or what a
// second factor needs. Whatever is wrong (no such user, another password, an
// unverified or suspended account), the error and the work are the same.
//
// Round trips to the store: the claim, the user beside the counters, the
// result. The password is hashed while the attempt is being counted, and what
// came of it is looked at only once the count stands: an attempt that is refused
// or cannot be counted ends with the guard's error, right or wrong, and gives up
// its place among those that wait to be hashed. Failures count for the account,
// by whichever of its names it was tried; an unknown name counts for itself.
func (s *Service) SignIn(ctx context.Context, who account.Identifier, password string) (Granted, *Pending, error) {
	userID, err := s.Accounts.FindID(ctx, who)
	if err != nil {
		return Granted{}, nil, err
	}
	counted := userID
	if counted == "" {
		counted = who.String()
	}
	var reservation Reservation
	var l *account.Loaded
	var ok, renew bool
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		reservation, err = s.Guard.Reserve(gctx, counted)
		return err
	})
	g.Go(func() (err error) {
		if l, err = s.Accounts.ForSignIn(gctx, userID); err != nil {
			return err
		}
		if l.State == nil || l.Password == nil {
			err = s.Accounts.Hasher.Decoy(gctx, password)
		} else {
			ok, renew, err = s.Accounts.Hasher.Verify(gctx, l.Password.Hash, password)
		}
		if err != nil {
			return fmt.Errorf("check password: %w", err)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return Granted{}, nil, err
	}
	if reason := whyNot(l, who, ok); reason != "" {
		return Granted{}, nil, s.refuse(ctx, l, reason, reservation.Last)
	}
	var also []*table.Write
	if renew {
		w, err := s.Accounts.Rehash(ctx, l, password)
		if err != nil {
			return Granted{}, nil, err
		}
		also = append(also, w)
	}
	if l.State.MFAEnabled {
		return s.beginSecondFactor(ctx, l, also)
	}
	granted, err := s.Begin(ctx, l, []string{"pwd"}, append(also, reservation.Forget...))
	return granted, nil, err
}

// whyNot gives the reason a sign-in is refused, for the audit trail alone; ""
// lets it pass.
func whyNot(l *account.Loaded, who account.Identifier, passwordOK bool) string {
	st := l.State
	switch {
	case st == nil, who.Email != "" && st.Email != who.Email, who.Username != "" && !strings.EqualFold(st.Username, who.Username):
		return "unknown"
	case !passwordOK:
		return "wrong_password"
	case st.Status == account.Pending:
		return "unverified"
	case st.Status != account.Active:
		return "suspended"
	}
	return ""
}

// refuse records a failed sign-in and gives the one error. An unverified
// account whose password was right gets a fresh mail. The attempt that uses a
// limit up has its owner told, by a task that is written for unknown accounts
// as for known ones.
func (s *Service) refuse(ctx context.Context, l *account.Loaded, reason string, last bool) error {
	event := audit.Event{Type: audit.SignInFailed, Outcome: audit.Failure, Details: map[string]string{"reason": reason}}
	if l.State != nil {
		event.SubjectID = l.State.ID
	}
	writes, err := s.Audit.Record(ctx, event)
	if err != nil {
		return err
	}
	if last {
		tell, err := s.Accounts.Notify(ctx, account.NoticeSignInBlocked, event.SubjectID)
		if err != nil {
			return err
		}
		writes = append(writes, tell)
	}
	if reason == "unverified" {
		ask, err := s.Accounts.AskVerification(ctx, l.State.Email)
		if err != nil {
			return err
		}
		writes = append(writes, ask)
	}
	if len(writes) == 1 {
		err = s.Table.Write(ctx, writes[0])
	} else {
		err = s.Table.Transact(ctx, writes...)
	}
	if err != nil {
		return fmt.Errorf("refuse sign-in: %w", err)
	}
	if last {
		return errInvalidCredentials.Because(fault.ReasonLockout)
	}
	return errInvalidCredentials
}

// beginSecondFactor hands a sign-in over. The counters stay: only a complete
// sign-in forgets failures.
func (s *Service) beginSecondFactor(ctx context.Context, l *account.Loaded, also []*table.Write) (Granted, *Pending, error) {
	if s.SecondFactor == nil {
		return Granted{}, nil, fmt.Errorf("user %s has a second factor, and this deployment cannot check one", l.State.ID)
	}
	pending, writes, err := s.SecondFactor.Begin(ctx, l)
	if err != nil {
		return Granted{}, nil, err
	}
	record, err := s.Audit.Record(ctx, audit.Event{Type: audit.MFAPending, ActorID: l.State.ID, SubjectID: l.State.ID})
	if err != nil {
		return Granted{}, nil, err
	}
	if err := s.Table.Transact(ctx, append(append(writes, also...), record...)...); err != nil {
		return Granted{}, nil, fmt.Errorf("begin second factor: %w", err)
	}
	return Granted{}, &pending, nil
}

// Begin starts a session for a user who has proved who they are, by the
// methods in amr (RFC 8176). also is written in the same transaction, which
// holds only while the user is active and in the epoch that was read. The
// session longest unused makes room when there are too many.
func (s *Service) Begin(ctx context.Context, l *account.Loaded, amr []string, also []*table.Write) (Granted, error) {
	sid, err := id.New()
	if err != nil {
		return Granted{}, err
	}
	st, now, c := l.State, s.Now().UTC(), caller.Of(ctx)
	it := &Item{
		Key: table.Session(st.ID, sid), ID: sid, Generation: 1, Client: fingerprint(c),
		RotatedAt: table.At(now), CreatedAt: table.At(now), AuthTime: table.At(now),
		Epoch: st.Epoch, AMR: amr, IP: c.SourceIP, UserAgent: c.UserAgent,
		EndsAt: table.At(now.Add(s.Config.Session.Absolute)),
	}
	it.ExpiresAt = s.slide(now, it.EndsAt)
	it.TTL = table.TTL(it.ExpiresAt.Time())
	writes, err := s.Audit.Record(ctx, audit.Event{Type: audit.SignedIn, ActorID: st.ID, SubjectID: st.ID,
		Details: map[string]string{"sessionId": sid, "amr": strings.Join(amr, " ")}})
	if err != nil {
		return Granted{}, err
	}
	room, err := s.makeRoom(ctx, l, now)
	if err != nil {
		return Granted{}, err
	}
	writes = append(append(append(writes, also...), room...),
		table.Create(it),
		table.Update(st.Key).Set("lastLoginAt", table.At(now)).
			If("epoch = ? AND 'status' = ?", st.Epoch, account.Active).Else(errInvalidCredentials))
	st.LastLoginAt = table.At(now)
	granted, err := s.grant(ctx, it, it.Generation, l)
	if err != nil {
		return Granted{}, err
	}
	if granted.Device, granted.DeviceLife, err = s.Guard.NewDevice(ctx, st.ID); err != nil {
		return Granted{}, err
	}
	if err := s.Table.Transact(ctx, writes...); err != nil {
		return Granted{}, fmt.Errorf("begin session: %w", err)
	}
	if len(room) > 0 {
		s.SessionsEnded(st.ID)
	}
	return granted, nil
}

// slide gives the end of a refresh token made now, within the session's own.
func (s *Service) slide(now time.Time, ends table.Time) table.Time {
	return min(table.At(now.Add(s.Config.Session.Sliding)), ends)
}

// mostEnded is how many sessions one sign-in ends at most: a transaction has a
// size, and more than one is in excess only after the limit was lowered.
const mostEnded = 10

// makeRoom gives the writes that end the sessions longest unused, so that one
// more stays within the limit, each with its event.
func (s *Service) makeRoom(ctx context.Context, l *account.Loaded, now time.Time) ([]*table.Write, error) {
	if len(l.Others) < s.Config.Session.Max {
		return nil, nil // nobody has more sessions than records, so none need be decoded
	}
	all, err := sessionsOf(l.State.ID, l.Others)
	if err != nil {
		return nil, err
	}
	liveOnes := slices.DeleteFunc(all, func(it Item) bool { return !Standing(&it, l.State, now) })
	excess := len(liveOnes) - s.Config.Session.Max + 1
	if excess <= 0 {
		return nil, nil
	}
	slices.SortFunc(liveOnes, func(a, b Item) int { return cmp.Compare(a.RotatedAt, b.RotatedAt) })
	var writes []*table.Write
	for _, it := range liveOnes[:min(excess, mostEnded)] {
		record, err := s.Audit.Record(ctx, audit.Event{Type: audit.SessionEnded, ActorID: l.State.ID, SubjectID: l.State.ID,
			Details: map[string]string{"sessionId": it.ID, "reason": "session limit"}})
		if err != nil {
			return nil, err
		}
		writes = append(append(writes, record...), table.Delete(it.Key))
	}
	return writes, nil
}
