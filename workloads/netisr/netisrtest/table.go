package netisrtest

import (
	"net/netip"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// A table takes notes of the requests that are made of it, and answers them.
type table struct {
	pcbinfo.Info
	*rig
}

func (t *table) CPU(handle int) pcbinfo.CPU { return &tableCPU{rig: t.rig, handle: handle} }

type tableCPU struct {
	pcbinfo.CPU
	*rig
	handle int
}

// The requests.
const (
	sends = iota
	connects
	listens
	closes
	aborts
	ticks
	requests
)

var requestNames = [requests]string{"Send", "Connect", "Listen", "Close", "Abort", "SlowTimo"}

// A request is one that a user makes. The table knows it again by the local end's address and by what comes with it.
type request struct {
	kind      int
	user      int
	number    int
	flow      int
	err       error // the answer
	performed bool
	end       uint64 // of the call, by the rig's clock; that for a request that nobody waits for is over when it is sent
}

// inc names the connection of a flow.
func inc(flow int) pcbinfo.ConnInfo {
	return pcbinfo.ConnInfo{Faddr: address(10, flow), Laddr: address(192, 0), Fport: uint16(1 + flow), Lport: 80}
}

func address(net byte, host int) pcbinfo.Addr {
	return pcbinfo.AddrFrom(netip.AddrFrom4([4]byte{net, byte(host >> 16), byte(host >> 8), byte(host)}))
}

// errs are the answers that a request can get.
var errs = [...]error{nil, pcbinfo.ErrNotFound, nil, pcbinfo.ErrPipe, pcbinfo.ErrInUse}

// iss is what a Connect is answered.
func (q *request) iss() uint32 { return uint32(q.user)<<16 + uint32(q.number) + 1 }

// noted is what each request comes to: the table is asked for it, once, on a handle that is nobody else's meanwhile.
func (c *tableCPU) noted(kind int, key pcbinfo.ConnInfo, n int) *request {
	h := &c.handlers[c.handle]
	h.enter()
	defer h.leave()
	q := c.request(kind, key, n)
	if q.performed {
		panic(oracle.Violated(oracle.Conservation, "%s %d of user %d was made twice", requestNames[kind], q.number, q.user))
	}
	q.performed = true
	h.asked = append(h.asked, asked{q, len(h.notes)})
	c.users[q.user].done.Add(1) // pairs with the Load in settled
	return q
}

// request is the one that the table is asked for: n is its number, and the user's above.
func (r *rig) request(kind int, key pcbinfo.ConnInfo, n int) *request {
	user, number := n>>16, n&0xffff
	if user < len(r.users) && number < len(r.users[user].requests) {
		if q := &r.users[user].requests[number]; q.kind == kind && (kind == ticks || key == q.inc()) {
			return q
		}
	}
	panic(oracle.Violated(oracle.Conservation, "the table is asked for a %s that no user made", requestNames[kind]))
}

// inc is the request's. What has no number to go by has it in the local end, which is the connection's own then.
func (q *request) inc() pcbinfo.ConnInfo {
	key := inc(q.flow)
	if q.kind != sends {
		key.Laddr = address(172, q.user<<16|q.number)
	}
	if q.kind == listens {
		key.Faddr, key.Fport = pcbinfo.Addr{}, 0
	}
	return key
}

// number is what inc says of it.
func number(key *pcbinfo.ConnInfo) int {
	a := key.Laddr.Netip().As4()
	return int(a[1])<<16 | int(a[2])<<8 | int(a[3])
}

func (c *tableCPU) Send(key *pcbinfo.ConnInfo, n int) error { return c.noted(sends, *key, n).err }
func (c *tableCPU) Listen(key *pcbinfo.ConnInfo) error {
	return c.noted(listens, *key, number(key)).err
}
func (c *tableCPU) Close(key *pcbinfo.ConnInfo) error { return c.noted(closes, *key, number(key)).err }
func (c *tableCPU) Abort(key *pcbinfo.ConnInfo) error { return c.noted(aborts, *key, number(key)).err }
func (c *tableCPU) SlowTimo(now uint32)               { c.noted(ticks, pcbinfo.ConnInfo{}, int(now)) }
func (c *tableCPU) Idle()                             {}
func (c *tableCPU) Connect(key *pcbinfo.ConnInfo) (uint32, error) {
	asked := *key
	asked.Lport = 80
	q := c.noted(connects, asked, number(key))
	if key.Lport == 0 {
		key.Lport = uint16(q.number) + 1
	}
	return q.iss(), q.err
}
