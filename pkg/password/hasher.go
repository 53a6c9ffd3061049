package password

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
)

// Scheme is how new hashes are made.
type Scheme string

// The schemes.
const (
	Bcrypt   Scheme = "bcrypt"   // over a digest, see bcrypt.go; the default
	Argon2id Scheme = "argon2id" // RFC 9106
)

// ParseScheme accepts the exact name of a scheme.
func ParseScheme(s string) (Scheme, error) {
	switch v := Scheme(s); v {
	case Bcrypt, Argon2id:
		return v, nil
	}
	return "", fmt.Errorf("unsupported password scheme %q: want bcrypt or argon2id", s)
}

// Config says how hashes are made. Zero fields take the defaults.
type Config struct {
	Scheme     Scheme // Bcrypt
	BcryptCost int    // 12
	Argon2     Argon2 // 19 MiB, 2 passes, 1 lane (OWASP's least)

	// Concurrency is how many hashes are computed at once; more only makes each
	// slower, and argon2id holds its memory for each. 0 means one a CPU.
	Concurrency int
	// Waiting is how many more may wait for their turn; beyond it callers are
	// refused with ErrBusy at once. 0 means 256.
	Waiting int

	Rand io.Reader // for argon2id salts; bcrypt draws its own from the system
}

// Argon2 are the costs of argon2id.
type Argon2 struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// The defaults.
const (
	DefaultBcryptCost  = 12
	DefaultConcurrency = 0
	DefaultWaiting     = 256
)

// DefaultArgon2 gives OWASP's least argon2id setting.
func DefaultArgon2() Argon2 { return Argon2{Memory: 19 << 10, Passes: 2, Threads: 1} }

var (
	// ErrBusy says: too many hashes are waiting already; nothing was decided.
	ErrBusy = errors.New("too many passwords are being hashed")
	// ErrUnknownHash says: a stored hash is in no form we know; nobody gets in by it.
	ErrUnknownHash = errors.New("stored password hash has an unknown form")
	// ErrEncoding says: a password that is not valid UTF-8 has no agreed spelling.
	ErrEncoding = errors.New("password is not valid UTF-8")
)

// Result of a verification. The zero value lets nobody in.
type Result struct {
	OK bool
	// NeedsRehash, with OK: the stored hash is weaker than what is configured,
	// or another system's. Hash the password anew and replace the stored hash on
	// the condition that it is still the one verified.
	NeedsRehash bool
}

// Hasher makes and verifies hashes. It is safe for concurrent use.
type Hasher struct {
	config Config
	decoy  string

	turns   chan struct{}
	waiting atomic.Int64
}

// NewHasher checks the configuration. It hashes nothing.
func NewHasher(c Config) (*Hasher, error) {
	if c.Scheme == "" {
		c.Scheme = Bcrypt
	}
	if c.BcryptCost == 0 {
		c.BcryptCost = DefaultBcryptCost
	}
	if c.Argon2 == (Argon2{}) {
		c.Argon2 = DefaultArgon2()
	}
	if c.Concurrency == 0 {
		c.Concurrency = runtime.GOMAXPROCS(0)
	}
	if c.Waiting == 0 {
		c.Waiting = DefaultWaiting
	}
	if _, err := ParseScheme(string(c.Scheme)); err != nil {
		return nil, fmt.Errorf("password hasher: %w", err)
	}
	switch {
	case c.Rand == nil:
		return nil, fmt.Errorf("password hasher: randomness is required")
	case c.BcryptCost < minBcryptCost || c.BcryptCost > maxBcryptCost:
		return nil, fmt.Errorf("password hasher: bcrypt cost must be between %d and %d", minBcryptCost, maxBcryptCost)
	case c.Concurrency < 1 || c.Waiting < 0:
		return nil, fmt.Errorf("password hasher: negative concurrency")
	}
	if err := c.Argon2.check(); err != nil {
		return nil, fmt.Errorf("password hasher: %w", err)
	}
	h := &Hasher{config: c, turns: make(chan struct{}, c.Concurrency)}
	switch c.Scheme {
	case Argon2id:
		h.decoy = decoyArgon2(c.Argon2)
	default:
		h.decoy = decoyBcrypt(c.BcryptCost)
	}
	return h, nil
}

// Hash makes a hash of the configured scheme. The error is ErrEncoding,
// ErrBusy, the context's, or that of the randomness.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	normal, err := Normalize(password)
	if err != nil {
		return "", err
	}
	done, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	if h.config.Scheme == Argon2id {
		return hashArgon2(h.config.Argon2, normal, h.config.Rand)
	}
	return hashBcrypt(h.config.BcryptCost, normal)
}

// Verify compares a password with a stored hash of any form we know. A wrong
// password is no error; an error means that nothing was decided.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (Result, error) {
	stored, err := parse(encoded)
	if err != nil {
		return Result{}, err
	}
	done, err := h.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer done()
	if !stored.matches(password) {
		return Result{}, nil
	}
	return Result{OK: true, NeedsRehash: stored.weakerThan(h.config)}, nil
}

// Decoy spends what verifying a hash of the configured scheme costs, and finds
// nothing: for accounts that do not exist, have no password or may not sign in.
func (h *Hasher) Decoy(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, h.decoy, password)
	return err
}

// enter waits for a turn.
func (h *Hasher) enter(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done = func() { <-h.turns }
	select {
	case h.turns <- struct{}{}:
		return done, nil
	default:
	}
	if h.waiting.Add(1) > int64(h.config.Waiting) {
		h.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.turns <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// storedHash is a parsed stored hash.
type storedHash interface {
	// matches compares in constant time. The password is as it was typed.
	matches(password string) bool
	// weakerThan reports whether hashing anew would make it stronger.
	weakerThan(Config) bool
}
