package token_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

func newCodec(t testing.TB) (*token.Codec, *token.Ring, *clock) {
	t.Helper()
	c := &clock{start}
	r := newRing(t, token.ES256)
	return token.NewCodec(token.Static(r), c.now), r, c
}

func drawUUID(t *rapid.T, name string) string {
	return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)).String()
}

// The successor is a pure function: everybody who refreshes one token gets one
// and the same next token, and what is read is what was written.
func TestRefreshTokensAreAPureFunction(t *testing.T) {
	codec, ring, c := newCodec(t)
	other := token.NewCodec(token.Static(ring), c.now) // another instance
	rapid.Check(t, func(t *rapid.T) {
		in := token.RefreshToken{UserID: drawUUID(t, "user"), SessionID: drawUUID(t, "session"),
			Generation: rapid.Uint32Range(1, math.MaxUint32-1).Draw(t, "generation")}
		raw, err := codec.EncodeRefresh(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		read, err := other.ParseRefresh(context.Background(), raw)
		if err != nil || read != in {
			t.Fatalf("%+v became %+v, %v", in, read, err)
		}
		a, err := codec.EncodeRefresh(context.Background(), in.Successor())
		if err != nil {
			t.Fatal(err)
		}
		b, err := other.EncodeRefresh(context.Background(), read.Successor())
		if err != nil || a != b || a == raw {
			t.Fatalf("successors %s and %s, %v", a, b, err)
		}
		if next, err := codec.ParseRefresh(context.Background(), a); err != nil || next.Generation != in.Generation+1 {
			t.Fatalf("successor %+v, %v", next, err)
		}
	})
}

// B10: whatever is done to a token, it is refused before anything is read.
func TestB10ChangedRefreshTokensAreRefused(t *testing.T) {
	codec, _, _ := newCodec(t)
	raw, err := codec.EncodeRefresh(t.Context(), token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.ParseRefresh(t.Context(), raw); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	refused := func(name, s string) {
		t.Helper()
		got, err := codec.ParseRefresh(t.Context(), s)
		if !errors.Is(err, token.ErrMalformed) && !errors.Is(err, token.ErrForged) || got != (token.RefreshToken{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range raw {
		for _, c := range alphabet { // each character by each other: also each spelling of the last
			if byte(c) != raw[i] {
				refused("changed", raw[:i]+string(c)+raw[i+1:])
			}
		}
		refused("cut", raw[:i])
	}
	for name, s := range map[string]string{
		"#": raw + "#", "fragment": raw + "#x", "space": raw + " ", "leading space": " " + raw, "newline": raw + "\n", "padding": raw + "=",
		"inner newline": raw[:20] + "\n" + raw[20:], "newline for a character": raw[:20] + "\n" + raw[21:], "twice": raw + raw, "megabyte": strings.Repeat("A", 1<<20),
		"upper": strings.ToUpper(raw), "lower": strings.ToLower(raw), "NUL": raw[:len(raw)-1] + "\x00", "access token": issue(t, newIssuer(t, token.Static(newRing(t, token.ES256)), &clock{start})),
	} {
		refused(name, s)
	}
}

// No kind of token passes for another, even of the same size.
func TestKindsAndPurposesAreApart(t *testing.T) {
	codec, _, c := newCodec(t)
	refresh, err := codec.EncodeRefresh(t.Context(), token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	ticket := func(p token.Purpose) string {
		raw, err := codec.EncodeTicket(t.Context(), token.Ticket{Purpose: p, UserID: userID, ID: sessionID, IssuedAt: c.at, ExpiresAt: c.at.Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	pending, device := ticket(token.PurposeMFAPending), ticket(token.PurposeDevice)
	cursor, err := codec.EncodeCursor(t.Context(), bytes.Repeat([]byte("x"), 48), "", "")
	if err != nil || len(cursor) != len(pending) {
		t.Fatal("the cursor should be as long as a ticket", err)
	}
	refused := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, token.ErrMalformed) && !errors.Is(err, token.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, raw := range map[string]string{"pending": pending, "device": device, "cursor": cursor} {
		_, err := codec.ParseRefresh(t.Context(), raw)
		refused(name+" as refresh", err)
	}
	for _, raw := range []string{refresh, device, cursor} {
		_, err := codec.ParseTicket(t.Context(), token.PurposeMFAPending, raw)
		refused("as pending", err)
	}
	for _, raw := range []string{refresh, pending, device} {
		_, err := codec.ParseCursor(t.Context(), raw, "", "")
		refused("as cursor", err)
	}
	// Another installation's tokens.
	stranger, _, _ := newCodec(t)
	_, err = stranger.ParseRefresh(t.Context(), refresh)
	refused("another ring", err)
}

func TestSecretRotationLogsNobodyOut(t *testing.T) {
	codec, ring, c := newCodec(t)
	in := token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 3}
	raw, err := codec.EncodeRefresh(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	s, err := token.GenerateSecret(ring.NextSecretVersion(), c.at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := ring.RotateSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	now := token.NewCodec(token.Static(rotated), c.now)
	if got, err := now.ParseRefresh(t.Context(), raw); err != nil || got != in {
		t.Fatalf("after rotation: %+v, %v", got, err)
	}
	fresh, err := now.EncodeRefresh(t.Context(), in)
	if err != nil || fresh == raw {
		t.Fatalf("made with the old secret: %v", err)
	}
	retired, err := rotated.RetireSecret(1)
	if err != nil {
		t.Fatal(err)
	}
	then := token.NewCodec(token.Static(retired), c.now)
	if _, err := then.ParseRefresh(t.Context(), raw); !errors.Is(err, token.ErrForged) {
		t.Errorf("after the secret was retired: %v", err)
	}
	if _, err := then.ParseRefresh(t.Context(), fresh); err != nil {
		t.Errorf("of the new secret: %v", err)
	}
}

func TestRefreshTokensNeedSense(t *testing.T) {
	codec, _, _ := newCodec(t)
	for name, in := range map[string]token.RefreshToken{
		"generation 0": {UserID: userID, SessionID: sessionID}, "user": {UserID: "x", SessionID: sessionID, Generation: 1},
		"session": {UserID: userID, Generation: 1}, "upper case": {UserID: strings.ToUpper("0190a5c0-0000-7000-8000-00000000000a"), SessionID: sessionID, Generation: 1},
		"overflow": token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: math.MaxUint32}.Successor(),
	} {
		if raw, err := codec.EncodeRefresh(t.Context(), in); err == nil || raw != "" {
			t.Errorf("%s: %q", name, raw)
		}
	}
}

// F1: a ticket is good for its purpose until its end.
func TestTickets(t *testing.T) {
	codec, _, c := newCodec(t)
	in := token.Ticket{Purpose: token.PurposeMFAPending, UserID: userID, ID: sessionID, IssuedAt: c.at, ExpiresAt: c.at.Add(5 * time.Minute)}
	raw, err := codec.EncodeTicket(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := codec.ParseTicket(t.Context(), token.PurposeMFAPending, raw); err != nil || got != in {
		t.Fatalf("%+v, %v", got, err)
	}
	c.at = in.ExpiresAt.Add(-1)
	if _, err := codec.ParseTicket(t.Context(), token.PurposeMFAPending, raw); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	c.at = in.ExpiresAt
	if got, err := codec.ParseTicket(t.Context(), token.PurposeMFAPending, raw); !errors.Is(err, token.ErrExpired) || got.UserID != "" {
		t.Errorf("at its end: %+v, %v", got, err)
	}
	if _, err := codec.ParseTicket(t.Context(), token.PurposeMFAPending, raw[:len(raw)-4]+"AAAA"); !errors.Is(err, token.ErrForged) {
		t.Errorf("expired and forged: %v", err)
	}
	for name, change := range map[string]func(*token.Ticket){
		"no purpose": func(t *token.Ticket) { t.Purpose = "" }, "no user": func(t *token.Ticket) { t.UserID = "" }, "no id": func(t *token.Ticket) { t.ID = "" },
		"no end": func(t *token.Ticket) { t.ExpiresAt = t.IssuedAt }, "no beginning": func(t *token.Ticket) { t.IssuedAt = time.Time{} },
	} {
		bad := in
		change(&bad)
		if raw, err := codec.EncodeTicket(t.Context(), bad); err == nil || raw != "" {
			t.Errorf("%s: %q", name, raw)
		}
	}
}

// G8: a cursor is good for its caller and query and no other.
func TestG8CursorsAreBound(t *testing.T) {
	codec, _, _ := newCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		position := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "position")
		caller, query := rapid.String().Draw(t, "caller"), rapid.String().Draw(t, "query")
		raw, err := codec.EncodeCursor(context.Background(), position, caller, query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := codec.ParseCursor(context.Background(), raw, caller, query); err != nil || !bytes.Equal(got, position) {
			t.Fatalf("%x, %v", got, err)
		}
		other, another := rapid.String().Draw(t, "other caller"), rapid.String().Draw(t, "other query")
		if other == caller && another == query {
			return
		}
		if got, err := codec.ParseCursor(context.Background(), raw, other, another); !errors.Is(err, token.ErrForged) || got != nil {
			t.Fatalf("%x, %v", got, err)
		}
	})
	raw, err := codec.EncodeCursor(t.Context(), []byte("pos"), "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.ParseCursor(t.Context(), raw, "a", "bc"); !errors.Is(err, token.ErrForged) {
		t.Errorf("moved a byte from caller to query: %v", err)
	}
	if _, err := codec.ParseCursor(t.Context(), strings.Repeat("A", 5000), "ab", "c"); !errors.Is(err, token.ErrMalformed) {
		t.Errorf("long: %v", err)
	}
	if _, err := codec.EncodeCursor(t.Context(), make([]byte, 4096), "ab", "c"); err == nil {
		t.Error("a long position is accepted")
	}
}

func TestEncryptionIsBoundAndVersioned(t *testing.T) {
	codec, ring, c := newCodec(t)
	secret := []byte("JBSWY3DPEHPK3PXP")
	sealed, err := codec.Encrypt(t.Context(), token.PurposeTOTPEncryption, secret, userID, rand.Reader)
	if err != nil || strings.Contains(sealed, string(secret)) {
		t.Fatal(sealed, err)
	}
	if got, stale, err := codec.Decrypt(t.Context(), token.PurposeTOTPEncryption, sealed, userID); err != nil || stale || !bytes.Equal(got, secret) {
		t.Fatalf("%q, %v, %v", got, stale, err)
	}
	again, err := codec.Encrypt(t.Context(), token.PurposeTOTPEncryption, secret, userID, rand.Reader)
	if err != nil || again == sealed {
		t.Errorf("the same nonce twice: %v", err)
	}
	refused := func(name string, p token.Purpose, s, boundTo string, want error) {
		t.Helper()
		if got, _, err := codec.Decrypt(t.Context(), p, s, boundTo); !errors.Is(err, want) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	refused("another user", token.PurposeTOTPEncryption, sealed, sessionID, token.ErrForged)
	refused("another purpose", token.PurposeDevice, sealed, userID, token.ErrForged)
	refused("changed", token.PurposeTOTPEncryption, sealed[:len(sealed)-4]+"AAAA", userID, token.ErrForged)
	refused("no base64", token.PurposeTOTPEncryption, "!", userID, token.ErrMalformed)
	refused("short", token.PurposeTOTPEncryption, "AQAB", userID, token.ErrMalformed)
	refused("another format", token.PurposeTOTPEncryption, "Z"+sealed[1:], userID, token.ErrMalformed)
	refused("another version", token.PurposeTOTPEncryption, "AQ__"+sealed[4:], userID, token.ErrForged)
	if _, err := codec.Encrypt(t.Context(), token.PurposeTOTPEncryption, secret, userID, iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("encrypted without a nonce")
	}
	if _, _, err := token.NewCodec(failing{}, c.now).Decrypt(t.Context(), token.PurposeTOTPEncryption, sealed, userID); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("no keys: %v", err)
	}
	s, err := token.GenerateSecret(2, c.at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ring, err = ring.RotateSecret(s); err != nil {
		t.Fatal(err)
	}
	if got, stale, err := token.NewCodec(token.Static(ring), c.now).Decrypt(t.Context(), token.PurposeTOTPEncryption, sealed, userID); err != nil || !stale || !bytes.Equal(got, secret) {
		t.Errorf("after rotation: %q, %v, %v", got, stale, err)
	}
}

func TestOneTimeTokens(t *testing.T) {
	seen := map[string]bool{}
	prefixes := []token.OneTimePrefix{token.OneTimeVerify, token.OneTimeReset, token.OneTimeInvite, token.OneTimeChange}
	for _, p := range prefixes {
		raw, digest, err := token.NewOneTime(p, rand.Reader)
		if err != nil || !strings.HasPrefix(raw, string(p)) || len(digest) != 64 || strings.Contains(digest, raw[4:]) || seen[raw] {
			t.Fatalf("%s, %s, %v", raw, digest, err)
		}
		seen[raw] = true
		if got, err := token.DigestOneTime(p, raw); err != nil || got != digest {
			t.Errorf("%s: %s, %v", p, got, err)
		}
		for _, other := range prefixes {
			if _, err := token.DigestOneTime(other, raw); other != p && !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%s as %s: %v", p, other, err)
			}
		}
		spellings := 0
		for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if _, err := token.DigestOneTime(p, raw[:len(raw)-1]+string(last)); err == nil {
				spellings++
			}
		}
		if spellings != 16 { // 4 significant bits, 2 that must be 0
			t.Errorf("%d last characters", spellings)
		}
		for _, bad := range []string{"", string(p), raw + "A", raw[:len(raw)-1], raw + "\n", raw[:len(raw)-1] + "\n", raw[:len(raw)-1] + "=", " " + raw, strings.ToUpper(raw), strings.Repeat("x", 1<<20)} {
			if _, err := token.DigestOneTime(p, bad); !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%.60q: %v", bad, err)
			}
		}
	}
	if raw, digest, err := token.NewOneTime(token.OneTimeReset, iotest.ErrReader(errors.New("dry"))); err == nil || raw+digest != "" {
		t.Error("made without randomness")
	}
}
