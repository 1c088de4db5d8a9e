package workloads

import (
	"encoding/binary"

	"pcbbench/pcbinfo"
)

// rssKey is the key of Microsoft's verification suite, and FreeBSD's default (rss_config.c).
var rssKey = [40]byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
}

// toeplitzTable holds, for each byte position and value, that byte's share of the hash: 36 loads instead of 288 shifts.
var toeplitzTable = func() (t [36][256]uint32) {
	for pos := range t {
		window := binary.BigEndian.Uint64(append(rssKey[pos:min(pos+8, 40):min(pos+8, 40)], make([]byte, 8)...))
		for v := range t[pos] {
			for bit := range 8 {
				if v&(0x80>>bit) != 0 {
					t[pos][v] ^= uint32(window << bit >> 32)
				}
			}
		}
	}
	return t
}()

// Toeplitz is the RSS hash of a connection over addresses and ports, foreign end first, as a network card computes it for what it
// receives (Microsoft, "RSS Hashing Types"; sys/net/toeplitz.c).
func Toeplitz(inc *pcbinfo.ConnInfo) uint32 {
	var b []byte
	if f, l := inc.Faddr.Netip(), inc.Laddr.Netip(); f.Is4() && l.Is4() {
		f4, l4 := f.As4(), l.As4()
		b = append(append(make([]byte, 0, 36), f4[:]...), l4[:]...)
	} else {
		f16, l16 := f.As16(), l.As16()
		b = append(append(make([]byte, 0, 36), f16[:]...), l16[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, inc.Fport)
	b = binary.BigEndian.AppendUint16(b, inc.Lport)
	var h uint32
	for pos, v := range b {
		h ^= toeplitzTable[pos][v]
	}
	return h
}

// rssQueues is the least size of the indirection table through which a card maps the hash's low bits to a queue.
const rssQueues = 128

// rssWorker is the worker whose queue hash is steered to, with the indirection table filled round robin; the table has entries for all.
func rssWorker(hash uint32, workers int) int {
	size := rssQueues
	for size < workers {
		size *= 2
	}
	return int(hash) % size % workers
}
