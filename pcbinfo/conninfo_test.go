package pcbinfo

import (
	"net/netip"
	"testing"
)

func TestAddr(t *testing.T) {
	for _, text := range []string{"192.0.2.1", "255.255.255.255", "2001:db8::1", "::1", "fe80::1"} {
		a := netip.MustParseAddr(text)
		got := AddrFrom(a)
		if got.Netip() != a || got.Is4() != a.Is4() || got.IsAny() {
			t.Errorf("%s comes back as %v, IPv4 %v, any %v", a, got.Netip(), got.Is4(), got.IsAny())
		}
	}
	if AddrFrom(netip.MustParseAddr("::ffff:192.0.2.1")) != addr("192.0.2.1") {
		t.Error("a mapped address is not the IPv4 address")
	}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::"), netip.MustParseAddr("::ffff:0.0.0.0")} {
		if !AddrFrom(a).IsAny() {
			t.Errorf("%v is not the unspecified address", a)
		}
	}
}

// TestMatch changes one thing of a key at a time: match must see it, and the hash nearly always.
func TestMatch(t *testing.T) {
	for _, inc := range []ConnInfo{
		{Laddr: addr("192.0.2.1"), Lport: 80, Faddr: addr("198.18.0.1"), Fport: 1000},
		{Laddr: addr("2001:db8::1"), Lport: 80, Faddr: addr("2001:2::1"), Fport: 1000},
	} {
		hashes := map[uint32]string{inc.hash(1): "the key"}
		for what, change := range map[string]func(*ConnInfo){
			"itself":             func(*ConnInfo) {},
			"foreign port":       func(o *ConnInfo) { o.Fport++ },
			"local port":         func(o *ConnInfo) { o.Lport++ },
			"foreign host":       func(o *ConnInfo) { o.Faddr.lo++ },
			"local host":         func(o *ConnInfo) { o.Laddr.lo++ },
			"foreign net":        func(o *ConnInfo) { o.Faddr.hi++ },
			"local net":          func(o *ConnInfo) { o.Laddr.hi++ },
			"ports swapped":      func(o *ConnInfo) { o.Fport, o.Lport = o.Lport, o.Fport },
			"addresses swapped":  func(o *ConnInfo) { o.Faddr, o.Laddr = o.Laddr, o.Faddr },
			"ends swapped whole": func(o *ConnInfo) { *o = ConnInfo{Faddr: o.Laddr, Laddr: o.Faddr, Fport: o.Lport, Lport: o.Fport} },
		} {
			o := inc
			change(&o)
			if same := what == "itself"; inc.match(&o) != same || same != (o == inc) {
				t.Errorf("%v: %s: match %v", inc, what, inc.match(&o))
			}
			if !inc.Laddr.Is4() || what != "local net" { // IPv4 hashes do not look at the upper halves, which are 0
				if other, dup := hashes[o.hash(1)]; dup && what != "itself" {
					t.Errorf("%v: %s hashes as %s", inc, what, other)
				}
				hashes[o.hash(1)] = what
			}
		}
		if inc.hash(1) == inc.hash(2) {
			t.Errorf("%v: the seed makes no difference", inc)
		}
	}
}

// TestHashSpread hashes regular keys, as workloads make them: over 4096 buckets they must spread like random ones, by the low bits
// of the hash and by the high ones, by which connp chooses groups.
func TestHashSpread(t *testing.T) {
	const keys, bits = 1 << 16, 12
	for name, key := range map[string]func(i int) ConnInfo{
		"ports": func(i int) ConnInfo {
			return ConnInfo{Laddr: addr4(0), Faddr: addr4(1 + i>>14), Lport: 80, Fport: uint16(1024 + i&(1<<14-1))}
		},
		"hosts": func(i int) ConnInfo { return ConnInfo{Laddr: addr4(0), Faddr: addr4(1 + i), Lport: 80, Fport: 1024} },
		"v6 hosts": func(i int) ConnInfo {
			return ConnInfo{Laddr: Addr{1 << 60, 1}, Faddr: Addr{1 << 60, uint64(i)}, Lport: 80, Fport: 1024}
		},
		"v6 ports": func(i int) ConnInfo {
			return ConnInfo{Laddr: Addr{1 << 60, 1}, Faddr: Addr{1 << 60, uint64(i >> 14)}, Lport: 80, Fport: uint16(1024 + i&(1<<14-1))}
		},
	} {
		for seed := range uint64(8) { // small ones, as users give
			var low, high [1 << bits]int
			for i := range keys {
				inc := key(i)
				h := inc.hash(seed)
				low[h&(1<<bits-1)]++
				high[h>>(32-bits)]++
			}
			for half, counts := range map[string]*[1 << bits]int{"low": &low, "high": &high} {
				// Of random keys the statistic has a mean of 4095 and a standard deviation of 90; one multiplication does not mix
				// that well, but the load of a bucket must not vary twice as much.
				if x := chiSquared(counts[:], keys); x > 2*4095 {
					t.Errorf("%s, seed %d, %s bits: chi-squared %.0f", name, seed, half, x)
				}
			}
		}
	}
}

func addr4(i int) Addr { return Addr{0, 0xffff<<32 | 198<<24 | 18<<16 + uint64(i)} }

func chiSquared(counts []int, n int) (x float64) {
	mean := float64(n) / float64(len(counts))
	for _, c := range counts {
		d := float64(c) - mean
		x += d * d / mean
	}
	return x
}

// TestISN checks what generators rely on: the stack's number follows the peer's.
func TestISN(t *testing.T) {
	a, b := tuple(1), tuple(2)
	if ISN(&a, 1000)-ISN(&a, 0) != 1000 || ISN(&a, 0) == ISN(&b, 0) {
		t.Error("the initial number does not follow the peer's, or is the same for another connection")
	}
}
