package generate

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/api"
)

// The facts that every sample event shares. The addresses are from the ranges
// for documentation (RFC 5737).
const (
	sampleUser    = "01890a5d-ac96-774b-bcce-b302099a8057"
	sampleSession = "01890a5d-ac96-774b-bcce-b302099a8058"
	sampleRequest = "JKJaXmPLvHcESHA="
	sampleHost    = "id.execute-api.eu-central-1.amazonaws.com"
	sampleAgent   = "curl/8.7.1"
	sampleEpoch   = 1767225600000 // 2026-01-01T00:00:00Z
	sampleTime    = "01/Jan/2026:00:00:00 +0000"
)

// samples gives events/: what API Gateway sends each function for a request of
// payload format 2.0, and what it sends the authorizer.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func samples(ops []api.Operation) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, op := range ops {
		if op.Local {
			continue
		}
		e, err := Sample(op.Spec)
		if err != nil {
			return nil, err
		}
		if files["events/"+op.ID+".json"], err = indented(e); err != nil {
			return nil, err
		}
	}
	e := events.APIGatewayV2CustomAuthorizerV2Request{
		Version: "2.0", Type: "REQUEST", RouteKey: "GET /api/auth/me", IdentitySource: nil,
		RouteArn: "arn:aws:execute-api:eu-central-1:123456789012:id/$default/GET/api/auth/me", RawPath: "/api/auth/me",
		Cookies: []string{}, Headers: map[string]string{"accept": "application/json", "host": sampleHost, "user-agent": sampleAgent},
		RequestContext: sampleContext("GET", "/api/auth/me", "GET /api/auth/me"),
	}
	var err error
	files["events/authorizer.json"], err = indented(e)
	return files, err
}

// Sample gives the event of an operation's sample request. Operations behind
// the authorizer carry what it found.
func Sample(s api.Spec) (events.APIGatewayV2HTTPRequest, error) {
	path := s.Path
	for _, name := range slices.Sorted(maps.Keys(s.Event.Params)) {
		path = strings.ReplaceAll(path, "{"+name+"}", s.Event.Params[name])
	}
	if strings.Contains(path, "{") {
		return events.APIGatewayV2HTTPRequest{}, fmt.Errorf("sample of %s: a path parameter of %s has no value", s.ID, path)
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: s.RouteKey(), RawPath: path, RawQueryString: s.Event.Query,
		Headers:        map[string]string{"accept": "application/json", "host": sampleHost, "user-agent": sampleAgent, "x-forwarded-proto": "https"},
		PathParameters: s.Event.Params, RequestContext: sampleContext(s.Method, path, s.RouteKey()),
	}
	if s.Event.Query != "" {
		q, err := url.ParseQuery(s.Event.Query)
		if err != nil {
			return e, fmt.Errorf("sample of %s: %w", s.ID, err)
		}
		e.QueryStringParameters = map[string]string{}
		for name, values := range q {
			e.QueryStringParameters[name] = strings.Join(values, ",")
		}
	}
	if s.Event.Body != nil {
		raw, err := json.Marshal(s.Event.Body)
		if err != nil {
			return e, fmt.Errorf("sample of %s: %w", s.ID, err)
		}
		e.Body, e.Headers["content-type"] = string(raw), "application/json"
		e.Headers["content-length"] = fmt.Sprint(len(raw))
	}
	if s.Access != api.Public {
		role := "USER"
		if s.Access == api.SuperAdmin {
			role = "ADMIN"
		}
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{
			"userId": sampleUser, "sessionId": sampleSession, "username": "", "role": role, "amr": "pwd",
			"authTime": "1767225500", "tokenId": sampleSession, "expiresAt": "4102444800",
		}}
	}
	return e, nil
}

func sampleContext(method, path, routeKey string) events.APIGatewayV2HTTPRequestContext {
	return events.APIGatewayV2HTTPRequestContext{
		RouteKey: routeKey, AccountID: "123456789012", Stage: "$default", RequestID: sampleRequest, APIID: "id",
		DomainName: sampleHost, DomainPrefix: "id", Time: sampleTime, TimeEpoch: sampleEpoch,
		HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
			Method: method, Path: path, Protocol: "HTTP/1.1", SourceIP: "192.0.2.1", UserAgent: sampleAgent,
		},
	}
}
