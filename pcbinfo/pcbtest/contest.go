package pcbtest

import (
	"errors"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// What all workers open and close at once: at each moment at most one of them succeeds, and in the end as many have opened as closed,
// but for what is left.

// The contests.
const (
	contestConnect = iota // Connect from a given port, Abort
	contestAccept         // SYN, ACK, Abort
	contestListen         // Listen, Close
	contestTuple          // all of the first two on one four-tuple; of this and the next only what is left is looked at
	contestWait           // whole lives up to TIME-WAIT, which the next one, an Abort and the clock end
	contests
)

// contestNames is how many names each has, so that memory moves between them.
const contestNames = 2

// A tally counts one worker's successes.
type tally struct{ opened, closed int }

// contest is one of a contest's names.
func contest(kind, which int) pcbinfo.ConnInfo {
	n := newNames(everybody)
	family := kind % 2
	inc := pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Fport: contestPort + uint16(contestNames*kind+which)}
	switch kind {
	case contestConnect:
		inc.Lport = boundPort
	case contestAccept, contestTuple, contestWait:
		inc.Lport = sharedPort
	case contestListen:
		inc = pcbinfo.ConnInfo{Laddr: n.local[family], Lport: disputedPort + uint16(which)}
	}
	return inc
}

// contend takes part in one contest, several times on end.
func (w *worker) contend() (err error) {
	kind := w.rng.IntN(contests)
	for range 4 {
		if err == nil {
			err = w.take(kind)
		}
	}
	return err
}

func (w *worker) take(kind int) error {
	which := w.rng.IntN(contestNames)
	inc := contest(kind, which)
	t := &w.contests[kind][which]
	switch w.rng.IntN(4) {
	case 0:
		return w.poke(kind, inc)
	case 1, 2:
		return w.shut(kind, &inc, t)
	}
	switch kind {
	case contestTuple:
		return w.mix(inc)
	case contestWait:
		return w.live(inc)
	case contestConnect:
		iss, err := w.cpu.Connect(&inc)
		if first := pcbinfo.ISN(&inc, 0); err == nil && uint16(iss-first) != 0 { // the memory's lives count in the upper half
			return oracle.Violated(oracle.Key, "connect %v: initial number %d, which is not one of its own, %d and so on", inc, iss, first)
		}
		return t.opens(err, pcbinfo.ErrInUse)
	case contestListen:
		return t.opens(w.cpu.Listen(&inc), pcbinfo.ErrInUse)
	}
	return w.knock(inc, t)
}

// poke uses what others are opening and closing: whatever it meets, it must be that.
func (w *worker) poke(kind int, inc pcbinfo.ConnInfo) error {
	if err := w.cpu.Send(&inc, 1); err != nil && err != pcbinfo.ErrNotFound && err != pcbinfo.ErrPipe {
		return oracle.Violated(oracle.Answer, "send to %v: %w", inc, err)
	}
	if kind == contestListen {
		inc.Faddr, inc.Fport = newNames(everybody).foreign[kind%2], contestPort
	}
	p := peer{inc: inc, irs: peerIRS - 1} // whose ACK completes nothing
	out, err := w.outcome(p.segment(pcbinfo.ACK))
	if err == nil && kind == contestAccept && out == pcbinfo.DropNoPCB && !w.arena.misses {
		err = oracle.Violated(oracle.Found, "ACK for %v, where a listener is: %v", inc, out)
	}
	return err
}

// mix connects, or sends a part of a handshake, on one name: no two of them may come to stand in the table.
func (w *worker) mix(inc pcbinfo.ConnInfo) error {
	p := peer{inc: inc, irs: peerIRS}
	seg := p.segment(pcbinfo.ACK)
	switch w.rng.IntN(3) {
	case 0:
		if _, err := w.cpu.Connect(&inc); err != nil && err != pcbinfo.ErrInUse {
			return answered("connect", &inc, err)
		}
		return nil
	case 1:
		seg = p.syn(0)
	}
	_, err := w.outcome(seg)
	return err
}

