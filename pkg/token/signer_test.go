package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// kms stands for a service that keeps the private key and answers DER.
func kms(t *testing.T) (token.Key, token.DigestSigner) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewRemoteKey("remote", token.ES256, start, &private.PublicKey, "arn:aws:kms:eu-west-1:111122223333:key/1")
	if err != nil {
		t.Fatal(err)
	}
	return key, func(_ context.Context, digest [32]byte) ([]byte, error) {
		return ecdsa.SignASN1(rand.Reader, private, digest[:])
	}
}

func TestRemoteKeySigns(t *testing.T) {
	key, sign := kms(t)
	key.State, key.ActivatedAt = token.StateActive, start
	ring, err := token.BuildRing([]token.Key{key}, newRing(t, token.ES256).Secrets())
	if err != nil {
		t.Fatal(err)
	}
	document, err := ring.Marshal()
	if err != nil || strings.Contains(string(document), `"d"`) {
		t.Fatalf("%s, %v", document, err)
	}
	if ring, err = token.ParseRing(document); err != nil {
		t.Fatal(err)
	}
	c := &clock{start}
	config := token.IssuerConfig{Issuer: issuerURL, Audience: audience, Now: c.now,
		Signers: func(k token.Key) (token.Signer, error) {
			if k.SignerRef != key.SignerRef {
				return nil, errors.New("another key")
			}
			return sign, nil
		}}
	i, err := token.NewIssuer(token.Static(ring), config)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // r and s of every length
		if _, err := newVerifier(t, token.Static(ring), c).Verify(t.Context(), issue(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	// Without the way to it, and when it fails, nothing is issued.
	if raw, _, err := newIssuer(t, token.Static(ring), c).Issue(t.Context(), someClaims()); !errors.Is(err, token.ErrUnavailable) || raw != "" {
		t.Errorf("no signer: %q, %v", raw, err)
	}
	config.Signers = func(token.Key) (token.Signer, error) {
		return token.DigestSigner(func(context.Context, [32]byte) ([]byte, error) { return nil, errors.New("throttled") }), nil
	}
	if i, err = token.NewIssuer(token.Static(ring), config); err != nil {
		t.Fatal(err)
	}
	if raw, _, err := i.Issue(t.Context(), someClaims()); !errors.Is(err, token.ErrUnavailable) || raw != "" {
		t.Errorf("failing signer: %q, %v", raw, err)
	}
	if _, err := ring.Active().Signer(); err == nil {
		t.Error("a remote key signs locally")
	}
}

func TestRemoteKeysAreAsymmetric(t *testing.T) {
	if _, err := token.NewRemoteKey("k", token.HS256, start, make([]byte, 32), "arn"); err == nil {
		t.Error("HS256")
	}
	if _, err := token.NewRemoteKey("k", token.ES256, start, nil, ""); err == nil {
		t.Error("no reference")
	}
	if _, err := token.NewRemoteKey("k", token.ES256, start, nil, "arn"); err == nil {
		t.Error("no public key")
	}
}

func TestRawSignatureIsStrict(t *testing.T) {
	good := "\x30\x06\x02\x01\x01\x02\x01\x7f"
	if raw, err := token.RawSignature([]byte(good)); err != nil || len(raw) != 64 || raw[31] != 1 || raw[63] != 0x7f {
		t.Fatalf("%x, %v", raw, err)
	}
	big := "\x02\x21\x01" + strings.Repeat("\x00", 32)
	for name, der := range map[string]string{
		"empty": "", "trailing": good + "\x00", "inner trailing": "\x30\x07\x02\x01\x01\x02\x01\x7f\x00", "zero": "\x30\x06\x02\x01\x00\x02\x01\x01",
		"negative": "\x30\x06\x02\x01\xff\x02\x01\x01", "one integer": "\x30\x03\x02\x01\x01", "padded": "\x30\x07\x02\x02\x00\x01\x02\x01\x01",
		"too big": "\x30\x46" + big + big, "raw": strings.Repeat("\x01", 64),
	} {
		if raw, err := token.RawSignature([]byte(der)); err == nil {
			t.Errorf("%s: %x", name, raw)
		}
	}
}

func TestIssuerRefusesWhatItCannotMean(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.ES256))
	for name, config := range map[string]token.IssuerConfig{
		"no issuer": {Audience: audience, Now: c.now}, "no audience": {Issuer: issuerURL, Now: c.now}, "no clock": {Issuer: issuerURL, Audience: audience},
		"TTL": {Issuer: issuerURL, Audience: audience, Now: c.now, TTL: 1},
	} {
		if _, err := token.NewIssuer(src, config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, config := range map[string]token.VerifierConfig{
		"no issuer": {Audience: audience, Now: c.now}, "no audience": {Issuer: issuerURL, Now: c.now}, "no clock": {Issuer: issuerURL, Audience: audience},
	} {
		if _, err := token.NewVerifier(token.RingKeys(src, c.now), config); err == nil {
			t.Errorf("verifier, %s: accepted", name)
		}
	}
	for name, change := range map[string]func(*token.Claims){
		"user": func(c *token.Claims) { c.UserID = "x" }, "session": func(c *token.Claims) { c.SessionID = "" }, "role": func(c *token.Claims) { c.Role = "" },
		"upper case": func(c *token.Claims) { c.UserID = strings.ToUpper("0190a5c0-0000-7000-8000-00000000000a") },
		"auth_time":  func(c *token.Claims) { c.AuthTime = time.Time{} },
	} {
		claims := someClaims()
		change(&claims)
		if raw, _, err := newIssuer(t, src, c).Issue(t.Context(), claims); err == nil || raw != "" {
			t.Errorf("%s: issued", name)
		}
	}
	// Invalid UTF-8 cannot be said in JSON.
	claims := someClaims()
	claims.Username = "v\xffra"
	if _, _, err := newIssuer(t, src, c).Issue(t.Context(), claims); err == nil {
		t.Error("invalid UTF-8 was issued")
	}
	claims = someClaims()
	claims.AMR = nil
	raw, _, err := newIssuer(t, src, c).Issue(t.Context(), claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newVerifier(t, src, c).Verify(t.Context(), raw); err != nil {
		t.Errorf("no methods: %v", err)
	}
}

type failing struct{}

func (failing) Load(context.Context) (*token.Ring, error) { return nil, errors.New("store is down") }

// I8: without keys nothing is issued, accepted, or read.
func TestNoKeysNoEntry(t *testing.T) {
	c := &clock{start}
	good := token.Static(newRing(t, token.ES256))
	raw := issue(t, newIssuer(t, good, c))
	if _, _, err := newIssuer(t, failing{}, c).Issue(t.Context(), someClaims()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("issue: %v", err)
	}
	if got, err := newVerifier(t, failing{}, c).Verify(t.Context(), raw); !errors.Is(err, token.ErrUnavailable) || got.UserID != "" {
		t.Errorf("verify: %v", err)
	}
	codec := token.NewCodec(failing{}, c.now)
	refresh := token.RefreshToken{UserID: userID, SessionID: sessionID, Generation: 1}
	if _, err := codec.EncodeRefresh(t.Context(), refresh); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("encode: %v", err)
	}
	sealed, err := token.NewCodec(good, c.now).EncodeRefresh(t.Context(), refresh)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.ParseRefresh(t.Context(), sealed); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("parse: %v", err)
	}
	// Garbage is refused even then: it needs no key.
	if _, err := codec.ParseRefresh(t.Context(), "garbage"); !errors.Is(err, token.ErrMalformed) {
		t.Errorf("garbage: %v", err)
	}
	if _, err := codec.Encrypt(t.Context(), token.PurposeTOTPEncryption, nil, "", rand.Reader); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("encrypt: %v", err)
	}
}
