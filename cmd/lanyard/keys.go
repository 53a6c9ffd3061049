package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/awskeys"
	"github.com/lanyard-auth/lanyard/pkg/config"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/mfa/kms"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// keysFile is the key ring in the directory of the embedded store.
const keysFile = "keys.json"

// openKeys opens the key ring. Where the source is a file and there is none,
// absent says what becomes of it.
func openKeys(ctx context.Context, cfg config.Config, dir string, absent ifAbsent) (token.Source, error) {
	if cfg.Keys.Source == "file" && absent != makeAbsent {
		path := filepath.Join(dir, keysFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if absent == pretendAbsent {
				return newKeys(cfg)
			}
			if _, err := os.Stat(filepath.Join(dir, storeFile)); cfg.Dynamo == "" && errors.Is(err, fs.ErrNotExist) {
				return nil, refusal{fmt.Errorf("there is no %s: %s", path, whichData)}
			}
			return nil, refusal{fmt.Errorf("there is no %s: bring back the key ring that belongs to the data; where there was none, lanyard serve makes it", path)}
		}
	}
	var source token.Source
	if cfg.Keys.Source == "env" {
		ring, err := keystore.FromString(cfg.Keys.Ring)
		if err != nil {
			return nil, fmt.Errorf("LANYARD_KEYS: %w", err)
		}
		source = token.Static(ring)
	} else {
		s, err := keyStore(ctx, cfg, dir)
		if err != nil {
			return nil, err
		}
		source = s
	}
	cached, err := assembly.CachedKeys(source, cfg.Keys.Reload, time.Now)
	if err != nil {
		return nil, err
	}
	if _, err := cached.Load(ctx); err != nil {
		return nil, fmt.Errorf("load keys: %w", err)
	}
	return cached, nil
}

// newKeys makes a ring that is gone with the process.
func newKeys(cfg config.Config) (token.Source, error) {
	ring, err := token.NewRing(token.Algorithm(cfg.Keys.Algorithm), time.Now(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key ring: %w", err)
	}
	return token.Static(ring), nil
}

// keyStore gives the place of the key ring, where it can be changed.
func keyStore(ctx context.Context, cfg config.Config, dir string) (keystore.Store, error) {
	switch cfg.Keys.Source {
	case "file":
		return keystore.NewFile(keystore.FileConfig{
			Path: filepath.Join(dir, keysFile), Algorithm: token.Algorithm(cfg.Keys.Algorithm), Now: time.Now, Rand: rand.Reader,
		})
	case "ssm":
		sdk, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("load AWS configuration: %w", err)
		}
		return &awskeys.Parameter{Client: ssm.NewFromConfig(sdk), Name: cfg.Keys.Name}, nil
	}
	return nil, usage{fmt.Errorf("LANYARD_KEYS_SOURCE=%s cannot be written from here: change the variable's value", cfg.Keys.Source)}
}

// keyService connects to what seals the secrets of second factors, where that is
// not the key ring.
func keyService(ctx context.Context, cfg config.Config) (mfa.KeyService, error) {
	if len(cfg.MFA.KMSKeys) == 0 {
		return nil, nil
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("load AWS configuration: %w", err)
	}
	return kms.Connect(cfg.MFA, sdk)
}

type keysCommand struct {
	List   keysListCommand   `cmd:"" help:"List the keys of the ring, without the keys themselves."`
	Rotate keysRotateCommand `cmd:"" help:"Replace the signing key as planned: nobody is signed out."`
	Retire keysRetireCommand `cmd:"" help:"Put a compromised key away: its tokens are refused from now on."`
	Reseal keysResealCommand `cmd:"" help:"Seal second factors anew with the present key, so that earlier ones can go."`
	Share  keysShareCommand  `cmd:"" help:"Print what a service needs to check HS256 tokens. It is secret."`
}

// keyEntry is a key as operators see it.
type keyEntry struct {
	ID          string    `json:"id"`
	Use         string    `json:"use"` // sig: signs access tokens; secret: refresh tokens, cursors, what is sealed
	Algorithm   string    `json:"algorithm,omitempty"`
	State       string    `json:"state"`
	CreatedAt   time.Time `json:"createdAt"`
	ActivatedAt time.Time `json:"activatedAt,omitzero"`
	RetireAt    time.Time `json:"retireAt,omitzero"`
}