// live leads a connection from SYN to TIME-WAIT, as far as others let it.
func (w *worker) live(inc pcbinfo.ConnInfo) error {
	p := peer{inc: inc, irs: w.arena.life.Add(1) << 16}
	syn, ack, fin := p.syn(0), p.segment(pcbinfo.ACK), p.segment(pcbinfo.FIN|pcbinfo.ACK)
	fin.Ack++
	for _, seg := range []*pcbinfo.Segment{syn, ack, fin} {
		if seg == fin {
			if err := w.cpu.Close(&p.inc); err != nil && err != pcbinfo.ErrNotFound && err != pcbinfo.ErrPipe {
				return answered("close", &p.inc, err)
			}
		}
		if _, err := w.outcome(seg); err != nil {
			return err
		}
	}
	return nil
}

// knock sends a handshake, of which others may send parts. An entry of the syncache counts as open.
func (w *worker) knock(inc pcbinfo.ConnInfo, t *tally) error {
	p := peer{inc: inc, irs: peerIRS}
	out, err := w.outcome(p.syn(0))
	switch {
	case err != nil:
		return err
	case out == pcbinfo.GotSyn:
		t.opened++
	case out == pcbinfo.DropNoPCB && w.arena.misses:
	case out != pcbinfo.GotSynDup && out != pcbinfo.DropSyn && out != pcbinfo.DropOld:
		return oracle.Violated(oracle.Found, "SYN for %v, where a listener is: %v", inc, out)
	}
	ends := []pcbinfo.Outcome{pcbinfo.GotAccept, pcbinfo.GotAck, pcbinfo.DropListen, pcbinfo.DropNoPCB}
	if !w.arena.misses {
		ends = ends[:3]
	}
	return w.expect(p.segment(pcbinfo.ACK), ends...)
}

func (w *worker) shut(kind int, inc *pcbinfo.ConnInfo, t *tally) error {
	if kind == contestAccept && w.rng.IntN(2) == 0 {
		return w.reset(*inc, t)
	}
	shut := w.cpu.Abort
	if kind == contestListen {
		shut = w.cpu.Close
	}
	switch err := shut(inc); err {
	case nil:
		t.closed++
	case pcbinfo.ErrNotFound:
	default:
		return answered("close", inc, err)
	}
	return nil
}

// reset lets the peer end it, half-open or not.
func (w *worker) reset(inc pcbinfo.ConnInfo, t *tally) error {
	p := peer{inc: inc, irs: peerIRS}
	out, err := w.outcome(p.segment(pcbinfo.RST))
	switch {
	case err != nil:
		return err
	case out == pcbinfo.GotRst:
		t.closed++
	case out != pcbinfo.DropListen && !(out == pcbinfo.DropNoPCB && w.arena.misses):
		return oracle.Violated(oracle.Found, "RST for %v, where a listener is: %v", inc, out)
	}
	return nil
}

func (t *tally) opens(err, refusal error) error {
	if err == nil {
		t.opened++
	} else if err != refusal {
		return oracle.Violated(oracle.Answer, "%w", err)
	}
	return nil
}

// checkContests is called at rest. A half-open connection that was pushed out was closed by nobody; nor was one whose SYN found the listener
// just before another made the connection, where no lock keeps the two apart: the ACK that completes it comes second (hazard H9).
func (a *arena) checkContests(table map[pcbinfo.ConnInfo]pcbinfo.Xinpcb) (err error) {
	for kind := range contestTuple {
		for which := range contestNames {
			err = errors.Join(err, a.checkContest(table, kind, which))
		}
	}
	return err
}

func (a *arena) checkContest(table map[pcbinfo.ConnInfo]pcbinfo.Xinpcb, kind, which int) error {
	inc := contest(kind, which)
	var sum tally
	for _, w := range a.workers {
		sum.opened += w.contests[kind][which].opened
		sum.closed += w.contests[kind][which].closed
	}
	open := 0
	if _, here := table[inc]; here {
		open = 1
	} else if kind == contestAccept && a.workers[0].cpu.Abort(&inc) == nil {
		open = 1
	}
	lost := kind == contestAccept && (a.flood || a.lockless) && sum.opened >= sum.closed+open
	if sum.opened != sum.closed+open && !lost {
		return oracle.Violated(oracle.Conservation, "%v was opened %d times and closed %d times, and %d are left", inc, sum.opened, sum.closed, open)
	}
	return nil
}
