package workloads

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
)

// An rxRing is a driver's side of an open loop: a network card's receive ring with arrivals for it. All of it is the input context's.
//
// An arrival is a slot that carries the driver's next segment. Slots that find the ring full, or whose segment a workstream's queue refuses, are
// dropped, and the next slot carries the segment: that is the peer's retransmission, without its delay. So the connections' numbers
// stay exact however much is lost. A queue that stays full holds up its context's other segments, as a peer's unacknowledged one does.
type rxRing struct {
	_        [locks.LinePad]byte
	arrivals stream
	on       bool    // arrivals come
	start    int64   // of arrivals, on the clock
	next     int64   // when the next one comes
	from, to int64   // the time to be measured: of slots that come in it
	slots    []int64 // when those that wait came; 0: not to be measured
	head, n  int     // of slots: the first, and how many wait
	due      []int64 // by segment of the ring: when its slot came, 0 as above. Written before the segment is dispatched, read when it was handled
	offered  uint64  // slots that were to be measured; of these:
	qdrops   uint64
	rxdrops  uint64
	_        [locks.LinePad]byte
}

// An OpenStats counts the slots that came in the measured time. At rest Offered = Handled + QDrops + RxDrops.
type OpenStats struct {
	Offered uint64
	Handled uint64
	QDrops  uint64 // a workstream's queue was full
	RxDrops uint64 // the receive ring was full
	// Latency is from when a slot came to when its segment had been handled, in units of Way.Now.
	Latency *hdrhistogram.Histogram
}

// maxLate is the longest latency that is told from longer ones, in the clock's units.
const maxLate = 1 << 36

// A lateness is what one handle of the table knows of OpenStats.
type lateness struct {
	_       [locks.LinePad]byte
	handled uint64
	latency hdrhistogram.Histogram // here, since the counts of two on the heap may share a line
	_       [locks.LinePad]byte
}

// Prepare makes t ready for an open loop of rate segments a unit of t.Now, over all drivers, each in proportion to its share of a lap. It begins
// when Driver.Open says so; until then, and when what came before Shut has been sent, t is a closed loop. Call it once, before anything is sent.
// t must have a clock, and must not be sprayed: contexts whose arrivals are independent would soon wait for each other's phases. An arrival costs its
// context some 10 ns, even if it is dropped: what handles segments no slower than that cannot be measured so.
func (t *Traffic) Prepare(a Arrivals, rate float64, unitNS float64, seed uint64) {
	if t.Now == nil || t.Drivers[0].peers != nil {
		panic("workloads: an open loop without a clock, or sprayed")
	}
	h := t.Roles.assign(t.w.Workers, t.Model)
	t.late = make([]lateness, h.n)
	for i := range t.late {
		t.late[i].latency = *hdrhistogram.New(1, maxLate, 2)
	}
	total := float64(t.w.Segments())
	for i, d := range t.Drivers {
		d.handle, d.ahead = h.contexts[i], slots
		if n := len(d.ring.segs); n > 0 {
			d.rx = newRxRing(a.RxRing, n)
			a.begin(&d.rx.arrivals, rate*float64(n)/total, unitNS, seed, uint64(i))
		}
	}
}

// newRxRing makes one of size descriptors for a ring of segs segments, its slots on lines of their own.
func newRxRing(size, segs int) *rxRing {
	const pad = locks.LinePad / 8
	return &rxRing{slots: make([]int64, size+2*pad)[pad:][:size:size], due: make([]int64, segs), next: math.MaxInt64, from: math.MaxInt64, to: math.MaxInt64}
}

// Open begins d's arrivals at start on the clock. If they have begun nothing happens.
func (d *Driver) Open(start int64) {
	if rx := d.rx; rx != nil && rx.next == math.MaxInt64 {
		rx.on, rx.start = true, start
		rx.draw()
	}
}

// Window has those arrivals measured that come from from on and before to, and have not come yet.
func (d *Driver) Window(from, to int64) {
	if rx := d.rx; rx != nil {
		rx.from, rx.to = from, to
	}
}

// Shut ends d's arrivals: none comes after the Window.
func (d *Driver) Shut() {
	if rx := d.rx; rx != nil && rx.on {
		rx.arrive(rx.to - 1)
		rx.on = false
	}
}

// Arrive lets come what arrives by now. If d's thread was off its CPU, all that came meanwhile comes with the time at which it should have: a
// thread that is late is part of what is measured.
func (d *Driver) Arrive(now int64) {
	if rx := d.rx; rx != nil && rx.on {
		rx.arrive(now)
	}
}