func entries(r *token.Ring) []keyEntry {
	var out []keyEntry
	for _, k := range r.Keys() {
		out = append(out, keyEntry{ID: k.ID, Use: "sig", Algorithm: string(k.Algorithm), State: string(k.State),
			CreatedAt: k.CreatedAt, ActivatedAt: k.ActivatedAt, RetireAt: k.RetireAt})
	}
	secrets := r.Secrets()
	for i, s := range secrets {
		state := token.StatePrevious
		if i == len(secrets)-1 {
			state = token.StateActive
		}
		out = append(out, keyEntry{ID: strconv.Itoa(int(s.Version)), Use: "secret", State: string(state), CreatedAt: s.CreatedAt})
	}
	return out
}

func (o output) keys(p *process, r *token.Ring) error {
	list := entries(r)
	rows := make([][]string, len(list))
	for i, k := range list {
		rows[i] = []string{k.ID, k.Use, k.Algorithm, k.State, moment(&k.CreatedAt), moment(&k.ActivatedAt), moment(&k.RetireAt)}
	}
	return o.show(p.out, list, []string{"ID", "USE", "ALGORITHM", "STATE", "CREATED", "ACTIVE SINCE", "ENDS"}, rows)
}

type keysListCommand struct {
	where
	output
}

// Help shows examples.
func (keysListCommand) Help() string {
	return `States: next is published and does not sign yet; active signs; previous verifies
until its last token has expired; retired is good for nothing.

  lanyard keys list
  LANYARD_KEYS_SOURCE=ssm LANYARD_KEYS_NAME=/lanyard/prod/keys lanyard keys list --output json`
}

// Run lists.
func (c *keysListCommand) Run(ctx context.Context, p *process) error {
	cfg, err := c.configuration(p.environ)
	if err != nil {
		return err
	}
	keys, err := openKeys(ctx, cfg, c.Data, refuseAbsent)
	if err != nil {
		return err
	}
	ring, err := keys.Load(ctx)
	if err != nil {
		return err
	}
	return c.keys(p, ring)
}

// published is for how long verifiers may keep the key set: the max-age of
// /.well-known/jwks.json, and a minute for clocks and answers under way.
const published = 6 * time.Minute

type keysRotateCommand struct {
	where
	dryRun
	output
	acting
	because
	Secret bool `help:"Add a new secret too: for refresh tokens, cursors and what is sealed from now on. What was made with the earlier ones stays good."`
	Force  bool `help:"Rotate although verifiers may not have seen the next key yet."`
}

// Help shows examples.
func (keysRotateCommand) Help() string {
	return `The next key begins to sign, the active one verifies until its last token has
expired, and a new next key is published. A running server takes it over within
LANYARD_KEYS_RELOAD. On AWS a schedule does this by itself.

  lanyard keys rotate --dry-run
  lanyard keys rotate --reason "quarterly"
  lanyard keys rotate --secret`
}

// Run rotates.
func (c *keysRotateCommand) Run(ctx context.Context, p *process) error {
	return changeKeys(ctx, p, keyChange{c.where, c.dryRun, c.output, c.acting, c.because}, "keys rotate", func(cfg config.Config, ring *token.Ring) (*token.Ring, audit.Event, error) {
		e := audit.Event{Type: audit.KeysRotated, Details: map[string]string{"was": ring.Active().ID}}
		now := time.Now()
		for _, k := range ring.Keys() {
			if age := now.Sub(k.CreatedAt); k.State == token.StateNext && age < published && !c.Force {
				return nil, e, wanting{fmt.Errorf("the next key was published %s ago, and verifiers may keep the key set for %s: wait, or --force", age.Round(time.Second), published)}
			}
		}
		next, err := token.GenerateKey(token.Algorithm(cfg.Keys.Algorithm), now, rand.Reader)
		if err != nil {
			return nil, e, err
		}
		out, err := ring.Rotate(now, cfg.KeyOverlap(), next)
		if err == nil && c.Secret {
			var s token.Secret
			if s, err = token.GenerateSecret(out.NextSecretVersion(), now, rand.Reader); err == nil {
				e.Details["secret"] = strconv.Itoa(int(s.Version))
				out, err = out.RotateSecret(s)
			}
		}
		if err != nil {
			return nil, e, err
		}
		e.Details["key"] = out.Active().ID
		return out, e, nil
	})
}

type keysRetireCommand struct {
	where
	dryRun
	output
	acting
	because
	ID     string `arg:"" help:"Id of the key; with --secret the version."`
	Secret bool   `help:"Put away an earlier secret instead: the sessions it made end, and what it sealed, second factors too, is lost."`
}

// Help shows examples.
func (keysRetireCommand) Help() string {
	return `For a key that somebody else may have. Access tokens it signed are refused as soon
as servers have read the ring again (LANYARD_KEYS_RELOAD); clients refresh. To
replace a secret that leaked: keys rotate --secret, then keys retire --secret.

  lanyard keys retire 20260101-mFf0zKcXbOa1 --reason "laptop stolen"
  lanyard keys retire --secret 1 --dry-run`
}

