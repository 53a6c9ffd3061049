package assembly

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/access"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/audit"
	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/cascade"
	"github.com/lanyard-auth/lanyard/pkg/cursor"
	"github.com/lanyard-auth/lanyard/pkg/entity"
	"github.com/lanyard-auth/lanyard/pkg/facts"
	"github.com/lanyard-auth/lanyard/pkg/gateway"
	"github.com/lanyard-auth/lanyard/pkg/mfa"
	"github.com/lanyard-auth/lanyard/pkg/operator"
	"github.com/lanyard-auth/lanyard/pkg/org"
	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/permission"
	"github.com/lanyard-auth/lanyard/pkg/public"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/session"
	"github.com/lanyard-auth/lanyard/pkg/standing"
	"github.com/lanyard-auth/lanyard/pkg/task"
	"github.com/lanyard-auth/lanyard/pkg/throttle"
	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

// maxWaiting is how many passwords may wait to be hashed. A burst of sign-ins
// is worked off in order rather than refused.
const maxWaiting = 4096

// Assembly makes services. Each method gives a fresh one.
type Assembly struct {
	Deps    service.Deps
	Keys    token.Source
	Version string
	// KeyService seals the secrets of second factors where LANYARD_MFA_KMS_KEYS
	// is set; the functions that need none are made without it.
	KeyService mfa.KeyService

	limiter sync.Once
	limits  *throttle.Limiter

	checker   sync.Once
	access    *access.Checker
	accessErr error
}

// Codec makes and reads the opaque tokens.
func (a *Assembly) Codec() *token.Codec { return token.NewCodec(a.Keys, a.Deps.Now) }

// Cursors makes and reads the cursors of lists.
func (a *Assembly) Cursors() cursor.Cursors {
	return cursor.Cursors{Codec: a.Codec(), Unavailable: func(err error) bool { return errors.Is(err, token.ErrUnavailable) }}
}

// Accounts makes the account service.
func (a *Assembly) Accounts() (*account.Service, error) {
	c := a.Deps.Config.Pass
	h, err := password.NewHasher(password.Config{
		Scheme: password.Scheme(c.Scheme), BcryptCost: c.BcryptCost, Concurrency: c.Parallel, Waiting: maxWaiting, Rand: rand.Reader,
	})
	if err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	limits := a.Limiter()
	return account.New(a.Deps, account.Parts{
		Audit: audit.New(a.Deps), Hasher: hasher{h}, Policy: policy{password.Policy{MinLength: c.MinLength, MaxLength: c.MaxLength}},
		Guard: limits, Budget: limits, Mail: accountMails{a.Outbox()}, Cursors: a.Cursors(),
		Departures: []account.Departure{org.NewDeparture(a.Deps.Table), operator.Departure{}},
	}), nil
}

