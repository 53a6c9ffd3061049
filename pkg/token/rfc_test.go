package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/pkg/token"
)

// The examples of RFC 7515 A.1 and A.3, and of RFC 8037 A.4.
func TestSignaturesOfTheStandards(t *testing.T) {
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	secret, err := b64.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	hs, err := token.NewVerificationKey("k", token.HS256, secret)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(jwk string) token.VerificationKey {
		k, err := token.ParseJWK([]byte(jwk))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for name, c := range map[string]struct {
		key token.VerificationKey
		raw string
	}{
		"RFC 7515 A.1": {hs, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		"RFC 7515 A.3": {parse(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"k"}`),
			"eyJhbGciOiJFUzI1NiJ9." + payload + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
		"RFC 8037 A.4": {parse(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}`),
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		p := strings.Split(c.raw, ".")
		want, _ := b64.DecodeString(p[1])
		if got, err := token.VerifySignature(c.raw, c.key); err != nil || string(got) != string(want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := token.VerifySignature(p[0]+"."+p[1][1:]+"."+p[2], c.key); !errors.Is(err, token.ErrForged) {
			t.Errorf("%s with another payload: %v", name, err)
		}
	}
	if _, err := token.VerifySignature("..", hs); !errors.Is(err, token.ErrMalformed) && !errors.Is(err, token.ErrForged) {
		t.Errorf("dots: %v", err)
	}
	// A payload that is signed and yet no base64url.
	b := newBench(t, token.HS256)
	signer, err := b.ring.Active().Signer()
	if err != nil {
		t.Fatal(err)
	}
	input := b64.EncodeToString([]byte(b.header())) + ".A"
	sig, err := signer.Sign(t.Context(), []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	b.refused(t, "payload no base64url", input+"."+b64.EncodeToString(sig), token.ErrMalformed)
}
