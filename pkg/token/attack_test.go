package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// The cases are named by the ids of the security yardstick (A1 to A29). Each
// stands beside a positive control: the untouched token verifies.

var b64 = base64.RawURLEncoding

// bench is one issuer and verifier with the keys at hand, for forging.
type bench struct {
	ring     *token.Ring
	clock    *clock
	verifier *token.Verifier
	raw      string
}

func newBench(t testing.TB, alg token.Algorithm) *bench {
	t.Helper()
	b := &bench{ring: newRing(t, alg), clock: &clock{start}}
	src := token.Static(b.ring)
	b.verifier = newVerifier(t, src, b.clock)
	b.raw = issue(t, newIssuer(t, src, b.clock))
	if _, err := b.verifier.Verify(t.Context(), b.raw); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	return b
}

// sign makes a token of any header and payload with the active key.
func (b *bench) sign(t testing.TB, header, payload string) string {
	t.Helper()
	return signWith(t, b.ring.Active(), header, payload)
}

func signWith(t testing.TB, k token.Key, header, payload string) string {
	t.Helper()
	s, err := k.Signer()
	if err != nil {
		t.Fatal(err)
	}
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sig, err := s.Sign(context.Background(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(sig)
}

func (b *bench) header() string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, b.ring.Active().Algorithm, b.ring.Active().ID)
}

// payload gives the claims with some members replaced by raw JSON; "" drops one.
func (b *bench) payload(t testing.TB, change map[string]string) string {
	t.Helper()
	raw, err := b64.DecodeString(strings.Split(b.raw, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	out := "{"
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "sid", "userId", "username", "role", "amr", "auth_time"} {
		value := string(m[name])
		if v, ok := change[name]; ok {
			value = v
		}
		if value != "" {
			out += fmt.Sprintf("%q:%s,", name, value)
		}
	}
	for name, v := range change {
		if _, ours := m[name]; !ours {
			out += v + ","
		}
	}
	return strings.TrimSuffix(out, ",") + "}"
}

func (b *bench) refused(t *testing.T, name, raw string, want error) {
	t.Helper()
	if c, err := b.verifier.Verify(t.Context(), raw); !errors.Is(err, want) || c.UserID != "" {
		t.Errorf("%s: got %+v, %v, want %v", name, c, err, want)
	}
}

func (b *bench) refusedSomehow(t *testing.T, name, raw string) {
	t.Helper()
	c, err := b.verifier.Verify(t.Context(), raw)
	known := errors.Is(err, token.ErrMalformed) || errors.Is(err, token.ErrForged) || errors.Is(err, token.ErrClaims)
	if !known || c.UserID != "" {
		t.Errorf("%s: got %+v, %v", name, c, err)
	}
}

func TestA1AlgorithmNone(t *testing.T) {
	b := newBench(t, token.ES256)
	parts := strings.Split(b.raw, ".")
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		for _, kid := range []string{"", fmt.Sprintf(`,"kid":%q`, b.ring.Active().ID)} {
			head := b64.EncodeToString(fmt.Appendf(nil, `{"alg":%q%s,"typ":"at+jwt"}`, alg, kid))
			for _, tail := range []string{".", "." + parts[2], ""} {
				b.refusedSomehow(t, alg+tail, head+"."+parts[1]+tail)
			}
		}
	}
}

