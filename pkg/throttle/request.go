package throttle

import (
	"context"
	"errors"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/config"
)

// duty is what a request to an operation is counted against, and how.
type duty struct {
	policies []Policy // the source's first, the network's second where there is one
	how      how
}

type how int

const (
	never     how = iota // for signed-in users, or on the single machine only
	byAttempt            // by Reserve, which knows the account and the device
	byRequest            // at the door, in the table
	byRefusal            // when it was refused, in the table
	inProcess            // at the door, in this process
)

// duty gives an operation's. A public operation that is not named falls under
// the general limit: it cannot be forgotten.
func (ps policies) duty(spec *api.Spec) duty {
	if spec.Access == api.User || spec.Access == api.SuperAdmin || spec.Local {
		return duty{}
	}
	if spec.ID == "auth-login" {
		return duty{[]Policy{ps.families[SignIn].source, ps.families[SignIn].network}, byAttempt}
	}
	if p, ok := ps.failures[spec.ID]; ok {
		return duty{[]Policy{p}, byRefusal}
	}
	if p, ok := ps.routes[spec.ID]; ok {
		d := duty{[]Policy{p}, byRequest}
		if wide, ok := ps.network[spec.ID]; ok {
			d.policies = append(d.policies, wide)
		}
		return d
	}
	if spec.Method == http.MethodGet && len(spec.Table) == 0 {
		return duty{[]Policy{ps.document}, inProcess}
	}
	return duty{[]Policy{ps.other}, byRequest}
}

// Of lists the limits that a request to an operation falls under because of
// where it comes from, for the documentation; none for signed-in users.
func Of(c config.Limits, spec *api.Spec) []Policy { return newPolicies(c).duty(spec).policies }

// Request counts a request to a public operation against the limits of its
// source; it implements api.Options.Limit. Operations for signed-in users pass.
func (l *Limiter) Request(ctx context.Context, spec *api.Spec, c *caller.Caller) error {
	if l.off {
		return nil
	}
	d := l.policies.duty(spec)
	var targets []target
	for i, p := range d.policies {
		subject := source(c.SourceIP)
		if i > 0 {
			subject = network(c.SourceIP)
		}
		targets = append(targets, target{p, subject})
	}
	switch d.how {
	case byRequest:
		counts, err := l.tallies(targets)
		if err == nil {
			err = all(ctx, counts)
		}
		return l.refused(ctx, "", err)
	case byRefusal:
		if _, err := l.tallies(targets); err != nil && !l.knownDevice(ctx, c.DeviceCookie) {
			return l.refused(ctx, "", err)
		}
	case inProcess:
		p := d.policies[0]
		if wait, ok := l.memory.count(p, p.Name+"#"+targets[0].subject, l.now()); !ok {
			return (&refusal{policy: p.Name, wait: wait}).fault()
		}
	}
	return nil
}

// target is a policy and whom it is to count.
type target struct {
	policy  Policy
	subject string
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
	l.memory.usedUp(key.PK, l.now(), int64(part.Limit.Count))
	var r *refusal
	if errors.As(err, &r) {
		return nil
	}
	return err
}
