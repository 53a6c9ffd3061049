package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/c2sp/wycheproof"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/jwks"
)

// vector is a case of any of the files read here.
type vector struct {
	ID      int             `json:"tcId"`
	Comment string          `json:"comment"`
	Result  string          `json:"result"`
	JWS     json.RawMessage `json:"jws"`
	Key     hexBytes        `json:"key"`
	Message hexBytes        `json:"msg"`
	Sig     hexBytes        `json:"sig"`
	Tag     hexBytes        `json:"tag"`
}

type group struct {
	Comment   string          `json:"comment"`
	Public    json.RawMessage `json:"public"`
	Private   json.RawMessage `json:"private"`
	PublicJWK json.RawMessage `json:"publicKeyJwk"`
	PublicKey struct {
		Uncompressed hexBytes `json:"uncompressed"`
	} `json:"publicKey"`
	KeySize int      `json:"keySize"`
	TagSize int      `json:"tagSize"`
	Tests   []vector `json:"tests"`
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func wycheproofGroups(t *testing.T, file string) []group {
	t.Helper()
	raw, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		NumberOfTests int     `json:"numberOfTests"`
		TestGroups    []group `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range f.TestGroups {
		n += len(g.Tests)
	}
	if n != f.NumberOfTests || n == 0 {
		t.Fatalf("%s: %d tests read, the file says %d", file, n, f.NumberOfTests)
	}
	return f.TestGroups
}

// text gives the compact form, or whatever JSON stands in its place.
func (v vector) text() string {
	var s string
	if json.Unmarshal(v.JWS, &s) == nil {
		return s
	}
	return string(v.JWS)
}

// verificationKey reads a group's key as the product reads it: a published key
// by ParseJWK, a secret by NewVerificationKey.
func (g group) verificationKey() (token.VerificationKey, error) {
	raw := g.Public
	if raw == nil {
		raw = g.Private
	}
	var head struct {
		KeyType   string `json:"kty"`
		KeyID     string `json:"kid"`
		Algorithm string `json:"alg"`
		Use       string `json:"use"`
		Secret    string `json:"k"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return token.VerificationKey{}, err
	}
	if head.KeyType != "oct" {
		return token.ParseJWK(raw)
	}
	if head.Use != "sig" {
		return token.VerificationKey{}, errors.New("a secret for another use")
	}
	secret, err := base64.RawURLEncoding.DecodeString(head.Secret)
	if err != nil {
		return token.VerificationKey{}, err
	}
	alg, err := token.ParseAlgorithm(head.Algorithm)
	if err != nil {
		return token.VerificationKey{}, err
	}
	return token.NewVerificationKey(head.KeyID, alg, secret)
}

// Vectors that cannot be held to their word. 367 and 370 are marked invalid for
// padding, and carry none: they are a valid signature, byte for byte. 372 and
// 373 are marked valid and hold a character outside the alphabet, which
// RFC 7515 §2 does not allow: they must be refused, and are.
var (
	mislabelledInvalid = []int{367, 370}
	mislabelledValid   = []int{372, 373}
)

// TestWycheproofJWS runs every JWS vector. What is signed with an algorithm that
// Lanyard does not have (RSA, P-521, HS384 …) must be refused, valid or not.
func TestWycheproofJWS(t *testing.T) {
	for _, c := range []struct {
		file     string
		accepted int // how many vectors are of our algorithms and valid
	}{
		{"json_web_signature_test.json", 12},
		{"json_web_crypto_test.json", 2},
	} {
		accepted, refused := 0, 0
		for _, g := range wycheproofGroups(t, c.file) {
			if strings.HasPrefix(g.Comment, "jwe") || bytes.Contains(g.Private, []byte(`"keys"`)) {
				continue // encryption, which Lanyard has none of; sets are below
			}
			key, keyErr := g.verificationKey()
			for _, v := range g.Tests {
				payload, err := []byte(nil), keyErr
				if err == nil {
					payload, err = token.VerifySignature(v.text(), key)
				}
				want := v.Result == "valid" && keyErr == nil
				if c.file == "json_web_signature_test.json" {
					want = (want || slices.Contains(mislabelledInvalid, v.ID)) && !slices.Contains(mislabelledValid, v.ID)
				}
				if (err == nil) != want {
					t.Errorf("%s %d %s: accepted %v, want %v: %v", c.file, v.ID, v.Comment, err == nil, want, err)
				}
				if err != nil && payload != nil {
					t.Errorf("%s %d %s: a payload with an error", c.file, v.ID, v.Comment)
				}
				if err == nil {
					accepted++
				} else {
					refused++
				}
			}
		}
		t.Logf("%s: %d accepted, %d refused", c.file, accepted, refused)
		if accepted != c.accepted {
			t.Errorf("%s: %d accepted, want %d", c.file, accepted, c.accepted)
		}
	}
}

