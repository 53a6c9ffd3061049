package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"
)

const password = "correct horse battery staple"

type obj = map[string]any

// user is somebody who signs in. Refresh tokens are used once, so a user is one
// worker's at a time.
type user struct {
	mu              sync.Mutex
	name            string
	access, refresh string
	entity          string // one that is theirs
	entities        []string
}

// generator sends requests.
type generator struct {
	o         options
	transport *http.Transport
	client    *http.Client
	users     []*user
}

func newGenerator(o options) *generator {
	t := &http.Transport{MaxIdleConns: 2048, MaxIdleConnsPerHost: 2048, MaxConnsPerHost: 2048}
	return &generator{o: o, transport: t, client: &http.Client{Transport: t, Timeout: 10 * time.Minute}}
}

// call sends a request and decodes the answer, if out is not nil.
func (g *generator) call(ctx context.Context, method, path, access string, body, out any) error {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, g.o.url+path, content)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	res, err := g.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 400 {
		return fmt.Errorf("%s %s: %d %.200s", method, path, res.StatusCode, raw)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// tokens are what a sign-in or a refresh answers.
type tokens struct {
	Tokens struct{ AccessToken, RefreshToken string }
}

func (g *generator) signIn(ctx context.Context, u *user, keep bool) error {
	var t tokens
	if err := g.call(ctx, http.MethodPost, "/api/auth/login", "", obj{"username": u.name, "password": password, "delivery": "body"}, &t); err != nil {
		return err
	}
	if t.Tokens.AccessToken == "" || t.Tokens.RefreshToken == "" {
		return fmt.Errorf("sign-in of %s: no tokens", u.name)
	}
	if keep {
		u.access, u.refresh = t.Tokens.AccessToken, t.Tokens.RefreshToken
	}
	return nil
}

// prepare registers the users and gives each an organization with entities.
func (g *generator) prepare(ctx context.Context) error {
	entities := max(g.o.batch, 10)
	show := newShow("registering", int64(g.o.users))
	defer show.done()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(8)
	g.users = make([]*user, g.o.users)
	run := rand.Uint32()
	for i := range g.users {
		work.Go(func() error {
			u := &user{name: fmt.Sprintf("load-%08x-%d", run, i)}
			g.users[i] = u
			if err := g.call(ctx, http.MethodPost, "/api/auth/register", "", obj{"username": u.name, "password": password}, nil); err != nil {
				return err
			}
			if err := g.signIn(ctx, u, true); err != nil {
				return err
			}
			var made struct{ ID string }
			if err := g.call(ctx, http.MethodPost, "/api/organizations", u.access, obj{"name": u.name}, &made); err != nil {
				return err
			}
			org := made.ID
			for n := range entities {
				if err := g.call(ctx, http.MethodPost, "/api/organizations/"+org+"/entities", u.access, obj{"type": "boat", "name": fmt.Sprint("Boat ", n)}, &made); err != nil {
					return err
				}
				u.entities = append(u.entities, made.ID)
			}
			u.entity = u.entities[0]
			show.add()
			return nil
		})
	}
	return work.Wait()
}

// allSignIn has everybody sign in at the same moment.
func (g *generator) allSignIn(ctx context.Context) result {
	var t tally
	show := newShow("signing in", int64(g.o.signIns))
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i := range g.o.signIns {
		all.Go(func() {
			<-gate
			began := time.Now()
			err := g.signIn(ctx, g.users[i%len(g.users)], false)
			t.add(time.Since(began), err)
			show.add()
		})
	}
	began := time.Now()
	close(gate)
	all.Wait()
	took := time.Since(began)
	show.done()
	name := fmt.Sprintf("%d sign-ins at once", g.o.signIns)
	if g.o.serve != "" {
		name += fmt.Sprintf(", bcrypt cost %d", g.o.bcrypt)
	}
	return t.result(name, took)
}

// ask sends one request of so many permission checks and looks at the answers.
func (g *generator) ask(ctx context.Context, u *user, batch int) error {
	checks := make([]obj, batch)
	for i := range checks {
		checks[i] = obj{"entityId": u.entities[i%len(u.entities)], "action": "edit"}
	}
	var out struct{ Results []struct{ Allowed bool } }
	if err := g.call(ctx, http.MethodPost, "/api/permissions/check", u.access, obj{"checks": checks}, &out); err != nil {
		return err
	}
	if len(out.Results) != batch {
		return fmt.Errorf("%d answers to %d checks", len(out.Results), batch)
	}
	for _, r := range out.Results {
		if !r.Allowed {
			return fmt.Errorf("an admin is not allowed to edit")
		}
	}
	return nil
}

// check asks at a constant rate, whether or not earlier answers have come. A
// request is late from the moment it was due, so that what waits for a slow
// server, or for this generator, counts (open loop, no coordinated omission).
func (g *generator) check(ctx context.Context) result {
	perSecond := float64(g.o.rate) / float64(g.o.batch)
	total := int(perSecond * g.o.checks.Seconds())
	var t tally
	show := newShow("checking", int64(total))
	var all sync.WaitGroup
	waiting := make(chan struct{}, 2048) // more than that is a server that does not keep up
	began := time.Now()
	for i := range total {
		at := began.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		waiting <- struct{}{}
		all.Go(func() {
			defer func() { <-waiting }()
			err := g.ask(ctx, g.users[i%len(g.users)], g.o.batch)
			t.add(time.Since(at), err)
			show.add()
		})
	}
	all.Wait()
	took := time.Since(began)
	show.done()
	r := t.result(fmt.Sprintf("%d checks a second", g.o.rate), took)
	r.PerRequest = g.o.batch
	return r
}

// mix is a load as products have it: of a hundred requests 90 are checks and
// reads, 8 refreshes and 2 sign-ins.
func (g *generator) mix(ctx context.Context) result {
	kinds := []string{"check", "entity", "me", "refresh", "sign-in"}
	pick := func() int {
		switch n := rand.IntN(100); {
		case n < 50:
			return 0
		case n < 70:
			return 1
		case n < 90:
			return 2
		case n < 98:
			return 3
		default:
			return 4
		}
	}
	var each [5]tally
	var all tally
	show := newShow("mixed load", -1)
	until, cancel := context.WithTimeout(ctx, g.o.mixed)
	defer cancel()
	var next atomic.Int64
	var workers sync.WaitGroup
	began := time.Now()
	for range g.o.workers {
		workers.Go(func() {
			for until.Err() == nil {
				u := g.users[int(next.Add(1))%len(g.users)]
				kind := pick()
				u.mu.Lock()
				at := time.Now()
				err := g.one(ctx, u, kind) // what has begun is finished
				d := time.Since(at)
				u.mu.Unlock()
				each[kind].add(d, err)
				all.add(d, err)
				show.add()
			}
		})
	}
	workers.Wait()
	took := time.Since(began)
	show.done()
	r := all.result(fmt.Sprintf("mixed, %d clients", g.o.workers), took)
	for i := range each {
		r.Kinds = append(r.Kinds, each[i].result(kinds[i], took))
	}
	return r
}

func (g *generator) one(ctx context.Context, u *user, kind int) error {
	switch kind {
	case 0:
		return g.ask(ctx, u, 1)
	case 1:
		return g.call(ctx, http.MethodGet, "/api/entities/"+u.entity, u.access, nil, nil)
	case 2:
		return g.call(ctx, http.MethodGet, "/api/auth/me", u.access, nil, nil)
	case 3:
		var t tokens
		err := g.call(ctx, http.MethodPost, "/api/auth/refresh", "", obj{"refreshToken": u.refresh, "delivery": "body"}, &t)
		if err == nil {
			u.access, u.refresh = t.Tokens.AccessToken, t.Tokens.RefreshToken
		}
		return err
	default:
		return g.signIn(ctx, u, true)
	}
}

// show tells on a terminal how far a phase is.
type show struct{ bar *progressbar.ProgressBar }

func newShow(what string, total int64) show {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return show{}
	}
	return show{progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionShowIts(),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSpinnerType(14))}
}

func (s show) add() {
	if s.bar != nil {
		_ = s.bar.Add(1) // a terminal that has gone away is no failure of the run
	}
}

func (s show) done() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}
