package mail_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/mail"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

func TestQueuedMailIsSentOnceAndGone(t *testing.T) {
	p := newPost(t)
	m := p.one(t, ann(), mail.VerifyEmail{Token: secret})
	if m.To.Address != "ann@example.org" || m.From.Address != "no-reply@example.com" || !m.Date.Equal(start) {
		t.Errorf("got from %v to %v at %v", m.From, m.To, m.Date)
	}
	link := publicURL + "/api/auth/verify-email/" + secret
	if strings.Count(m.Text, link) != 1 || len(m.Links) != 1 || m.Links[0] != link {
		t.Errorf("link missing: %v\n%s", m.Links, m.Text)
	}
	if p.drain(t) != 0 || len(p.list(t, mail.Pending)) != 0 || len(p.list(t, mail.Dead)) != 0 {
		t.Error("something is left of a mail that was sent")
	}
	assertNoSecrets(t, "the log", p.log.String())
}

func TestParallelSendersSendOnce(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	key := p.keysInOutbox(t)[0]
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := p.relay.Deliver(t.Context(), key); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(p.out.mails()); n != 1 {
		t.Errorf("sent %d times, want once", n)
	}
}

func TestFailuresAreRetriedWithGrowingPauses(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	p.out.failWith(&mail.SendError{Reason: "smtp: RCPT TO: 451 4.7.1"})
	var total time.Duration
	for attempt := 1; attempt < mail.MaxAttempts; attempt++ {
		if met := p.drain(t); met != 1 {
			t.Fatalf("attempt %d: met %d", attempt, met)
		}
		e := p.list(t, mail.Pending)[0]
		want := min(30*time.Second<<(attempt-1), time.Hour)
		if got := e.NextAttemptAt.Sub(p.clock.Now()); got != want {
			t.Errorf("pause after attempt %d is %v, want %v", attempt, got, want)
		}
		if e.Attempts != attempt || e.Failure != "smtp: RCPT TO: 451 4.7.1" || e.To != "ann@example.org" {
			t.Errorf("entry %+v", e)
		}
		p.clock.Advance(want - time.Millisecond)
		if p.drain(t) != 0 {
			t.Error("tried before its time")
		}
		p.clock.Advance(time.Millisecond)
		total += want
	}
	p.drain(t)
	dead := p.list(t, mail.Dead)
	if len(dead) != 1 || dead[0].Status != mail.Dead || dead[0].Attempts != mail.MaxAttempts || len(p.list(t, mail.Pending)) != 0 {
		t.Fatalf("after %d attempts: dead %+v", mail.MaxAttempts, dead)
	}
	if total < 2*time.Hour || total > 5*time.Hour {
		t.Errorf("tried for %v, want some hours", total)
	}
}

func TestJitterSpreadsRetries(t *testing.T) {
	for draw, want := range map[float64]time.Duration{0: 24 * time.Second, 0.999999: 36 * time.Second} {
		p := newPost(t)
		relay, err := mail.NewRelay(p.deps, mail.RelayParts{
			Seal: p.codec, Sender: p.out, Templates: templates(t, ""), Jitter: func() float64 { return draw },
		})
		if err != nil {
			t.Fatal(err)
		}
		p.queue(t, ann(), mail.PasswordChanged{})
		p.out.failWith(errors.New("no route to host"))
		if _, err := relay.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := p.list(t, mail.Pending)[0].NextAttemptAt.Sub(start)
		if d := got - want; d < -time.Millisecond*2 || d > time.Millisecond*2 {
			t.Errorf("draw %v: pause %v, want %v", draw, got, want)
		}
	}
}

