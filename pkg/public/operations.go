package public

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/fault"
	"github.com/lanyard-auth/lanyard/pkg/service"
	"github.com/lanyard-auth/lanyard/pkg/token"
)

// Service serves the public documents.
type Service struct {
	service.Deps
	Keys    token.Source
	Version string
}

type jwksOutput struct {
	CacheControl string `header:"Cache-Control"`
	Origin       string `header:"Access-Control-Allow-Origin"`
	Policy       string `header:"Cross-Origin-Resource-Policy"`
	Body         token.JWKSet
}

// JWKSOperation is GET /.well-known/jwks.json. Keys are published before they
// sign, so five minutes in a cache refuse no token.
func JWKSOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "public-jwks", Method: http.MethodGet, Path: "/.well-known/jwks.json", Tag: "Public", Access: api.Public,
		Summary: "The public keys that verify access tokens (RFC 7517).", Secrets: true,
	}, func(ctx context.Context, _ *struct{}) (*jwksOutput, error) {
		ring, err := s.Keys.Load(ctx)
		if err != nil {
			return nil, fault.Wrap(fault.CodeUnavailable, err)
		}
		return &jwksOutput{
			CacheControl: "public, max-age=300", Origin: "*", Policy: "cross-origin", Body: ring.JWKS(s.Now()),
		}, nil
	})
}

// Metadata is the part of RFC 8414 that applies here.
type Metadata struct {
	Issuer             string   `json:"issuer"`
	JWKSURI            string   `json:"jwks_uri"`
	RevocationEndpoint string   `json:"revocation_endpoint"`
	LoginEndpoint      string   `json:"lanyard_login_endpoint"`
	RefreshEndpoint    string   `json:"lanyard_refresh_endpoint"`
	ServiceDocs        string   `json:"service_documentation"`
	ResponseTypes      []string `json:"response_types_supported" doc:"None: there is no authorization endpoint."`
	GrantTypes         []string `json:"grant_types_supported"`
	TokenAlgorithms    []string `json:"lanyard_access_token_signing_alg_values_supported"`
}

type metadataOutput struct {
	CacheControl string `header:"Cache-Control"`
	Origin       string `header:"Access-Control-Allow-Origin"`
	Policy       string `header:"Cross-Origin-Resource-Policy"`
	Body         Metadata
}

// MetadataOperation is GET /.well-known/oauth-authorization-server.
func MetadataOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "public-metadata", Method: http.MethodGet, Path: "/.well-known/oauth-authorization-server", Tag: "Public", Access: api.Public,
		Summary: "Where things are (RFC 8414).",
	}, func(context.Context, *struct{}) (*metadataOutput, error) {
		base := s.Config.PublicURL
		return &metadataOutput{
			CacheControl: "public, max-age=300", Origin: "*", Policy: "cross-origin",
			Body: Metadata{
				Issuer: s.Config.Issuer, JWKSURI: base + "/.well-known/jwks.json",
				LoginEndpoint: base + "/api/auth/login", RefreshEndpoint: base + "/api/auth/refresh",
				RevocationEndpoint: base + "/api/auth/logout", ServiceDocs: base + "/docs",
				ResponseTypes: []string{}, GrantTypes: []string{"password", "refresh_token"},
				TokenAlgorithms: []string{s.Config.Keys.Algorithm},
			},
		}, nil
	})
}

type healthOutput struct {
	Body struct {
		Status  string `json:"status" enum:"ok"`
		Version string `json:"version"`
	}
}

// HealthOperation is GET /healthz. It says that the process answers, and
// touches nothing: a sick dependency must not make a load balancer restart it.
func HealthOperation(s *Service) api.Operation {
	return api.New(api.Spec{
		ID: "public-health", Method: http.MethodGet, Path: "/healthz", Tag: "Public", Access: api.Public,
		Summary: "Whether the service answers.",
	}, func(context.Context, *struct{}) (*healthOutput, error) {
		out := &healthOutput{}
		out.Body.Status, out.Body.Version = "ok", s.Version
		return out, nil
	})
}

type documentOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	CSP          string `header:"Content-Security-Policy"`
	Body         []byte
}

// Description is the head of the OpenAPI document; the rest is as OpenAPI 3.1
// says.
type Description struct {
	_       struct{} `additionalProperties:"true"` // read by the schema generator
	OpenAPI string   `json:"openapi"`
}

// OpenAPIOperation is GET /openapi.json: the checked-in document, which covers
// every operation, also where this process serves one of them.
func OpenAPIOperation(document []byte) api.Operation {
	return api.New(api.Spec{
		ID: "public-openapi", Method: http.MethodGet, Path: "/openapi.json", Tag: "Public", Access: api.Public,
		Summary: "This document.",
		Forms:   api.Forms{"application/openapi+json": Description{}},
	}, func(context.Context, *struct{}) (*documentOutput, error) {
		return &documentOutput{
			ContentType: "application/openapi+json", CacheControl: "public, max-age=300", CSP: "default-src 'none'", Body: document,
		}, nil
	})
}

// DocsOperation is GET /docs: the checked-in page of the OpenAPI document. The
// page's own style, by its hash, is all that it may load.
func DocsOperation(page []byte) api.Operation {
	_, style, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ = bytes.Cut(style, []byte("</style>"))
	sum := sha256.Sum256(style)
	csp := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return api.New(api.Spec{
		ID: "public-docs", Method: http.MethodGet, Path: "/docs", Tag: "Public", Access: api.Public,
		Summary: "The API reference as a page.", HTML: true,
	}, func(context.Context, *struct{}) (*documentOutput, error) {
		return &documentOutput{ContentType: "text/html; charset=utf-8", CacheControl: "public, max-age=300", CSP: csp, Body: page}, nil
	})
}
