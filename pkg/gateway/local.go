package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/authorizer"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/id"
)

// Authorize is the authorizer function, as API Gateway would call it.
type Authorize func(context.Context, events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error)

// Local establishes the facts of requests that come straight from the network.
type Local struct {
	Authorize Authorize
	Proxies   []netip.Prefix // whose X-Forwarded-For is believed; usually none
	Now       func() time.Time
}

// ParseProxies reads the networks of LANYARD_TRUSTED_PROXIES.
func ParseProxies(networks []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, n := range networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: %w", n, err)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Identify implements api.Options.Identify.
func (l *Local) Identify(r *http.Request, spec *api.Spec) (*caller.Caller, error) {
	requestID, err := id.New()
	if err != nil {
		return nil, err
	}
	c := &caller.Caller{RequestID: requestID, SourceIP: l.sourceIP(r)}
	if spec.Access == api.Public {
		return c, nil
	}
	res, err := l.Authorize(r.Context(), l.event(r, spec, c))
	if err != nil {
		return c, fault.Wrap(fault.CodeUnavailable, err)
	}
	if !res.IsAuthorized {
		c.Denial = caller.Invalid
		return c, nil
	}
	c.Principal, c.Denial = authorizer.Principal(res.Context)
	return c, nil
}

// sourceIP is the address of the connection or, where that is a trusted proxy,
// the last address in X-Forwarded-For that is not.
func (l *Local) sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	addr = addr.Unmap()
	if !l.trusted(addr) {
		return addr.WithZone("").String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !l.trusted(addr) {
			break
		}
	}
	return addr.WithZone("").String()
}

func (l *Local) trusted(a netip.Addr) bool {
	for _, p := range l.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// event is what API Gateway would send its authorizer: header names in lower
// case, repeated headers joined, cookies apart.
func (l *Local) event(r *http.Request, spec *api.Spec, c *caller.Caller) events.APIGatewayV2CustomAuthorizerV2Request {
	headers := make(map[string]string, len(r.Header))
	for name, values := range r.Header {
		if name != "Cookie" {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	var cookies []string
	for _, line := range r.Header.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.TrimSpace(part); part != "" {
				cookies = append(cookies, part)
			}
		}
	}
	query := map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, ",")
	}
	now := l.Now()
	return events.APIGatewayV2CustomAuthorizerV2Request{
		Version: "2.0", Type: "REQUEST", RouteKey: spec.RouteKey(),
		RouteArn: "arn:aws:execute-api:local:000000000000:local/$default/" + r.Method + r.URL.Path,
		RawPath:  r.URL.Path, RawQueryString: r.URL.RawQuery, Cookies: cookies, Headers: headers, QueryStringParameters: query,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: spec.RouteKey(), AccountID: "000000000000", Stage: "$default", RequestID: c.RequestID, APIID: "local",
			DomainName: r.Host, Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: c.SourceIP, UserAgent: r.UserAgent(),
			},
		},
	}
}