func TestRefusedMailIsDeadAtOnceAndResendable(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	p.out.failWith(&mail.SendError{Reason: "smtp: RCPT TO: 550 5.1.1", Permanent: true})
	p.drain(t)
	dead := p.list(t, "")
	if len(dead) != 1 || dead[0].Failure != "smtp: RCPT TO: 550 5.1.1" || dead[0].Template != mail.TemplateVerifyEmail || dead[0].Purpose != mail.PurposeAccount {
		t.Fatalf("dead: %+v", dead)
	}
	if p.drain(t) != 0 {
		t.Error("a dead mail was tried again")
	}
	p.out.failWith(nil)
	if err := p.relay.Resend(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if len(p.list(t, mail.Dead)) != 0 {
		t.Error("still dead after resend")
	}
	p.drain(t)
	sent := p.out.mails()
	if len(sent) != 1 || sent[0].ID != dead[0].ID || !strings.Contains(sent[0].Text, secret) {
		t.Errorf("resent: %+v", sent)
	}
	if err := p.relay.Resend(t.Context(), dead[0].ID); !fault.HasCode(err, fault.CodeNotFound) {
		t.Errorf("resending a mail that is gone: %v", err)
	}
}

func TestResendHurriesAWaitingMailButNotOneBeingSent(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	p.out.failWith(errors.New("down"))
	p.drain(t)
	id := p.list(t, mail.Pending)[0].ID
	if p.drain(t) != 0 {
		t.Fatal("due at once")
	}
	if err := p.relay.Resend(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	var during error
	p.out.mu.Lock()
	p.out.fail = func(*mail.Mail) error {
		during = p.relay.Resend(context.Background(), id)
		return nil
	}
	p.out.mu.Unlock()
	if p.drain(t) != 1 || len(p.out.mails()) != 1 {
		t.Fatalf("not sent after resend; log:\n%s", p.log)
	}
	if !fault.HasCode(during, fault.CodeNotFound) {
		t.Errorf("resend while being sent: %v", during)
	}
}

func TestLinkThatEndedIsNotSent(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.ResetPassword{Token: secret})
	p.clock.Advance(time.Hour)
	p.drain(t)
	dead := p.list(t, mail.Dead)
	if len(p.out.mails()) != 0 || len(dead) != 1 || !strings.Contains(dead[0].Failure, "link had ended") {
		t.Fatalf("dead: %+v", dead)
	}
	if err := p.relay.Resend(t.Context(), dead[0].ID); !fault.HasCode(err, fault.CodeConflict) {
		t.Errorf("resend of an ended link: %v", err)
	}
}

func TestSenderThatDiedIsFollowedByAnother(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	// The process dies between the sending and the deletion: the store never
	// hears of it.
	p.store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "DeleteItem" {
			return nil, errors.New("gone")
		}
		return next.RoundTrip(r)
	})
	if _, err := p.relay.Drain(t.Context()); err == nil {
		t.Error("a store that failed was not reported")
	}
	p.store.Transport.Intercept(nil)
	if p.drain(t) != 0 {
		t.Error("tried while the lease of the dead sender runs")
	}
	p.clock.Advance(3 * time.Minute)
	p.drain(t)
	sent := p.out.mails()
	if len(sent) != 2 || sent[0].MessageID() != sent[1].MessageID() {
		t.Errorf("got %d mails, want the same one twice", len(sent))
	}
	if len(p.list(t, mail.Pending)) != 0 {
		t.Error("still queued")
	}
	assertNoSecrets(t, "the log", p.log.String())
}

func TestAttemptsThatNeverFinishEnd(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	key := p.keysInOutbox(t)[0]
	if err := p.store.Write(t.Context(), table.Update(key).Set("attempts", mail.MaxAttempts)); err != nil {
		t.Fatal(err)
	}
	p.drain(t)
	if dead := p.list(t, mail.Dead); len(dead) != 1 || len(p.out.mails()) != 0 {
		t.Errorf("dead: %+v", dead)
	}
}

func TestOvertakenSenderChangesNothing(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	key := p.keysInOutbox(t)[0]
	for _, permanent := range []bool{false, true} {
		p.out.mu.Lock()
		p.out.fail = func(*mail.Mail) error { // its lease ends, and another claims
			if err := p.store.Write(context.Background(), table.Update(key).Add("attempts", 1)); err != nil {
				t.Error(err)
			}
			return &mail.SendError{Reason: "late", Permanent: permanent}
		}
		p.out.mu.Unlock()
		p.drain(t)
		if e := p.list(t, mail.Pending); len(e) != 1 || e[0].Failure != "" {
			t.Errorf("permanent=%v: entry %+v", permanent, e)
		}
		p.clock.Advance(3 * time.Minute)
	}
}

func TestSendingIsFinishedWhenTheProcessIsToldToStop(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	ctx, cancel := context.WithCancel(t.Context())
	p.out.fail = func(*mail.Mail) error { cancel(); return nil }
	if err := p.relay.Deliver(ctx, p.keysInOutbox(t)[0]); err != nil {
		t.Fatal(err)
	}
	if len(p.list(t, mail.Pending)) != 0 {
		t.Error("a mail that was sent is still queued")
	}
}

