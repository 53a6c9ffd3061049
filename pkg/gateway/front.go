package gateway

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lanyard-auth/lanyard/pkg/api"
	"github.com/lanyard-auth/lanyard/pkg/caller"
	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// OriginHeader carries the secret that a CDN before the API shares with it.
const OriginHeader = "X-Origin-Verify"

// Identify establishes the facts of a request.
type Identify = func(*http.Request, *api.Spec) (*caller.Caller, error)

// Behind admits only requests that a CDN before the API sent, which proves
// itself by the secret, and takes the client's address from X-Forwarded-For: to
// the gateway it is the CDN's. The CDN puts the address that it sees last; the
// gateway may put the CDN's behind it. Without a secret there is no CDN, and
// the header is nobody's word.
//
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html#RequestCustomIPAddresses
func Behind(secret string, identify Identify) Identify {
	if secret == "" {
		return identify
	}
	return func(r *http.Request, spec *api.Spec) (*caller.Caller, error) {
		c, err := identify(r, spec)
		if err != nil {
			return c, err
		}
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(OriginHeader)), []byte(secret)) != 1 {
			return nil, fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
		}
		edge, _ := netip.ParseAddr(c.SourceIP)
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break
			}
			if hop = hop.Unmap().WithZone(""); hop != edge.Unmap() {
				c.SourceIP = hop.String()
				return c, nil
			}
		}
		return nil, fault.New(fault.CodeForbidden, fault.CodeForbidden.Meaning())
	}
}
