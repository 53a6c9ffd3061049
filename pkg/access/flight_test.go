package access_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
)

// gate makes reads of the store wait: it opens once, for all.
func gate() (wait func(context.Context), open func()) {
	c := make(chan struct{})
	return func(ctx context.Context) {
		select {
		case <-c:
		case <-ctx.Done():
		}
	}, sync.OnceFunc(func() { close(c) })
}

func (w *world) hook(before, after func(context.Context)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

type answer struct {
	d   access.Decision
	err error
}

func ask(ctx context.Context, c *access.Checker, user string, how access.Consistency) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		d, err := c.Check(ctx, user, entity("boat-1"), access.ActionEdit, how)
		out <- answer{d, err}
	}()
	return out
}

func TestManyWhoAskAtOnceAreServedByOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := coastal()
		c := newChecker(t, w, access.Config{})
		wait, open := gate()
		w.hook(wait, nil)
		var answers []<-chan answer
		for range 50 {
			answers = append(answers, ask(t.Context(), c, "carol", access.Cached))
		}
		synctest.Wait()
		open()
		for _, a := range answers {
			if got := <-a; got.err != nil || !got.d.Allowed {
				t.Errorf("%+v", got)
			}
		}
		w.expectReads(t, 1, 0, 1)
	})
}

func TestWhoWaitsTriesAgainWhenTheReaderGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := coastal()
		c := newChecker(t, w, access.Config{})
		wait, open := gate()
		w.hook(wait, nil)
		ctx, cancel := context.WithCancel(t.Context())
		first := ask(ctx, c, "carol", access.Cached)
		synctest.Wait()
		second := ask(t.Context(), c, "carol", access.Cached)
		impatient, giveUp := context.WithCancel(t.Context())
		third := ask(impatient, c, "carol", access.Cached)
		synctest.Wait()

		giveUp()
		if got := <-third; !errors.Is(got.err, context.Canceled) || got.d.Allowed {
			t.Errorf("who gave up waiting: %+v", got)
		}
		cancel()
		if got := <-first; !errors.Is(got.err, context.Canceled) || got.d.Allowed {
			t.Errorf("who went away: %+v", got)
		}
		synctest.Wait()
		open()
		if got := <-second; got.err != nil || !got.d.Allowed {
			t.Errorf("who waited: %+v", got)
		}
		if got := <-ask(t.Context(), c, "carol", access.Cached); got.err != nil || !got.d.Allowed {
			t.Errorf("who came later: %+v", got)
		}
	})
}

func TestAFailedReadFailsAllWhoWaitAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := coastal()
		c := newChecker(t, w, access.Config{})
		wait, open := gate()
		w.hook(wait, nil)
		w.err = errors.New("the store is away")
		var answers []<-chan answer
		for range 5 {
			answers = append(answers, ask(t.Context(), c, "carol", access.Cached))
		}
		synctest.Wait()
		open()
		for _, a := range answers {
			if got := <-a; got.err == nil || got.d.Allowed {
				t.Errorf("%+v", got)
			}
		}
		w.mu.Lock()
		w.err = nil
		w.mu.Unlock()
		if got := <-ask(t.Context(), c, "carol", access.Cached); got.err != nil || !got.d.Allowed {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// A read that began before a write was announced may have seen the old facts.
// Nobody who asks after the announcement may get them: not by joining the read,
// and not from the cache.
func TestAReadThatAWriteOvertookIsNotKept(t *testing.T) {
	for name, how := range map[string]access.Consistency{"shared read": access.Cached, "strong read": access.Strong} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := coastal()
				c := newChecker(t, w, access.Config{})
				mustCheck(t, c, "alice", entity("boat-1"), access.ActionView, access.Cached) // the place is known
				wait, open := gate()
				w.hook(nil, wait) // it has looked, and is slow to come back
				slow := ask(t.Context(), c, "carol", how)
				synctest.Wait()

				w.hook(nil, nil)
				w.change("carol", func(f *access.Facts) { delete(f.Grants, "boat-1") })
				c.ForgetUsers("carol")
				later := <-ask(t.Context(), c, "carol", access.Cached)
				if later.err != nil || later.d.Allowed {
					t.Errorf("who asked after the write: %+v", later)
				}
				open()
				if got := <-slow; got.err != nil || !got.d.Allowed {
					t.Errorf("who asked before the write: %+v", got)
				}
				if got := <-ask(t.Context(), c, "carol", access.Cached); got.err != nil || got.d.Allowed {
					t.Errorf("the overtaken read was kept: %+v", got)
				}
				if c.Stats().Dropped == 0 {
					t.Error("it was not counted")
				}
			})
		})
	}
}

