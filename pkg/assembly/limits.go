package assembly

import (
	"context"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
)

// Observer lets the abuse limits count refused requests before next is told.
func (a *Assembly) Observer(next func(context.Context, api.Observation)) func(context.Context, api.Observation) {
	return func(ctx context.Context, o api.Observation) {
		if err := a.Limiter().Observe(ctx, o); err != nil {
			a.Deps.Log.WarnContext(ctx, "refused request not counted", "requestId", o.RequestID, "error", err.Error())
		}
		if next != nil {
			next(ctx, o)
		}
	}
}

// guard is what sessions need of the abuse limits.
type guard struct{ *throttle.Limiter }

func (g guard) Reserve(ctx context.Context, who string) (session.Reservation, error) {
	r, err := g.Limiter.Reserve(ctx, throttle.SignIn, who)
	return session.Reservation{Forget: r.Forget, Last: r.Last}, err
}

// Limiter gives the abuse limits. There is one for a process: it remembers
// recent refusals.
func (a *Assembly) Limiter() *throttle.Limiter {
	a.limiter.Do(func() {
		a.limits = throttle.New(a.Deps, throttle.Parts{Audit: audit.New(a.Deps), Tickets: a.Codec()})
	})
	return a.limits
}