// Run retires.
func (c *keysRetireCommand) Run(ctx context.Context, p *process) error {
	return changeKeys(ctx, p, keyChange{c.where, c.dryRun, c.output, c.acting, c.because}, "keys retire", func(cfg config.Config, ring *token.Ring) (*token.Ring, audit.Event, error) {
		e := audit.Event{Type: audit.KeyRetired, Details: map[string]string{"key": c.ID}}
		if c.Secret {
			e.Details = map[string]string{"secret": c.ID}
			version, err := strconv.ParseUint(c.ID, 10, 16)
			if err != nil {
				return nil, e, usage{fmt.Errorf("%q: expected the version of a secret, see keys list", c.ID)}
			}
			out, err := ring.RetireSecret(uint16(version))
			return out, e, err
		}
		now := time.Now()
		next, err := token.GenerateKey(token.Algorithm(cfg.Keys.Algorithm), now, rand.Reader)
		if err != nil {
			return nil, e, err
		}
		out, err := ring.Retire(c.ID, now, next)
		return out, e, err
	})
}

// keyChange is the flags that the changes of keys have in common.
type keyChange struct {
	where
	dryRun
	output
	acting
	because
}

// changeKeys changes the ring. The event is written before the ring is: a
// change that cannot be recorded is not made. One that then fails is recorded
// as failed.
func changeKeys(ctx context.Context, p *process, c keyChange, command string,
	change func(config.Config, *token.Ring) (*token.Ring, audit.Event, error)) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	cfg := d.Deps.Config
	keys, err := keyStore(ctx, cfg, c.Data)
	if err != nil {
		return err
	}
	if ctx, err = c.actingOrNobody(ctx, d, command); err != nil {
		return err
	}
	if c.DryRun {
		ring, err := keys.Load(ctx)
		if err != nil {
			return err
		}
		if ring, _, err = change(cfg, ring); err != nil {
			return unknownKey(err)
		}
		fmt.Fprintln(p.err, "nothing was written; the ring would be, but for the ids of new keys:")
		return c.keys(p, ring)
	}
	log := audit.New(d.Deps)
	var recorded *audit.Event
	ring, err := keys.Update(ctx, func(ring *token.Ring) (*token.Ring, error) {
		out, e, err := change(cfg, ring)
		if err != nil {
			return nil, err
		}
		e.Details["by"], e.Details["reason"] = "command", c.Reason
		if err := log.Write(ctx, e); err != nil {
			return nil, err
		}
		recorded = &e
		return out, nil
	})
	if err != nil {
		if recorded != nil {
			recorded.Outcome = audit.Failure
			err = errors.Join(err, log.Write(ctx, *recorded))
		}
		return unknownKey(err)
	}
	return c.keys(p, ring)
}

// unknownKey tells a key that is not there, or not to be put away, from failure.
func unknownKey(err error) error {
	if errors.Is(err, token.ErrUnknownKey) || errors.Is(err, token.ErrCurrentSecret) {
		return refusal{err}
	}
	return err
}

type keysShareCommand struct {
	where
	acting
	because
}

// Help shows examples.
func (keysShareCommand) Help() string {
	return `For LANYARD_KEYS_ALGORITHM=HS256, whose keys are not published: the keys that
verify access tokens now, and the next one, as a JWK set. Whoever has them can make
tokens. Hand them out again after each rotation. Never hand out the key ring
itself: it holds the secrets behind refresh tokens too.

  lanyard keys share --reason "invoices" > shared-keys.json`
}

// Run prints the keys. That they leave the ring is recorded first.
func (c *keysShareCommand) Run(ctx context.Context, p *process) (err error) {
	d, err := c.deployment(ctx, p, refuseAbsent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ring, err := d.Keys.Load(ctx)
	if err != nil {
		return err
	}
	set := ring.SharedKeys(time.Now())
	if len(set.Keys) == 0 {
		return refusal{errors.New("no key of the ring is a shared secret: services verify by /.well-known/jwks.json")}
	}
	if ctx, err = c.actingOrNobody(ctx, d, "keys share"); err != nil {
		return err
	}
	ids := make([]string, len(set.Keys))
	for i, k := range set.Keys {
		ids[i] = k.KeyID
	}
	if err := audit.New(d.Deps).Write(ctx, audit.Event{Type: audit.KeysShared,
		Details: map[string]string{"keys": strings.Join(ids, " "), "reason": c.Reason, "by": "command"}}); err != nil {
		return err
	}
	return output{Output: "json"}.show(p.out, set, nil, nil)
}
