package workloads

import (
	"math"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A Driver is one CPU's share of the traffic: what its receive queue gets, and the users who answer. Ready and Send are one goroutine's, the input
// context's; Serve is one goroutine's, the users'; it may be the same.
//
// A peer sends what acknowledges an answer only after it got the answer. So a batch is held back until the requests that its segments know
// of have been made, however far behind the handlers are; nothing else is held back but for ahead, and, in an open loop, until it arrives.
type Driver struct {
	ring   *Ring
	t      *Traffic
	port   netisr.Dispatcher
	cpu    pcbinfo.CPU     // the users'
	home   pcbinfo.CPU     // the input context's, if it uses one
	timer  bool            // this driver's users run the table's clock
	polled []netisr.Worker // on this CPU
	peers  []*Driver       // under spray: all drivers
	ahead  int             // the most batches on their way: limit, or slots where an open loop was prepared
	rx     *rxRing         // of a prepared open loop: its arrivals; else nil
	handle int             // of a prepared open loop: the CPU of the table that the input context uses
	// The input context's:
	_      [locks.LinePad]byte
	next   int                // batch
	lap    uint64             // laps sent
	left   []*pcbinfo.Segment // of the batch that is being sent: nil if none is
	phases uint64             // in a lap, under spray
	phase  uint64             // the one that this driver was let into
	// Drops counts the segments that a full queue refused, which their peers sent again.
	Drops      uint64
	inputWakes netisr.Wakes
	_          [locks.LinePad]byte
	sent       atomic.Uint64 // batches; the users poll it
	_          [locks.LinePad]byte
	// The users':
	at       int // batch to be served next
	ticks    uint32
	tick     int // batches a tick
	until    int // batches to the next tick
	refused  int // user requests that failed
	err      error
	wakes    netisr.Wakes // of a thread of users that sleeps
	_        [locks.LinePad]byte
	served   atomic.Uint64 // batches; the input context polls it
	_        [locks.LinePad]byte
	current  atomic.Uint64 // under spray: the phase of the first batch that is not served. Other drivers poll it
	_        [locks.LinePad]byte
	finished atomic.Bool // nothing more will be sent
	_        [locks.LinePad]byte
	slots    [slots]slot
	// What sleeps, if the roles are apart:
	input locks.Bell
	_     [locks.LinePad]byte
	users locks.Bell
	_     [locks.LinePad]byte
}

const (
	// slots is how many batches there is a note for, and so the most that may be on their way.
	slots = 64
	// limit is how many batches a closed loop has on their way at most: 128 segments in batches of 32, half of a queue's default limit.
	limit = 4
)

// A slot is the note of a batch on its way.
type slot struct {
	left  atomic.Int32 // segments that have not been handled; written by whoever handles them
	began int64        // when sending began
	_     [locks.LinePad - 16]byte
}

// ticksPerLap is how often a lap the TIME_WAIT queue is scanned. With an MSL of one tick, 2MSL is an eighth of a lap: some
// connections are gone before their next life begins, some are taken over in TIME-WAIT.
const ticksPerLap = 16

func (t *Traffic) driver(i int, r *Ring) *Driver {
	tick := max(1, len(r.batches)/ticksPerLap)
	d := &Driver{ring: r, t: t, port: t.Isr.Context(i), cpu: t.Isr.User(i), timer: i == 0 && !t.w.replay, ahead: limit, tick: tick, until: tick}
	if t.Roles.Users {
		d.users.Now, d.wakes = t.Now, netisr.NewWakes(t.Now)
	}
	if t.Roles.Netisr {
		d.input.Now, d.inputWakes = t.Now, netisr.NewWakes(t.Now)
	}
	if len(r.batches) == 0 {
		d.current.Store(math.MaxUint64)
	}
	return d
}

// Ready reports whether the next batch, or what is left of it, may be sent.
func (d *Driver) Ready() bool {
	if len(d.ring.batches) == 0 {
		return false
	}
	b := &d.ring.batches[d.next]
	if d.rx != nil && !d.rx.ready(d.left, b) {
		return false
	}
	if d.left != nil {
		return true
	}
	if !d.t.atOnce && d.sent.Load()-d.served.Load() >= uint64(min(b.gap, d.ahead)) {
		return false
	}
	return d.peers == nil || d.inPhase(b)
}

// inPhase reports whether b's phase has come: under spray no worker may be too far ahead of the others. The Load of current tells that all
// batches of the other before that phase are served; it pairs with the Store in pass.
func (d *Driver) inPhase(b *Batch) bool {
	n := d.lap*d.phases + uint64(b.phase)
	if n == d.phase {
		return true
	}
	if d.sent.Load() == d.served.Load() {
		d.pass(n)
	}
	for _, o := range d.peers {
		if cur := o.current.Load(); cur < n && n-cur >= aheadLimit {
			return false
		}
	}
	d.phase = n
	return true
}

// pass tells the others that all of this driver's batches before phase n are served.
func (d *Driver) pass(n uint64) {
	if d.current.Load() != n {
		d.current.Store(n)
	}
}

// Send sends the next batch, or what is left of it because a full queue refused it or because it had not arrived, and returns how many segments it
// has got rid of. now is what Serve returns with the batch. It allocates nothing. Call it when Ready says so.
func (d *Driver) Send(now int64) int {
	b := &d.ring.batches[d.next]
	n := d.sent.Load()
	if d.left == nil {
		if d.lap > 0 {
			d.ring.renew(b)
		}
		s := &d.slots[n%slots]
		s.began = now
		if !d.t.inline {
			s.left.Store(int32(len(b.Segs)))
			for _, seg := range b.Segs {
				seg.Slot = uint8(n % slots)
			}
		}
		d.left = b.Segs
		if d.rx != nil {
			d.left = append(d.ring.again[:0], b.Segs...) // its own: what is refused goes back into it
		}
	}
	if d.rx != nil {
		return d.sendArrived()
	}
	offered := len(d.left)
	refused := d.t.dispatch(d.port, d.left)
	if len(refused) > 0 {
		d.Drops += uint64(len(refused))
		d.left = append(d.ring.again[:0], refused...)
		return offered - len(refused)
	}
	d.complete()
	return offered
}

// complete notes that all of a batch has been sent.
func (d *Driver) complete() {
	d.left = nil
	if d.next++; d.next == len(d.ring.batches) {
		d.next = 0
		d.lap++
	}
	n := d.sent.Load()
	d.sent.Store(n + 1) // pairs with the Load in Serve
	if d.t.Roles.Users && d.handled(n) {
		d.users.Ring()
	}
}

// Finish tells the users that nothing more will be sent.
func (d *Driver) Finish() {
	d.finished.Store(true)
	d.users.Ring()
}

// Finished reports whether nothing more is sent and all that was has been served.
func (d *Driver) Finished() bool { return d.finished.Load() && d.Rest() }

// handled reports whether all segments of the n-th batch, which has been sent, have been handled.
func (d *Driver) handled(n uint64) bool { return d.t.inline || d.slots[n%slots].left.Load() == 0 }

// renew moves a batch on by one lap.
func (r *Ring) renew(b *Batch) {
	segs := r.segs[b.first:][:len(b.Segs)]
	steps := r.steps[b.first:][:len(segs)]
	for i := range segs {
		segs[i].Seq += steps[i].seq
		segs[i].Ack += steps[i].ack
	}
}

// Answerable reports whether Serve has something to do.
func (d *Driver) Answerable() bool {
	n := d.served.Load()
	return n != d.sent.Load() && d.handled(n)
}

// Serve makes our users' requests of the next batch, if all of it has been handled, and returns how many segments it has and what Send was told
// when it was begun; ok is false if there is no such batch. It allocates nothing.
func (d *Driver) Serve() (n int, began int64, ok bool) {
	if !d.Answerable() {
		return 0, 0, false
	}
	b := &d.ring.batches[d.at]
	for i := range b.ops {
		o := &b.ops[i]
		var err error
		if o.kind == opSend { // most are, and a call less for each shows in what the driver weighs
			err = d.cpu.Send(o.inc, int(o.n))
		} else {
			err = o.do(d.cpu)
		}
		if err != nil {
			d.refused++
			d.err = err
		}
	}
	if d.timer {
		d.clock()
	}
	if d.at++; d.at == len(d.ring.batches) {
		d.at = 0
	}
	turn := d.served.Load()
	began = d.slots[turn%slots].began
	d.served.Store(turn + 1) // pairs with the Load in Ready: what this batch's answers allow may be sent
	if d.peers != nil {
		laps := (turn + 1) / uint64(len(d.ring.batches))
		d.pass(laps*d.phases + uint64(d.ring.batches[d.at].phase))
	}
	if d.t.Roles.Users {
		d.input.Ring()
	}
	return len(b.Segs), began, true
}

func (d *Driver) clock() {
	if d.until--; d.until == 0 {
		d.until = d.tick
		d.ticks++
		d.t.tick(d.ticks)
	}
}

// Begun is the number of laps begun.
func (d *Driver) Begun() uint64 {
	if d.next > 0 || d.left != nil {
		return d.lap + 1
	}
	return d.lap
}

// Before reports whether the driver has to go on sending to end lap target laps after the start.
func (d *Driver) Before(target uint64) bool { return d.lap < target && len(d.ring.batches) > 0 }

// Sent is how many segments have been sent in whole laps.
func (d *Driver) Sent() uint64 { return d.lap * uint64(len(d.ring.segs)) }

// Rest reports whether all that was sent has been served.
func (d *Driver) Rest() bool { return d.sent.Load() == d.served.Load() }
