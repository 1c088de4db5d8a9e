package workloads

import (
	"net/netip"
	"testing"

	"pcbbench/pcbinfo"
)

// TestToeplitz checks the vectors of Microsoft's "Verifying the RSS Hash Calculation", TCP rows.
func TestToeplitz(t *testing.T) {
	for _, v := range []struct {
		src, dst string
		want     uint32
	}{
		{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178},
		{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea},
		{"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a},
		{"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f},
		{"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2},
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
		{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
		{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x02d1feef},
	} {
		src, dst := netip.MustParseAddrPort(v.src), netip.MustParseAddrPort(v.dst)
		inc := pcbinfo.ConnInfo{Faddr: pcbinfo.AddrFrom(src.Addr()), Laddr: pcbinfo.AddrFrom(dst.Addr()), Fport: src.Port(), Lport: dst.Port()}
		if got := Toeplitz(&inc); got != v.want {
			t.Errorf("%s -> %s: %08x, want %08x", v.src, v.dst, got, v.want)
		}
	}
}