// Sessions makes the session service.
func (a *Assembly) Sessions() (*session.Service, error) {
	accounts, err := a.Accounts()
	if err != nil {
		return nil, err
	}
	c := a.Deps.Config
	issuer, err := token.NewIssuer(a.Keys, token.IssuerConfig{
		Issuer: c.Issuer, Audience: c.Audience, TTL: c.Token.TTL, Now: a.Deps.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("access tokens: %w", err)
	}
	return session.New(a.Deps, session.Parts{
		Accounts: accounts, Audit: accounts.Audit, Tokens: sessionTokens{issuer, a.Codec()}, Guard: guard{a.Limiter()}, SecondFactor: a.gate(),
	}), nil
}

// Access gives the permission checker. There is one for a process: it caches
// users' facts.
func (a *Assembly) Access() (*access.Checker, error) {
	a.checker.Do(func() {
		c := a.Deps.Config.Access
		ttl := c.CacheTTL
		if ttl == 0 {
			ttl = -1 // nothing is cached
		}
		source := facts.New(a.Deps.Table)
		a.access, a.accessErr = access.New(source, source, access.Config{TTL: ttl, Users: c.CacheSize, MaxFacts: c.MaxFacts, Now: a.Deps.Now})
	})
	if a.accessErr != nil {
		return nil, fmt.Errorf("permission checks: %w", a.accessErr)
	}
	return a.access, nil
}

// Organizations makes the organization service.
func (a *Assembly) Organizations() (*org.Service, error) {
	checker, err := a.Access()
	if err != nil {
		return nil, err
	}
	return org.New(a.Deps, org.Parts{
		Access: checker, Audit: audit.New(a.Deps), Mail: orgMails{a.Outbox()}, Budget: a.Limiter(), Cursors: a.Cursors(),
	}), nil
}

// Entities makes the entity service.
func (a *Assembly) Entities() (*entity.Service, error) {
	checker, err := a.Access()
	if err != nil {
		return nil, err
	}
	return entity.New(a.Deps, entity.Parts{Access: checker, Audit: audit.New(a.Deps), Cursors: a.Cursors()}), nil
}

// Permissions makes the service that answers questions about rights.
func (a *Assembly) Permissions() (*permission.Service, error) {
	entities, err := a.Entities()
	if err != nil {
		return nil, err
	}
	return permission.New(a.Deps, permission.Parts{
		Access: entities.Access, Entities: entities, Audit: entities.Audit, Cursors: entities.Cursors,
	}), nil
}

// Operators makes the service of what super admins do.
func (a *Assembly) Operators() (*operator.Service, error) {
	checker, err := a.Access()
	if err != nil {
		return nil, err
	}
	accounts, err := a.Accounts()
	if err != nil {
		return nil, err
	}
	return operator.New(a.Deps, operator.Parts{Access: checker, Accounts: accounts, Audit: accounts.Audit, Cursors: a.Cursors()}), nil
}

// Tasks makes the runner of every task.
func (a *Assembly) Tasks() (*task.Runner, error) {
	accounts, err := a.Accounts()
	if err != nil {
		return nil, err
	}
	handlers := map[task.Kind]task.Handler{}
	maps.Copy(handlers, accounts.Tasks())
	maps.Copy(handlers, cascade.New(a.Deps).Tasks())
	return task.NewRunner(a.Deps, handlers), nil
}

// Public makes the service of the public documents.
func (a *Assembly) Public() (*public.Service, error) {
	return &public.Service{Deps: a.Deps, Keys: a.Keys, Version: a.Version}, nil
}

// Verifier makes the verifier of access tokens.
func (a *Assembly) Verifier() (*token.Verifier, error) {
	c := a.Deps.Config
	v, err := token.NewVerifier(token.RingKeys(a.Keys, a.Deps.Now), token.VerifierConfig{
		Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Token.Leeway, Now: a.Deps.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("access tokens: %w", err)
	}
	return v, nil
}

// Authorizer makes the authorizer, and the checker whose cache it uses, nil
// where session checks are off.
func (a *Assembly) Authorizer() (*authorizer.Authorizer, *standing.Checker, error) {
	v, err := a.Verifier()
	if err != nil {
		return nil, nil, err
	}
	auth := &authorizer.Authorizer{Verifier: v, Cookie: a.cookies().Access()}
	check := a.Deps.Config.Session.Check
	if check.Off {
		return auth, nil, nil
	}
	c, err := standing.NewChecker(a.Deps.Table, a.Deps.Now, check.TTL)
	if err != nil {
		return nil, nil, err
	}
	auth.Sessions = c
	return auth, c, nil
}

func (a *Assembly) cookies() api.Cookies { return api.Cookies{Secure: a.Deps.Config.Secure()} }

// Options gives the pipeline's options; identify is the side of the gateway.
func (a *Assembly) Options(identify func(*http.Request, *api.Spec) (*caller.Caller, error)) api.Options {
	c := a.Deps.Config
	return api.Options{
		Version: a.Version, Cookies: a.cookies(), Now: a.Deps.Now, Log: a.Deps.Log, Identify: identify,
		Browser:   api.Browser{PublicURL: c.PublicURL, Origins: c.CORSOrigins},
		Limit:     a.Limiter().Request,
		Authorize: operator.NewAuthorizer(a.Deps, audit.New(a.Deps)).Authorize,
	}
}

// Server makes the handler of the local server: every operation, the
// authorizer in front, CORS answered here.
func (a *Assembly) Server(ops []api.Operation, auth *authorizer.Authorizer, observe func(context.Context, api.Observation)) (http.Handler, error) {
	proxies, err := gateway.ParseProxies(a.Deps.Config.TrustedProxies)
	if err != nil {
		return nil, err
	}
	local := &gateway.Local{Authorize: auth.Authorize, Proxies: proxies, Now: a.Deps.Now}
	o := a.Options(local.Identify)
	o.Browser.Preflight = true
	o.Observe = a.Observer(observe)
	return api.NewHandler(o, ops...)
}

// CachedKeys puts a cache in front of where the key ring is kept. A ring is
// used on for five minutes while its source fails; then nothing is signed or
// verified any more.
func CachedKeys(source token.Source, reload time.Duration, now func() time.Time) (*keystore.Cached, error) {
	return keystore.NewCached(source, keystore.CachedConfig{Fresh: reload, Stale: 5 * time.Minute, Between: time.Second, Now: now})
}
