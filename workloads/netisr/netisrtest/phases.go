package netisrtest

import (
	"math/rand/v2"
	"sync/atomic"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// mostRequests is how many a user makes at most; they are numbered by 16 bits.
const mostRequests = 1000

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

// small is how many packets the contexts of a short phase send together, at most.
const small = 300

// full fills the queues while nobody handles anything, and then stops the workers as they begin: what was accepted is handled, what was refused is not.
func (r *rig) full() error {
	r.c.Segments = min(r.c.Segments, small)
	var left []*pcbinfo.Segment
	for _, x := range r.contexts {
		x.write(r.c.Segments, false)
		for i := range x.packets {
			x.packets[i].queue = true
		}
		for all := x.outer(); len(all) > 0; {
			batch := left[:0]
			for k := range x.cut(all) {
				batch = append(batch, &all[k].seg)
			}
			all = all[len(batch):]
			refused, err := x.try(batch, true)
			if err != nil {
				return err
			}
			r.total -= uint64(len(refused))
		}
	}
	if r.c.Poll {
		return r.emptied()
	}
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

// emptied runs all workers until they find nothing.
func (r *rig) emptied() error {
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

// still is one goroutine that does everything in a random order, so that it is known at each step how much is queued.
func (r *rig) still() error {
	rng := rand.New(rand.NewPCG(r.c.Seed, 1))
	r.c.Segments = min(r.c.Segments, small)
	next := make([]int, len(r.contexts))
	for _, x := range r.contexts {
		x.write(r.c.Segments, false)
	}
	var marks marks
	accepted := uint64(0)
	for range small {
		before := r.handled()
		if x := r.contexts[rng.IntN(len(r.contexts))]; rng.IntN(3) > 0 {
			all := x.outer()[next[x.index]:]
			n := x.cut(all)
			var batch []*pcbinfo.Segment
			for k := range n {
				batch = append(batch, &all[k].seg)
			}
			refused, err := x.try(batch, n > 0 && all[0].queue)
			if err != nil {
				return err
			}
			for k := range n {
				if p := &all[k]; !p.accepted { // the first: nothing else of its workstream stood in its way
					if !r.crowded(p.seg.Proto) {
						return oracle.Violated(oracle.Measure, "a packet of %s was refused, and no queue of them is full", kinds[p.seg.Proto].name)
					}
					break
				}
			}
			next[x.index] += n
			accepted += uint64(n - len(refused))
		} else if n := r.workers[rng.IntN(len(r.workers))].Run(); r.handled()-before != uint64(n) {
			return oracle.Violated(oracle.Conservation, "a worker says that it handled %d packets, and handled %d", n, r.handled()-before)
		}
		if err := marks.look(r, accepted-r.handled()); err != nil {
			return err
		}
	}
	for _, x := range r.contexts { // what was never sent
		r.total -= uint64(r.c.Segments - next[x.index])
		for i := range x.packets {
			if i < next[x.index] && !x.packets[i].accepted {
				r.total--
			}
		}
	}
	if err := r.emptied(); err != nil {
		return err
	}
	return marks.check(r)
}
