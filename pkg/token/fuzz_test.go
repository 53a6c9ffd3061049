package token_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// oneOf reports whether err is of one of the documented classes.
func oneOf(err error, classes ...error) bool {
	for _, c := range classes {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// FuzzVerify presents any text as an access token. The keys are drawn anew, so
// no text can be one of ours.
func FuzzVerify(f *testing.F) {
	b := newBench(f, token.ES256)
	f.Add(b.raw)
	f.Add(b.sign(f, `{"alg":"none"}`, `{}`))
	f.Add("..")
	f.Add(strings.Repeat(".", 3))
	f.Fuzz(func(t *testing.T, raw string) {
		if raw == b.raw {
			return
		}
		c, err := b.verifier.Verify(context.Background(), raw)
		if !oneOf(err, token.ErrMalformed, token.ErrForged) || c.UserID != "" {
			t.Fatalf("%q: %+v, %v", raw, c, err)
		}
	})
}

// FuzzVerifySigned signs any header and payload with the active key: what is
// accepted must be an access token of ours in every respect that is checked.
func FuzzVerifySigned(f *testing.F) {
	b := newBench(f, token.HS256)
	f.Add(b.header(), b.payload(f, nil))
	f.Add(b.header(), b.payload(f, map[string]string{"aud": `["x"]`, "exp": "1e3"}))
	f.Add(`{"alg":"HS256"}`, `{"exp":1}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		c, err := b.verifier.Verify(context.Background(), b.sign(t, header, payload))
		if err != nil {
			if !oneOf(err, token.ErrMalformed, token.ErrForged, token.ErrClaims, token.ErrExpired) || c.UserID != "" {
				t.Fatalf("%+v, %v", c, err)
			}
			return
		}
		if c.Issuer != issuerURL || c.Audience != audience || len(c.UserID) != 36 || len(c.SessionID) != 36 || c.Role == "" || c.TokenID == "" ||
			c.IssuedAt.After(start.Add(token.DefaultLeeway)) || !c.ExpiresAt.Add(token.DefaultLeeway).After(start) {
			t.Fatalf("accepted %s %s as %+v", header, payload, c)
		}
	})
}

// FuzzOpaque presents any text as each opaque token.
func FuzzOpaque(f *testing.F) {
	codec, _, c := newCodec(f)
	refresh, err := codec.EncodeRefresh(f.Context(), token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 1})
	if err != nil {
		f.Fatal(err)
	}
	ticket, err := codec.EncodeTicket(f.Context(), token.Ticket{Purpose: token.PurposeDevice, UserID: userID, ID: sessionID, IssuedAt: c.at, ExpiresAt: c.at.Add(1e9)})
	if err != nil {
		f.Fatal(err)
	}
	cursor, err := codec.EncodeCursor(f.Context(), []byte("position"), "caller", "query")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{refresh, ticket, cursor, "", "AQEAAQ", "lyv_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		ctx := context.Background()
		refused := func(err error) bool { return oneOf(err, token.ErrMalformed, token.ErrForged) }
		if _, err := codec.ParseRefresh(ctx, raw); raw != refresh && !refused(err) {
			t.Fatalf("refresh %q: %v", raw, err)
		}
		if _, err := codec.ParseTicket(ctx, token.PurposeDevice, raw); raw != ticket && !refused(err) {
			t.Fatalf("ticket %q: %v", raw, err)
		}
		if _, err := codec.ParseCursor(ctx, raw, "caller", "query"); raw != cursor && !refused(err) {
			t.Fatalf("cursor %q: %v", raw, err)
		}
		if _, _, err := codec.Decrypt(ctx, token.PurposeTOTPEncryption, raw, userID); !refused(err) {
			t.Fatalf("sealed %q: %v", raw, err)
		}
		if _, err := token.DigestOneTime(token.OneTimeReset, raw); err == nil && !strings.HasPrefix(raw, "lyr_") {
			t.Fatalf("one-time %q", raw)
		}
	})
}

// FuzzParseRing: what is read is written again as it stands.
func FuzzParseRing(f *testing.F) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		d, err := newRing(f, alg).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, d []byte) {
		r, err := token.ParseRing(d)
		if err != nil {
			return
		}
		once, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := token.ParseRing(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Marshal(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s, %v", once, twice, err)
		}
	})
}

func FuzzParseJWK(f *testing.F) {
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k","alg":"EdDSA","use":"sig"}`))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"k"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := token.ParseJWK(raw)
		if err != nil {
			return
		}
		if j, ok := k.JWK(); !ok || j.KeyID == "" || bytes.Contains(raw, []byte(`"d":"`)) {
			t.Fatalf("%s became %+v", raw, j)
		}
	})
}
