package pcbtest

import (
	"errors"
	"math/rand/v2"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// betweenWalks lets the workers get on under locks that serve in turn, where each would wait for a whole walk.
const betweenWalks = time.Millisecond

// walk walks until the workers are done.
func (a *arena) walk() error {
	for last := false; !last && !a.crew.Failed(); {
		last = a.working.Load() == 0
		if n := a.in.Len(); n < 1+len(a.workers) {
			return oracle.Violated(oracle.Walk, "the table's count is %d, below what is open throughout", n)
		}
		if err := errors.Join(a.walkOnce(), a.walkSome()); err != nil {
			return err
		}
		time.Sleep(betweenWalks)
	}
	return nil
}

// walkOnce makes one walk and compares it with what each worker says of its own: what was open before and after it must have been met,
// what was closed must not, nor what was closed when it had begun, even if that is open again: it is newer than the walk.
func (a *arena) walkOnce() error {
	before := a.phases()
	var begun []uint64
	var first pcbinfo.ConnInfo // may have been copied before begun
	met, err := walk(a.in, func(x *pcbinfo.Xinpcb) { begun, first = a.phases(), x.Inc })
	if err != nil {
		return err
	}
	after := a.phases()
	i := 0
	for _, w := range a.workers {
		if x, here := met[w.stays.inc]; !here || x.State != pcbinfo.Established || x.Inc != w.stays.inc {
			return oracle.Violated(oracle.Walk, "worker %d's open connection %v: met %v, state %v", w.id, w.stays.inc, here, x.State)
		}
		for _, o := range w.owns() {
			_, here := met[o.inc]
			settled := before[i] == after[i]
			switch {
			case settled && before[i]%4 == isOpen && !here:
				return oracle.Violated(oracle.Walk, "%v is open throughout a walk that does not meet it", o.inc)
			case settled && before[i]%4 == isClosed && here:
				return oracle.Violated(oracle.Walk, "%v is closed throughout a walk that meets it", o.inc)
			case begun[i]%4 == isClosed && here && o.inc != first:
				return oracle.Violated(oracle.Walk, "%v was closed when the walk had begun, and is met", o.inc)
			}
			i++
		}
	}
	return nil
}

// walkSome ends a walk on the way: it must call no more, and let go of all that it holds.
func (a *arena) walkSome() (err error) {
	n, last := 0, rand.IntN(8)
	a.in.Walk(func(x *pcbinfo.Xinpcb) bool {
		if n > last {
			err = oracle.Violated(oracle.Walk, "a walk goes on to %v after it was ended", x.Inc)
		}
		n++
		return n <= last
	})
	return err
}

// phases are those of all that workers own.
func (a *arena) phases() (all []uint64) {
	for _, w := range a.workers {
		for _, o := range w.owns() {
			all = append(all, o.n.Load())
		}
	}
	return all
}
