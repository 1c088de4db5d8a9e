package pcbtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// Torture lets workers use the same listeners, four-tuples, ephemeral ports and inpcbs at once, beside a walker and the clock. Most
// answers then depend on the schedule. Checked is what does not:
//
//   - what is open throughout a question is found, what is closed throughout is not: connections and listeners, by segments, users and walks,
//     whoever asks;
//   - a connection that stays open takes every segment in order, once, whoever sends it;
//   - of many who connect, listen, accept or abort on one name, as many succeed as the name came and went;
//   - two handshake ACKs make one connection, and the second is not answered as a stranger's;
//   - no ephemeral port is given to two connects towards the same peer, and all are given that are free;
//   - TIME-WAIT lasts 2MSL, and no longer than the scan after it; a new SYN may end it;
//   - a walk meets nothing twice, and nothing that came after it began;
//   - every segment has one outcome, nothing leaks, retired memory comes back, and all links agree at rest (Info.Close).
//
// With Config.Flood SYNs from everywhere push half-open connections out of a syncache of one bucket meanwhile, and handshakes are tried
// until they hold.
//
// The error is an oracle.Violation of what was found broken first. A worker that hangs because another one died on a panic is left behind.
func Torture(sp pcbinfo.Spec, c Config) error { return torture(sp, c, -1) }

// Fight is one Torture for each of the contests, in which workers do little else than to open, use and close the contest's two names. All of them
// together take Config.Steps.
func Fight(sp pcbinfo.Spec, c Config) error {
	c.Steps = max(1, c.Steps/contests)
	for kind := range contests {
		if err := torture(sp, c, kind); err != nil {
			return err
		}
	}
	return nil
}

// torture is a Torture of one kind; prize is the contest to fight over, -1 for none.
func torture(sp pcbinfo.Spec, c Config, prize int) error {
	if c.Flood {
		c.Table.Halfs = 1
	}
	draw := rand.New(rand.NewPCG(c.Seed, 0x6172656e61))
	if draw.IntN(4) != 0 {
		c.Table.Magazine = 1 + draw.IntN(2) // memory that is freed too early meets its next user soon
	}
	in, _, err := c.open(sp)
	if err != nil {
		return err
	}
	a := &arena{in: in, flood: c.Flood, prize: prize, misses: sp.Misses, once: sp.Misses && sp.Once, lockless: sp.Lockless, oneCache: sp.Name != "connp", beat: c.Beat}
	if a.beat == nil {
		a.beat = func(int) {}
	}
	if err := oracle.Guard(func() error { return a.torture(c) }); err != nil {
		return fmt.Errorf("%v: seed %d: %w", sp, c.Seed, err)
	}
	return nil
}

func (a *arena) torture(c Config) error {
	if err := a.open(c); err != nil {
		return err
	}
	for _, w := range a.workers {
		a.crew.Go(func() error {
			defer a.working.Add(-1)
			return w.work(c.Steps)
		})
	}
	a.crew.Go(a.walk)
	if err := a.crew.Join(); err != nil {
		return err
	}
	return a.check()
}

// An arena is where a Torture takes place.
type arena struct {
	in       pcbinfo.Info
	flood    bool
	prize    int  // the contest to fight over; -1: none
	oneCache bool // not one a group
	lockless bool // a lookup's answer may be history when it is used
	misses   bool // a lookup that loses two races answers none (hazard H5)
	once     bool // and one that loses one
	beat     func(worker int)
	workers  []*worker
	hub      peer          // a connection that all workers use and none ends
	stream   peer          // one that all workers send text on
	at       atomic.Int64  // how far the stream has got, or a little less
	life     atomic.Uint32 // of contestWait
	ticking  atomic.Uint32
	ticked   atomic.Uint32                          // the clock is between these two
	working  atomic.Int32                           // workers that are not done
	crew     crew.Crew                              // the workers and a walker
	owners   [lastPort - firstPort + 1]atomic.Int32 // of the ephemeral ports towards one peer: 1 + the worker that has it
}

// open makes the listener that stays, the workers, and the connections that stay open.
func (a *arena) open(c Config) error {
	if err := a.in.CPU(0).Listen(&pcbinfo.ConnInfo{Lport: sharedPort}); err != nil {
		return err
	}
	for i := range c.Table.CPUs {
		w := newWorker(a, i, c.Seed)
		a.workers = append(a.workers, w)
		if err := w.stays.open(w); err != nil {
			return err
		}
	}
	a.working.Store(int32(len(a.workers)))
	n := newNames(everybody)
	for i, p := range []*peer{&a.hub, &a.stream} {
		p.irs = peerIRS
		p.inc = pcbinfo.ConnInfo{Laddr: n.local[0], Faddr: n.foreign[0], Fport: stayPort + uint16(4+i), Lport: sharedPort}
		if err := p.open(a.workers[0]); err != nil {
			return err
		}
	}
	return nil
}

