package throttle

import (
	"context"
	"errors"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
)

// guessing names the operations whose attempts Reserve counts by source as
// well; counting them at the door too would cost a round trip.
func guessing(operation string) (Kind, bool) {
	switch operation {
	case "auth-login":
		return SignIn, true
	case "auth-mfa-verify":
		return MFA, true
	}
	return "", false
}

// documents reports whether an operation only hands out what it has in memory.
func documents(spec *api.Spec) bool {
	return spec.Method == http.MethodGet && len(spec.Table) == 0
}

// Request counts a request to a public operation against the limits of its
// source; it implements api.Options.Limit. Operations for signed-in users pass.
func (l *Limiter) Request(ctx context.Context, spec *api.Spec, c *caller.Caller) error {
	if l.off || spec.Access == api.User || spec.Access == api.SuperAdmin || spec.Local {
		return nil
	}
	ps := l.policies
	if k, ok := guessing(spec.ID); ok {
		if c.DeviceCookie != "" {
			return nil // it may be known: Reserve finds out
		}
		f := ps.families[k]
		return l.lookAll(target{f.source, source(c.SourceIP)}, target{f.network, network(c.SourceIP)})
	}
	if p, ok := ps.failures[spec.ID]; ok {
		return l.lookAll(target{p, source(c.SourceIP)})
	}
	if _, named := ps.routes[spec.ID]; !named && documents(spec) {
		p := ps.document
		if wait, ok := l.memory.count(p, p.Name+"#"+source(c.SourceIP), l.now()); !ok {
			return (&refusal{policy: p.Name, wait: wait}).fault()
		}
		return nil
	}
	p, named := ps.routes[spec.ID]
	if !named {
		p = ps.other
	}
	targets := []target{{p, source(c.SourceIP)}}
	if wide, ok := ps.network[spec.ID]; ok {
		targets = append(targets, target{wide, network(c.SourceIP)})
	}
	counts, err := l.tallies(targets)
	if err == nil {
		err = all(ctx, counts)
	}
	return l.refused(ctx, "", err)
}

// target is a policy and whom it is to count.
type target struct {
	policy  Policy
	subject string
}

// lookAll refuses from memory, without a request to the store.
func (l *Limiter) lookAll(targets ...target) error {
	for _, t := range targets {
		p, key := l.tallyKey(t.policy, t.subject)
		var r *refusal
		if errors.As(l.look(p, key), &r) {
			return r.fault()
		}
	}
	return nil
}

// Observe counts refused requests of the operations of which only those count;
// it is for api.Options.Observe. A count that fails here changes no answer: the
// request was refused already, and the error is the caller's to log.
func (l *Limiter) Observe(ctx context.Context, o api.Observation) error {
	p, ok := l.policies.failures[o.Operation]
	if !ok || l.off || o.Status != http.StatusUnauthorized {
		return nil
	}
	part, key := l.tallyKey(p, source(caller.Of(ctx).SourceIP))
	err := l.tally(ctx, part, key)
	var r *refusal
	if errors.As(err, &r) {
		return nil
	}
	return err
}
