package conformance

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/password"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// TestExamplesOfTheRFCs runs the signed examples of RFC 7515 (A.1 HS256, A.3
// ES256), RFC 8037 (A.4 EdDSA) and the keys they were made with; those of
// algorithms that Lanyard leaves out (A.2 RS256, A.4 ES512, A.5 none) give no
// key and no payload.
func TestExamplesOfTheRFCs(t *testing.T) {
	const claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	secret, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	hs, err := token.NewVerificationKey("k", token.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	es, err := token.ParseJWK([]byte(`{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`))
	if err != nil {
		t.Fatal(err)
	}
	ed, err := token.ParseJWK([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		t.Fatal(err)
	}
	const (
		a1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + claims + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		a3 = "eyJhbGciOiJFUzI1NiJ9." + claims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
		a5 = "eyJhbGciOiJub25lIn0." + claims + "."
		ok = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	)
	keys := map[string]token.VerificationKey{"HS256": hs, "ES256": es, "EdDSA": ed}
	for name, c := range map[string]struct{ raw, alg string }{
		"RFC 7515 A.1": {a1, "HS256"}, "RFC 7515 A.3": {a3, "ES256"}, "RFC 7515 A.5": {a5, ""}, "RFC 8037 A.4": {ok, "EdDSA"},
	} {
		for alg, key := range keys {
			payload, err := token.VerifySignature(c.raw, key)
			switch {
			case alg == c.alg && (err != nil || len(payload) == 0):
				t.Errorf("%s by its key: %q, %v", name, payload, err)
			case alg != c.alg && (!errors.Is(err, token.ErrForged) || payload != nil):
				t.Errorf("%s by a key for %s: %q, %v", name, alg, payload, err)
			}
		}
	}
	for name, jwk := range map[string]string{
		"RFC 7515 A.2": `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
		"RFC 7515 A.4": `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`,
	} {
		if _, err := token.ParseJWK([]byte(jwk)); err == nil {
			t.Errorf("%s: a key was made", name)
		}
	}
	// The private keys of the examples must not be taken for public ones.
	if _, err := token.ParseJWK([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)); err == nil {
		t.Error("RFC 8037 A.1: a private key was taken")
	}
}

// TestBcryptOfOthers verifies the hashes of two reference implementations,
// crypt_blowfish (Openwall) and jBCrypt, as an import of users brings them.
func TestBcryptOfOthers(t *testing.T) {
	h, err := password.NewHasher(password.Config{Scheme: password.Bcrypt, BcryptCost: 10, Concurrency: 1, Waiting: 1, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, password, hash string }{
		{"crypt_blowfish", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"crypt_blowfish", "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"crypt_blowfish", "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"crypt_blowfish", "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
		{"crypt_blowfish", "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
		{"jBCrypt", "a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"},
		{"jBCrypt", "abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"},
		{"jBCrypt", "abcdefghijklmnopqrstuvwxyz", "$2a$06$.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC"},
		{"jBCrypt", "~!@#$%^&*()      ~!@#$%^&*()PNBFRD", "$2a$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO"},
	} {
		stored, err := password.ParseForeign(c.hash)
		if err != nil {
			t.Errorf("%s %q: %v", c.from, c.password, err)
			continue
		}
		if res, err := h.Verify(t.Context(), stored, c.password); err != nil || !res.OK || !res.NeedsRehash {
			t.Errorf("%s %q: %+v, %v", c.from, c.password, res, err)
		}
		if res, err := h.Verify(t.Context(), stored, c.password+"x"); err != nil || res.OK {
			t.Errorf("%s %q and more: %+v, %v", c.from, c.password, res, err)
		}
	}
	// A hash made with the sign-extension bug of crypt_blowfish before 1.1.
	if _, err := password.ParseForeign("$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"); err == nil {
		t.Error("$2x$ was taken")
	}
}
