package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/internal/snapshot"
)

// Bounds of an answer: a set of a few keys has under 2 kB.
const (
	maxBody = 64 << 10
	maxKeys = 64
)

// The defaults of Config.
const (
	DefaultMinAge  = time.Minute
	DefaultMaxAge  = time.Hour
	DefaultStale   = 24 * time.Hour
	DefaultBetween = 10 * time.Second
	DefaultTimeout = 5 * time.Second
)

// Config says where keys come from. Zero durations take the defaults.
type Config struct {
	URL    string // of the key set: https, or http on a loopback address
	Client *http.Client
	Now    func() time.Time

	// MinAge and MaxAge bound how long a set is served unasked, whatever its
	// Cache-Control says. MaxAge is also how long a key that was withdrawn may
	// still be honoured here.
	MinAge, MaxAge time.Duration
	// Stale is for how much longer a set is served while it cannot be fetched.
	Stale time.Duration
	// Between is the least time between two fetches for unknown keys.
	Between time.Duration
	Timeout time.Duration
}

// Remote is the token.KeySet of a key set on the network.
type Remote struct {
	url    string
	client *http.Client
	config Config
	cache  *snapshot.Cache[map[string]token.VerificationKey]
}

// New checks the configuration. Nothing is fetched until a key is needed.
func New(c Config) (*Remote, error) {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&c.MinAge, DefaultMinAge}, {&c.MaxAge, DefaultMaxAge}, {&c.Stale, DefaultStale}, {&c.Between, DefaultBetween}, {&c.Timeout, DefaultTimeout}} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	bounds := snapshot.Config{Stale: c.Stale, Between: c.Between, Timeout: c.Timeout, Now: c.Now}
	if err := bounds.Check(); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if c.Client == nil || c.MinAge < 0 || c.MaxAge < c.MinAge {
		return nil, fmt.Errorf("key set: a client is required, and 0 ≤ MinAge ≤ MaxAge")
	}
	if err := checkURL(c.URL); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	client := *c.Client
	// The configured address is the only one that keys are taken from.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r := &Remote{url: c.URL, client: &client, config: c}
	r.cache = snapshot.New(r.fetch, bounds)
	return r, nil
}

// checkURL accepts https anywhere and http on a loopback address: keys that
// came over an open line would be anybody's.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("the address is no URL")
	}
	if u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return errors.New("the address must have a host, and neither credentials nor a fragment")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		host := u.Hostname()
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			return nil
		}
	}
	return errors.New("the address must be https, or http on a loopback address")
}

// VerificationKey gives the key of that id, fetching the set where it is not at
// hand or, within Between, where it lacks the key.
func (r *Remote) VerificationKey(ctx context.Context, id string) (token.VerificationKey, error) {
	set, err := r.cache.Get(ctx)
	if err != nil {
		return token.VerificationKey{}, err
	}
	if k, ok := set[id]; ok {
		return k, nil
	}
	if set, err = r.cache.Refresh(ctx); err != nil {
		return token.VerificationKey{}, err
	}
	if k, ok := set[id]; ok {
		return k, nil
	}
	return token.VerificationKey{}, token.ErrUnknownKey
}

func (r *Remote) fetch(ctx context.Context) (map[string]token.VerificationKey, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch key set: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch key set: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("fetch key set: answer %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, 0, fmt.Errorf("fetch key set: %w", err)
	}
	set, err := parseSet(body)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch key set: %w", err)
	}
	return set, min(max(maxAge(res.Header), r.config.MinAge), r.config.MaxAge), nil
}

// parseSet reads a key set (RFC 7517 §5). Keys we cannot use are passed over;
// two keys of one id, or none that we can use, make the set useless.
func parseSet(body []byte) (map[string]token.VerificationKey, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("longer than %d bytes", maxBody)
	}
	var doc struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("not a key set: %w", err)
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	set := make(map[string]token.VerificationKey, len(doc.Keys))
	for _, raw := range doc.Keys {
		k, err := token.ParseJWK(raw)
		if err != nil {
			continue
		}
		if _, twice := set[k.ID]; twice {
			return nil, fmt.Errorf("two keys with id %.64q", k.ID)
		}
		set[k.ID] = k
	}
	if len(set) == 0 {
		return nil, errors.New("no usable key")
	}
	return set, nil
}

// maxAge reads max-age of Cache-Control (RFC 9111 §5.2.2.1); 0 where there is none.
func maxAge(h http.Header) time.Duration {
	for _, part := range strings.Split(h.Get("Cache-Control"), ",") {
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "max-age="); ok {
			if n, err := strconv.ParseUint(v, 10, 31); err == nil {
				return time.Duration(n) * time.Second
			}
		}
	}
	return 0
}
