package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/localdynamo"
)

// What API Gateway and its emulators do that a reader of the code would not
// expect, a test each, with the built functions. What the templates must say
// because of it is tested with them: package generate, and infra.

// sample gives the event of events/ for a function.
func sample(t *testing.T, name string) events.APIGatewayV2HTTPRequest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// get asks a URL with headers and gives status and body.
func get(t *testing.T, url string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(body))
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func TestFactARefusalByTheAuthorizerIsTheGatewaysForbidden(t *testing.T) {
	w := deployed(t, "$default")
	status, body := get(t, w.URL+"/api/auth/me", bearer("not.a.token"))
	if status != http.StatusForbidden || body != `{"message":"Forbidden"}` {
		t.Errorf("%d %s", status, body)
	}
}

func TestFactAnErrorOfTheAuthorizerIsTheGateways500AndAdmitsNobody(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("fails@example.com")
	if err := buildAll(); err != nil {
		t.Fatal(err)
	}
	g := newHTTPAPI(t, w, "$default")
	env := environment(t, w)
	g.env = func(name string) []string {
		if name == "authorizer" { // it cannot ask whether the session stands
			return restricted(t, w, env, &localdynamo.Policy{Statements: []localdynamo.Statement{{Actions: []string{"GetItem"}, LeadingKeys: []string{"NOTHING"}}}})
		}
		return env
	}
	g.authorizerFails = true
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	status, body := get(t, server.URL+"/api/auth/me", bearer(c.Access))
	if status != http.StatusInternalServerError || body != `{"message":"Internal Server Error"}` {
		t.Errorf("%d %s", status, body)
	}
}

