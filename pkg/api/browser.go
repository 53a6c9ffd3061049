package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Browser is what a deployment says about browsers: its own origin and the
// apps that may call it with credentials.
type Browser struct {
	PublicURL string
	Origins   []string // exact origins, from LANYARD_CORS_ORIGINS
	Preflight bool     // answer CORS here; on AWS the HTTP API does it
}

// refuseForgery is the defence against cross-site request forgery for requests
// that change state: Fetch Metadata first (Sec-Fetch-Site, W3C), then Origin.
// A request with a bearer token and no cookie of ours cannot be forged by a
// browser; one with neither header comes from no current browser and is let
// through (as net/http.CrossOriginProtection does), but an Origin that is
// there must match to the letter, scheme included.
func (b Browser) refuseForgery(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil
	}
	if r.Header.Get("Authorization") != "" && r.Header.Get("Cookie") == "" {
		return nil
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return fault.New(fault.CodeCrossOrigin, fault.CodeCrossOrigin.Meaning())
	}
	if len(origins) == 1 {
		if slices.Contains(b.Origins, origins[0]) {
			return nil // an app elsewhere, which was listed: its requests are cross-site
		}
		// Our own pages are never another site to us: a browser that says both of
		// a request contradicts itself.
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
			if b.own(origins[0]) {
				return nil
			}
		}
		return fault.New(fault.CodeCrossOrigin, fault.CodeCrossOrigin.Meaning())
	}
	var guard http.CrossOriginProtection
	if err := guard.Check(r); err != nil {
		return fault.Wrap(fault.CodeCrossOrigin, err)
	}
	return nil
}

// own reports whether origin is the deployment's own. On a loopback host its
// other names count as the same machine.
func (b Browser) own(origin string) bool {
	if origin == b.PublicURL {
		return true
	}
	own, err := url.Parse(b.PublicURL)
	if err != nil || own.Scheme != "http" {
		return false
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if origin == "http://"+host+":"+own.Port() {
			return true
		}
	}
	return false
}

// CORS is what pages of listed origins may send and read. API Gateway is told
// the same, because its own answers replace a function's.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
type CORS struct {
	Methods []string `json:"methods"`
	Headers []string `json:"headers"` // that requests may carry
	Exposed []string `json:"exposed"` // of answers that scripts may read
	MaxAge  int      `json:"maxAge"`  // seconds for which a preflight's answer holds
}

// CrossOrigin gives the one policy for all origins that are listed.
func CrossOrigin() CORS {
	return CORS{
		Methods: []string{"GET", "POST", "PUT", "PATCH", "DELETE"}, Headers: []string{"Authorization", "Content-Type"},
		Exposed: []string{"Retry-After", "WWW-Authenticate", "X-Request-Id"}, MaxAge: 600,
	}
}

// cors answers preflights and marks answers for listed origins. It reports
// whether the request is done.
func (b Browser) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if !b.Preflight || origin == "" {
		return false
	}
	w.Header().Add("Vary", "Origin")
	if !slices.Contains(b.Origins, origin) {
		return false
	}
	h, c := w.Header(), CrossOrigin()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", strings.Join(c.Exposed, ", "))
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(c.Methods, ", "))
	h.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	h.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
	w.WriteHeader(http.StatusNoContent)
	return true
}

// protect sets the headers that every answer carries. Answers are private by
// default; the few public documents set their own Cache-Control.
func protect(h http.Header, secure bool) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	if secure {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

// printable bounds a client's text for logs and audit: control and invisible
// characters become '?', length is at most n bytes.
func printable(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
