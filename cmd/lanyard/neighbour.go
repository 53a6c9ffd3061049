package main

import (
	"net/netip"
	"os"

	"github.com/prometheus/procfs"
)

// established is the state of a connection in /proc/net/tcp, see proc(5).
const established = 1

// ownConnection reports whether the other end of a connection, at the given
// address of this machine, belongs to a process of the user that the server runs
// as. That user can read the store's file anyway. A proxy, which may say nothing
// of whom it asks for, has a user of its own. Where the system does not tell
// (other than Linux; a proxy in a container), the answer is no.
func ownConnection(from netip.AddrPort) bool {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return false
	}
	want := netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	for _, read := range []func() (procfs.NetTCP, error){proc.NetTCP, proc.NetTCP6} {
		sockets, err := read()
		if err != nil {
			continue // a machine without IPv6 has no such file
		}
		for _, s := range sockets {
			local, ok := netip.AddrFromSlice(s.LocalAddr)
			if ok && s.St == established && uint64(want.Port()) == s.LocalPort && local.Unmap() == want.Addr() {
				return s.UID == uint64(os.Geteuid()) //nolint:gosec // never negative on Linux
			}
		}
	}
	return false
}
