package audit_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/service"
)

// trail is a log whose clock the test moves.
type trail struct {
	*audit.Log
	t   *testing.T
	now time.Time
}

func newTrail(t *testing.T) *trail {
	cfg, err := config.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trail{t: t, now: time.Date(2035, 3, 31, 23, 59, 0, 0, time.UTC)}
	tr.Log = audit.New(service.Deps{Config: cfg, Table: dynamotest.New(t).Table, Now: func() time.Time { return tr.now }, Log: slog.New(slog.DiscardHandler)})
	return tr
}

func (tr *trail) at(moment time.Time, e audit.Event) {
	tr.t.Helper()
	was := tr.now
	tr.now = moment
	if err := tr.Write(tr.t.Context(), e); err != nil {
		tr.t.Fatal(err)
	}
	tr.now = was
}

type list func(f audit.Filter, limit int, after audit.Position) ([]audit.Event, audit.Position, error)

func (tr *trail) stream(s string) list {
	return func(f audit.Filter, limit int, after audit.Position) ([]audit.Event, audit.Position, error) {
		return tr.List(tr.t.Context(), s, f, limit, after)
	}
}

func (tr *trail) platform(f audit.Filter, limit int, after audit.Position) ([]audit.Event, audit.Position, error) {
	return tr.Platform(tr.t.Context(), f, limit, after)
}

// whole pages through a list and gives the moments of its events.
func (tr *trail) whole(l list, f audit.Filter, limit int) (moments []time.Time) {
	tr.t.Helper()
	var after audit.Position
	for range 500 {
		events, next, err := l(f, limit, after)
		if err != nil {
			tr.t.Fatal(err)
		}
		if len(events) > limit {
			tr.t.Fatalf("%d events with a limit of %d", len(events), limit)
		}
		for _, e := range events {
			moments = append(moments, e.At)
		}
		if after = next; after == "" {
			return moments
		}
	}
	tr.t.Fatal("the list does not end")
	return nil
}

func TestAnEventsMomentSortsAsText(t *testing.T) {
	second := time.Date(2035, 3, 31, 23, 59, 0, 0, time.UTC)
	var moments []string
	for _, ms := range []int{0, 290, 291, 999} {
		e := audit.Event{ID: "e1", At: second.Add(time.Duration(ms) * time.Millisecond), Type: audit.Registered, Outcome: audit.Success}
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var shown map[string]any
		var back audit.Event
		if err := errors.Join(json.Unmarshal(b, &shown), json.Unmarshal(b, &back)); err != nil {
			t.Fatal(err)
		}
		if !back.At.Equal(e.At) || back.ID != e.ID || back.Type != e.Type || shown["actorId"] != "" || len(shown) != 9 {
			t.Errorf("event %s", b)
		}
		moments = append(moments, shown["at"].(string))
	}
	if !slices.IsSorted(moments) || moments[0] != "2035-03-31T23:59:00.000Z" {
		t.Errorf("moments %q", moments)
	}
}

func TestListsAreWholeNewestFirstAcrossMonthsAndDays(t *testing.T) {
	tr := newTrail(t)
	org, actor := uuid.NewString(), uuid.NewString()
	var want []time.Time
	for _, back := range []time.Duration{0, 0, time.Millisecond, time.Hour, 24 * time.Hour, 30 * 24 * time.Hour, 31 * 24 * time.Hour,
		31*24*time.Hour + time.Minute, 59 * 24 * time.Hour, 300 * 24 * time.Hour} {
		at := tr.now.Add(-back)
		tr.at(at, audit.Event{Type: audit.MemberAdded, OrganizationID: org, ActorID: actor})
		want = append(want, at)
	}
	tr.at(tr.now.Add(-500*24*time.Hour), audit.Event{Type: audit.MemberAdded, OrganizationID: org}) // beyond the retention
	for _, limit := range []int{1, 2, 3, 9, 10, 11, 100} {
		for name, l := range map[string]list{"organization": tr.stream(audit.OrgStream(org)), "actor": tr.stream(audit.UserStream(actor)), "platform": tr.platform} {
			if name == "platform" && limit != 3 {
				continue // every day of the retention is asked for
			}
			if got := tr.whole(l, audit.Filter{}, limit); !slices.Equal(got, want) {
				t.Errorf("%s, limit %d:\n%v\nwant\n%v", name, limit, got, want)
			}
			f := audit.Filter{From: want[6], To: want[3]}
			if got := tr.whole(l, f, limit); !slices.Equal(got, want[4:7]) {
				t.Errorf("%s, limit %d, between: %v, want %v", name, limit, got, want[4:7])
			}
			if got := tr.whole(l, audit.Filter{From: want[0], To: want[9]}, limit); len(got) != 0 {
				t.Errorf("%s, from after to: %v", name, got)
			}
		}
	}
}