func TestADeletionOvertakesAReadOfThePlace(t *testing.T) {
	for name, forget := range map[string]access.Ref{"entity": entity("boat-1"), "organization": org("coastal")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := coastal()
				c := newChecker(t, w, access.Config{})
				wait, open := gate()
				w.hook(nil, wait)
				slow := ask(t.Context(), c, "alice", access.Cached)
				synctest.Wait()
				w.hook(nil, nil)
				w.remove(forget)
				c.ForgetResources(forget)
				open()
				<-slow
				if got := <-ask(t.Context(), c, "alice", access.Cached); got.err != nil || got.d.Allowed {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// Of two reads the one that began later is the newer, whichever returns first.
func TestASlowReadDoesNotReplaceANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := coastal()
		c := newChecker(t, w, access.Config{})
		wait, open := gate()
		w.hook(nil, wait)
		slow := ask(t.Context(), c, "carol", access.Cached)
		synctest.Wait()
		w.hook(nil, nil)
		w.change("carol", func(f *access.Facts) { delete(f.Grants, "boat-1") }) // by another process: unannounced
		if got := <-ask(t.Context(), c, "carol", access.Strong); got.err != nil || got.d.Allowed {
			t.Errorf("strong: %+v", got)
		}
		open()
		<-slow
		if got := <-ask(t.Context(), c, "carol", access.Cached); got.err != nil || got.d.Allowed {
			t.Errorf("an older read came back: %+v", got)
		}
	})
}

// What ends while the reads are under way has ended in the answer.
func TestTheClockIsReadAfterTheFacts(t *testing.T) {
	w := coastal()
	w.grant("carol", "boat-1", access.LevelEditor, w.now.Add(time.Second))
	for _, how := range []access.Consistency{access.Strong, access.Cached} {
		c := newChecker(t, w, access.Config{})
		w.hook(nil, func(context.Context) { w.advance(time.Second) })
		if d := mustCheck(t, c, "carol", entity("boat-1"), access.ActionView, how); d.Allowed {
			t.Errorf("%v: %+v", how, d)
		}
		w.hook(nil, nil)
	}
}

func TestAReadThatPanicsLetsTheWaitingGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := coastal()
		c := newChecker(t, w, access.Config{})
		places, err := c.Check(t.Context(), "alice", entity("boat-1"), access.ActionView, access.Cached)
		if err != nil || !places.Allowed {
			t.Fatal(places, err)
		}
		wait, open := gate()
		w.hook(func(ctx context.Context) { wait(ctx); panic("the store fell over") }, nil)
		fell := make(chan any)
		go func() {
			defer func() { fell <- recover() }()
			_, _ = c.Check(t.Context(), "carol", entity("boat-1"), access.ActionView, access.Cached)
		}()
		synctest.Wait()
		waiting := ask(t.Context(), c, "carol", access.Cached)
		synctest.Wait()
		open()
		if r := <-fell; r == nil || !strings.Contains(r.(string), "fell over") {
			t.Errorf("the reader recovered %v", r)
		}
		if got := <-waiting; got.err == nil || got.d.Allowed {
			t.Errorf("who waited: %+v", got)
		}
		// Beside another read it cannot reach whoever asked; it is an error.
		if d, err := c.Check(t.Context(), "alice", entity("boat-2"), access.ActionView, access.Cached); err == nil || d.Allowed {
			t.Errorf("%+v, %v", d, err)
		}
		w.hook(nil, nil)
		if got := <-ask(t.Context(), c, "carol", access.Cached); got.err != nil || !got.d.Allowed {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// Readers and writers at once, for the race detector; and whoever has announced
// a write sees it in the next cached answer.
func TestWritersSeeTheirOwnWritesInCachedAnswers(t *testing.T) {
	w := coastal()
	c := newChecker(t, w, access.Config{Users: 2, Resources: 2})
	var group sync.WaitGroup
	stop := make(chan struct{})
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		for _, boat := range []string{"boat-1", "boat-2", "boat-3"} {
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := c.Check(context.Background(), user, entity(boat), access.ActionView, access.Cached); err != nil {
						t.Error(err)
						return
					}
					if _, err := c.CheckMany(context.Background(), user, []access.Question{{Ref: entity(boat)}, {Ref: entity("boat-1")}}, access.Strong); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	var writers sync.WaitGroup
	for _, user := range []string{"carol", "dave"} {
		writers.Go(func() {
			for i := range 500 {
				role := access.RoleMember
				if i%2 == 0 {
					role = access.RoleAdmin
				}
				w.join(user, "coastal", role)
				c.ForgetUsers(user)
				d, err := c.Check(context.Background(), user, entity("boat-2"), access.ActionManage, access.Cached)
				if err != nil || d.Allowed != (role == access.RoleAdmin) {
					t.Errorf("write %d of %s as %v: %+v, %v", i, user, role, d, err)
					return
				}
				if i%50 == 0 {
					c.ForgetResources(entity("boat-2"), org("coastal"))
					c.ForgetAll()
					c.Stats()
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	group.Wait()
}
