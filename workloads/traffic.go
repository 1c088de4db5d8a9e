package workloads

import (
	"math"
	"runtime"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// A Way says how a workload gets to a table.
type Way struct {
	Model netisr.Spec
	Roles Roles
	Now   func() int64 // a clock for wake-ups; nil: they are not measured
	// Yield is what a thread calls that has nothing to do and does not sleep; nil: runtime.Gosched, which is dear for a goroutine that is bound to a thread.
	Yield func()
}

// Direct is the way with nothing in between.
func Direct() Way {
	sp, err := netisr.ParseSpec("direct")
	if err != nil {
		panic("workloads: " + err.Error())
	}
	return Way{Model: sp, Roles: RoleSets[0]}
}

// Handles is how many CPUs a table needs for that many workers.
func (y Way) Handles(workers int) int { return y.Roles.assign(workers, y.Model).n }

// A Traffic is a workload on its way to a table.
type Traffic struct {
	Way
	Drivers []*Driver
	Isr     netisr.Isr
	w       *Workload
	inline  bool              // a batch has been handled when it has been sent
	atOnce  bool              // and it has been served before the next one is
	table   []pcbinfo.CPU     // by handle
	clock   pcbinfo.CPU       // the timer's
	workers [][]netisr.Worker // those that input contexts poll, by context
	ticks   atomic.Uint32     // for a timer that is a thread of its own
	timer   locks.Bell
	over    atomic.Bool
	ended   atomic.Int32 // drivers that have sent and served all they will
	late    []lateness   // of a prepared open loop: by handle
}

// Start makes one driver for each worker, on in's handles behind y's model.
func (w *Workload) Start(in pcbinfo.Info, y Way) *Traffic {
	if y.Yield == nil {
		y.Yield = runtime.Gosched
	}
	h := y.Roles.assign(w.Workers, y.Model)
	inline := y.Model.Inline && !w.async
	t := &Traffic{Way: y, w: w, inline: inline, atOnce: inline && !y.Roles.Users}
	for i := range h.n {
		t.table = append(t.table, in.CPU(i))
	}
	t.Isr = y.Model.New(netisr.Config{Table: in, Contexts: h.contexts, Streams: h.streams, Users: h.users,
		Protocols: w.protocols(t), Poll: !y.Roles.Netisr, Now: y.Now, Yield: y.Yield})
	t.clock = t.Isr.User(w.Workers)
	for i, r := range w.Rings {
		t.Drivers = append(t.Drivers, t.driver(i, r))
		if !y.Model.Owns { // else the table is not the contexts' to use
			t.Drivers[i].home = t.table[h.contexts[i]]
		}
	}
	t.workers = make([][]netisr.Worker, w.Workers)
	if !y.Roles.Netisr {
		for i, worker := range t.Isr.Workers() {
			t.workers[i%w.Workers] = append(t.workers[i%w.Workers], worker)
		}
	}
	for i, d := range t.Drivers {
		d.polled = t.workers[i]
	}
	if w.Affinity == Spray && w.Workers > 1 {
		for _, d := range t.Drivers {
			d.peers, d.phases = t.Drivers, uint64(w.phases)
			d.phase = math.MaxUint64
		}
	}
	return t
}

// handled notes that segs have been handled, by who uses that handle. Neighbours are mostly of one batch.
func (t *Traffic) handled(handle int, segs []*pcbinfo.Segment) {
	now := int64(0)
	if t.late != nil {
		now = t.Now()
	}
	for len(segs) > 0 {
		from, slot, n := segs[0].Source, segs[0].Slot, 1
		for n < len(segs) && segs[n].Source == from && segs[n].Slot == slot {
			n++
		}
		d := t.Drivers[from]
		if t.late != nil {
			t.late[handle].note(d, segs[:n], now)
		}
		// The last segment may be sent again as soon as the batch is served; so segs are not looked at after this.
		segs = segs[n:]
		if d.slots[slot].left.Add(int32(-n)) > 0 { // pairs with the Load in Driver.handled
			continue
		}
		switch {
		case t.Roles.Users:
			d.users.Ring()
		case t.Roles.Netisr:
			d.input.Ring()
		}
	}
}

// tick lets the timer scan, or wakes it to do so.
func (t *Traffic) tick(now uint32) {
	if !t.Roles.Users {
		t.slowTimo(now)
		return
	}
	t.ticks.Store(now)
	t.timer.Ring()
}

// Poll handles what is queued for workstreams that have no thread of their own, on driver i's CPU, and returns how much that was.
func (t *Traffic) Poll(i int) (n int) {
	for _, w := range t.workers[i] {
		n += w.Run()
	}
	return n
}

// Next is a turn of a thread that does everything on driver i's CPU: it sends a batch if one is ready and the driver is before the end of
// lap laps, polls, and serves. It returns how many segments were served.
func (t *Traffic) Next(i int, laps uint64) (n int) {
	d := t.Drivers[i]
	if d.Before(laps) && d.Ready() {
		d.Send(0)
	}
	t.Poll(i)
	for {
		served, _, ok := d.Serve()
		if !ok {
			return n
		}
		n += served
	}
}

// Play takes turns, with a call of step before each, until driver i has ended that many laps, and then until all drivers have, or step says false.
func (t *Traffic) Play(i int, laps uint64, step func() bool) {
	for d := t.Drivers[i]; d.Before(laps) || !d.Rest(); {
		if !step() {
			return
		}
		if t.Next(i, laps) == 0 {
			d.Idle()
			t.Yield()
		}
	}
	for t.End(); !t.Over() && step(); {
		if t.Poll(i) == 0 {
			t.Drivers[i].Idle()
			t.Yield()
		}
	}
	t.Poll(i) // requests that their users did not wait for
	t.Drivers[i].Idle()
}

// End notes that a driver has sent and served all that it will.
func (t *Traffic) End() {
	if int(t.ended.Add(1)) == len(t.Drivers) {
		t.Stop()
	}
}

// Stop ends everything that sleeps. What is queued is handled first.
func (t *Traffic) Stop() {
	t.over.Store(true)
	for _, d := range t.Drivers {
		d.input.Ring()
		d.users.Ring()
	}
	t.timer.Ring()
	t.Isr.Stop()
}

// Over reports whether all drivers have ended, or Stop was called.
func (t *Traffic) Over() bool { return t.over.Load() }

// Await is what the input context does when it has nothing to do: it sleeps until it has, or the traffic is over; or it gives way, where it
// polls for others, or waits for what does not wake it: a queue, another worker's phase, or, with no connection of its own, the end of the clock.
func (d *Driver) Await() {
	d.Idle()
	if !d.t.Roles.Netisr || d.peers != nil || d.left != nil || len(d.ring.batches) == 0 {
		d.t.Yield()
		return
	}
	if d.input.Sleep(func() bool { return d.t.Over() || d.Ready() || !d.t.Roles.Users && d.Answerable() }) && !d.t.Over() {
		d.inputWakes.Rung(&d.input)
	}
}

// Idle says that the input context's CPU of the table has nothing to do for now, nor have those that it polls for (see pcbinfo.CPU).
func (d *Driver) Idle() {
	if d.home != nil {
		d.home.Idle()
	}
	for _, w := range d.polled {
		w.Idle()
	}
}

// IdleUsers says so of the users' CPU.
func (d *Driver) IdleUsers() { d.cpu.Idle() }

// AwaitHandled sleeps until there is a batch to be served, or there will be none.
func (d *Driver) AwaitHandled() {
	d.IdleUsers()
	if d.users.Sleep(func() bool { return d.t.Over() || d.Answerable() || d.Finished() }) && d.Answerable() { // else woken for the end
		d.wakes.Rung(&d.users)
	}
}

// UserWakes are those of users' threads. Call it at rest.
func (t *Traffic) UserWakes() netisr.Wakes {
	return t.wakes(func(d *Driver) *netisr.Wakes { return &d.wakes })
}

// InputWakes are those of input contexts' threads. Call it at rest.
func (t *Traffic) InputWakes() netisr.Wakes {
	return t.wakes(func(d *Driver) *netisr.Wakes { return &d.inputWakes })
}

func (t *Traffic) wakes(of func(*Driver) *netisr.Wakes) netisr.Wakes {
	w := netisr.NewWakes(t.Now)
	for _, d := range t.Drivers {
		w.Add(of(d))
	}
	return w
}

// Timer is the thread that runs the table's clock, if users have threads of their own. It returns when the traffic is over.
func (t *Traffic) Timer() {
	last := uint32(0)
	for !t.Over() {
		if now := t.ticks.Load(); now != last {
			t.slowTimo(now)
			last = now
			continue
		}
		t.clock.Idle()
		t.timer.Sleep(func() bool { return t.Over() || t.ticks.Load() != last })
	}
	t.clock.Idle()
}
