// Package lambda runs the built functions as Lambda does: as processes that ask
// a Runtime API for events, alone and behind an emulation of API Gateway, on the
// embedded engine at a port.
//
// Links take a while, so the functions of the round are run by default, and
// every one with LANYARD_TEST_FUNCTIONS=all (make test-functions).
package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
	"github.com/lanyard-auth/lanyard/internal/policytest"
)

const root = "../.."

// round are the functions that a sign-in, an organization, a grant and a check
// need.
var round = []string{
	"authorizer", "auth-register", "auth-verify-email", "auth-login", "auth-me", "auth-refresh", "auth-logout",
	"orgs-create", "orgs-members-add", "entities-create", "entities-permissions-grant", "permissions-check", "public-jwks",
	"mailer", "key-rotator",
}

func every() bool { return os.Getenv("LANYARD_TEST_FUNCTIONS") == "all" }

var (
	binaries string // directory of the built functions
	buildAll = sync.OnceValue(func() error {
		targets := []string{"./functions/..."}
		if !every() {
			targets = nil
			for _, name := range round {
				targets = append(targets, "./functions/"+name)
			}
		}
		args := append([]string{"build", "-buildvcs=false", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binaries + "/"}, targets...)
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build functions: %w: %s", err, out)
		}
		return nil
	})
)

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "functions"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(binaries); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// build builds the functions once and gives the binary of one.
func build(name string) (string, error) {
	if err := buildAll(); err != nil {
		return "", err
	}
	path := filepath.Join(binaries, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("function %s is not among those built: add it to round: %w", name, err)
	}
	return path, nil
}

func binary(t testing.TB, name string) string {
	t.Helper()
	path, err := build(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environment puts the world's store on a port and gives the environment of
// functions that work on it with the world's keys.
func environment(t testing.TB, w *lanyardtest.World) []string {
	t.Helper()
	if w.Store.Engine == nil {
		t.Skip("runs on the embedded engine")
	}
	db := httptest.NewServer(w.Store.Engine)
	t.Cleanup(func() {
		db.CloseClientConnections()
		db.Close()
	})
	ring, err := w.Ring.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"LANYARD_STAGE=test", "LANYARD_PUBLIC_URL=http://127.0.0.1:8080", "LANYARD_BCRYPT_COST=4", "LANYARD_SESSION_CHECK_TTL=0",
		"LANYARD_TABLE=" + w.Store.Name(), "LANYARD_DYNAMODB=" + db.URL, "LANYARD_KEYS_SOURCE=env", "LANYARD_KEYS=" + string(ring),
		"LANYARD_MAIL_SENDER=ses", "AWS_REGION=local", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
	}
}

// restricted puts the world's store on one more port, for a client with a
// policy, and gives env with that store.
func restricted(t testing.TB, w *lanyardtest.World, env []string, p *localdynamo.Policy) []string {
	t.Helper()
	db := httptest.NewServer(w.Store.Engine.With(localdynamo.Mode{Policy: p, Observe: func(c localdynamo.Call) {
		if c.Error == "AccessDeniedException" {
			t.Logf("denied: %s", c.Operation)
		}
	}}))
	t.Cleanup(func() {
		db.CloseClientConnections()
		db.Close()
	})
	return append(slices.Clone(env), "LANYARD_DYNAMODB="+db.URL)
}

// deployed starts a world whose URL is an emulated HTTP API in front of the
// built functions.
func deployed(t *testing.T, stage string) *lanyardtest.World {
	t.Helper()
	if err := buildAll(); err != nil {
		t.Fatal(err)
	}
	w := lanyardtest.Start(t)
	server := httptest.NewServer(newHTTPAPI(t, w, stage))
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// settle makes what functions queued due in the world: its clock stands still
// while theirs goes on.
func settle(w *lanyardtest.World) { w.Clock.Advance(time.Until(w.Clock.Now()) + time.Second) }

// TestWholeRoundThroughGatewayAuthorizerAndFunctions also replays the policies:
// each function reaches the store as a client with its generated policy.
func TestWholeRoundThroughGatewayAuthorizerAndFunctions(t *testing.T) {
	w := deployed(t, "dev")
	join := func(email string) *lanyardtest.Client {
		c := w.Client()
		creds := map[string]any{"email": email, "password": lanyardtest.Password}
		c.Post("/api/auth/register", creds).Want(http.StatusCreated)
		settle(w)
		c.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken(email)}).Want(http.StatusOK)
		c.Login(creds)
		return c
	}
	alice, carol := join("alice@example.com"), join("carol@example.com")
	if got := alice.Get("/api/auth/me").Want(http.StatusOK).Text("email"); got != "alice@example.com" {
		t.Fatalf("me is %q", got)
	}
	before := alice.Refresh
	alice.Keep(alice.Post("/api/auth/refresh", map[string]any{"refreshToken": alice.Refresh}).Want(http.StatusOK))
	if alice.Refresh == before {
		t.Error("refresh gave the same token")
	}
	org := alice.Post("/api/organizations", map[string]any{"name": "Coastal Marine Services"}).Want(http.StatusCreated).Text("id")
	alice.Post("/api/organizations/"+org+"/members", map[string]any{"userId": carol.UserID, "role": "member"}).Want(http.StatusCreated)
	boat := alice.Post("/api/organizations/"+org+"/entities", map[string]any{"type": "boat", "name": "Sea Breeze"}).Want(http.StatusCreated).Text("id")
	may := func(action string) any {
		a := carol.Post("/api/permissions/check", map[string]any{"checks": []any{map[string]any{"entityId": boat, "action": action}}, "consistency": "strong"})
		return a.Want(http.StatusOK).Value("results.0.allowed")
	}
	if may("edit") != false {
		t.Error("a member without a grant may edit")
	}
	alice.Post("/api/entities/"+boat+"/permissions", map[string]any{"userId": carol.UserID, "level": "editor"}).Want(http.StatusCreated)
	if may("edit") != true || may("delete") != false {
		t.Error("an editor may not edit, or may delete")
	}
	alice.Post("/api/auth/logout", map[string]any{"refreshToken": alice.Refresh}).Want(http.StatusNoContent)
	alice.Get("/api/auth/me").Problem(http.StatusUnauthorized, "session_revoked")
	alice.Access = ""
	alice.Get("/api/auth/me").Problem(http.StatusUnauthorized, "unauthenticated")
	// The gateway's own refusal is none of the contract's answers.
	req, err := http.NewRequest(http.MethodGet, w.URL+"/api/auth/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+carol.Access[:len(carol.Access)-8]+"AAAAAAAA")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusForbidden || strings.TrimSpace(string(body)) != `{"message":"Forbidden"}` {
		t.Errorf("a forged token was answered %d %s (%v)", res.StatusCode, body, err)
	}
}

