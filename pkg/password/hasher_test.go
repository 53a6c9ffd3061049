package password_test

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/password"
)

func TestConfigurationIsChecked(t *testing.T) {
	for name, c := range map[string]password.Config{
		"no randomness":     {},
		"unknown scheme":    {Scheme: "md5", Rand: rand.Reader},
		"bcrypt cost":       {BcryptCost: 15, Rand: rand.Reader},
		"bcrypt cost low":   {BcryptCost: 3, Rand: rand.Reader},
		"argon2 memory":     {Argon2: password.Argon2{Memory: 1 << 20, Passes: 1, Threads: 1}, Rand: rand.Reader},
		"argon2 passes":     {Argon2: password.Argon2{Memory: 64, Threads: 1}, Rand: rand.Reader},
		"negative turns":    {Concurrency: -1, Rand: rand.Reader},
		"negative waiting":  {Waiting: -1, Rand: rand.Reader},
		"argon2 no threads": {Argon2: password.Argon2{Memory: 64, Passes: 1}, Rand: rand.Reader},
	} {
		if h, err := password.NewHasher(c); err == nil || h != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := password.NewHasher(password.Config{Rand: rand.Reader}); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for _, s := range []string{"bcrypt", "argon2id"} {
		if got, err := password.ParseScheme(s); err != nil || string(got) != s {
			t.Errorf("ParseScheme(%q) = %v, %v", s, got, err)
		}
	}
	if _, err := password.ParseScheme("Bcrypt"); err == nil {
		t.Error("ParseScheme accepts another spelling")
	}
}

// C19: weaker hashes ask to be replaced, stronger ones never do.
func TestRehashGoesUpwardOnly(t *testing.T) {
	argon := func(m, passes uint32) password.Config {
		return password.Config{Scheme: password.Argon2id, Argon2: password.Argon2{Memory: m, Passes: passes, Threads: 1}}
	}
	bcrypt := func(cost int) password.Config {
		return password.Config{Scheme: password.Bcrypt, BcryptCost: cost}
	}
	for name, c := range map[string]struct {
		stored, configured password.Config
		want               bool
	}{
		"bcrypt same":             {bcrypt(5), bcrypt(5), false},
		"bcrypt up":               {bcrypt(4), bcrypt(5), true},
		"bcrypt down":             {bcrypt(5), bcrypt(4), false},
		"argon2id same":           {argon(64, 2), argon(64, 2), false},
		"argon2id memory up":      {argon(64, 2), argon(128, 2), true},
		"argon2id passes up":      {argon(64, 2), argon(64, 3), true},
		"argon2id memory down":    {argon(128, 2), argon(64, 2), false},
		"argon2id up and down":    {argon(64, 3), argon(128, 2), false},
		"bcrypt to argon2id":      {bcrypt(5), argon(64, 2), true},
		"argon2id back to bcrypt": {argon(64, 2), bcrypt(5), false},
	} {
		stored, err := newHasher(t, c.stored).Hash(t.Context(), "a boat named Sue")
		if err != nil {
			t.Fatal(err)
		}
		h := newHasher(t, c.configured)
		if r, err := h.Verify(t.Context(), stored, "a boat named Sue"); err != nil || !r.OK || r.NeedsRehash != c.want {
			t.Errorf("%s: %+v, %v, want rehash %v", name, r, err, c.want)
		}
		if r, err := h.Verify(t.Context(), stored, "a boat named Sam"); err != nil || r != (password.Result{}) {
			t.Errorf("%s: wrong password: %+v, %v", name, r, err)
		}
	}
}

// C5: NFC and NFD of one text are one password; compatibility forms are not.
func TestNormalForms(t *testing.T) {
	h := newHasher(t, password.Config{})
	enc, err := h.Hash(t.Context(), "cre\u0300me bru\u0302le\u0301e ofﬁce")
	if err != nil {
		t.Fatal(err)
	}
	for pw, want := range map[string]bool{
		"cr\u00e8me br\u00fbl\u00e9e ofﬁce":     true,
		"cre\u0300me br\u00fble\u0301e ofﬁce":   true,
		"cr\u00e8me br\u00fbl\u00e9e office":    false,
		"creme brulee office":                   false,
		"cr\u00e8me br\u00fbl\u00e9e ofﬁce\xff": false,
	} {
		if r, err := h.Verify(t.Context(), enc, pw); err != nil || r.OK != want {
			t.Errorf("%+q: %+v, %v", pw, r, err)
		}
	}
	if _, err := h.Hash(t.Context(), "broken \xff bytes"); !errors.Is(err, password.ErrEncoding) {
		t.Errorf("invalid UTF-8: %v", err)
	}
}

// C4: nothing beside the password is hashed, and nothing of it is left out,
// whatever its length.
func TestLongPasswordsAreToldApart(t *testing.T) {
	h := newHasher(t, password.Config{})
	rapid.Check(t, func(t *rapid.T) {
		pw := rapid.StringN(1, 200, -1).Draw(t, "password")
		wrong := rapid.StringN(1, 200, -1).Draw(t, "wrong")
		enc, err := h.Hash(context.Background(), pw)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b string) bool {
			x, _ := password.Normalize(a)
			y, _ := password.Normalize(b)
			return x == y
		}
		if r, err := h.Verify(context.Background(), enc, wrong); err != nil || r.OK != same(pw, wrong) {
			t.Fatalf("%q by %q: %+v, %v", pw, wrong, r, err)
		}
	})
}