func TestFiltersKeepWhatTheySay(t *testing.T) {
	tr := newTrail(t)
	org, alice, bob := uuid.NewString(), uuid.NewString(), uuid.NewString()
	for i := range 60 {
		actor, kind := alice, audit.GrantCreated
		if i%10 == 0 {
			actor = bob
		}
		if i%3 == 0 {
			kind = audit.GrantRevoked
		}
		tr.at(tr.now.Add(-time.Duration(i)*time.Second), audit.Event{Type: kind, OrganizationID: org, ActorID: actor})
	}
	for name, l := range map[string]list{"organization": tr.stream(audit.OrgStream(org)), "platform": tr.platform} {
		for _, limit := range []int{1, 5, 100} {
			for f, want := range map[audit.Filter]int{
				{ActorID: bob}: 6, {Type: audit.GrantRevoked}: 20, {ActorID: bob, Type: audit.GrantRevoked}: 2, {Type: audit.SignedIn}: 0, {}: 60,
			} {
				f.From = tr.now.Add(-time.Hour)
				if got := len(tr.whole(l, f, limit)); got != want {
					t.Errorf("%s, limit %d, %+v: %d events, want %d", name, limit, f, got, want)
				}
			}
		}
	}
}

func TestAFilterThatMatchesNothingReadsABoundedAmount(t *testing.T) {
	tr := newTrail(t)
	user := uuid.NewString()
	for i := range 100 {
		tr.at(tr.now.Add(-time.Duration(i)*time.Second), audit.Event{Type: audit.SignedIn, SubjectID: user})
	}
	events, next, err := tr.List(t.Context(), audit.UserStream(user), audit.Filter{Type: audit.SignedOut}, 1, "")
	if err != nil || len(events) != 0 || next == "" {
		t.Errorf("%d events, next %q, %v: the first page should end early", len(events), next, err)
	}
	if got := tr.whole(tr.stream(audit.UserStream(user)), audit.Filter{Type: audit.SignedOut}, 1); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	tr := newTrail(t)
	for _, p := range []audit.Position{"x", "2026-13-01T00:00:00.000Z#", "zzzzzzzzzzzzzzzzzzzzzzzzzzzz"} {
		if _, _, err := tr.List(t.Context(), audit.UserStream("u"), audit.Filter{}, 1, p); err == nil {
			t.Errorf("%q was taken", p)
		}
		if _, _, err := tr.Platform(t.Context(), audit.Filter{}, 1, p); err == nil {
			t.Errorf("%q was taken by the platform's list", p)
		}
	}
}

func TestAnEventCarriesTheFactsOfItsRequest(t *testing.T) {
	tr := newTrail(t)
	user, org, entity := uuid.NewString(), uuid.NewString(), uuid.NewString()
	ctx := caller.With(t.Context(), &caller.Caller{RequestID: "r1", SourceIP: "192.0.2.7", UserAgent: "curl", Principal: &caller.Principal{UserID: user}})
	if err := tr.Write(ctx, audit.Event{Type: audit.GrantCreated, OrganizationID: org, EntityID: entity, SubjectID: org, Details: map[string]string{"level": "viewer"}}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Write(ctx, audit.Event{Type: audit.SignedOut, Outcome: audit.Failure}); err != nil {
		t.Fatal(err)
	}
	if err := tr.Write(t.Context(), audit.Event{Type: audit.PasswordNeededAsked}); err != nil { // by nobody, about nobody
		t.Fatal(err)
	}
	events, _, err := tr.List(t.Context(), audit.OrgStream(org), audit.Filter{}, 10, "")
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	e := events[0]
	if e.ActorID != user || e.IP != "192.0.2.7" || e.UserAgent != "curl" || e.RequestID != "r1" || e.EntityID != entity ||
		e.SubjectID != org || e.Outcome != audit.Success || e.Details["level"] != "viewer" || e.ID == "" {
		t.Errorf("%+v", e)
	}
	own, _, err := tr.List(t.Context(), audit.UserStream(user), audit.Filter{}, 10, "")
	if err != nil || len(own) != 2 {
		t.Errorf("the actor's own stream: %v, %v", own, err)
	}
	everything, _, err := tr.Platform(t.Context(), audit.Filter{}, 10, "")
	if err != nil || len(everything) != 3 {
		t.Errorf("the platform's list: %v, %v", everything, err)
	}
	if (audit.Filter{From: tr.now}).String() == (audit.Filter{To: tr.now}).String() {
		t.Error("two filters are spelled alike")
	}
}
