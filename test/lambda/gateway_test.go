package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/internal/lanyardtest"
	"github.com/lanyard-auth/lanyard/internal/policytest"
	"github.com/lanyard-auth/lanyard/pkg/api"
)

// httpAPI is API Gateway's HTTP API in front of the built functions: payload
// format 2.0, the authorizer without a cache before every route that has one.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
type httpAPI struct {
	t     testing.TB
	stage string // "$default", or a name that rawPath then carries
	env   func(name string) []string
	mux   *http.ServeMux
	// authorizerFails says that the test is about an authorizer that does.
	authorizerFails bool

	mu        sync.Mutex
	functions map[string]*function // by name, started when first needed
	requests  int
}

func newHTTPAPI(t testing.TB, w *lanyardtest.World, stage string) *httpAPI {
	env, allowed := environment(t, w), policytest.Policies(t)
	g := &httpAPI{t: t, stage: stage, env: func(name string) []string { return restricted(t, w, env, allowed[name]) }, mux: http.NewServeMux(), functions: map[string]*function{}}
	for _, s := range lanyardtest.Operations() {
		if !s.Local {
			g.mux.HandleFunc(s.RouteKey(), func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, &s) })
		}
	}
	g.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { message(w, http.StatusNotFound, "Not Found") })
	return g
}

// message answers as API Gateway itself does.
func message(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": text}) // the client's loss
}

func (g *httpAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// function gives the running function of a name.
func (g *httpAPI) function(name string) (*function, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.functions[name]; ok {
		return f, nil
	}
	path, err := build(name)
	if err != nil {
		return nil, err
	}
	f, err := start(name, path, g.env(name))
	if err == nil {
		g.functions[name] = f
		g.t.Cleanup(f.stop)
	}
	return f, err
}

func (g *httpAPI) serve(w http.ResponseWriter, r *http.Request, s *api.Spec) {
	e, err := g.event(r, s)
	if err != nil {
		message(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if s.Access != api.Public {
		found, status, err := g.authorize(r, &e)
		if (err != nil) != g.authorizerFails {
			g.t.Errorf("authorizer: %v", err)
		}
		if status != 0 {
			message(w, status, map[int]string{403: "Forbidden", 500: "Internal Server Error"}[status])
			return
		}
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: found}
	}
	f, err := g.function(s.ID)
	var raw []byte
	if err == nil {
		raw, err = f.invoke(r.Context(), e)
	}
	var out events.APIGatewayV2HTTPResponse
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	body := []byte(out.Body)
	if err == nil && out.IsBase64Encoded {
		body, err = base64.StdEncoding.DecodeString(out.Body)
	}
	if err != nil || out.StatusCode == 0 {
		g.t.Errorf("%s: %v %s", s.ID, err, raw)
		message(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	for name, value := range out.Headers {
		w.Header().Set(name, value)
	}
	if w.Header().Get("Set-Cookie") != "" {
		g.t.Errorf("%s: Set-Cookie among the headers: only cookies[] keeps more than one", s.ID)
	}
	for _, c := range out.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(body) // the client's loss
}

// authorize calls the authorizer binary; status is what API Gateway answers in
// the route's place, or 0.
func (g *httpAPI) authorize(r *http.Request, e *events.APIGatewayV2HTTPRequest) (map[string]any, int, error) {
	f, err := g.function("authorizer")
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	raw, err := f.invoke(r.Context(), events.APIGatewayV2CustomAuthorizerV2Request{
		Version: "2.0", Type: "REQUEST", RouteKey: e.RouteKey, RawPath: e.RawPath, RawQueryString: e.RawQueryString,
		RouteArn: "arn:aws:execute-api:eu-central-1:123456789012:id/" + g.stage + "/" + r.Method + r.URL.Path,
		Cookies:  e.Cookies, Headers: e.Headers, QueryStringParameters: e.QueryStringParameters,
		RequestContext: e.RequestContext, PathParameters: e.PathParameters,
	})
	if err != nil {
		return nil, http.StatusInternalServerError, err
	}
	var out events.APIGatewayV2CustomAuthorizerSimpleResponse
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, http.StatusInternalServerError, err
	}
	for name, value := range out.Context {
		switch value.(type) {
		case string, float64, bool:
		default:
			return nil, http.StatusInternalServerError, fmt.Errorf("context value %s is no scalar", name)
		}
	}
	if !out.IsAuthorized {
		return nil, http.StatusForbidden, nil
	}
	return out.Context, 0, nil
}

// event makes the event of a request: header names in lower case, repeated
// headers joined, cookies apart, the path decoded and with the stage's name,
// bodies that are no text in base64.
func (g *httpAPI) event(r *http.Request, s *api.Spec) (events.APIGatewayV2HTTPRequest, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return events.APIGatewayV2HTTPRequest{}, err
	}
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return events.APIGatewayV2HTTPRequest{}, err
	}
	g.mu.Lock()
	g.requests++
	id := fmt.Sprintf("JKJaXmPL%08d=", g.requests)
	g.mu.Unlock()
	path := r.URL.Path
	if g.stage != "$default" {
		path = "/" + g.stage + path
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: s.RouteKey(), RawPath: path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": r.Host},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: s.RouteKey(), AccountID: "123456789012", Stage: g.stage, RequestID: id, APIID: "id", DomainName: r.Host,
			TimeEpoch: time.Now().UnixMilli(), HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent(),
			},
		},
	}
	size := len(r.Method) + len(r.URL.RequestURI())
	for name, values := range r.Header {
		value := strings.Join(values, ",")
		size += len(name) + len(value)
		if name == "Cookie" {
			for _, line := range values {
				for part := range strings.SplitSeq(line, ";") {
					e.Cookies = append(e.Cookies, strings.TrimSpace(part))
				}
			}
			continue
		}
		e.Headers[strings.ToLower(name)] = value
	}
	if size > 10240 {
		return e, errors.New("request line and headers over 10,240 bytes")
	}
	query := map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, ",")
	}
	if len(query) > 0 {
		e.QueryStringParameters = maps.Clone(query)
	}
	if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/json") || strings.HasPrefix(kind, "text/") {
		e.Body = string(body)
	} else if len(body) > 0 {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e, nil
}
