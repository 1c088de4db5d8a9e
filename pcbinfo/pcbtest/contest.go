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
	contests
)

// A tally counts one worker's successes.
type tally struct{ opened, closed int }

// contest is a contest's name.
func contest(kind int) pcbinfo.ConnInfo {
	n := newNames(everybody)
	family := kind % 2
	inc := pcbinfo.ConnInfo{Laddr: n.local[family], Faddr: n.foreign[family], Fport: contestPort + uint16(kind)}
	switch kind {
	case contestConnect:
		inc.Lport = boundPort
	case contestAccept:
		inc.Lport = sharedPort
	case contestListen:
		inc = pcbinfo.ConnInfo{Laddr: n.local[family], Lport: disputedPort}
	}
	return inc
}

// contend takes part in one contest.
func (w *worker) contend() error {
	kind := w.rng.IntN(contests)
	inc := contest(kind)
	t := &w.contests[kind]
	if w.rng.IntN(2) == 0 {
		return w.shut(kind, &inc, t)
	}
	switch kind {
	case contestConnect:
		_, err := w.cpu.Connect(&inc)
		return t.opens(err, pcbinfo.ErrInUse)
	case contestListen:
		return t.opens(w.cpu.Listen(&inc), pcbinfo.ErrInUse)
	}
	return w.knock(inc, t)
}

// knock sends a handshake, of which others may send parts. An entry of the syncache counts as open.
func (w *worker) knock(inc pcbinfo.ConnInfo, t *tally) error {
	p := peer{inc: inc, irs: peerIRS}
	syn := p.segment(pcbinfo.SYN)
	syn.Seq--
	out, err := w.outcome(syn)
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
	err := pcbinfo.ErrNotFound
	if kind == contestListen {
		err = w.cpu.Close(inc)
	} else {
		err = w.cpu.Abort(inc)
	}
	if err == nil {
		t.closed++
	} else if err != pcbinfo.ErrNotFound {
		return answered("close", inc, err)
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
	for kind := range contests {
		inc := contest(kind)
		var sum tally
		for _, w := range a.workers {
			sum.opened += w.contests[kind].opened
			sum.closed += w.contests[kind].closed
		}
		open := 0
		if _, here := table[inc]; here {
			open = 1
		} else if kind == contestAccept && a.workers[0].cpu.Abort(&inc) == nil {
			open = 1
		}
		lost := kind == contestAccept && (a.flood || a.lockless) && sum.opened >= sum.closed+open
		if sum.opened != sum.closed+open && !lost {
			err = errors.Join(err, oracle.Violated(oracle.Conservation, "%v was opened %d times and closed %d times, and %d are left",
				inc, sum.opened, sum.closed, open))
		}
	}
	return err
}