// TestWycheproofKeySets publishes each key set of the vectors at a URL that the
// product's own reader of key sets fetches. Secrets, RSA keys, keys for other
// uses and invalid points in a set give nothing to verify with.
func TestWycheproofKeySets(t *testing.T) {
	var sets []group
	for _, g := range wycheproofGroups(t, "json_web_key_test.json") {
		if g.Public == nil {
			g.Public = g.Private
		}
		sets = append(sets, g)
	}
	signing := 0
	for _, g := range wycheproofGroups(t, "json_web_crypto_test.json") {
		if strings.HasPrefix(g.Comment, "jws_ec") {
			g.Public = json.RawMessage(`{"keys":[` + string(g.Public) + `]}`)
			sets = append(sets, g)
			signing++
		}
	}
	if signing == 0 {
		t.Fatal("no group with a usable key: nothing would show that keys are read at all")
	}
	accepted := 0
	for _, g := range sets {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(g.Public) }))
		keys, err := jwks.New(jwks.Config{URL: server.URL, Client: server.Client(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Tests {
			err := verifyBySet(t, keys, v.text())
			want := v.Result == "valid" && strings.HasPrefix(g.Comment, "jws_ec")
			if (err == nil) != want {
				t.Errorf("%s %d %s: accepted %v, want %v: %v", g.Comment, v.ID, v.Comment, err == nil, want, err)
			}
			if err == nil {
				accepted++
			}
		}
		server.Close()
	}
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
}

// verifyBySet is Verifier's finding of the key, without its claims.
func verifyBySet(t *testing.T, keys token.KeySet, raw string) error {
	t.Helper()
	var head struct {
		KeyID string `json:"kid"`
	}
	first, _, _ := strings.Cut(raw, ".")
	b, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	key, err := keys.VerificationKey(t.Context(), head.KeyID)
	if err != nil {
		return err
	}
	_, err = token.VerifySignature(raw, key)
	return err
}

// TestWycheproofEd25519 includes signatures with S not below the group order,
// small-order points and points outside the curve (RFC 8032 §5.1.7).
func TestWycheproofEd25519(t *testing.T) {
	signatures(t, "ed25519_test.json", func(g group) (token.VerificationKey, error) { return token.ParseJWK(g.PublicJWK) }, nil)
}

// TestWycheproofECDSA runs the vectors whose signatures are r ‖ s, as in a JWS,
// and then those in DER, as KMS answers, through RawSignature.
func TestWycheproofECDSA(t *testing.T) {
	read := func(g group) (token.VerificationKey, error) {
		p := g.PublicKey.Uncompressed
		if len(p) != 65 {
			t.Fatalf("a point of %d bytes", len(p))
		}
		e := base64.RawURLEncoding.EncodeToString
		return token.ParseJWK([]byte(`{"kty":"EC","crv":"P-256","kid":"k","x":"` + e(p[1:33]) + `","y":"` + e(p[33:]) + `"}`))
	}
	signatures(t, "ecdsa_secp256r1_sha256_p1363_test.json", read, nil)
	signatures(t, "ecdsa_secp256r1_sha256_test.json", read, token.RawSignature)
}

func signatures(t *testing.T, file string, read func(group) (token.VerificationKey, error), convert func([]byte) ([]byte, error)) {
	t.Helper()
	valid, invalid := 0, 0
	for _, g := range wycheproofGroups(t, file) {
		key, err := read(g)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, v := range g.Tests {
			sig, err := []byte(v.Sig), error(nil)
			if convert != nil {
				sig, err = convert(sig)
			}
			if err == nil {
				err = key.Verify(string(v.Message), sig)
			}
			if want := v.Result == "valid"; (err == nil) != want {
				t.Errorf("%s %d %s: accepted %v, want %v: %v", file, v.ID, v.Comment, err == nil, want, err)
			}
			if err == nil {
				valid++
			} else {
				invalid++
			}
		}
	}
	t.Logf("%s: %d accepted, %d refused", file, valid, invalid)
	if valid == 0 || invalid == 0 {
		t.Errorf("%s: %d accepted, %d refused", file, valid, invalid)
	}
}

// TestWycheproofHMAC: tags cut short are refused though the vectors call them
// valid, and so are secrets under 256 bits (RFC 7518 §3.2).
func TestWycheproofHMAC(t *testing.T) {
	accepted := 0
	for _, g := range wycheproofGroups(t, "hmac_sha256_test.json") {
		for _, v := range g.Tests {
			key, err := token.NewVerificationKey("k", token.HS256, []byte(v.Key))
			if (err == nil) != (len(v.Key) >= token.MinSecretBytes) {
				t.Errorf("%d: a secret of %d bytes: %v", v.ID, len(v.Key), err)
			}
			if err != nil {
				continue
			}
			err = key.Verify(string(v.Message), v.Tag)
			if want := v.Result == "valid" && g.TagSize == 256; (err == nil) != want {
				t.Errorf("%d %s: accepted %v, want %v", v.ID, v.Comment, err == nil, want)
			}
			if err == nil {
				accepted++
			}
		}
	}
	if accepted == 0 {
		t.Error("nothing was accepted")
	}
}