func TestA2A20PublicKeyAsSecret(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		b := newBench(t, alg)
		jwk := b.ring.JWKS(start).Keys[0]
		x, _ := b64.DecodeString(jwk.X)
		y, _ := b64.DecodeString(jwk.Y)
		var public any = ed25519.PublicKey(x)
		if alg == token.ES256 {
			p, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
			if err != nil {
				t.Fatal(err)
			}
			public = p
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(jwk)
		set, _ := json.Marshal(b.ring.JWKS(start))
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := map[string][]byte{"PEM": block, "PEM without newline": []byte(strings.TrimSpace(string(block))), "DER": der,
			"JWK": text, "JWKS": set, "x": x, "y": y, "x‖y": append(append([]byte(nil), x...), y...),
			"base64 x": []byte(jwk.X), "base64 DER": []byte(base64.StdEncoding.EncodeToString(der)), "empty": {}}
		for hmacAlg, h := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
			for name, secret := range secrets {
				for _, k := range b.ring.Keys() {
					input := b64.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"kid":%q,"typ":"at+jwt"}`, hmacAlg, k.ID)) +
						"." + strings.Split(b.raw, ".")[1]
					m := hmac.New(h, secret)
					m.Write([]byte(input))
					b.refused(t, fmt.Sprint(alg, hmacAlg, name), input+"."+b64.EncodeToString(m.Sum(nil)), token.ErrForged)
				}
			}
		}
	}
}

// A4: members that point at keys change nothing; the token's own signature
// decides. crit and b64 are refused although the signature is good.
func TestA4HeaderCannotBringKeys(t *testing.T) {
	b := newBench(t, token.ES256)
	mallory := newRing(t, token.ES256)
	jwk, _ := json.Marshal(mallory.JWKS(start).Keys[0])
	for name, member := range map[string]string{
		"jku": `"jku":"http://127.0.0.1:1/keys"`, "jku file": `"jku":"file:///etc/passwd"`,
		"jku userinfo": `"jku":"https://id.example.test@127.0.0.1"`,
		"x5u":          `"x5u":"http://127.0.0.1:1/cert"`, "jwk": `"jwk":` + string(jwk), "x5c": `"x5c":["MIIB"]`,
	} {
		for _, kid := range []string{b.ring.Active().ID, mallory.Active().ID, "http://127.0.0.1:1/keys"} {
			head := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt",%s}`, kid, member)
			b.refused(t, name, signWith(t, mallory.Active(), head, b.payload(t, nil)), token.ErrForged)
		}
	}
	for name, member := range map[string]string{
		"crit": `"crit":["exp"]`, "crit empty": `"crit":[]`, "crit null": `"crit":null`, "crit unknown": `"crit":["urn:x"],"urn:x":1`,
		"b64 false": `"b64":false`, "b64 true": `"b64":true`, "alg twice": `"alg":"ES256"`, "kid twice": `"kid":"x"`,
	} {
		head := strings.TrimSuffix(b.header(), "}") + "," + member + "}"
		b.refused(t, name, b.sign(t, head, b.payload(t, nil)), token.ErrMalformed)
	}
	// Positive control: an unknown member that asks for nothing.
	if _, err := b.verifier.Verify(t.Context(), b.sign(t, strings.TrimSuffix(b.header(), "}")+`,"x":1}`, b.payload(t, nil))); err != nil {
		t.Errorf("unknown member: %v", err)
	}
}

func TestA5KeyIDs(t *testing.T) {
	b := newBench(t, token.HS256)
	for _, kid := range []string{
		`"../../dev/null"`, `"/proc/sys/kernel/randomize_va_space"`, `"' UNION SELECT 'k"`, fmt.Sprintf(`"%s#x"`, b.ring.Active().ID),
		`"` + strings.Repeat("k", 5000) + `"`, `["` + b.ring.Active().ID + `"]`, `null`, `""`, `"\u0000"`, `{}`, `1`, `true`,
		`"` + strings.ToUpper(b.ring.Active().ID) + `"`, `" ` + b.ring.Active().ID + `"`, `"ſ"`,
	} {
		for _, secret := range [][]byte{{}, []byte("2\n"), []byte("k")} {
			input := b64.EncodeToString(fmt.Appendf(nil, `{"alg":"HS256","kid":%s,"typ":"at+jwt"}`, kid)) + "." + strings.Split(b.raw, ".")[1]
			m := hmac.New(sha256.New, secret)
			m.Write([]byte(input))
			b.refusedSomehow(t, kid[:min(len(kid), 40)], input+"."+b64.EncodeToString(m.Sum(nil)))
		}
	}
}

func TestA7EachKeyHasOneAlgorithm(t *testing.T) {
	algs := []token.Algorithm{token.ES256, token.EdDSA, token.HS256}
	for _, of := range algs {
		b := newBench(t, of)
		for _, signer := range algs {
			other := newRing(t, signer).Active()
			for _, named := range append([]token.Algorithm{"RS256", "ES384", "es256", "Ed25519"}, algs...) {
				head := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, named, b.ring.Active().ID)
				b.refused(t, fmt.Sprint(of, signer, named), signWith(t, other, head, b.payload(t, nil)), token.ErrForged)
				if named != of { // even the right key under another name
					b.refused(t, fmt.Sprint(of, named), b.sign(t, head, b.payload(t, nil)), token.ErrForged)
				}
			}
		}
	}
}

