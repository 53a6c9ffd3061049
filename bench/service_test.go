package bench

import (
	"context"
	"net/http"
	"strconv"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/pkg/access"
)

// BenchmarkHash is the floor of a sign-in: its one password hash, at the cost
// that the worlds here have.
func BenchmarkHash(b *testing.B) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), hashCost)
	if err != nil {
		b.Fatal(err)
	}
	latencies(b, func() {
		if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkService is what a client waits for, network aside.
func BenchmarkService(b *testing.B) {
	w := newWorld(b, localdynamo.Options{Dir: b.TempDir()})
	w.service(b)
}

// BenchmarkGrowth is the same with many users in the table. What those beyond
// 100,000 take to write makes them a matter of their own flag.
func BenchmarkGrowth(b *testing.B) {
	have := 0
	w := newWorld(b, localdynamo.Options{Dir: b.TempDir(), NoSync: true})
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
			latencies(b, do)
		})
	}
	w.b = b
	s := w.someone()
	org, ids := w.fleet(s, 50)
	crowd := make([]*someone, signers)
	for i := range crowd {
		crowd[i] = w.someone()
	}
	next := 0
	run("sign-in", func() {
		next++
		w.signIn(crowd[next%signers])
	})
	for range w.sessions {
		w.signIn(s)
	}
	run("sign-in-full", func() { w.signIn(s) })
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
	run("check-uncached", func() {
		w.access.ForgetUsers(user)
		w.access.ForgetResources(ref)
		d, err := w.access.Check(context.Background(), user, ref, access.ActionEdit, access.Cached)
		if err != nil || !d.Allowed {
			w.b.Fatal(d, err)
		}
	})
	question := obj{"checks": []obj{{"entityId": ids[0], "action": "edit"}}}
	run("check-request", func() { w.do(http.MethodPost, "/api/permissions/check", s.access, question, nil) })
}

func (w *world) idOf(s *someone) string {
	var me struct{ ID string }
	w.do(http.MethodGet, "/api/auth/me", s.access, nil, &me)
	return me.ID
}
