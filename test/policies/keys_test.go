package policies

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/assembly"
	"github.com/lanyard-auth/lanyard/pkg/table"
)

// factor is a second factor whose secret AWS KMS seals.
type factor struct {
	*lanyardtest.World
	c      *lanyardtest.Client
	secret string
}

type app struct {
	table.Key
	Secret string `dynamo:"secret"`
}

func newFactor(t *testing.T) *factor {
	t.Helper()
	w := lanyardtest.Start(t, "LANYARD_MFA_KMS_KEYS="+kmstest.Key)
	return &factor{World: w, c: w.Registered("kim@example.com")}
}

func (f *factor) code() m {
	f.Clock.Advance(time.Minute) // a code works once
	code, err := totp.GenerateCode(f.secret, f.Clock.Now())
	if err != nil {
		f.T.Fatal(err)
	}
	return m{"code": code, "password": pw}
}

func (f *factor) sealed() string {
	f.T.Helper()
	var a app
	if err := f.Store.Get(context.Background(), table.TOTP(f.c.UserID), table.Strong, &a); err != nil {
		f.T.Fatal(err)
	}
	return a.Secret
}

// asBefore gives the secret the seal that it had before there was a key service.
func (f *factor) asBefore() {
	f.T.Helper()
	ctx := context.Background()
	now, err := f.Assembly.Sealer()
	if err != nil {
		f.T.Fatal(err)
	}
	deps := f.Assembly.Deps
	deps.Config.MFA.KMSKeys = nil
	ring, err := (&assembly.Assembly{Keys: f.Assembly.Keys, Deps: deps}).Sealer()
	if err != nil {
		f.T.Fatal(err)
	}
	raw, _, err := now.Open(ctx, f.sealed(), f.c.UserID)
	if err != nil {
		f.T.Fatal(err)
	}
	again, err := ring.Seal(ctx, raw, f.c.UserID)
	if err != nil {
		f.T.Fatal(err)
	}
	if err := f.Store.Write(ctx, table.Update(table.TOTP(f.c.UserID)).Set("secret", again)); err != nil {
		f.T.Fatal(err)
	}
}

// steps take a second factor through its life. Each gives what came of it, to
// be compared with what comes of it without a permission.
func steps() []struct {
	function string
	run      func(f *factor) string
} {
	type step = struct {
		function string
		run      func(f *factor) string
	}
	status := func(a *lanyardtest.Answer) string { return fmt.Sprint(a.Status) }
	return []step{
		{"auth-mfa-totp-enrol", func(f *factor) string {
			a := f.c.Post("/api/auth/mfa/totp", m{"password": pw})
			if a.Status == 200 {
				f.secret = a.Text("secret")
			}
			return status(a)
		}},
		{"auth-mfa-totp-confirm", func(f *factor) string {
			return status(f.c.Post("/api/auth/mfa/totp/confirm", m{"code": f.code()["code"]}))
		}},
		{"auth-mfa-verify", func(f *factor) string {
			f.asBefore()
			c := f.Client()
			pending := c.Post("/api/auth/login", m{"email": "kim@example.com", "password": pw}).Want(200).Text("mfaToken")
			a := c.Post("/api/auth/mfa/verify", m{"mfaToken": pending, "code": f.code()["code"], "delivery": "body"})
			return fmt.Sprint(a.Status, " by the key service ", strings.HasPrefix(f.sealed(), "kms:"))
		}},
		{"auth-mfa-verify", func(f *factor) string {
			c := f.Client()
			pending := c.Post("/api/auth/login", m{"email": "kim@example.com", "password": pw}).Want(200).Text("mfaToken")
			a := c.Post("/api/auth/mfa/verify", m{"mfaToken": pending, "code": f.code()["code"], "delivery": "body"})
			if a.Status == 200 {
				f.c.Keep(a)
			}
			return status(a)
		}},
		{"auth-mfa-recovery-codes", func(f *factor) string { return status(f.c.Post("/api/auth/mfa/recovery-codes", f.code())) }},
		{"auth-mfa-totp-disable", func(f *factor) string { return status(f.c.Delete("/api/auth/mfa/totp", f.code())) }},
	}
}

// TestEveryUseOfAKeyIsDeclaredAndNeeded holds KMS calls to the policies as
// deployed, and takes every permission away once: something must come of it.
func TestEveryUseOfAKeyIsDeclaredAndNeeded(t *testing.T) {
	f := newFactor(t)
	var mu sync.Mutex
	used, missed := map[string]bool{}, map[string]bool{}
	f.OnKey(func(function string, c kmstest.Call) {
		mu.Lock()
		defer mu.Unlock()
		if function != "" {
			used[function+" "+c.Action] = true
		}
	})
	for _, s := range steps() {
		without := map[string]string{}
		for _, action := range policytest.Keys(t)[s.function] {
			f.WithoutKey(s.function, action, func() { without[action] = s.run(f) })
		}
		want := s.run(f)
		if !strings.HasPrefix(want, "20") {
			t.Fatalf("%s: %s", s.function, want)
		}
		for action, got := range without {
			if got != want {
				missed[s.function+" "+action] = true
			}
			if got != want && !strings.HasPrefix(got, "503") && !strings.Contains(got, "key service false") {
				t.Errorf("%s without %s: %s", s.function, action, got)
			}
		}
	}
	var declared []string
	for function, actions := range policytest.Keys(t) {
		for _, a := range actions {
			declared = append(declared, function+" "+a)
		}
	}
	slices.Sort(declared)
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, declared) {
		t.Errorf("used %q\ndeclared %q", got, declared)
	}
	if got := slices.Sorted(maps.Keys(missed)); !slices.Equal(got, declared) {
		t.Errorf("missed when taken away %q\ndeclared %q", got, declared)
	}
}