// Arriving reports whether d waits for arrivals: it has been opened and not shut.
func (d *Driver) Arriving() bool { return d.rx != nil && d.rx.on }

// Backlog is how many segments have arrived and wait for d.
func (d *Driver) Backlog() int {
	if d.rx == nil {
		return 0
	}
	return d.rx.n
}

func (rx *rxRing) draw() { rx.next = rx.start + int64(rx.arrivals.next(&rx.arrivals)) }

func (rx *rxRing) arrive(now int64) {
	for ; rx.next <= now; rx.draw() {
		due := rx.next
		if due < rx.from || due >= rx.to {
			due = 0
		} else {
			rx.offered++
		}
		if rx.n < len(rx.slots) {
			rx.slots[(rx.head+rx.n)%len(rx.slots)] = due
			rx.n++
		} else if due != 0 {
			rx.rxdrops++
		}
	}
}

// ready reports whether b, or what is left of it, may go on: a slot waits to carry it, or nothing has to.
func (rx *rxRing) ready(left []*pcbinfo.Segment, b *Batch) bool {
	return !rx.on || rx.n > 0 || left == nil && len(b.Segs) == 0
}

// load puts as many of segs into slots as wait, and returns these. When no more slots come segments go without.
func (rx *rxRing) load(r *Ring, segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	if !rx.on && rx.n == 0 {
		for _, seg := range segs {
			rx.due[r.index(seg)] = 0
		}
		return segs
	}
	segs = segs[:min(len(segs), rx.n)]
	for _, seg := range segs {
		rx.due[r.index(seg)] = rx.slots[rx.head]
		if rx.head++; rx.head == len(rx.slots) {
			rx.head = 0
		}
	}
	rx.n -= len(segs)
	return segs
}

// lost counts the slots of segs, which a queue refused.
func (rx *rxRing) lost(r *Ring, segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		if rx.due[r.index(seg)] != 0 {
			rx.qdrops++
		}
	}
}

// index is where seg stands in the ring. All of a ring's segments lie in one array, and a segment has no room for a number of that size.
func (r *Ring) index(seg *pcbinfo.Segment) int {
	return int((uintptr(unsafe.Pointer(seg)) - uintptr(unsafe.Pointer(&r.segs[0]))) / unsafe.Sizeof(*seg))
}

// sendArrived sends of d.left what has arrived.
func (d *Driver) sendArrived() int {
	rx := d.rx
	segs := rx.load(d.ring, d.left)
	refused := d.t.dispatch(d.port, segs)
	if d.t.inline {
		d.t.late[d.handle].note(d, segs, d.t.Now())
	}
	rx.lost(d.ring, refused)
	d.Drops += uint64(len(refused))
	sent := len(segs) - len(refused)
	copy(d.left[sent:], refused) // before what has not been tried, which may be of the same workstream
	if d.left = d.left[sent:]; len(d.left) == 0 {
		d.complete()
	}
	return sent
}

// note records how late segs, which came in at d, have been handled.
func (l *lateness) note(d *Driver, segs []*pcbinfo.Segment, now int64) {
	for _, seg := range segs {
		if due := d.rx.due[d.ring.index(seg)]; due != 0 {
			l.handled++
			_ = l.latency.RecordValue(min(max(1, now-due), maxLate))
		}
	}
}

// OpenStats adds up what drivers and handles have counted. Call it at rest. The error says that slots are missing.
func (t *Traffic) OpenStats() (s OpenStats, err error) {
	s.Latency = hdrhistogram.New(1, maxLate, 2)
	waiting := 0
	for _, d := range t.Drivers {
		if rx := d.rx; rx != nil {
			s.Offered += rx.offered
			s.QDrops += rx.qdrops
			s.RxDrops += rx.rxdrops
			waiting += rx.n
		}
	}
	for i := range t.late {
		s.Handled += t.late[i].handled
		s.Latency.Merge(&t.late[i].latency)
	}
	if n := int64(s.Offered - s.Handled - s.QDrops - s.RxDrops); n != 0 || waiting > 0 {
		err = fmt.Errorf("arrivals: %d offered, %d handled, %d and %d dropped by queues and receive rings: %+d; %d wait",
			s.Offered, s.Handled, s.QDrops, s.RxDrops, -n, waiting)
	}
	return s, err
}
