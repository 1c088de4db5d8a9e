package lockbench

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/oracle"
)

// A worker goes through a part. Nobody else looks before it is done, but for what a delegate does for it.
type worker struct {
	_ [locks.LinePad]byte

	part  *part
	id    int
	cpu   int // -1: any
	rooms []room
	plan  []draw
	units uint32 // of locks.Delay in a section
	stamp bool   // sections are stamped
	warm  bool   // it has said that it is
	node  *locks.Node
	job   func() // w.inside, made beforehand: a new closure for each section would be an allocation

	// Of the section, perhaps written by who runs it for us:
	here  *room
	now   *draw
	ours  uint64 // its number, if it wrote
	clash uint64 // sections that were not alone
	event

	wrote   []uint64 // sections that wrote, by room, of the whole part
	count   uint64   // sections of the measured time
	write   uint64   // of these, the ones that wrote
	retries uint64   // of these, reads that began again
	failed  uint64   // of these, the ones that a try failed for
	capture
	pen  pen
	beat atomic.Uint64 // now and then the number of sections, for who watches

	_ [locks.LinePad]byte
}

// beatEvery is how many sections a worker goes without telling.
const beatEvery = 64

// run goes through the part, on the worker's CPU.
func (w *worker) run() error {
	if w.cpu >= 0 {
		unpin, err := machine.Pin(w.cpu)
		if err != nil {
			return fmt.Errorf("%w (-pin %s needs no rights)", err, PinNone)
		}
		defer unpin()
	}
	for i := uint64(0); ; i++ {
		w.now = &w.plan[i%draws]
		locks.Delay(w.now.think)
		w.section()
		if i%beatEvery == 0 {
			w.beat.Store(i + 1)
		}
		switch w.part.phase.Load() {
		case warming:
			if err := w.idle(i); err != nil {
				return err
			}
		case measuring:
			w.took(i)
		default:
			w.last(i + 1)
			return nil
		}
	}
}

// section takes the lock, does what the section is, and lets go.
func (w *worker) section() {
	r := &w.rooms[w.now.room]
	w.here, w.ours = r, 0
	if w.stamp {
		w.arrived = w.part.clock.Now()
	}
	switch {
	case w.now.read && r.opt != nil:
		w.glimpse()
	case w.now.read && r.rw != nil:
		if !w.part.Try || !w.tried(r.rw.TryRLock(w.node)) {
			r.rw.RLock(w.node)
		}
		w.inside()
		r.rw.RUnlock(w.node)
	case w.part.Try && w.tried(r.lock.TryLock(w.node)):
		w.inside()
		r.lock.Unlock(w.node)
	case r.do != nil:
		r.do.Do(w.node, w.job)
	default:
		r.lock.Lock(w.node)
		w.inside()
		r.lock.Unlock(w.node)
	}
	if w.ours > 0 {
		w.wrote[w.now.room]++
	}
}

// tried counts tries that failed.
func (w *worker) tried(ok bool) bool {
	if !ok && w.part.phase.Load() == measuring {
		w.failed++
	}
	return ok
}

// inside is what is done with the lock held. With a lock that delegates, another worker does it, and the lock orders that before Do returns.
func (w *worker) inside() {
	r := w.here
	head := &r.lines[0]
	if w.stamp {
		w.acquired, w.before = w.part.clock.Now(), 0
		if !w.now.read && w.part.Reads == 0 && head.holder != int64(w.id) && head.released >= w.arrived {
			w.before = head.released
		}
	}
	var alone bool
	if w.now.read {
		alone = r.read(w.units)
	} else {
		w.ours, alone = r.write(w.units)
	}
	if !alone {
		w.clash++
	}
	if w.stamp {
		w.released = w.part.clock.Now()
		if !w.now.read {
			head.released, head.holder = w.released, int64(w.id)
		}
	}
}

// glimpse reads without a hold, until nobody wrote meanwhile by what the lock says. It is in when the look begins that counts.
func (w *worker) glimpse() {
	r, retries := w.here, uint64(0)
	for ; ; retries++ {
		begun := r.opt.Begin()
		if w.stamp {
			w.acquired, w.before = w.part.clock.Now(), 0
		}
		still := r.readAtomic(w.units)
		if r.opt.Retry(begun) {
			continue
		}
		if !still {
			w.clash++
		}
		break
	}
	if w.stamp {
		w.released = w.part.clock.Now()
	}
	if retries > 0 && w.part.phase.Load() == measuring {
		w.retries += retries
	}
}

// idle is after a section before the measured time. The worker is warm when it has had the lock and its time is over; the last one to be so begins the
// measured time. Until then the warm ones give way now and then, as others may not have had a CPU; but not for ever, as the lock may not let them in.
func (w *worker) idle(i uint64) error {
	if w.ours > 0 {
		w.skip(w.now.room, w.ours)
	}
	if i%w.part.glances != 0 {
		return nil
	}
	now := w.part.clock.Now()
	if !w.warm && now >= w.part.warmed {
		w.warm = true
		w.part.isWarm()
	}
	if now >= w.part.given && w.part.cold.Load() > 0 {
		return oracle.Violated(oracle.Progress, "%d of %d workers did not get in in %v", w.part.cold.Load(), w.part.Workers, w.part.patience)
	}
	if w.warm && i%beatEvery == 0 {
		if w.cpu >= 0 {
			machine.Yield()
		} else {
			runtime.Gosched()
		}
	}
	return nil
}

// took is after a section of the measured time, which a worker ends: where all CPUs work, who sleeps may get none for some milliseconds.
func (w *worker) took(i uint64) {
	w.count++
	if w.ours > 0 {
		w.write++
		w.note(w.now.room, w.ours)
	}
	if w.stamp {
		if !w.pen.log(w.event) || w.released >= w.part.to {
			w.part.end()
		}
	} else if i%w.part.glances == 0 && w.part.clock.Now() >= w.part.to {
		w.part.end()
	}
}

// last is after the section with which the worker learns that the time is over. It counts for nothing but how long it was waited for: to leave out waits
// because they were too long for the measured time would be to leave out the longest.
func (w *worker) last(sections uint64) {
	if w.ours > 0 {
		w.note(w.now.room, w.ours)
	}
	w.finish()
	if w.stamp {
		if w.arrived < w.part.ended.Load() {
			w.pen.log(w.event)
		}
		w.pen.lift()
	}
	w.beat.Store(sections)
}
