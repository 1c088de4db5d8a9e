package pcbtest

import (
	"fmt"
	"net/netip"

	"pcbbench/pcbinfo"
)

// checkKeys holds what keys are made of to its promises, on connections that a history uses. The Reference takes addresses and initial
// numbers from package pcbinfo, as generators do, so that no comparison with a table sees bad ones.
func checkKeys(conns []pcbinfo.ConnInfo) error {
	for _, any := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if a := pcbinfo.AddrFrom(any); a != (pcbinfo.Addr{}) || !a.IsAny() {
			return fmt.Errorf("%v becomes %v, any %v", any, a.Netip(), a.IsAny())
		}
	}
	for _, inc := range conns {
		for _, a := range []pcbinfo.Addr{inc.Laddr, inc.Faddr} {
			ip := a.Netip()
			if pcbinfo.AddrFrom(ip) != a || a.Is4() != ip.Is4() || a.IsAny() {
				return fmt.Errorf("%v becomes %v; IPv4 %v, any %v", ip, pcbinfo.AddrFrom(ip).Netip(), a.Is4(), a.IsAny())
			}
		}
	}
	return checkISN(conns)
}

// checkISN: an initial number follows from tuple and clock alone, moves with the clock one to one, and no two connections' are the same.
func checkISN(conns []pcbinfo.ConnInfo) error {
	seen := make(map[uint32]pcbinfo.ConnInfo)
	for _, inc := range conns {
		again := inc
		f := pcbinfo.ISN(&inc, 0)
		if pcbinfo.ISN(&again, 0) != f || again != inc {
			return fmt.Errorf("the initial number for %v is not always %d", inc, f)
		}
		for _, m := range irs {
			if n := pcbinfo.ISN(&inc, m); n-f != m {
				return fmt.Errorf("the initial number for %v is %d with a clock of 0 and %d with one of %d", inc, f, n, m)
			}
		}
		if inc.Faddr.Is4() != inc.Laddr.Is4() {
			continue // no such connection: its hash need not be good
		}
		if other, dup := seen[f]; dup { // not by chance: names and secret are constants, and TestNames has met them all
			return fmt.Errorf("the initial numbers for %v and %v are the same", inc, other)
		}
		seen[f] = inc
	}
	return nil
}
