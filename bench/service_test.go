package bench

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/access"
)

// BenchmarkService is what a client waits for, network aside.
func BenchmarkService(b *testing.B) {
	w := newWorld(b, hashCost, localdynamo.Options{Dir: b.TempDir()})
	w.service(b)
}

// BenchmarkSignInAsShipped is a sign-in at the cost that passwords are hashed
// with unless configured otherwise.
func BenchmarkSignInAsShipped(b *testing.B) {
	w := newWorld(b, 0, localdynamo.Options{Dir: b.TempDir()})
	w.b = b
	crowd := w.crowd(20)
	w.signIns(b, crowd)
}

// BenchmarkGrowth is the same with many users in the table. What those beyond
// 100,000 take to write makes them a matter of their own flag.
func BenchmarkGrowth(b *testing.B) {
	have := 0
	w := newWorld(b, hashCost, localdynamo.Options{Dir: b.TempDir(), NoSync: true})
	for _, users := range []int{1_000, 100_000, 1_000_000} {
		if users > *mostUsers {
			break
		}
		w.b = b
		w.populate(users - have)
		have = users
		b.Run(strconv.Itoa(users), func(b *testing.B) { w.service(b) })
	}
}

// signers is how many users sign in in turn, so that each has a few sessions.
const signers = 300

func (w *world) service(b *testing.B) {
	outer := w.b
	defer func() { w.b = outer }()
	run := func(name string, do func()) {
		b.Run(name, func(b *testing.B) {
			w.b = b
			w.measured(b, do)
		})
	}
	w.b = b
	s := w.someone()
	org, ids := w.fleet(s, 50)
	crowd := w.crowd(signers)
	b.Run("sign-in", func(b *testing.B) {
		w.b = b
		w.signIns(b, crowd)
	})
	w.b = b
	for range w.sessions {
		w.signIn(s)
	}
	b.Run("sign-in-full", func(b *testing.B) {
		w.b = b
		w.signIns(b, []*someone{s})
	})
	run("refresh", func() {
		var t signedIn
		w.do(http.MethodPost, "/api/auth/refresh", "", obj{"refreshToken": s.refresh}, &t)
		s.refresh = t.Tokens.RefreshToken
	})
	run("me", func() { w.do(http.MethodGet, "/api/auth/me", s.access, nil, nil) })
	run("register", func() {
		w.n++
		w.do(http.MethodPost, "/api/auth/register", "", obj{"username": "new-" + strconv.Itoa(w.n), "password": password}, nil)
	})
	run("list-50", func() { w.do(http.MethodGet, "/api/organizations/"+org+"/entities?limit=50", s.access, nil, nil) })
	user := w.idOf(s)
	ref := access.Ref{Kind: access.KindEntity, ID: ids[0]}
	check := func() {
		d, err := w.access.Check(context.Background(), user, ref, access.ActionEdit, access.Cached)
		if err != nil || !d.Allowed {
			w.b.Fatal(d, err)
		}
	}
	check() // so that the resource is known
	run("check-user-uncached", func() {
		w.access.ForgetUsers(user)
		check()
	})
	run("check-uncached", func() {
		w.access.ForgetUsers(user)
		w.access.ForgetResources(ref)
		check()
	})
	question := obj{"checks": []obj{{"entityId": ids[0], "action": "edit"}}}
	run("check-request", func() { w.do(http.MethodPost, "/api/permissions/check", s.access, question, nil) })
}

// crowd are users who sign in in turn, so that each has a few sessions.
func (w *world) crowd(n int) []*someone {
	crowd := make([]*someone, n)
	for i := range crowd {
		crowd[i] = w.someone()
	}
	return crowd
}

// signIns measures sign-ins, and what is left of each when the time of its own
// hash is taken off.
func (w *world) signIns(b *testing.B, crowd []*someone) {
	b.Helper()
	var rest, hashes []time.Duration
	i := 0
	w.measured(b, func() {
		i++
		w.hashing.took = 0
		began := time.Now()
		w.signIn(crowd[i%len(crowd)])
		rest = append(rest, time.Since(began)-w.hashing.took)
		hashes = append(hashes, w.hashing.took)
	})
	quantiles(b, "rest-", rest)
	quantiles(b, "hash-", hashes)
}

func (w *world) idOf(s *someone) string {
	var me struct{ ID string }
	w.do(http.MethodGet, "/api/auth/me", s.access, nil, &me)
	return me.ID
}