func TestA8Structure(t *testing.T) {
	b := newBench(t, token.ES256)
	p := strings.Split(b.raw, ".")
	jsonForm, _ := json.Marshal(map[string]string{"protected": p[0], "payload": p[1], "signature": p[2]})
	for name, raw := range map[string]string{
		"empty": "", "dots": "..", "one part": p[0], "two parts": p[0] + "." + p[1], "four parts": b.raw + ".", "five parts": b.raw + "..",
		"no header": "." + p[1] + "." + p[2], "no payload": p[0] + ".." + p[2], "no signature": p[0] + "." + p[1] + ".",
		"swapped": p[1] + "." + p[0] + "." + p[2], "JSON serialization": string(jsonForm),
		"leading space": " " + b.raw, "trailing space": b.raw + " ", "inner space": p[0] + ". " + p[1] + "." + p[2], "newline": b.raw + "\n",
		"newline in signature": p[0] + "." + p[1] + "." + p[2][:40] + "\r\n" + p[2][40:], "newline in header": p[0][:10] + "\n" + p[0][10:] + "." + p[1] + "." + p[2],
		"padding": b.raw + "=", "padded header": p[0] + "=." + p[1] + "." + p[2], "padded payload": p[0] + "." + p[1] + "==." + p[2],
		"question mark": p[0] + "." + p[1][:5] + "?" + p[1][6:] + "." + p[2], "standard alphabet": p[0] + "." + p[1] + "." + strings.Replace(p[2], p[2][5:6], "+", 1),
		"huge": b.raw + strings.Repeat("A", 9000), "huge header": strings.Repeat("A", 100000), "unicode dot": strings.ReplaceAll(b.raw, ".", "。"),
		"NUL": b.raw + "\x00", "Bearer inside": "Bearer " + b.raw,
	} {
		b.refusedSomehow(t, name, raw)
	}
	for name, header := range map[string]string{
		"header array": `["alg"]`, "header string": `"x"`, "header null": `null`, "header empty": `{}`, "header number": `1`,
		"header trailing": b.header() + "x", "header second value": b.header() + b.header(), "header invalid UTF-8": strings.Replace(b.header(), "typ", "t\xffp", 1),
		"header BOM": "\ufeff" + b.header(), "alg number": `{"alg":1}`, "deep": strings.Repeat("[", 4000),
	} {
		b.refusedSomehow(t, name, b.sign(t, header, b.payload(t, nil)))
	}
	for name, payload := range map[string]string{
		"payload array": `[]`, "payload string": `"x"`, "payload null": `null`, "payload empty": `{}`, "no payload": ``,
		"payload trailing": b.payload(t, nil) + " x", "payload twice": b.payload(t, nil) + b.payload(t, nil),
		"payload invalid UTF-8": strings.Replace(b.payload(t, nil), "vera", "v\xffra", 1),
		"payload deep":          `{"x":` + strings.Repeat("[", 5000),
	} {
		b.refusedSomehow(t, name, b.sign(t, b.header(), payload))
	}
}

// A10: of all spellings of the last character, one decodes.
func TestA10NonCanonicalBase64(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		b := newBench(t, alg)
		accepted := 0
		for _, last := range alphabet {
			if _, err := b.verifier.Verify(t.Context(), b.raw[:len(b.raw)-1]+string(last)); err == nil {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("%s: %d last characters are accepted", alg, accepted)
		}
	}
}

func TestA11SignatureOfAnotherToken(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA, token.HS256} {
		b := newBench(t, alg)
		other := b.sign(t, b.header(), b.payload(t, map[string]string{"username": `"mallory"`}))
		p, q := strings.Split(b.raw, "."), strings.Split(other, ".")
		b.refused(t, "payload", p[0]+"."+q[1]+"."+p[2], token.ErrForged)
		b.refused(t, "signature", p[0]+"."+p[1]+"."+q[2], token.ErrForged)
	}
}

