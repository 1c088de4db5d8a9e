package workloads

import (
	"math"
	"sync/atomic"

	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A Driver is one worker's loop over its Ring. Its methods are called by one goroutine.
type Driver struct {
	ring    *Ring
	cpu     pcbinfo.CPU
	port    netisr.Dispatcher
	next    int    // batch
	lap     uint64 // laps done
	timer   bool   // this driver runs the table's clock
	ticks   uint32
	tick    int // batches a tick
	until   int // batches to the next tick
	refused int // user requests that failed
	err     error
	peers   []*Driver // under spray: all drivers
	phases  uint64    // in a lap
	phase   uint64    // the one that this driver was let into
	_       [128]byte
	current atomic.Uint64 // the phase this driver is in or waits for; all before it are done. Others poll it
	_       [128]byte
}

// ticksPerLap is how often a lap the TIME_WAIT queue is scanned. With an MSL of one tick, 2MSL is an eighth of a lap: some
// connections are gone before their next life begins, some are taken over in TIME-WAIT.
const ticksPerLap = 16

// Drivers makes one driver for each worker, on in's handles behind model. Worker 0 runs the clock.
func (w *Workload) Drivers(in pcbinfo.Info, model netisr.Model) []*Driver {
	handlers := make([]netisr.Handler, w.Workers)
	for i := range handlers {
		handlers[i] = in.CPU(i).Input
	}
	ports := model.New(handlers)
	ds := make([]*Driver, w.Workers)
	for i, r := range w.Rings {
		tick := max(1, len(r.batches)/ticksPerLap)
		ds[i] = &Driver{ring: r, cpu: in.CPU(i), port: ports[i], timer: i == 0 && !w.replay, tick: tick, until: tick}
		if len(r.batches) == 0 {
			ds[i].current.Store(math.MaxUint64)
		}
	}
	if w.Affinity == Spray && w.Workers > 1 {
		for _, d := range ds {
			d.peers, d.phases = ds, uint64(w.phases)
			d.phase = math.MaxUint64
		}
	}
	return ds
}

// Ready reports whether the next batch may be sent: not if its worker is too far ahead of the others. The Store tells the other
// workers that all batches before this phase are done; it pairs with their Loads.
func (d *Driver) Ready() bool {
	if len(d.ring.batches) == 0 {
		return false
	}
	if d.peers == nil {
		return true
	}
	n := d.lap*d.phases + uint64(d.ring.batches[d.next].phase)
	if n == d.phase {
		return true
	}
	if d.current.Load() != n {
		d.current.Store(n)
	}
	for _, o := range d.peers {
		if cur := o.current.Load(); cur < n && n-cur >= aheadLimit {
			return false
		}
	}
	d.phase = n
	return true
}

// Next sends the next batch, makes our users' requests, and returns how many segments that were. It allocates nothing. Call it
// when Ready says so.
func (d *Driver) Next() int {
	b := &d.ring.batches[d.next]
	if d.lap > 0 {
		d.ring.renew(b)
	}
	d.port.Dispatch(b.Segs)
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
	if d.next++; d.next == len(d.ring.batches) {
		d.next = 0
		d.lap++
		d.current.Store(d.lap * d.phases) // perhaps the last: who is behind must not wait for a phase we never ask for
	}
	return len(b.Segs)
}

// renew moves a batch on by one lap.
func (r *Ring) renew(b *Batch) {
	segs := r.segs[b.first:][:len(b.Segs)]
	steps := r.steps[b.first:][:len(segs)]
	for i := range segs {
		segs[i].Seq += steps[i].seq
		segs[i].Ack += steps[i].ack
	}
}

func (d *Driver) clock() {
	if d.until--; d.until == 0 {
		d.until = d.tick
		d.ticks++
		d.cpu.SlowTimo(d.ticks)
	}
}

// Begun is the number of laps begun.
func (d *Driver) Begun() uint64 {
	if d.next > 0 {
		return d.lap + 1
	}
	return d.lap
}

// Before reports whether the driver has to go on to end lap target laps after the start.
func (d *Driver) Before(target uint64) bool { return d.lap < target && len(d.ring.batches) > 0 }
