package jwks_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/jwks"
)

type answered []byte

func (a answered) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(a)), Request: r}, nil
}

// FuzzKeySet: an issuer's answer gives a usable public key under the asked id,
// or nothing.
func FuzzKeySet(f *testing.F) {
	const ed = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}`
	for _, s := range []string{
		`{"keys":[` + ed + `]}`, `{"keys":[` + ed + `,` + ed + `]}`, `{"keys":[]}`, `{"keys":null}`, `[]`, ``, `{"keys":[{"kty":"oct","k":"AA","kid":"k"}]}`,
		`{"keys":[` + ed + `],"keys":[]}`, `{"keys":[1,"x",null,{}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := jwks.New(jwks.Config{URL: "https://issuer.example/jwks", Client: &http.Client{Transport: answered(body)}, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		key, err := r.VerificationKey(t.Context(), "k")
		if err != nil {
			return
		}
		if key.ID != "k" || key.Algorithm.Symmetric() || !bytes.Contains(body, []byte(`kid`)) {
			t.Fatalf("%s gave %+v", body, key)
		}
		if _, public := key.JWK(); !public {
			t.Fatalf("%s gave a key that is not public", body)
		}
		if err := key.Verify("input", make([]byte, 64)); !errors.Is(err, token.ErrForged) {
			t.Fatalf("a signature of zeros: %v", err)
		}
	})
}
