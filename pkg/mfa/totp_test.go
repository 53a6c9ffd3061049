package mfa

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/localdynamo/dynamotest"
	"github.com/lanyard-auth/lanyard/pkg/account"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/table"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

const user = "01900000-0000-7000-8000-000000000001"

// TestCodesAreThoseOfRFC6238 uses the SHA-1 vectors of RFC 6238 appendix B,
// cut to six digits.
func TestCodesAreThoseOfRFC6238(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		step, ok, err := stepOf(secret, code, time.Unix(at, 0), 0)
		if err != nil || !ok || step != at/30 {
			t.Errorf("at %d: step %d, %v, %v", at, step, ok, err)
		}
		if _, ok, _ := stepOf(secret, code, time.Unix(at, 0), at/30); ok {
			t.Errorf("at %d: a step that was used works again", at)
		}
		for _, late := range []int64{-2, 2} {
			if at+late*30 < 0 {
				continue // before the first step
			}
			if _, ok, _ := stepOf(secret, code, time.Unix(at+late*30, 0), 0); ok {
				t.Errorf("at %d: the code works %d steps away", at, late)
			}
		}
	}
	for _, bad := range []string{"", "28708", "2870820", "28708x", "２８７０８２"} {
		if _, ok, err := stepOf(secret, bad, time.Unix(59, 0), 0); ok || err != nil {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
	if _, ok, err := stepOf(secret, "755224", time.Unix(0, 0), -1); !ok || err != nil { // RFC 4226 appendix D, count 0
		t.Errorf("the first step: %v, %v", ok, err)
	}
}

func TestSecretsAreLongAndLabelled(t *testing.T) {
	raw, key, err := newSecret("Lanyard", "alice@example.com", rand.Reader)
	if err != nil || len(raw) != secretBytes {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	u, err := url.Parse(key.URL())
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Lanyard:alice@example.com" || u.Query().Get("issuer") != "Lanyard" {
		t.Errorf("url %v, %v", u, err)
	}
	if _, _, err := newSecret("Lanyard", "alice@example.com", strings.NewReader("short")); err == nil {
		t.Error("a secret without randomness")
	}
	if _, err := newRecoveryCodes(strings.NewReader("short")); err == nil {
		t.Error("recovery codes without randomness")
	}
	if _, err := newPendingID(1, strings.NewReader("short")); err == nil {
		t.Error("a pending sign-in without randomness")
	}
}

func TestRecoveryCodesForgiveHowTheyAreTyped(t *testing.T) {
	for typed, want := range map[string]string{
		"abcd-efgh-jkmn": "abcdefghjkmn", "ABCD EFGH JKMN": "abcdefghjkmn", "oIl1-0000-0000": "011100000000", "abcdefghjkmn": "abcdefghjkmn",
		"abcd-efgh-jkm": "", "abcd-efgh-jkmnp": "", "abcd-efgh-jkm!": "", "abcd-efgh-jkmu": "", "": "", "ａbcd-efgh-jkmn": "",
	} {
		got, ok := normalizeRecovery(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q, %v", typed, got, ok)
		}
	}
	codes, err := newRecoveryCodes(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range codes {
		plain, ok := normalizeRecovery(c)
		if !ok || seen[plain] || len(c) != 14 {
			t.Errorf("code %q", c)
		}
		seen[plain] = true
	}
	if len(seen) != recoveryCodes {
		t.Errorf("%d codes", len(seen))
	}
}

func TestPendingIDsCarryTheEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		epoch := rapid.Int64Range(0, 1<<48-1).Draw(t, "epoch")
		a, err := newPendingID(epoch, rand.Reader)
		if err != nil || epochOf(a) != epoch {
			t.Fatalf("%s carries %d, want %d, %v", a, epochOf(a), epoch, err)
		}
		if b, _ := newPendingID(epoch, rand.Reader); a == b {
			t.Fatal("two sign-ins share an id")
		}
	})
	if epochOf("nonsense") != -1 {
		t.Error("nonsense has an epoch")
	}
}

// fixed is a source whose ring a test replaces.
type fixed struct{ ring *token.Ring }

func (f *fixed) Load(context.Context) (*token.Ring, error) {
	if f.ring == nil {
		return nil, token.ErrUnavailable
	}
	return f.ring, nil
}

