package mfa

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// keyService is a key service of a test: what it encrypts is the user before the
// secret.
type keyService struct {
	down error
}

func (s *keyService) Encrypt(_ context.Context, secret []byte, userID string) ([]byte, error) {
	return append([]byte(userID+"|"), secret...), s.down
}

func (s *keyService) Decrypt(_ context.Context, sealed []byte, userID string) ([]byte, bool, error) {
	secret, ok := strings.CutPrefix(string(sealed), userID+"|")
	if !ok || s.down != nil {
		return nil, false, errors.Join(errors.New("no"), s.down)
	}
	return []byte(secret), false, nil
}

func TestAKeyServiceTakesOverFromTheRing(t *testing.T) {
	b := newBench(t)
	secret := []byte("12345678901234567890")
	ring := b.Seal
	before, err := ring.Seal(t.Context(), secret, user)
	if err != nil {
		t.Fatal(err)
	}
	service := &keyService{}
	b.Seal = ServiceSealer{Service: service, Ring: ring}
	if got, stale, err := b.Seal.Open(t.Context(), before, user); err != nil || !stale || string(got) != string(secret) {
		t.Fatalf("of the ring: %q, stale %v, %v", got, stale, err)
	}
	after, err := b.Seal.Seal(t.Context(), secret, user)
	if err != nil || !strings.HasPrefix(after, servicePrefix) {
		t.Fatalf("%q, %v", after, err)
	}
	if got, stale, err := b.Seal.Open(t.Context(), after, user); err != nil || stale || string(got) != string(secret) {
		t.Errorf("of the service: %q, stale %v, %v", got, stale, err)
	}
	if _, _, err := b.Seal.Open(t.Context(), after, "01900000-0000-7000-8000-000000000002"); err == nil {
		t.Error("one user's secret opens for another")
	}
	if _, _, err := ring.Open(t.Context(), after, user); !errors.Is(err, ErrKeyService) {
		t.Errorf("without the service: %v", err)
	}
	for _, bad := range []string{"kms:", "kms:!", "kms:YQ==", "KMS:YQ", "nonsense"} {
		if _, stale, err := b.Seal.Open(t.Context(), bad, user); err == nil || stale {
			t.Errorf("%q opens: stale %v", bad, stale)
		}
	}
	if _, _, err := b.Seal.Open(t.Context(), "nonsense", user); !errors.Is(err, token.ErrMalformed) {
		t.Errorf("nonsense: %v", err)
	}
	for sealed, want := range map[string]bool{before: false, after: true} {
		for key, is := range map[table.Key]bool{table.TOTP(user): want, table.RecoveryCodes(user): false} {
			if err := b.Table.Write(t.Context(), table.Put(item{Key: key, Secret: sealed})); err != nil {
				t.Fatal(err)
			}
			err := b.Table.Scan(t.Context(), 0, 1, nil, func(records []table.Record, _ table.Position) error {
				for _, r := range records {
					if r.Key() != key {
						continue
					}
					if got, err := SealedByKeyService(r); err != nil || got != is {
						t.Errorf("%v with %q: %v, %v", key, sealed, got, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAKeyServiceThatFailsLetsNobodyIn(t *testing.T) {
	b := newBench(t)
	service := &keyService{}
	ring := b.Seal
	b.Seal = ServiceSealer{Service: service, Ring: ring}
	sealed, err := b.Seal.Seal(t.Context(), []byte("12345678901234567890"), user)
	if err != nil {
		t.Fatal(err)
	}
	service.down = errors.New("throttled")
	if _, err := b.Seal.Seal(t.Context(), []byte("x"), user); err == nil {
		t.Error("something was sealed")
	}
	if p, err := b.prove(t.Context(), user, factors{app: &item{Secret: sealed}}, "279037"); !fault.HasCode(err, fault.CodeUnavailable) || p != nil {
		t.Errorf("prove: %v, %v", p, err)
	}
	if _, err := Imported(t.Context(), b.Seal, user, []byte("12345678901234567890"), b.at); !fault.HasCode(err, fault.CodeUnavailable) {
		t.Errorf("import: %v", err)
	}
}

func TestWhatCannotBeSealedAnewKeepsItsSeal(t *testing.T) {
	b := newBench(t)
	before, err := b.Seal.Seal(t.Context(), []byte("12345678901234567890"), user)
	if err != nil {
		t.Fatal(err)
	}
	service := &keyService{down: errors.New("throttled")}
	b.Seal = ServiceSealer{Service: service, Ring: b.Seal}
	app := item{Key: table.TOTP(user), Secret: before, ConfirmedAt: table.At(b.at)}
	if err := b.Table.Write(t.Context(), table.Create(app)); err != nil {
		t.Fatal(err)
	}
	stored := func() string {
		var got item
		if err := b.Table.Get(t.Context(), table.TOTP(user), table.Strong, &got); err != nil {
			t.Fatal(err)
		}
		return got.Secret
	}
	use := func(at int64, code string) {
		t.Helper()
		b.at = time.Unix(at, 0)
		app.Secret = stored()
		p, err := b.prove(t.Context(), user, factors{app: &app}, code)
		if err != nil || p == nil {
			t.Fatalf("proof %v, %v", p, err)
		}
		b.renew(t.Context(), user, p)
		if err := b.Table.Write(t.Context(), p.use); err != nil {
			t.Fatal(err)
		}
	}
	use(2_000_000_000, "279037")
	if stored() != before {
		t.Error("the secret was replaced")
	}
	service.down = nil
	use(20_000_000_000, "353130")
	if !strings.HasPrefix(stored(), servicePrefix) {
		t.Error("the secret was not sealed anew")
	}
}

// meddler is a sealer during whose work a user replaces the secret.
type meddler struct {
	Sealer
	meddle func()
}

func (m meddler) Seal(ctx context.Context, secret []byte, userID string) (string, error) {
	m.meddle()
	return m.Sealer.Seal(ctx, secret, userID)
}

func TestResealingGivesWayToTheUser(t *testing.T) {
	b := newBench(t)
	sealed, err := b.Seal.Seal(t.Context(), []byte("12345678901234567890"), user)
	if err != nil {
		t.Fatal(err)
	}
	app := item{Key: table.TOTP(user), Secret: sealed}
	if err := b.Table.Write(t.Context(), table.Create(app)); err != nil {
		t.Fatal(err)
	}
	b.rotate(t)
	o := ResealOptions{
		Seal:     meddler{b.Seal, func() { app.Secret = "another"; err = b.Table.Write(t.Context(), table.Put(app)) }},
		Failed:   func(_ string, err error) error { return err },
		Progress: func(int64) {}, Pace: func(context.Context, int) error { return nil },
	}
	sum, failed := Reseal(t.Context(), b.Table, o)
	var got item
	if err := errors.Join(err, failed, b.Table.Get(t.Context(), table.TOTP(user), table.Strong, &got)); err != nil {
		t.Fatal(err)
	}
	if (sum != Resealed{Apps: 1, Current: 1}) || got.Secret != "another" {
		t.Errorf("%+v, secret %q", sum, got.Secret)
	}
	if sum, err := Reseal(t.Context(), b.Table, o); err == nil || sum.Failed != 1 {
		t.Errorf("what does not open: %+v, %v", sum, err)
	}
}
