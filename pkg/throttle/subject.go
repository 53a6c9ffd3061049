package throttle

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
)

// digest is a subject as it stands in keys: 128 bits of SHA-256. It keeps
// addresses and identifiers out of the table; it is not meant to withstand
// somebody who tries out all of them.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0}) // no part contains one: identifiers are normalised, addresses parsed
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// source is whose address counts as one client: an IPv4 address, or the /64
// that one IPv6 line has to itself (RFC 6177). What is no address shares one
// count, so that a gateway that fails to give it does not open the door.
func source(ip string) string { return prefix(ip, 32, 64) }

// network is the wider neighbourhood: an IPv4 /24, an IPv6 /48.
func network(ip string) string { return prefix(ip, 24, 48) }

func prefix(ip string, v4, v6 int) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap().WithZone("")
	bits := v6
	if a.Is4() {
		bits = v4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