func TestHashesAreSaltedAndNameTheirScheme(t *testing.T) {
	for scheme, prefix := range map[password.Scheme]string{
		password.Bcrypt: "$lanyard-bcrypt$v=1$2a$04$", password.Argon2id: "$argon2id$v=19$m=64,t=1,p=1$",
	} {
		h := newHasher(t, password.Config{Scheme: scheme})
		a, err := h.Hash(t.Context(), "a boat named Sue")
		if err != nil {
			t.Fatal(err)
		}
		b, err := h.Hash(t.Context(), "a boat named Sue")
		if err != nil || a == b || !strings.HasPrefix(a, prefix) {
			t.Errorf("%s: %s and %s, %v", scheme, a, b, err)
		}
	}
}

func TestNoRandomnessNoHash(t *testing.T) {
	h, err := password.NewHasher(password.Config{Scheme: password.Argon2id, Rand: iotest.ErrReader(errors.New("dry"))})
	if err != nil {
		t.Fatal(err)
	}
	if enc, err := h.Hash(t.Context(), "a boat named Sue"); err == nil || enc != "" {
		t.Fatalf("got %q, %v", enc, err)
	}
}

func TestDecoyFindsNothing(t *testing.T) {
	for _, scheme := range []password.Scheme{password.Bcrypt, password.Argon2id} {
		h := newHasher(t, password.Config{Scheme: scheme})
		for _, pw := range []string{"", "a boat named Sue", "broken \xff", strings.Repeat("x", 5000)} {
			if err := h.Decoy(t.Context(), pw); err != nil {
				t.Errorf("%s %.20q: %v", scheme, pw, err)
			}
		}
	}
}

func TestGateRefusesWhatCannotBeServed(t *testing.T) {
	h := newHasher(t, password.Config{Scheme: password.Argon2id, Concurrency: 1, Waiting: 2,
		Argon2: password.Argon2{Memory: 19 << 10, Passes: 2, Threads: 1}})
	var wg sync.WaitGroup
	var mu sync.Mutex
	served, busy := 0, 0
	gate := make(chan struct{})
	for range 40 {
		wg.Go(func() {
			<-gate
			err := h.Decoy(context.Background(), "x")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				served++
			case errors.Is(err, password.ErrBusy):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if served+busy != 40 || served < 1 || runtime.GOMAXPROCS(0) > 1 && busy == 0 {
		t.Fatalf("%d served, %d refused", served, busy)
	}
	if err := h.Decoy(t.Context(), "x"); err != nil {
		t.Fatalf("after the flood: %v", err)
	}
}

func TestGateHeedsTheContext(t *testing.T) {
	h := newHasher(t, password.Config{Concurrency: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash: %v", err)
	}
	if err := h.Decoy(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Decoy: %v", err)
	}
}
