package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
)

type keysResealCommand struct {
	where
	dryRun
	output
	acting
	because
	WithRing bool  `help:"Seal with the key ring although LANYARD_MFA_KMS_KEYS names keys: to do without KMS, or before a move to where it cannot be used."`
	Rate     bound `help:"Items read a second at most; 0 is without bound." default:"0"`
}

// Help shows examples.
func (keysResealCommand) Help() string {
	return `Opens every authenticator app's secret that was sealed with an earlier key and
seals it as new ones are: with the first of LANYARD_MFA_KMS_KEYS, or the ring's
active secret. Sign-ins do that too, one user at a time. Nobody notices, and it
may run again at any time. It ends with 3 when a secret did not open; that stays
as it was.

  lanyard keys reseal --dry-run
  lanyard keys reseal --reason "before the old KMS key is disabled"
  lanyard keys reseal --with-ring --reason "move to a machine of our own"`
}

// Run seals anew.
func (c *keysResealCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if ctx, err = c.actingOrNobody(ctx, d, "keys reseal"); err != nil {
		return err
	}
	o := mfa.ResealOptions{DryRun: c.DryRun, Pace: pace(c.Rate), Failed: func(userID string, err error) error {
		_, failed := fmt.Fprintf(p.err, "user %s keeps the seal: %s\n", userID, printable(err.Error()))
		return failed
	}}
	if o.Seal, err = d.Sealer(); err != nil {
		return err
	}
	to := "present key"
	if c.WithRing {
		o.To, to = mfa.RingSealer{Codec: d.Codec(), Rand: rand.Reader}, "key ring"
	}
	if !c.DryRun {
		e := audit.Event{Type: audit.SecretsResealed, Details: map[string]string{"by": "command", "reason": c.Reason, "with": to}}
		if err := audit.New(d.Deps).Write(ctx, e); err != nil {
			return err
		}
	}
	bar := newProgress(p.err, "items read", -1)
	o.Progress = bar.at
	sum, err := mfa.Reseal(ctx, d.Deps.Table, o)
	bar.done()
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = c.show(p.out, sum, nil, nil)
	} else {
		done := "sealed anew"
		if c.DryRun {
			done = "would be sealed anew"
		}
		_, err = fmt.Fprintf(p.out, "%d authenticator apps: %d %s, %d had the seal, %d did not open\n", sum.Apps, sum.Sealed, done, sum.Current, sum.Failed)
	}
	if err == nil && sum.Failed > 0 {
		err = wanting{errors.New("some second factors keep their earlier seal")}
	}
	return err
}