// TestSignInNeedsWhatItsPolicyAllows takes statements away, one action at a
// time, from the policy that the round works with.
func TestSignInNeedsWhatItsPolicyAllows(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("eve@example.com")
	env, whole := environment(t, w), policytest.Policies(t)["auth-login"]
	e := signIn(t, "eve@example.com")
	if out := response(t, launch(t, "auth-login", restricted(t, w, env, whole)), e); out.StatusCode != http.StatusOK {
		t.Fatalf("with its policy: %d %s", out.StatusCode, out.Body)
	}
	for _, action := range []string{"GetItem", "Query", "PutItem", "UpdateItem"} {
		t.Run(action, func(t *testing.T) {
			less := &localdynamo.Policy{}
			for _, st := range whole.Statements {
				st.Actions = slices.DeleteFunc(slices.Clone(st.Actions), func(a string) bool { return a == action })
				less.Statements = append(less.Statements, st)
			}
			if out := response(t, launch(t, "auth-login", restricted(t, w, env, less)), e); out.StatusCode < 500 || len(out.Cookies) > 0 {
				t.Errorf("without %s: %d", action, out.StatusCode)
			}
		})
	}
}

// signIn is the sample event of a sign-in, of an account that exists.
func signIn(t *testing.T, email string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "events/auth-login.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"email": email, "password": lanyardtest.Password})
	if err != nil {
		t.Fatal(err)
	}
	e.Body = string(body)
	return e
}

func TestCookiesTravelThroughTheGatewaysLists(t *testing.T) {
	w := deployed(t, "$default")
	c := w.Client()
	creds := map[string]any{"email": "bob@example.com", "password": lanyardtest.Password}
	c.Post("/api/auth/register", creds).Want(http.StatusCreated)
	settle(w)
	c.Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken("bob@example.com")}).Want(http.StatusOK)
	b := w.Browser()
	a := b.Post("/api/auth/login", creds).Want(http.StatusOK)
	if len(a.Cookies) < 2 || a.Value("tokens") != nil {
		t.Fatalf("cookies %v, body %s", a.Cookies, a.Raw)
	}
	b.Get("/api/auth/me").Want(http.StatusOK)
	b.Post("/api/auth/refresh", map[string]any{}).Want(http.StatusOK)
	b.Get("/api/auth/me").Want(http.StatusOK)
}