// check is called at rest and ends the table.
func (a *arena) check() error {
	a.in.CPU(0).SlowTimo(a.workers[0].tick/stepsPerTick + 1<<20)
	table, err := walk(a.in, nil)
	if n := a.in.Len(); err == nil && n != len(table) {
		err = oracle.Violated(oracle.Walk, "the table's count is %d, a walk meets %d", n, len(table))
	}
	if err != nil {
		return err
	}
	for inc, x := range table {
		if x.State == pcbinfo.TimeWait {
			return oracle.Violated(oracle.Gone, "%v is in TIME-WAIT long after 2MSL", inc)
		}
	}
	err = errors.Join(a.checkOpen(table), a.checkContests(table), a.checkPorts(table), a.checkSegments())
	if err != nil {
		return err
	}
	if err := checkSum(a.in, len(a.workers)); err != nil {
		return err
	}
	z := a.in.Zone()
	if err = a.in.Close(); err != nil {
		return err
	}
	if end := a.in.Zone(); end.Retired != 0 || end.Reclaimed < z.Reclaimed+uint64(z.Retired) {
		return oracle.Violated(oracle.Grace, "of %d retired inpcbs %d are still waiting after Close, %d came back", z.Retired, end.Retired, end.Reclaimed-z.Reclaimed)
	}
	return nil
}

// checkOpen compares what was delivered and sent on the connections that stay open with what they hold.
func (a *arena) checkOpen(table map[pcbinfo.ConnInfo]pcbinfo.Xinpcb) (err error) {
	compare := func(what string, p *peer, rcvd, sent uint64) {
		x, here := table[p.inc]
		if !here || x.State != pcbinfo.Established {
			err = errors.Join(err, oracle.Violated(oracle.Found, "%s %v: in the table %v, state %v", what, p.inc, here, x.State))
		} else if x.Rcvd != rcvd || x.RcvNxt != p.irs+1+uint32(rcvd) || x.Sent != sent {
			err = errors.Join(err, oracle.Violated(oracle.Conservation, "%s %v: %d bytes delivered of %d, rcv_nxt %d from it, %d sent of %d",
				what, p.inc, x.Rcvd, rcvd, int32(x.RcvNxt-p.irs-1-uint32(rcvd)), x.Sent, sent))
		}
	}
	var hub, streamed uint64
	for _, w := range a.workers {
		hub += w.hubSent
		streamed += w.streamed
		asked := uint64(0)
		for _, o := range a.workers {
			asked += o.asked[w.id]
		}
		compare("an own open connection", &w.stays, w.stays.bytes, asked)
	}
	compare("the shared connection", &a.hub, 0, hub)
	compare("the stream", &a.stream, streamed*peerLen, 0)
	return err
}

// checkSegments counts outcomes.
func (a *arena) checkSegments() error {
	var sent uint64
	for _, w := range a.workers {
		sent += w.sent
	}
	s := a.in.Stats()
	if s.Segments() != sent {
		return oracle.Violated(oracle.Conservation, "%d segments sent, %d have an outcome", sent, s.Segments())
	}
	if floods := a.workers[0].flooded; a.flood && a.oneCache && floods > 100 && s.Evicted == 0 {
		return oracle.Violated(oracle.Conservation, "%d SYNs of worker 0 alone pushed nothing out of a syncache of one bucket", floods)
	}
	return nil
}

// checkPorts takes all ephemeral ports that are left towards the peer that workers share: neither more nor fewer than are free.
func (a *arena) checkPorts(table map[pcbinfo.ConnInfo]pcbinfo.Xinpcb) error {
	w := a.workers[0]
	inc := w.shares
	want := 0
	for port := uint16(firstPort); port <= lastPort; port++ {
		inc.Lport = port
		_, taken := table[inc]
		_, any := table[pcbinfo.ConnInfo{Lport: port}]
		_, bound := table[pcbinfo.ConnInfo{Laddr: inc.Laddr, Lport: port}]
		if !taken && !any && !bound {
			want++
		}
	}
	for got := 0; ; got++ {
		inc := w.shares
		switch _, err := w.cpu.Connect(&inc); {
		case err == pcbinfo.ErrNoPort && got == want:
			return nil
		case err != nil || got == want:
			return oracle.Violated(oracle.Answer, "%d ephemeral ports are free; connect %d: port %d, error %v", want, got+1, inc.Lport, err)
		}
	}
}
