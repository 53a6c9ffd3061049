package jwks_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/jwks"
)

// A service behind Lanyard checks access tokens by itself.
func Example() {
	keys, err := jwks.New(jwks.Config{
		URL:    "https://id.example.com/.well-known/jwks.json",
		Client: &http.Client{Timeout: 5 * time.Second},
		Now:    time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := token.NewVerifier(keys, token.VerifierConfig{
		Issuer:   "https://id.example.com",
		Audience: "https://api.example.com",
		Leeway:   token.DefaultLeeway,
		Now:      time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = verifier.Verify(context.Background(), "not a token")
	fmt.Println(err)
	// Output: token is malformed: not three parts
}
