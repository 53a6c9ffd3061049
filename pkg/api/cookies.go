package api

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/pkg/fault"
)

// Cookies names the cookies of one deployment. Over https they carry the
// __Host- or __Secure- prefix (RFC 6265bis §4.1.3); plain http on a loopback
// host cannot, and uses the bare names.
type Cookies struct{ Secure bool }

// Paths of the cookies. The refresh cookie is sent to the sign-in routes only.
const refreshPath = "/api/auth"

// Access is the name of the access-token cookie.
func (c Cookies) Access() string {
	if c.Secure {
		return "__Host-lanyard_access"
	}
	return "lanyard_access"
}

// Refresh is the name of the refresh-token cookie.
func (c Cookies) Refresh() string {
	if c.Secure {
		return "__Secure-lanyard_refresh"
	}
	return "lanyard_refresh"
}

// Device is the name of the known-device cookie.
func (c Cookies) Device() string {
	if c.Secure {
		return "__Secure-lanyard_device"
	}
	return "lanyard_device"
}

// SetAccess makes the access-token cookie, dying at its token's end.
func (c Cookies) SetAccess(value string, life time.Duration) http.Cookie {
	return c.make(c.Access(), value, "/", life)
}

// SetRefresh makes the refresh-token cookie.
func (c Cookies) SetRefresh(value string, life time.Duration) http.Cookie {
	return c.make(c.Refresh(), value, refreshPath, life)
}

// SetDevice makes the known-device cookie.
func (c Cookies) SetDevice(value string, life time.Duration) http.Cookie {
	return c.make(c.Device(), value, refreshPath, life)
}

// Clear makes the cookies that delete the session's: same names, paths and
// attributes, so that browsers match them. The device stays known.
func (c Cookies) Clear() []http.Cookie {
	return []http.Cookie{c.make(c.Access(), "", "/", -time.Second), c.make(c.Refresh(), "", refreshPath, -time.Second)}
}

func (c Cookies) make(name, value, path string, life time.Duration) http.Cookie {
	// Rounded up: what was made for 900 seconds a moment ago says 900. For the
	// fraction of a second by which a cookie outlives its token, the token decides.
	age := int((life + time.Second - 1) / time.Second)
	if life <= 0 {
		age = -1 // Max-Age=0: delete
	}
	return http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age,
		HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteLaxMode,
	}
}

// one gives the value of the named cookie. Two different ones are refused: a
// sibling domain may have planted the other (Request.Cookie would take the first).
func one(r *http.Request, name string) (string, error) {
	value, found := "", false
	for _, c := range r.CookiesNamed(name) {
		if found && c.Value != value {
			return "", fault.New(fault.CodeInvalidRequest, "The cookie "+name+" was sent twice with different values.")
		}
		value, found = c.Value, true
	}
	return value, nil
}
