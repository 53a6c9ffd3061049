package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// IdentifyLambda implements api.Options.Identify for a function behind the HTTP
// API: the facts come from the request context, which no client can write.
func IdentifyLambda(r *http.Request, spec *api.Spec) (*caller.Caller, error) {
	rc, ok := core.GetAPIGatewayV2ContextFromContext(r.Context())
	if !ok || rc.RequestID == "" {
		return nil, fault.New(fault.CodeInternal, fault.CodeInternal.Meaning())
	}
	c := &caller.Caller{RequestID: rc.RequestID, SourceIP: rc.HTTP.SourceIP}
	if spec.Access == api.Public || rc.Authorizer == nil {
		return c, nil
	}
	c.Principal, c.Denial = authorizer.Principal(rc.Authorizer.Lambda)
	return c, nil
}

// Lambda makes the function handler of one operation's HTTP handler. rawPath
// carries the stage's name except for $default, so it is cut off.
func Lambda(h http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	adapter := httpadapter.NewV2(h)
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		if s := e.RequestContext.Stage; s != "" && s != "$default" {
			e.RawPath = strings.TrimPrefix(e.RawPath, "/"+s)
		}
		return adapter.ProxyWithContext(ctx, e)
	}
}
