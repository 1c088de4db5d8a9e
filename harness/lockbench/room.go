package lockbench

import (
	"math/rand/v2"
	"sync/atomic"
	"unsafe"

	"pcbbench/locks"
)

// A room is a lock and the lines that it guards. What is here is constant while workers run.
type room struct {
	lock  locks.Lock
	rw    locks.RWLock    // nil: who only reads takes the lock exclusively
	do    locks.Delegator // nil: who has the lock runs its section
	opt   locks.Optimist  // nil: who reads holds something
	lines []line          // the first one has the counter
	_     [locks.LinePad]byte
}

// A line is one that sections write.
type line struct {
	seq uint64 // the last section that wrote it
	// Of a room's first line only:
	done     uint64 // the last section that ended
	released int64  // clock ticks when that let go, where sections are stamped
	holder   int64  // the worker that it was
	_        [locks.LinePad - 32]byte
}

// newRooms makes c's locks, with lines on pages of their own.
func newRooms(c Case, spec locks.Spec) ([]room, error) {
	rooms := make([]room, c.Locks)
	lines := newLines(c.Locks * (c.Lines + 1))
	for i := range rooms {
		l, err := spec.New(c.Workers)
		if err != nil {
			return nil, err
		}
		rooms[i].furnish(l, lines[i*(c.Lines+1):][:c.Lines+1])
	}
	return rooms, nil
}

// newFloor makes rooms without locks, for one worker.
func newFloor(c Case) []room {
	rooms := make([]room, c.Locks)
	lines := newLines(c.Locks * (c.Lines + 1))
	for i := range rooms {
		rooms[i].furnish(locks.Floor(), lines[i*(c.Lines+1):][:c.Lines+1])
	}
	return rooms
}

func (r *room) furnish(l locks.Lock, lines []line) {
	r.lock, r.lines = l, lines
	r.rw, _ = l.(locks.RWLock)
	r.do, _ = l.(locks.Delegator)
	r.opt, _ = l.(locks.Optimist)
}

// newLines are n at a random place of an arena, for the reasons that locks.Place has. It is large enough that Go gives it whole pages.
func newLines(n int) []line {
	const least = 512
	arena := make([]line, max(2*n, least))
	if uintptr(unsafe.Pointer(&arena[0]))%locks.LinePad != 0 {
		panic("lockbench: pages do not begin at a line")
	}
	return arena[rand.IntN(len(arena)-n+1):][:n]
}

// write is a section that writes: it counts, and leaves its number on every line. It reports the number, and whether it was alone all the time.
func (r *room) write(units uint32) (ours uint64, alone bool) {
	if r.opt != nil {
		return r.writeAtomic(units)
	}
	head := &r.lines[0]
	ours = head.seq + 1
	alone = head.done == head.seq
	head.seq = ours
	for i := 1; i < len(r.lines); i++ {
		l := &r.lines[i]
		alone = alone && l.seq == ours-1
		l.seq = ours
	}
	locks.Delay(units)
	alone = alone && head.seq == ours && head.done == ours-1
	head.done = ours
	return ours, alone
}

// writeAtomic is write where others read without a hold: Go's memory model then wants atomic stores, and that price is the lock's.
func (r *room) writeAtomic(units uint32) (ours uint64, alone bool) {
	head := &r.lines[0]
	ours = head.seq + 1 // plain loads are right: only who holds the lock stores
	alone = head.done == head.seq
	atomic.StoreUint64(&head.seq, ours)
	for i := 1; i < len(r.lines); i++ {
		l := &r.lines[i]
		alone = alone && l.seq == ours-1
		atomic.StoreUint64(&l.seq, ours)
	}
	locks.Delay(units)
	alone = alone && head.seq == ours && head.done == ours-1
	atomic.StoreUint64(&head.done, ours)
	return ours, alone
}

// read is a section that reads: it reports whether nobody wrote meanwhile.
func (r *room) read(units uint32) (still bool) {
	head := &r.lines[0]
	seq := head.seq
	still = head.done == seq
	for i := 1; i < len(r.lines); i++ {
		still = still && r.lines[i].seq == seq
	}
	locks.Delay(units)
	return still && head.seq == seq && head.done == seq
}

// readAtomic is read while others may write: whether they did is for the lock to say.
func (r *room) readAtomic(units uint32) (still bool) {
	head := &r.lines[0]
	seq := atomic.LoadUint64(&head.seq)
	still = atomic.LoadUint64(&head.done) == seq
	for i := 1; i < len(r.lines); i++ {
		still = still && atomic.LoadUint64(&r.lines[i].seq) == seq
	}
	locks.Delay(units)
	return still && atomic.LoadUint64(&head.seq) == seq && atomic.LoadUint64(&head.done) == seq
}
