package pcbinfo

import (
	"slices"
	"testing"
)

// TestEphemeralTriesAll refuses every port: each must have been tried once before the search gives up, from wherever it begins.
func TestEphemeralTriesAll(t *testing.T) {
	const first, last = 65500, 65535 // to the end of the range of numbers
	c := &cpu{b: &base{cfg: Config{FirstPort: first, LastPort: last}}}
	for range 3 {
		inc := ConnInfo{Laddr: addr("192.0.2.1"), Faddr: addr("198.18.0.1"), Fport: 443}
		var tried []uint16
		err := c.ephemeral(&inc, func() bool {
			tried = append(tried, inc.Lport)
			return false
		})
		if err != ErrNoPort || inc.Lport != 0 {
			t.Errorf("error %v, port %d", err, inc.Lport)
		}
		slices.Sort(tried)
		if len(tried) != last-first+1 || len(slices.Compact(tried)) != len(tried) || tried[0] != first || tried[len(tried)-1] != last {
			t.Errorf("tried %v", tried)
		}
	}
}

// TestEphemeralOrder checks what RFC 6056 3.3.3 wants: successive ports towards one peer, an unrelated start towards another.
func TestEphemeralOrder(t *testing.T) {
	const first, last = 10000, 59999
	c := &cpu{b: &base{cfg: Config{FirstPort: first, LastPort: last}}}
	next := func(fport uint16) uint16 {
		inc := ConnInfo{Laddr: addr("192.0.2.1"), Faddr: addr("198.18.0.1"), Fport: fport}
		if err := c.ephemeral(&inc, func() bool { return true }); err != nil {
			t.Fatal(err)
		}
		return inc.Lport
	}
	a, b, other := next(443), next(443), next(444)
	if b != a+1 && (a != last || b != first) {
		t.Errorf("port %d follows on %d", b, a)
	}
	if other == b+1 {
		t.Errorf("port %d towards another peer follows on %d", other, b)
	}
}

// TestPortExhaustion uses up the ports towards one peer, on two handles, and gives one back.
func TestPortExhaustion(t *testing.T) {
	for _, name := range tables(1) {
		t.Run(name, func(t *testing.T) {
			in := newInfo(t, name, Config{CPUs: 2, FirstPort: 50000, LastPort: 50004})
			c, d := in.CPU(0), in.CPU(1)
			peer := ConnInfo{Laddr: addr("192.0.2.1"), Faddr: addr("198.18.0.1"), Fport: 443}
			if err := c.Listen(&ConnInfo{Lport: 50002}); err != nil { // a listener's port is not ephemeral, whatever its address
				t.Fatal(err)
			}
			used := map[uint16]bool{50002: true}
			for i := range 4 {
				inc := peer
				if _, err := in.CPU(i % 2).Connect(&inc); err != nil || used[inc.Lport] || inc.Lport < 50000 || inc.Lport > 50004 {
					t.Fatalf("connect %d: port %d, error %v; used are %v", i, inc.Lport, err, used)
				}
				used[inc.Lport] = true
			}
			for _, h := range []CPU{c, d} {
				inc := peer
				if _, err := h.Connect(&inc); err != ErrNoPort || inc.Lport != 0 {
					t.Errorf("all ports in use: port %d, error %v", inc.Lport, err)
				}
			}
			other := peer
			other.Fport++
			if _, err := c.Connect(&other); err != nil {
				t.Errorf("towards another peer: %v", err)
			}
			gone := peer
			gone.Lport = 50003
			if err := c.Abort(&gone); err != nil {
				t.Fatal(err)
			}
			if inc := peer; true {
				if _, err := d.Connect(&inc); err != nil || inc.Lport != 50003 {
					t.Errorf("one port free: got %d, error %v", inc.Lport, err)
				}
			}
			closeInfo(t, in)
		})
	}
}
