package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/task"
)

// TaskNotice tells the owner of an account what happened to it. The mail is
// made by a task and not by the request, so that the request takes as long for
// an account that is there as for one that is not.
const TaskNotice task.Kind = "account.notice"

// Notice is what an owner is told about.
type Notice string

// The notices.
const (
	NoticeSignInBlocked Notice = "sign_in_blocked"
	NoticeSuspended     Notice = "suspended"
)

// Notify gives the write that queues a notice, for the transaction of its
// cause. userID is empty where nobody has the account: nobody is told then.
func (s *Service) Notify(ctx context.Context, n Notice, userID string) (*table.Write, error) {
	now := s.Now()
	return task.New(now, TaskNotice, task.Payload{
		"notice": string(n), "user": userID, "ip": caller.Of(ctx).SourceIP, "at": now.UTC().Format(time.RFC3339),
	})
}

// noticeItem remembers that a notice was sent.
type noticeItem struct {
	table.Key
	Until table.Time `dynamo:"toldUntil"`
	TTL   int64      `dynamo:"ttl"`
}

// errTold says that the owner knows already.
var errTold = errors.New("told already")

// once gives the write that lets a notice through once within the window of the
// limit it is about: who goes on guessing does not fill the owner's mailbox.
func (s *Service) once(n Notice, userID string, now time.Time) *table.Write {
	until := now.Add(s.Config.Limits.SignIn.Window)
	return table.Put(noticeItem{Key: table.Throttle("notice", userID, string(n)), Until: table.At(until), TTL: table.TTL(until)}).
		If("attribute_not_exists(PK) OR toldUntil <= ?", table.At(now)).Else(errTold)
}

// sendNotice is the handler of TaskNotice.
func (s *Service) sendNotice(ctx context.Context, p task.Payload) error {
	userID, n := p["user"], Notice(p["notice"])
	if userID == "" {
		return nil
	}
	l, err := s.Load(ctx, userID)
	if err != nil {
		return err
	}
	to := Recipient{}
	if l.State != nil {
		to = l.recipient()
	}
	if to.Address == "" {
		return nil
	}
	var writes []*table.Write
	var mail *table.Write
	switch {
	case n == NoticeSignInBlocked && l.State.Status == Active:
		writes = append(writes, s.once(n, userID, s.Now()))
		mail, err = s.Mail.SignInBlocked(ctx, to, p["ip"])
	case n == NoticeSuspended && l.State.Status == Suspended:
		mail, err = s.Mail.AccountSuspended(ctx, to)
	default: // it is not so any more
		return nil
	}
	if err != nil {
		return err
	}
	err = s.Table.Transact(ctx, append(writes, mail)...)
	if err != nil && !errors.Is(err, errTold) {
		return fmt.Errorf("send notice %s: %w", n, err)
	}
	return nil
}
