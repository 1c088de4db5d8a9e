package workloadtest

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// rssKey is the key of the verification suite in Microsoft's "Verifying the RSS Hash Calculation", bit after bit.
var rssKey = func() (bits []byte) {
	key, err := hex.DecodeString("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
	if err != nil {
		panic("workloadtest: " + err.Error())
	}
	return spell(key)
}()

// spell makes a byte, 0 or 1, of every bit.
func spell(b []byte) (bits []byte) {
	for _, v := range b {
		for i := 7; i >= 0; i-- {
			bits = append(bits, v>>i&1)
		}
	}
	return bits
}

// toeplitz is the hash as it is defined: for each bit set of the input, the 32 bits of the key that begin there.
func toeplitz(input []byte) (h uint32) {
	for i, set := range spell(input) {
		if set == 0 {
			continue
		}
		var window uint32
		for _, b := range rssKey[i : i+32] {
			window = window<<1 | uint32(b)
		}
		h ^= window
	}
	return h
}

// rssInput is what a card hashes of a packet: source, destination, their ports.
func rssInput(src, dst netip.AddrPort) []byte {
	b := append(src.Addr().Unmap().AsSlice(), dst.Addr().Unmap().AsSlice()...)
	return append(b, byte(src.Port()>>8), byte(src.Port()), byte(dst.Port()>>8), byte(dst.Port()))
}

func ends(inc *pcbinfo.ConnInfo) (foreign, local netip.AddrPort) {
	return netip.AddrPortFrom(inc.Faddr.Netip(), inc.Fport), netip.AddrPortFrom(inc.Laddr.Netip(), inc.Lport)
}

func rssHash(inc *pcbinfo.ConnInfo) uint32 { return toeplitz(rssInput(ends(inc))) }

// rssWorker is the queue of the indirection table's entry for hash: the table has 128 entries or the next power of two that gives each
// worker one, filled round robin.
func rssWorker(hash uint32, workers int) int {
	size := uint32(128)
	for int(size) < workers {
		size <<= 1
	}
	return int(hash&(size-1)) % workers
}

// vectors are those of Microsoft's "Verifying the RSS Hash Calculation", TCP rows.
var vectors = []struct {
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
}

func connInfo(src, dst netip.AddrPort) pcbinfo.ConnInfo {
	return pcbinfo.ConnInfo{Faddr: pcbinfo.AddrFrom(src.Addr()), Laddr: pcbinfo.AddrFrom(dst.Addr()), Fport: src.Port(), Lport: dst.Port()}
}

// Toeplitz compares workloads.Toeplitz with the published answers and, on random connections, with the definition.
func Toeplitz(rng *rand.Rand) error {
	for _, v := range vectors {
		inc := connInfo(netip.MustParseAddrPort(v.src), netip.MustParseAddrPort(v.dst))
		if got, own := workloads.Toeplitz(&inc), rssHash(&inc); got != v.want || own != v.want {
			return oracle.Violated(oracle.Distribution, "Toeplitz of %s -> %s is %08x, published is %08x", v.src, v.dst, got, v.want)
		}
	}
	for i := range 64 {
		inc := connInfo(randomEnd(rng, i%2 == 0), randomEnd(rng, i%2 == 0))
		if got, want := workloads.Toeplitz(&inc), rssHash(&inc); got != want {
			return oracle.Violated(oracle.Distribution, "Toeplitz of %v is %08x, by definition %08x", inc, got, want)
		}
	}
	return nil
}

func randomEnd(rng *rand.Rand, v6 bool) netip.AddrPort {
	var a [16]byte
	for i := range a {
		a[i] = byte(rng.Uint32())
	}
	a[0] |= 1 // not unspecified, not IPv4 in IPv6
	addr := netip.AddrFrom4([4]byte(a[:4]))
	if v6 {
		addr = netip.AddrFrom16(a)
	}
	return netip.AddrPortFrom(addr, uint16(rng.Uint32()))
}