func TestFactNoCredentialIsRequiredToReachTheAuthorizer(t *testing.T) {
	w := deployed(t, "$default")
	// A listed identity source that is missing would be the gateway's own
	// 401 {"message":"Unauthorized"}; this is the contract's.
	status, body := get(t, w.URL+"/api/auth/me", nil)
	if status != http.StatusUnauthorized || !strings.Contains(body, `"code":"unauthenticated"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestFactBodiesThatAreNoTextArriveInBase64(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("form@example.com")
	f := launch(t, "auth-login", environment(t, w))
	for name, tc := range map[string]struct {
		kind string
		want int
	}{
		"JSON sent as such":             {"application/json", http.StatusOK},
		"JSON without a content type":   {"", http.StatusUnsupportedMediaType},
		"a form, which no route reads":  {"application/x-www-form-urlencoded", http.StatusUnsupportedMediaType},
		"JSON with a charset and space": {"application/json; charset=utf-8", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			e := signIn(t, "form@example.com")
			e.Body, e.IsBase64Encoded = encode([]byte(e.Body)), true
			delete(e.Headers, "content-type")
			if tc.kind != "" {
				e.Headers["content-type"] = tc.kind
			}
			if out := response(t, f, e); out.StatusCode != tc.want {
				t.Errorf("%d %s", out.StatusCode, out.Body)
			}
		})
	}
}

func TestFactThePathIsDecodedAndCarriesTheStage(t *testing.T) {
	w := lanyardtest.Start(t)
	f := launch(t, "auth-verify-email", environment(t, w))
	for name, path := range map[string]string{"$default": "/api/auth/verify-email", "dev": "/dev/api/auth/verify-email"} {
		e := sample(t, "auth-verify-email")
		e.RequestContext.Stage, e.RawPath, e.RequestContext.HTTP.Path = name, path, path
		if out := response(t, f, e); out.StatusCode == http.StatusNotFound || !strings.Contains(out.Body, `"code"`) {
			t.Errorf("stage %s: %d %s", name, out.StatusCode, out.Body)
		}
	}
	// A parameter comes decoded: what was %2F is a slash in the path, and the
	// route is the route key's all the same, or nobody's, but no other's.
	g := launch(t, "orgs-members-add", environment(t, w))
	e := sample(t, "orgs-members-add")
	e.RawPath = strings.Replace(e.RawPath, e.PathParameters["orgId"], "a/../../auth/me", 1)
	if out := response(t, g, e); out.StatusCode < 400 || out.StatusCode >= 500 {
		t.Errorf("%s: %d %s", e.RawPath, out.StatusCode, out.Body)
	}
}

func TestFactCookiesComeAndGoInLists(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("lists@example.com")
	env := environment(t, w)
	in := signIn(t, "lists@example.com")
	out := response(t, launch(t, "auth-login", env), in)
	if len(out.Cookies) < 2 || out.Headers["Set-Cookie"] != "" || out.MultiValueHeaders != nil {
		t.Fatalf("cookies %v, headers %v", out.Cookies, out.Headers)
	}
	e := sample(t, "auth-refresh")
	e.Body, e.Cookies = "", nil
	delete(e.Headers, "content-type")
	for _, c := range out.Cookies {
		pair, _, _ := strings.Cut(c, ";")
		e.Cookies = append(e.Cookies, pair)
	}
	if out := response(t, launch(t, "auth-refresh", env), e); out.StatusCode != http.StatusOK || len(out.Cookies) < 2 {
		t.Errorf("%d %s", out.StatusCode, out.Body)
	}
}

func TestFactContextValuesAreScalars(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("scalar@example.com")
	f := launch(t, "authorizer", environment(t, w))
	raw, err := f.invoke(t.Context(), events.APIGatewayV2CustomAuthorizerV2Request{
		Version: "2.0", Type: "REQUEST", RouteKey: "GET /api/auth/me", Headers: map[string]string{"authorization": "Bearer " + c.Access},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out events.APIGatewayV2CustomAuthorizerSimpleResponse
	if err := json.Unmarshal(raw, &out); err != nil || !out.IsAuthorized || len(out.Context) < 5 {
		t.Fatalf("%s (%v)", raw, err)
	}
	for name, value := range out.Context {
		switch value.(type) {
		case string, bool, float64:
		default:
			t.Errorf("%s is a %T: API Gateway would answer 500", name, value)
		}
	}
}

func TestFactTheGatewayRefusesLargeHeadersAndTokensFit(t *testing.T) {
	w := deployed(t, "$default")
	header := http.Header{"X-Padding": {strings.Repeat("a", 10240)}}
	if status, _ := get(t, w.URL+"/.well-known/jwks.json", header); status != http.StatusBadRequest && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers over 10,240 bytes: %d", status)
	}
	// A browser sends access, refresh and device cookies with every request: they
	// leave most of the room to others on the domain.
	creds := map[string]any{"email": "large@example.com", "password": lanyardtest.Password}
	w.Client().Post("/api/auth/register", creds).Want(http.StatusCreated)
	settle(w)
	w.Client().Post("/api/auth/verify-email", map[string]any{"token": w.MailedToken("large@example.com")}).Want(http.StatusOK)
	size := 0
	for _, c := range w.Browser().Post("/api/auth/login", creds).Want(http.StatusOK).Cookies {
		size += len(c.Name) + len(c.Value) + len("=; ")
	}
	if size == 0 || size > 10240/4 {
		t.Errorf("a session's cookies are %d bytes of 10,240", size)
	}
}

func TestFactCORSIsTheGatewaysSoFunctionsSayNothingOfIt(t *testing.T) {
	w := lanyardtest.Start(t)
	w.Registered("origin@example.com")
	f := launch(t, "auth-login", append(environment(t, w), "LANYARD_CORS_ORIGINS=https://app.example.com"))
	e := signIn(t, "origin@example.com")
	e.Headers["origin"] = "https://app.example.com"
	out := response(t, f, e)
	for name := range out.Headers {
		if strings.HasPrefix(strings.ToLower(name), "access-control-") {
			t.Errorf("%s: the gateway would replace it", name)
		}
	}
	if out.StatusCode != http.StatusOK {
		t.Errorf("%d %s", out.StatusCode, out.Body)
	}
}

func TestFactSamLocalCallsAFunctionWithoutItsAuthorizer(t *testing.T) {
	w := lanyardtest.Start(t)
	for _, name := range []string{"auth-me", "orgs-create", "entities-permissions-grant"} {
		e := sample(t, name)
		for what, found := range map[string]*events.APIGatewayV2HTTPRequestContextAuthorizerDescription{"nothing": nil, "an empty finding": {}} {
			e.RequestContext.Authorizer = found
			if out := response(t, launch(t, name, environment(t, w)), e); out.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d %s", name, what, out.StatusCode, out.Body)
			}
		}
	}
}

func TestFactSamLocalRepeatsTheRequestID(t *testing.T) {
	w := lanyardtest.Start(t)
	f := launch(t, "auth-register", environment(t, w))
	for _, email := range []string{"one@example.com", "two@example.com"} {
		e := sample(t, "auth-register")
		e.Body = `{"email":"` + email + `","password":"` + lanyardtest.Password + `"}`
		if out := response(t, f, e); out.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d %s", email, out.StatusCode, out.Body)
		}
	}
	for _, email := range []string{"one@example.com", "two@example.com"} {
		settle(w)
		if w.MailedToken(email) == "" {
			t.Errorf("%s got no mail of its own", email)
		}
	}
}

func TestFactSamLocalKeepsTheCaseOfHeaders(t *testing.T) {
	w := lanyardtest.Start(t)
	c := w.Registered("case@example.com")
	f := launch(t, "authorizer", environment(t, w))
	for _, name := range []string{"authorization", "Authorization", "AUTHORIZATION"} {
		raw, err := f.invoke(t.Context(), events.APIGatewayV2CustomAuthorizerV2Request{
			Version: "2.0", Type: "REQUEST", RouteKey: "GET /api/auth/me", Headers: map[string]string{name: "Bearer " + c.Access},
		})
		if err != nil || !strings.Contains(string(raw), c.UserID) {
			t.Errorf("%s: %s (%v)", name, raw, err)
		}
	}
}

func TestFactAnInvocationThatNobodyExpectedIsAnErrorAndNoPanic(t *testing.T) {
	w := lanyardtest.Start(t)
	f := launch(t, "auth-me", environment(t, w))
	var failed *functionError
	if _, err := f.invoke(context.Background(), []byte(`"no event"`)); !errors.As(err, &failed) {
		t.Errorf("a string for an event: %v", err)
	}
	// The process lives on.
	if out := response(t, f, sample(t, "auth-me")); out.StatusCode >= 500 || out.StatusCode < 400 {
		t.Errorf("after it: %d %s", out.StatusCode, out.Body)
	}
}
