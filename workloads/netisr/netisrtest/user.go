package netisrtest

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// A user makes requests, one after another.
type user struct {
	*rig
	index    int
	cpu      pcbinfo.CPU
	requests []request
	next     int
	failed   uint64 // of those that nobody waited for
	_        [128]byte
	done     atomic.Int64
	_        [128]byte
}

// write makes n requests: of all kinds, or Sends, of which many may be on their way. The first user is the clock, too.
func (u *user) write(n int, rng *rand.Rand) {
	kinds := [...]int{1, ticks}[rng.IntN(2)]
	for k := range n {
		q := request{kind: rng.IntN(kinds), user: u.index, number: k, flow: rng.IntN(u.c.Flows), err: errs[rng.IntN(len(errs))]}
		if u.index == 0 && k%16 == 0 {
			q.kind, q.err = ticks, nil
		}
		u.requests = append(u.requests, q)
	}
}

// all makes all of them.
func (u *user) all() error {
	for u.next < len(u.requests) && !u.team.Failed() {
		if err := u.ask(); err != nil {
			return err
		}
	}
	return nil
}

// ask makes the next request, if there is one.
func (u *user) ask() error {
	if u.next == len(u.requests) {
		return nil
	}
	q := &u.requests[u.next]
	u.next++
	key := q.inc()
	var err error
	var iss uint32
	switch q.kind {
	case sends:
		err = u.cpu.Send(&key, u.index<<16|q.number)
	case connects:
		choose := q.number%2 == 0
		if choose {
			key.Lport = 0
		}
		iss, err = u.cpu.Connect(&key)
		if err == nil && (iss != q.iss() || choose && key.Lport != uint16(q.number)+1) {
			return oracle.Violated(oracle.Answer, "Connect %d of user %d was answered %d and port %d", q.number, q.user, iss, key.Lport)
		}
	case listens:
		err = u.cpu.Listen(&key)
	case closes:
		err = u.cpu.Close(&key)
	case aborts:
		err = u.cpu.Abort(&key)
	case ticks:
		u.cpu.SlowTimo(uint32(q.number))
	}
	q.end = u.now()
	want := q.err
	if u.async && (q.kind == sends || q.kind == closes) { // nobody waits for it
		if q.err != nil {
			u.failed++
		}
		want = nil
	} else if !q.performed {
		return oracle.Violated(oracle.Answer, "%s %d of user %d was answered and has not been made", requestNames[q.kind], q.number, q.user)
	}
	if !errors.Is(err, want) {
		return oracle.Violated(oracle.Answer, "%s %d of user %d was answered %v, want %v", requestNames[q.kind], q.number, q.user, err, want)
	}
	return nil
}