// TestEventFormsThatGatewaysDifferIn sends the same sign-in in the forms that
// API Gateway and local emulators give it.
func TestEventFormsThatGatewaysDifferIn(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("dora@example.com")
	f := launch(t, "auth-login", environment(t, w))
	for name, change := range map[string]func(*events.APIGatewayV2HTTPRequest){
		"text body":         func(*events.APIGatewayV2HTTPRequest) {},
		"base64 body":       func(e *events.APIGatewayV2HTTPRequest) { e.Body, e.IsBase64Encoded = encode([]byte(e.Body)), true },
		"stage in the path": func(e *events.APIGatewayV2HTTPRequest) { e.RawPath, e.RequestContext.Stage = "/dev"+e.RawPath, "dev" },
		"header case kept": func(e *events.APIGatewayV2HTTPRequest) {
			e.Headers = map[string]string{"Content-Type": "application/json", "Host": "127.0.0.1:8080", "Accept": "application/json"}
		},
		"the same request id again": func(*events.APIGatewayV2HTTPRequest) {},
	} {
		t.Run(name, func(t *testing.T) {
			sample := signIn(t, "dora@example.com")
			change(&sample)
			if out := response(t, f, sample); out.StatusCode != http.StatusOK || len(out.Cookies) < 2 {
				t.Errorf("status %d, %d cookies: %s", out.StatusCode, len(out.Cookies), out.Body)
			}
		})
	}
}

// TestFunctionsAnswerTheirSampleEvents runs functions with events/: each gives
// an answer of its contract, whatever the empty table makes of it, and the
// process lives on.
func TestFunctionsAnswerTheirSampleEvents(t *testing.T) {
	w := lanyardtest.Start(t)
	env := environment(t, w)
	run := 0
	for _, s := range lanyardtest.Operations() {
		if s.Local || !every() && !slices.Contains(round, s.ID) {
			continue
		}
		run++
		t.Run(s.ID, func(t *testing.T) {
			f := launch(t, s.ID, env)
			raw, err := os.ReadFile(filepath.Join(root, "events", s.ID+".json"))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				out := response(t, f, raw)
				if out.StatusCode < 200 || out.StatusCode >= 500 {
					t.Errorf("status %d: %s\n%s", out.StatusCode, out.Body, f.output)
				}
				if out.StatusCode == http.StatusNotFound && !strings.Contains(s.Path, "{") && !strings.Contains(out.Body, `"code"`) {
					t.Errorf("the function does not know its route: %s", out.Body)
				}
			}
		})
	}
	if !every() {
		t.Logf("ran %d functions, those of the round; LANYARD_TEST_FUNCTIONS=all runs all %d", run, len(lanyardtest.Operations()))
	}
}

func TestAuthorizerPassesOnItsSampleEventWithAReason(t *testing.T) {
	w := lanyardtest.Start(t)
	f := launch(t, "authorizer", environment(t, w))
	raw, err := os.ReadFile(filepath.Join(root, "events/authorizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.invoke(context.Background(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var got events.APIGatewayV2CustomAuthorizerSimpleResponse
	if err := json.Unmarshal(out, &got); err != nil || !got.IsAuthorized || got.Context["denial"] == nil {
		t.Errorf("answer %s (%v)", out, err)
	}
}

// response invokes a function of a route and reads what API Gateway would.
func response(t *testing.T, f *function, event any) events.APIGatewayV2HTTPResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	raw, err := f.invoke(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	var out events.APIGatewayV2HTTPResponse
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("answer %s: %v", raw, err)
	}
	return out
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// BenchmarkStart measures process start to first next, the part of a cold
// start that is the function's own.
func BenchmarkStart(b *testing.B) {
	w := lanyardtest.Start(b)
	env := environment(b, w)
	env = append(env, "LANYARD_MAIL_FROM=Lanyard <no-reply@example.com>")
	names := []string{bare, "authorizer", "mailer"}
	for _, s := range lanyardtest.Operations() {
		if !s.Local && (every() || slices.Contains(round, s.ID)) {
			names = append(names, s.ID)
		}
	}
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), name)
			if name == bare {
				link(b, path)
			} else {
				path = binary(b, name)
			}
			size := zipped(b, path)
			var took []time.Duration
			for b.Loop() {
				f, err := start(name, path, env)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, f.init)
				f.stop()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms-worst")
			b.ReportMetric(float64(size)/(1<<20), "MB-zip")
		})
	}
}

// bare is the function of testdata that does nothing: what a start takes at least.
const bare = "bare"

func link(b *testing.B, path string) {
	b.Helper()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", path, "./testdata/bare")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v: %s", err, out)
	}
}

func TestFunctionWithAWrongSettingFailsToStartAndNamesIt(t *testing.T) {
	w := lanyardtest.Start(t)
	_, err := start("public-jwks", binary(t, "public-jwks"), append(environment(t, w), "LANYARD_ACCESS_TTL=ages"))
	var failed *errInit
	if !errors.As(err, &failed) || !strings.Contains(failed.output, "LANYARD_ACCESS_TTL") {
		t.Errorf("started, or gave no reason: %v", err)
	}
}