// The degenerate ECDSA signatures of CVE-2022-21449 and their neighbours.
func TestDegenerateSignatures(t *testing.T) {
	b := newBench(t, token.ES256)
	p := strings.Split(b.raw, ".")
	n := elliptic.P256().Params().N
	field := func(x *big.Int) string { return string(x.FillBytes(make([]byte, 32))) }
	zero, one := new(big.Int), big.NewInt(1)
	sig, _ := b64.DecodeString(p[2])
	for name, s := range map[string]string{
		"0,0": field(zero) + field(zero), "0,1": field(zero) + field(one), "1,0": field(one) + field(zero), "n,n": field(n) + field(n),
		"short": string(sig[:63]), "long": string(sig) + "\x00", "leading zero": "\x00" + string(sig), "DER": "0\x06\x02\x01\x01\x02\x01\x01",
	} {
		b.refused(t, name, p[0]+"."+p[1]+"."+b64.EncodeToString([]byte(s)), token.ErrForged)
	}
}

func TestA13Type(t *testing.T) {
	b := newBench(t, token.ES256)
	for typ, ok := range map[string]bool{
		`"at+jwt"`: true, `"AT+JWT"`: true, `"application/at+jwt"`: true, `"Application/AT+jwt"`: true,
		`"JWT"`: false, `"refresh+jwt"`: false, `""`: false, `null`: false, `"at+jwt "`: false, `"text/at+jwt"`: false, `"application/jwt"`: false,
	} {
		raw := b.sign(t, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":%s}`, b.ring.Active().ID, typ), b.payload(t, nil))
		if ok {
			if _, err := b.verifier.Verify(t.Context(), raw); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
			continue
		}
		b.refused(t, typ, raw, token.ErrClaims)
	}
	b.refused(t, "no typ", b.sign(t, fmt.Sprintf(`{"alg":"ES256","kid":%q}`, b.ring.Active().ID), b.payload(t, nil)), token.ErrClaims)
	b.refusedSomehow(t, "typ number", b.sign(t, fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":1}`, b.ring.Active().ID), b.payload(t, nil)))
}

func TestA14IssuerAndAudience(t *testing.T) {
	b := newBench(t, token.ES256)
	ours, other := fmt.Sprintf("%q", audience), `"https://other.example.test"`
	for _, aud := range []string{"", other, `[]`, `[` + other + `,` + ours + `]`, `[` + ours + `,` + other + `]`, `[` + ours + `,` + ours + `]`,
		`1`, `{"a":` + ours + `}`, `null`, `[null]`, `[[` + ours + `]]`, `""`, `[1]`, `true`, `"` + audience + `/"`} {
		b.refused(t, "aud "+aud, b.sign(t, b.header(), b.payload(t, map[string]string{"aud": aud})), token.ErrClaims)
	}
	if _, err := b.verifier.Verify(t.Context(), b.sign(t, b.header(), b.payload(t, map[string]string{"aud": `[` + ours + `]`}))); err != nil {
		t.Errorf("an array of exactly ours: %v", err)
	}
	for _, iss := range []string{"", `""`, `"https://evil.example.test"`, `"` + issuerURL + `/"`, `"HTTPS://ID.EXAMPLE.TEST"`, `null`} {
		b.refused(t, "iss "+iss, b.sign(t, b.header(), b.payload(t, map[string]string{"iss": iss})), token.ErrClaims)
	}
	b.refusedSomehow(t, "iss array", b.sign(t, b.header(), b.payload(t, map[string]string{"iss": `["` + issuerURL + `"]`})))
}

func TestA16LeewayIsBounded(t *testing.T) {
	c := &clock{start}
	src := token.Static(newRing(t, token.ES256))
	raw := issue(t, newIssuer(t, src, c))
	for _, leeway := range []time.Duration{0, token.DefaultLeeway, token.MaxLeeway} {
		v, err := token.NewVerifier(token.RingKeys(src, c.now), token.VerifierConfig{Issuer: issuerURL, Audience: audience, Leeway: leeway, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		c.at = start.Add(token.DefaultTTL + leeway - time.Nanosecond)
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("%s, just before: %v", leeway, err)
		}
		c.at = start.Add(token.DefaultTTL + leeway)
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrExpired) || got.UserID != "" {
			t.Errorf("%s, at the end: %+v, %v", leeway, got, err)
		}
	}
	for _, leeway := range []time.Duration{-1, token.MaxLeeway + 1} {
		if _, err := token.NewVerifier(token.RingKeys(src, c.now), token.VerifierConfig{Issuer: issuerURL, Audience: audience, Leeway: leeway, Now: c.now}); err == nil {
			t.Errorf("leeway %s is accepted", leeway)
		}
	}
}

func TestA17Dates(t *testing.T) {
	b := newBench(t, token.ES256)
	senseless := []string{"", `"9999999999"`, `1e999`, `-1`, `1.5`, `1e10`, `99999999999999999999999999`, `253402300800`, `0`, `-0`, `null`, `[]`, `{}`, `true`, `9223372036854775808`}
	for _, name := range []string{"exp", "iat", "auth_time", "nbf"} {
		for _, v := range senseless {
			if name == "nbf" && v == "" {
				continue
			}
			change := map[string]string{name: v}
			if name == "nbf" {
				change[name] = `"nbf":` + v
			}
			b.refused(t, name+" "+v, b.sign(t, b.header(), b.payload(t, change)), token.ErrClaims)
		}
	}
	at := func(d time.Duration) string { return fmt.Sprint(start.Add(d).Unix()) }
	b.refused(t, "iat in the future", b.sign(t, b.header(), b.payload(t, map[string]string{"iat": at(31 * time.Second)})), token.ErrClaims)
	b.refused(t, "exp before iat", b.sign(t, b.header(), b.payload(t, map[string]string{"iat": at(5 * time.Second), "exp": at(4 * time.Second)})), token.ErrClaims)
	b.refused(t, "nbf in the future", b.sign(t, b.header(), b.payload(t, map[string]string{"nbf": `"nbf":` + at(31*time.Second)})), token.ErrClaims)
	for name, change := range map[string]map[string]string{
		"iat within leeway": {"iat": at(30 * time.Second)}, "nbf within leeway": {"nbf": `"nbf":` + at(30*time.Second)}, "nbf past": {"nbf": `"nbf":` + at(-time.Hour)},
	} {
		if _, err := b.verifier.Verify(t.Context(), b.sign(t, b.header(), b.payload(t, change))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A19 (CVE-2024-51744): what is both is forged, so that nothing in it is believed.
func TestA19ExpiredAndForgedIsForged(t *testing.T) {
	b := newBench(t, token.ES256)
	b.clock.advance(time.Hour)
	b.refused(t, "expired", b.raw, token.ErrExpired)
	p := strings.Split(b.raw, ".")
	sig, _ := b64.DecodeString(p[2])
	sig[5] ^= 1
	_, err := b.verifier.Verify(t.Context(), p[0]+"."+p[1]+"."+b64.EncodeToString(sig))
	if !errors.Is(err, token.ErrForged) || errors.Is(err, token.ErrExpired) {
		t.Errorf("forged and expired: %v", err)
	}
	_, err = b.verifier.Verify(t.Context(), b.sign(t, b.header(), b.payload(t, map[string]string{"iss": `"x"`})))
	if !errors.Is(err, token.ErrClaims) || errors.Is(err, token.ErrExpired) {
		t.Errorf("of another issuer and expired: %v", err)
	}
}

// A22: one name, one value; other cases of a name are other names.
func TestA22DuplicateClaims(t *testing.T) {
	b := newBench(t, token.ES256)
	mallory := `"0190a5c0-0000-7000-8000-00000000000f"`
	for _, twice := range []string{"sub", "userId", "exp", "iss", "role", "sid", "aud"} {
		p := strings.TrimSuffix(b.payload(t, nil), "}") + fmt.Sprintf(",%q:%s}", twice, mallory)
		b.refused(t, twice, b.sign(t, b.header(), p), token.ErrMalformed)
	}
	escaped := strings.TrimSuffix(b.payload(t, nil), "}") + `,"s\u0075b":` + mallory + "}"
	b.refused(t, "escaped name", b.sign(t, b.header(), escaped), token.ErrMalformed)
	for _, other := range []string{"Sub", "SUB", "ſub", "UserID", "userid"} {
		p := strings.TrimSuffix(b.payload(t, nil), "}") + fmt.Sprintf(",%q:%s}", other, mallory)
		if c, err := b.verifier.Verify(t.Context(), b.sign(t, b.header(), p)); err != nil || c.UserID != userID {
			t.Errorf("%s: %+v, %v", other, c, err)
		}
	}
	for name, change := range map[string]map[string]string{
		"sub and userId differ": {"userId": mallory}, "no sub": {"sub": ""}, "no userId": {"userId": ""}, "sub no UUID": {"sub": `"me"`, "userId": `"me"`},
		"sub in upper case": {"sub": `"0190A5C0-0000-7000-8000-000000000001"`, "userId": `"0190A5C0-0000-7000-8000-000000000001"`},
		"no sid":            {"sid": ""}, "sid no UUID": {"sid": `"x"`}, "no jti": {"jti": ""}, "no role": {"role": ""},
	} {
		b.refused(t, name, b.sign(t, b.header(), b.payload(t, change)), token.ErrClaims)
	}
	for name, change := range map[string]map[string]string{"sub number": {"sub": `1`}, "amr text": {"amr": `"pwd"`}, "role object": {"role": `{}`}} {
		b.refusedSomehow(t, name, b.sign(t, b.header(), b.payload(t, change)))
	}
}

// A26: the key set has public members only.
func TestA26KeySetIsPublic(t *testing.T) {
	for alg, want := range map[token.Algorithm]int{token.ES256: 2, token.EdDSA: 2, token.HS256: 0} {
		set, err := json.Marshal(newRing(t, alg).JWKS(start))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Keys []map[string]any }
		if err := json.Unmarshal(set, &doc); err != nil || doc.Keys == nil || len(doc.Keys) != want {
			t.Errorf("%s: %s", alg, set)
		}
		ids := map[any]bool{}
		for _, k := range doc.Keys {
			for name := range k {
				if !strings.Contains(" kty crv x y kid alg use ", " "+name+" ") {
					t.Errorf("%s: member %s is published", alg, name)
				}
			}
			if k["use"] != "sig" || k["alg"] != string(alg) || ids[k["kid"]] {
				t.Errorf("%s: %v", alg, k)
			}
			ids[k["kid"]] = true
		}
	}
}

// A29: the claims are the documented ones and no others, for 900 seconds.
func TestA29ClaimsAreTheDocumentedOnes(t *testing.T) {
	b := newBench(t, token.ES256)
	payload, _ := b64.DecodeString(strings.Split(b.raw, ".")[1])
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	names := "iss sub aud exp iat jti sid userId username role amr auth_time"
	if len(m) != len(strings.Fields(names)) {
		t.Errorf("claims %v", m)
	}
	for _, n := range strings.Fields(names) {
		if m[n] == nil {
			t.Errorf("no %s", n)
		}
	}
	if m["exp"].(float64)-m["iat"].(float64) != 900 {
		t.Errorf("lives %v to %v", m["iat"], m["exp"])
	}
	seen := map[string]bool{}
	i := newIssuer(t, token.Static(newRing(t, token.HS256)), b.clock)
	for range 10000 {
		raw := issue(t, i)
		payload, _ := b64.DecodeString(strings.Split(raw, ".")[1])
		var c struct {
			JTI string `json:"jti"`
		}
		if err := json.Unmarshal(payload, &c); err != nil || seen[c.JTI] || len(c.JTI) != 36 {
			t.Fatalf("jti %q again, or %v", c.JTI, err)
		}
		seen[c.JTI] = true
	}
}

// Nothing of what a refused token says is in the error, which goes to the log.
func TestErrorsDoNotQuoteTokens(t *testing.T) {
	b := newBench(t, token.ES256)
	canary := "canary-4711"
	for _, raw := range []string{
		b.sign(t, b.header(), b.payload(t, map[string]string{"iss": `"` + canary + `"`})),
		b.sign(t, b.header(), `{"sub":"`+canary), b.sign(t, `{"alg":"`+canary+`","kid":"`+b.ring.Active().ID+`"}`, "{}"),
		b.sign(t, `{"kid":"`+canary+`"}`, "{}"), canary, canary + "." + canary + "." + canary,
	} {
		if _, err := b.verifier.Verify(t.Context(), raw); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
	}
}

func TestShortSecretsAreRefused(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 31: false, 32: true, 64: true} {
		secret := make([]byte, n)
		_, _ = rand.Read(secret)
		if _, err := token.NewSecretKey("shared", start, secret); (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := token.NewSecret(1, start, secret); (err == nil) != ok {
			t.Errorf("secret of %d bytes: %v", n, err)
		}
	}
}
