package lambda

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/lanyard-auth/lanyard/internal/kmstest"
	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
)

// TestFunctionsSealSecondFactorsWithKMS has the built functions set up a second
// factor and sign in with it where AWS KMS seals, each with its policy; the
// client is the one that they link, with the region of the key.
func TestFunctionsSealSecondFactorsWithKMS(t *testing.T) {
	if !every() {
		t.Skip("set LANYARD_TEST_FUNCTIONS=all (make test-functions) to build the functions of second factors")
	}
	if err := buildAll(); err != nil {
		t.Fatal(err)
	}
	w := lanyardtest.Start(t)
	service := &kmstest.Service{}
	kms := httptest.NewServer(service)
	t.Cleanup(kms.Close)
	g := newHTTPAPI(t, w, "$default")
	env := g.env
	g.env = func(name string) []string {
		return append(slices.Clone(env(name)), "LANYARD_MFA_KMS_KEYS="+kmstest.Key, "AWS_ENDPOINT_URL_KMS="+kms.URL)
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	w.URL = server.URL

	c, creds := w.Client(), map[string]any{"email": "kim@example.com", "password": lanyardtest.Password}
	c.Post("/api/auth/register", creds).Want(http.StatusCreated)
	settle(w)
	c.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken("kim@example.com")}).Want(http.StatusOK)
	c.Login(creds)
	secret := c.Post("/api/auth/mfa/totp", map[string]any{"password": lanyardtest.Password}).Want(http.StatusOK).Text("secret")
	at := time.Now()
	code := func(steps int) string {
		out, err := totp.GenerateCode(secret, at.Add(time.Duration(steps)*30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	c.Post("/api/auth/mfa/totp/confirm", map[string]any{"code": code(0)}).Want(http.StatusOK)
	pending := w.Client().Post("/api/auth/login", creds).Want(http.StatusOK).Text("mfaToken")
	again := map[string]any{"mfaToken": pending, "code": code(1), "delivery": "body"}
	w.Client().Post("/api/auth/mfa/verify", again).Want(http.StatusOK)
	var got []string
	for _, call := range service.Calls() {
		if call.Key != kmstest.Key || call.Region != "eu-north-1" {
			t.Errorf("call %+v", call)
		}
		got = append(got, call.Action)
	}
	if want := []string{"Encrypt", "Decrypt", "Decrypt"}; !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
	// The key ring is no way around: without the service there is no second factor.
	kms.Close()
	pending = w.Client().Post("/api/auth/login", creds).Want(http.StatusOK).Text("mfaToken")
	w.Client().Post("/api/auth/mfa/verify", map[string]any{"mfaToken": pending, "code": code(2)}).Problem(http.StatusServiceUnavailable, "temporarily_unavailable")
}
