package netisrtest

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// mostRequests is how many a user makes at most: several times as many as may be on their way.
const mostRequests = 300

// live has all contexts send at once, beside the workers, until all packets have been handled.
func (r *rig) live() error {
	for i, x := range r.contexts {
		x.write(r.c.Segments, true)
		r.users[i].write(min(r.c.Segments/4, mostRequests), x.rng)
	}
	var done atomic.Int32
	for _, x := range r.contexts {
		r.team.Go(func() error {
			if err := x.send(); err != nil {
				return err
			}
			if int(done.Add(1)) == len(r.contexts) {
				return r.stop()
			}
			return nil
		})
	}
	if !r.shared {
		for _, u := range r.users {
			r.team.Go(u.all)
		}
	}
	if !r.c.Poll {
		r.serve()
	}
	if err := r.team.Join(); err != nil {
		return err
	}
	return r.account()
}

// serve starts the workers' threads.
func (r *rig) serve() {
	for _, w := range r.workers {
		r.team.Go(func() error {
			w.Serve()
			r.served.Add(1)
			return nil
		})
	}
}

// stop ends the workers' threads.
func (r *rig) stop() error {
	r.isr.Stop()
	if !r.c.Poll && !r.team.Until(func() bool { return int(r.served.Load()) == len(r.workers) }) && !r.team.Failed() {
		return oracle.Violated(oracle.Progress, "after Stop %d of %d workers go on", len(r.workers)-int(r.served.Load()), len(r.workers))
	}
	return nil
}

// small is about how many packets the contexts send together in phases that take no time.
const small = 300

// write makes as many packets as there are in one of those, with nothing inside of them.
func (r *rig) write() {
	r.c.Segments = min(r.c.Segments, 1+small/len(r.contexts))
	for _, x := range r.contexts {
		x.write(r.c.Segments, false)
	}
}

// full fills the queues while nobody handles anything, and then stops the workers as they begin: what was accepted is handled, what was refused is not.
func (r *rig) full() error {
	r.write()
	for _, x := range r.contexts {
		for i := range x.packets {
			x.packets[i].queue = true
		}
		for x.next < len(x.packets) {
			if err := x.offerOnce(); err != nil {
				return err
			}
		}
	}
	if r.c.Poll {
		return r.empty()
	}
	r.total = r.accepted()
	if rand.New(rand.NewPCG(r.c.Seed, 0)).IntN(2) == 0 {
		r.isr.Stop() // before they begin
	}
	r.serve()
	if err := r.stop(); err != nil {
		return err
	}
	if err := r.team.Join(); err != nil {
		return err
	}
	if !r.settled() {
		return r.lost()
	}
	return r.account()
}

// still is one goroutine that does everything in a random order, so that it is known at each step how much is queued.
func (r *rig) still() error {
	rng := rand.New(rand.NewPCG(r.c.Seed, 1))
	r.write()
	var marks marks
	for range small {
		var err error
		if rng.IntN(3) > 0 {
			err = r.contexts[rng.IntN(len(r.contexts))].offerOnce()
		} else {
			err = r.run(r.workers[rng.IntN(len(r.workers))])
		}
		if err == nil {
			err = marks.look(r)
		}
		if err != nil {
			return err
		}
	}
	if err := r.empty(); err != nil {
		return err
	}
	return marks.check(r)
}

// offerOnce offers x's next packets; those that are refused are gone. Nobody else does anything meanwhile, so the first of them came to a full queue.
func (x *context) offerOnce() error {
	next := x.packets[x.next:]
	n := x.cut(next)
	var batch []*pcbinfo.Segment
	for k := range n {
		batch = append(batch, &next[k].seg)
	}
	if _, err := x.try(batch, n > 0 && next[0].queue); err != nil {
		return err
	}
	x.next += n
	if k := slices.IndexFunc(next[:n], func(p packet) bool { return !p.accepted }); k >= 0 && !x.crowded(next[k].seg.Proto) {
		return oracle.Violated(oracle.Measure, "a packet of %s was refused, and no queue of them is full", kinds[next[k].seg.Proto].name)
	}
	return nil
}

// run has a worker say how much it did.
func (r *rig) run(w netisr.Worker) error {
	before := r.handled()
	if n := w.Run(); r.handled()-before != uint64(n) {
		return oracle.Violated(oracle.Conservation, "a worker says that it handled %d packets, and handled %d", n, r.handled()-before)
	}
	return nil
}

// empty runs all workers until they find nothing.
func (r *rig) empty() error {
	r.total = r.accepted()
	for n := 1; n > 0; {
		n = 0
		for _, w := range r.workers {
			n += w.Run()
		}
	}
	if !r.settled() {
		return r.lost()
	}
	r.isr.Stop()
	return r.account()
}

// accepted is how many packets have been, of those that contexts sent themselves.
func (r *rig) accepted() (n uint64) {
	for _, x := range r.contexts {
		for i := range x.packets {
			if x.packets[i].accepted && x.packets[i].outer == nil {
				n++
			}
		}
	}
	return n
}