func TestMailSurvivesKeyRotationAndFailsClosed(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	second, err := token.GenerateSecret(p.keys.ring.NextSecretVersion(), start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := p.keys.ring.RotateSecret(second)
	if err != nil {
		t.Fatal(err)
	}

	p.keys.set(nil, token.ErrUnavailable)
	p.drain(t)
	if e := p.list(t, mail.Pending); len(e) != 1 || e[0].To != "" {
		t.Fatalf("without keys: %+v", e)
	}
	p.keys.set(rotated, nil)
	p.clock.Advance(time.Minute)
	p.drain(t)
	if len(p.out.mails()) != 1 {
		t.Fatalf("not sent after the rotation; log:\n%s", p.log)
	}

	other, err := token.NewRing(token.ES256, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	p.keys.set(other, nil)
	p.drain(t)
	if dead := p.list(t, mail.Dead); len(dead) != 1 || len(p.out.mails()) != 1 {
		t.Errorf("a mail that does not open: dead %+v", dead)
	}
}

func TestSealedPartOpensInItsOwnItemAndTemplateOnly(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.VerifyEmail{Token: secret})
	key := p.keysInOutbox(t)[0]
	if err := p.store.Write(t.Context(), table.Update(key).Set("template", "reset-password")); err != nil {
		t.Fatal(err)
	}
	p.drain(t)
	if len(p.out.mails()) != 0 || len(p.list(t, mail.Dead)) != 1 {
		t.Error("a verification token was mailed as a reset link")
	}
}

func TestItemsThatCannotBeReadDoNotBlockOthers(t *testing.T) {
	p := newPost(t)
	for i := range 8 { // one in every shard
		bad := map[string]any{"PK": table.OutboxPartition(i), "SK": "0-poison", "nextAttemptAt": "not a number"}
		if err := p.store.Write(t.Context(), table.Put(bad)); err != nil {
			t.Fatal(err)
		}
	}
	p.queue(t, ann(), mail.PasswordChanged{})
	p.drain(t)
	if len(p.out.mails()) != 1 {
		t.Error("poison kept a mail from being sent")
	}
	if !strings.Contains(p.log.String(), "unreadable item") {
		t.Error("poison is not in the log")
	}
}

func TestDrainReadsEveryPage(t *testing.T) {
	p := newPost(t)
	var writes []*table.Write
	const n = 801 // so that one of eight shards holds more than a page of 100
	for i := range n {
		w, err := p.outbox.Enqueue(t.Context(), mail.Recipient{Address: fmt.Sprintf("u%d@example.org", i)}, mail.PasswordChanged{})
		if err != nil {
			t.Fatal(err)
		}
		if writes = append(writes, w); len(writes) == table.MaxTransaction || i == n-1 {
			if err := p.store.Transact(t.Context(), writes...); err != nil {
				t.Fatal(err)
			}
			writes = nil
		}
	}
	if met := p.drain(t); met != n || len(p.out.mails()) != n {
		t.Errorf("met %d, sent %d, want %d", met, len(p.out.mails()), n)
	}
}

func TestDrainReportsAStoreThatFails(t *testing.T) {
	p := newPost(t)
	p.queue(t, ann(), mail.PasswordChanged{})
	p.store.Transport.Intercept(func(r *http.Request, op string, next http.RoundTripper) (*http.Response, error) {
		if op == "Query" {
			return nil, errors.New("cut off")
		}
		return next.RoundTrip(r)
	})
	if _, err := p.relay.Drain(t.Context()); err == nil {
		t.Error("no error")
	}
	if _, err := p.relay.List(t.Context(), mail.Filter{}); err == nil {
		t.Error("list: no error")
	}
}

func TestRunDrainsAtStartOnWakeAndOnTicks(t *testing.T) {
	p := newPost(t)
	sent := make(chan string, 10)
	p.out.fail = func(m *mail.Mail) error { sent <- m.To.Address; return nil }
	await := func(want string) {
		t.Helper()
		select {
		case got := <-sent:
			if got != want {
				t.Errorf("sent to %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing sent to %s", want)
		}
	}
	p.queue(t, mail.Recipient{Address: "start@example.org"}, mail.PasswordChanged{})
	ctx, stop := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() { p.relay.Run(ctx, ticks); close(done) }()
	await("start@example.org")
	p.queue(t, mail.Recipient{Address: "woken@example.org"}, mail.PasswordChanged{})
	p.relay.Wake()
	p.relay.Wake() // never blocks
	await("woken@example.org")
	p.queue(t, mail.Recipient{Address: "tick@example.org"}, mail.PasswordChanged{})
	ticks <- start
	await("tick@example.org")
	stop()
	<-done
}

func TestRunGoesOnWhenTheStoreFails(t *testing.T) {
	p := newPost(t)
	failing := make(chan struct{}, 100)
	p.store.Transport.Intercept(func(*http.Request, string, http.RoundTripper) (*http.Response, error) {
		select {
		case failing <- struct{}{}:
		default:
		}
		return nil, errors.New("cut off")
	})
	ctx, stop := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() { p.relay.Run(ctx, ticks); close(done) }()
	<-failing
	ticks <- start // taken only when the failed drain is over
	stop()
	<-done
	if !strings.Contains(p.log.String(), "outbox cannot be worked off") {
		t.Errorf("log:\n%s", p.log)
	}
}

func TestListGivesNewestFirstAndGoesOn(t *testing.T) {
	p := newPost(t)
	p.out.failWith(&mail.SendError{Reason: "no", Permanent: true})
	for range 7 {
		p.queue(t, ann(), mail.PasswordChanged{})
	}
	for _, status := range []mail.Status{mail.Pending, mail.Dead} {
		var ids []string
		f := mail.Filter{Status: status, Limit: 3}
		for {
			page, err := p.relay.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				if len(ids) > 0 && e.ID >= ids[len(ids)-1] {
					t.Errorf("%s: not newest first", status)
				}
				ids = append(ids, e.ID)
			}
			f.Before = page[len(page)-1].ID
		}
		if len(ids) != 7 {
			t.Errorf("%s: listed %d, want 7", status, len(ids))
		}
		p.drain(t)
	}
}

func TestRelayRefusesASenderThatIsNoAddress(t *testing.T) {
	p := newPost(t)
	p.deps.Config.Mail.From = "nobody"
	if _, err := mail.NewRelay(p.deps, mail.RelayParts{}); err == nil || !strings.Contains(err.Error(), "LANYARD_MAIL_FROM") {
		t.Errorf("got %v", err)
	}
}