type bench struct {
	*Service
	keys *fixed
	at   time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{keys: &fixed{}, at: time.Unix(1_900_000_000, 0)}
	now := func() time.Time { return b.at }
	var err error
	if b.keys.ring, err = token.NewRing(token.ES256, b.at, rand.Reader); err != nil {
		t.Fatal(err)
	}
	codec := token.NewCodec(b.keys, now)
	b.Service = New(service.Deps{Table: dynamotest.New(t).Table, Now: now, Log: slog.New(slog.DiscardHandler)}, Parts{
		Gate: &Gate{Tickets: codec, Now: now, Rand: rand.Reader}, Keys: b.keys, Seal: RingSealer{codec, rand.Reader}, Rand: rand.Reader,
	})
	return b
}

// rotate replaces the ring's secret; older ones still open what they sealed.
func (b *bench) rotate(t *testing.T) {
	t.Helper()
	s, err := token.GenerateSecret(b.keys.ring.NextSecretVersion(), b.at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if b.keys.ring, err = b.keys.ring.RotateSecret(s); err != nil {
		t.Fatal(err)
	}
}

func TestASecretOfAnEarlierKeyIsSealedAnewWhenUsed(t *testing.T) {
	b := newBench(t)
	secret := []byte("12345678901234567890")
	sealed, err := b.Seal.Seal(t.Context(), secret, user)
	if err != nil {
		t.Fatal(err)
	}
	app := item{Key: table.TOTP(user), Secret: sealed, ConfirmedAt: table.At(b.at)}
	if err := b.Table.Write(t.Context(), table.Create(app)); err != nil {
		t.Fatal(err)
	}
	b.rotate(t)
	b.at = time.Unix(2_000_000_000, 0)
	p, err := b.prove(t.Context(), user, factors{app: &app}, "279037")
	if err != nil || p == nil {
		t.Fatalf("proof %v, %v", p, err)
	}
	b.renew(t.Context(), user, p)
	if err := b.Table.Write(t.Context(), p.use); err != nil {
		t.Fatal(err)
	}
	var got item
	if err := b.Table.Get(t.Context(), table.TOTP(user), table.Strong, &got); err != nil {
		t.Fatal(err)
	}
	raw, stale, err := b.Seal.Open(t.Context(), got.Secret, user)
	if err != nil || stale || string(raw) != string(secret) || got.LastStep != 2_000_000_000/30 {
		t.Errorf("after use: %+v, stale %v, %v", got, stale, err)
	}
	if _, _, err := b.Seal.Open(t.Context(), got.Secret, "01900000-0000-7000-8000-000000000002"); err == nil {
		t.Error("one user's secret opens for another")
	}
	if err := b.Table.Write(t.Context(), p.use); !errors.Is(err, errCode) {
		t.Errorf("the proof worked twice: %v", err)
	}
}

func TestRecoveryCodesOutliveARotation(t *testing.T) {
	b := newBench(t)
	codes, it, err := b.freshRecoveryCodes(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	b.rotate(t)
	p, err := b.prove(t.Context(), user, factors{recovery: it}, codes[7])
	if err != nil || p == nil || p.method != MethodRecovery {
		t.Fatalf("proof %v, %v", p, err)
	}
	if p, err := b.prove(t.Context(), "01900000-0000-7000-8000-000000000002", factors{recovery: it}, codes[7]); err != nil || p != nil {
		t.Errorf("one user's code is good for another: %v, %v", p, err)
	}
}

func TestWithoutKeysNothingIsDecided(t *testing.T) {
	b := newBench(t)
	l := &account.Loaded{State: &account.State{ID: user, Epoch: 3}}
	pending, writes, err := b.Gate.Begin(t.Context(), l)
	if err != nil || len(writes) != 0 {
		t.Fatal(err)
	}
	ticket, err := b.Gate.parse(t.Context(), pending.Token)
	if err != nil || epochOf(ticket.ID) != 3 || ticket.ExpiresAt.Sub(ticket.IssuedAt) != pendingLife {
		t.Fatalf("ticket %+v, %v", ticket, err)
	}
	sealed, err := b.Seal.Seal(t.Context(), []byte("x"), user)
	if err != nil {
		t.Fatal(err)
	}
	b.keys.ring = nil
	_, parseErr := b.Gate.parse(t.Context(), pending.Token)
	_, _, beginErr := b.Gate.Begin(t.Context(), l)
	_, totpErr := b.prove(t.Context(), user, factors{app: &item{Secret: sealed}}, "123456")
	_, codeErr := b.prove(t.Context(), user, factors{}, "abcd-efgh-jkmn")
	_, _, freshErr := b.freshRecoveryCodes(t.Context(), user)
	for name, err := range map[string]error{"parse": parseErr, "begin": beginErr, "code": totpErr, "recovery code": codeErr, "new codes": freshErr} {
		if !fault.HasCode(err, fault.CodeUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
