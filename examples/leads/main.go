// Command leads is an example of a service beside Lanyard: sales leads, each of
// somebody, some of them about an entity that Lanyard knows.
//
// It shows the two questions such a service asks. Who is it? It checks the
// access token by itself, with the published keys: no call home, no shared
// secret, no access to Lanyard's table. May they? For leads about an entity it
// asks POST /api/permissions/check with the caller's own token, so it holds no
// rights of its own that could be abused.
//
// Its leads are kept in memory: how they are stored is not what it shows.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/token"
	"github.com/lanyard-auth/lanyard/pkg/token/jwks"
)

func main() {
	lanyard := flag.String("lanyard", "http://127.0.0.1:8080", "origin of Lanyard, which is also the issuer of its tokens")
	audience := flag.String("audience", "lanyard", "audience of its tokens (LANYARD_AUDIENCE)")
	listen := flag.String("listen", "127.0.0.1:8090", "address to listen on")
	flag.Parse()
	if err := run(*lanyard, *audience, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "leads:", err)
		os.Exit(1)
	}
}

func run(lanyard, audience, listen string) error {
	handler, err := newHandler(lanyard, lanyard, audience)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	fmt.Printf("leads on http://%s, tokens of %s\n", listen, lanyard)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// newHandler puts the service together for a Lanyard: the issuer its tokens
// name, and the origin at which it is reached.
func newHandler(issuer, origin, audience string) (http.Handler, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	keys, err := jwks.New(jwks.Config{URL: origin + "/.well-known/jwks.json", Client: client, Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	verifier, err := token.NewVerifier(keys, token.VerifierConfig{
		Issuer: issuer, Audience: audience, Leeway: token.DefaultLeeway, Now: time.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	// A token that was checked once is known by its hash until it ends.
	cached, err := token.NewCachedVerifier(verifier, 10_000)
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	return (&service{tokens: cached, rights: &rights{origin: origin, client: client}}).routes(), nil
}
