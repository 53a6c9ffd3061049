package keystore_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/keystore"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newFile(t *testing.T, path string) *keystore.File {
	t.Helper()
	f, err := keystore.NewFile(keystore.FileConfig{Path: path, Algorithm: token.HS256, Now: func() time.Time { return start }, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newRing(t testing.TB) *token.Ring {
	t.Helper()
	r, err := token.NewRing(token.HS256, start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rotate(r *token.Ring) (*token.Ring, error) {
	next, err := token.GenerateKey(token.HS256, start, rand.Reader)
	if err != nil {
		return nil, err
	}
	return r.Rotate(start, time.Hour, next)
}

func TestFirstRunMakesTheKeysAndLaterOnesFindThem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "keys.json")
	first, err := newFile(t, path).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	again, err := newFile(t, path).Load(t.Context())
	if err != nil || again.Active().ID != first.Active().ID {
		t.Fatalf("%v", err)
	}
	updated, err := newFile(t, path).Update(t.Context(), rotate)
	if err != nil {
		t.Fatal(err)
	}
	if again, err = newFile(t, path).Load(t.Context()); err != nil || again.Active().ID != updated.Active().ID || again.Active().ID == first.Active().ID {
		t.Fatalf("%v", err)
	}
	if info, err = os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("after the update: %v, %v", info.Mode(), err)
	}
	// A change that fails leaves everything as it was, and no litter.
	if _, err := newFile(t, path).Update(t.Context(), func(*token.Ring) (*token.Ring, error) { return nil, errors.New("no") }); err == nil {
		t.Error("the error of a change is lost")
	}
	if again, err = newFile(t, path).Load(t.Context()); err != nil || again.Active().ID != updated.Active().ID {
		t.Errorf("after a failed change: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

// Each of many writers, in as many processes as may be, changes what the one
// before it left.
func TestUpdatesDoNotOverlap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			f := newFile(t, path)
			if _, err := f.Load(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := f.Update(t.Context(), rotate); err != nil {
				t.Error(err)
			}
			if _, err := f.Load(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	r, err := newFile(t, path).Load(t.Context())
	if err != nil || len(r.Keys()) != 2+12 {
		t.Fatalf("%d keys, %v", len(r.Keys()), err)
	}
}

func TestUnsafeOrBrokenFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	document, err := newRing(t).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := newFile(t, write("good", document, 0o600)).Load(t.Context()); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	if _, err := newFile(t, write("read-only", document, 0o400)).Load(t.Context()); err != nil {
		t.Errorf("read-only: %v", err)
	}
	for name, path := range map[string]string{
		"group": write("group", document, 0o640), "others": write("others", document, 0o604), "writable": write("writable", document, 0o622),
		"empty": write("empty", nil, 0o600), "half": write("half", document[:len(document)/2], 0o600), "huge": write("huge", make([]byte, 2<<20), 0o600),
		"directory": dir,
	} {
		before, _ := os.ReadFile(path)
		if r, err := newFile(t, path).Load(t.Context()); err == nil || r != nil {
			t.Errorf("%s: loaded", name)
		}
		if _, err := newFile(t, path).Update(t.Context(), rotate); err == nil {
			t.Errorf("%s: updated", name)
		}
		if after, _ := os.ReadFile(path); string(before) != string(after) {
			t.Errorf("%s: was overwritten", name)
		}
	}
	if _, err := newFile(t, filepath.Join(dir, "good", "below")).Load(t.Context()); err == nil {
		t.Error("a file below a file")
	}
}

func TestFileConfigurationIsChecked(t *testing.T) {
	good := keystore.FileConfig{Path: "x", Algorithm: token.ES256, Now: time.Now, Rand: rand.Reader}
	for name, change := range map[string]func(*keystore.FileConfig){
		"path": func(c *keystore.FileConfig) { c.Path = "" }, "clock": func(c *keystore.FileConfig) { c.Now = nil },
		"randomness": func(c *keystore.FileConfig) { c.Rand = nil }, "algorithm": func(c *keystore.FileConfig) { c.Algorithm = "RS256" },
	} {
		c := good
		change(&c)
		if _, err := keystore.NewFile(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	dry := good
	dry.Path, dry.Rand = filepath.Join(t.TempDir(), "keys.json"), iotest.ErrReader(errors.New("dry"))
	f, err := keystore.NewFile(dry)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(t.Context()); err == nil {
		t.Error("keys were made without randomness")
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := newFile(t, path).Update(context.Background(), func(r *token.Ring) (*token.Ring, error) {
			close(held)
			<-release
			return r, nil
		})
		done <- err
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newFile(t, path).Update(ctx, rotate); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRingFromText(t *testing.T) {
	r := newRing(t)
	document, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(document)
	for name, s := range map[string]string{"JSON": string(document), "base64": encoded, "with space around": " \n" + encoded + "\n"} {
		if got, err := keystore.FromString(s); err != nil || got.Active().ID != r.Active().ID {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]string{"empty": " ", "neither": "?", "half": encoded[:len(encoded)/2/4*4], "half JSON": string(document[:50])} {
		if got, err := keystore.FromString(s); !errors.Is(err, token.ErrUnavailable) || got != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), string(document[20:40])) {
			t.Errorf("%s: quotes the ring", name)
		}
	}
}

// source counts its loads and gives what it is told to.
type source struct {
	mu    sync.Mutex
	ring  *token.Ring
	err   error
	loads int
	hold  chan struct{}
}

func (s *source) Load(ctx context.Context) (*token.Ring, error) {
	s.mu.Lock()
	s.loads++
	ring, err, hold := s.ring, s.err, s.hold
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return ring, err
}

func (s *source) set(r *token.Ring, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ring, s.err = r, err
}

func (s *source) count() int { s.mu.Lock(); defer s.mu.Unlock(); return s.loads }

func newCached(t *testing.T, s token.Source, c *clock) *keystore.Cached {
	t.Helper()
	k, err := keystore.NewCached(s, keystore.CachedConfig{Fresh: time.Minute, Stale: 5 * time.Minute, Between: time.Second, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCachedRingIsFreshThenStaleThenGone(t *testing.T) {
	c := &clock{at: start}
	r := newRing(t)
	s := &source{ring: r}
	k := newCached(t, s, c)
	load := func(want *token.Ring, loads int) {
		t.Helper()
		got, err := k.Load(t.Context())
		if got != want || (want == nil) != errors.Is(err, token.ErrUnavailable) || s.count() != loads {
			t.Errorf("%p after %d loads, %v; want %p after %d", got, s.count(), err, want, loads)
		}
	}
	load(r, 1)
	c.advance(time.Minute - 1)
	load(r, 1)
	c.advance(1)
	load(r, 2)
	s.set(nil, errors.New("down"))
	c.advance(time.Minute)
	load(r, 3)
	load(r, 3) // a failed look is not repeated at once
	c.advance(time.Second)
	load(r, 4)
	c.advance(5*time.Minute - time.Second - 1)
	load(r, 5)
	c.advance(1)
	load(nil, 5)
	c.advance(time.Second)
	load(nil, 6)
	s.set(nil, nil) // no ring and no error is an error
	c.advance(time.Second)
	load(nil, 7)
	fresh := newRing(t)
	s.set(fresh, nil)
	c.advance(time.Second)
	load(fresh, 8)
}

func TestUnknownKeysRefreshWithinTheBound(t *testing.T) {
	c := &clock{at: start}
	old := newRing(t)
	rotated, err := rotate(old)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{ring: old}
	k := newCached(t, s, c)
	keys := token.RingKeys(k, c.now)
	if _, err := keys.VerificationKey(t.Context(), old.Active().ID); err != nil {
		t.Fatal(err)
	}
	fresh := rotated.Keys()[2].ID // made by another instance's rotation
	s.set(rotated, nil)
	if _, err := keys.VerificationKey(t.Context(), fresh); !errors.Is(err, token.ErrUnknownKey) || s.count() != 1 {
		t.Errorf("within the bound: %d loads, %v", s.count(), err)
	}
	c.advance(time.Second)
	if got, err := keys.VerificationKey(t.Context(), fresh); err != nil || got.ID != fresh || s.count() != 2 {
		t.Errorf("after the bound: %d loads, %v", s.count(), err)
	}
	for range 100 {
		if _, err := keys.VerificationKey(t.Context(), "invented"); !errors.Is(err, token.ErrUnknownKey) {
			t.Fatal(err)
		}
	}
	c.advance(time.Second)
	for range 100 {
		if _, err := keys.VerificationKey(t.Context(), "invented"); !errors.Is(err, token.ErrUnknownKey) {
			t.Fatal(err)
		}
		if _, err := keys.VerificationKey(t.Context(), "not an id at all"); !errors.Is(err, token.ErrUnknownKey) {
			t.Fatal(err)
		}
	}
	if s.count() != 3 {
		t.Errorf("%d loads for invented keys", s.count())
	}
	// Ended keys are known, and no reason to look.
	c.advance(2 * time.Hour)
	k.Set(rotated)
	if _, err := keys.VerificationKey(t.Context(), old.Active().ID); !errors.Is(err, token.ErrUnknownKey) || s.count() != 3 {
		t.Errorf("ended key: %d loads, %v", s.count(), err)
	}
	// A look that fails leaves the answer as it was.
	s.set(nil, errors.New("down"))
	c.advance(time.Second)
	if _, err := keys.VerificationKey(t.Context(), "invented"); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("while the source is down: %v", err)
	}
	// Past the bound nobody knows.
	c.advance(time.Hour)
	if _, err := keys.VerificationKey(t.Context(), "invented"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("past the bound: %v", err)
	}
}

func TestOneLookServesAll(t *testing.T) {
	c := &clock{at: start}
	s := &source{ring: newRing(t), hold: make(chan struct{})}
	k := newCached(t, s, c)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := k.Load(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Load(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("impatient: %v", err)
	}
	close(s.hold)
	wg.Wait()
	if s.count() != 1 {
		t.Errorf("%d loads", s.count())
	}
}

// What this process rotated is not undone by a look that began before.
func TestSetIsNotUndoneByAnEarlierLook(t *testing.T) {
	c := &clock{at: start}
	old, fresh := newRing(t), newRing(t)
	s := &source{ring: old, hold: make(chan struct{})}
	k := newCached(t, s, c)
	got := make(chan *token.Ring)
	go func() {
		r, err := k.Load(context.Background())
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	for s.count() == 0 {
		runtime.Gosched()
	}
	k.Set(fresh)
	close(s.hold)
	if r := <-got; r != fresh {
		t.Error("the look gave the older ring")
	}
	if r, err := k.Load(t.Context()); err != nil || r != fresh {
		t.Errorf("the older ring is back: %v", err)
	}
}

func TestALookIsBounded(t *testing.T) {
	s := &source{ring: newRing(t), hold: make(chan struct{})}
	k, err := keystore.NewCached(s, keystore.CachedConfig{Fresh: time.Minute, Timeout: time.Millisecond, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Load(t.Context()); !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestCacheConfigurationIsChecked(t *testing.T) {
	for name, c := range map[string]keystore.CachedConfig{
		"no clock": {}, "fresh": {Now: time.Now, Fresh: -1}, "stale": {Now: time.Now, Stale: -1}, "between": {Now: time.Now, Between: -1}, "timeout": {Now: time.Now, Timeout: -1},
	} {
		if _, err := keystore.NewCached(&source{}, c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := keystore.NewCached(nil, keystore.CachedConfig{Now: time.Now}); err == nil {
		t.Error("no source")
	}
}

// The drill: keys rotate every few milliseconds while tokens are issued and
// verified by several instances, and no valid token is refused.
func TestRotationUnderLoadRefusesNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	instance := func() (*token.Issuer, *token.Verifier) {
		k, err := keystore.NewCached(newFile(t, path), keystore.CachedConfig{Fresh: 5 * time.Millisecond, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		i, err := token.NewIssuer(k, token.IssuerConfig{Issuer: "i", Audience: "a", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		v, err := token.NewVerifier(token.RingKeys(k, time.Now), token.VerifierConfig{Issuer: "i", Audience: "a", Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return i, v
	}
	claims := token.Claims{UserID: "0190a5c0-0000-7000-8000-000000000001", SessionID: "0190a5c0-0000-7000-8000-000000000002", Role: "USER", AuthTime: start}
	issued, stop := make(chan string, 64), make(chan struct{})
	var verified atomic.Int64
	var issuers, verifiers sync.WaitGroup
	for range 3 {
		i, v := instance()
		issuers.Go(func() {
			for {
				raw, _, err := i.Issue(context.Background(), claims)
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case issued <- raw:
				case <-stop:
					return
				}
			}
		})
		verifiers.Go(func() {
			for raw := range issued {
				if _, err := v.Verify(context.Background(), raw); err != nil {
					t.Error(err)
				}
				verified.Add(1)
			}
		})
	}
	f := newFile(t, path)
	for range 25 {
		for before := verified.Load(); verified.Load() < before+50 && !t.Failed(); {
			runtime.Gosched()
		}
		if _, err := f.Update(context.Background(), rotateNow); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	issuers.Wait()
	close(issued)
	verifiers.Wait()
}

func rotateNow(r *token.Ring) (*token.Ring, error) {
	next, err := token.GenerateKey(token.HS256, time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return r.Rotate(time.Now(), time.Hour, next)
}
