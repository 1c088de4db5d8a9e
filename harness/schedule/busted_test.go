//go:build sim

package schedule

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// Locks and domains with one fault each, some of which random torture finds slowly or never.

// A busted is a subject with a fault, and the oracle that must see it.
type busted struct {
	Subject
	oracle string
}

// bustedLock wraps what only can Lock and Unlock.
type bustedLock interface {
	lock()
	unlock()
}

type adapter struct{ bustedLock }

func (a adapter) Lock(*locks.Node)    { a.lock() }
func (a adapter) Unlock(*locks.Node)  { a.unlock() }
func (a adapter) RLock(*locks.Node)   { a.lock() }
func (a adapter) RUnlock(*locks.Node) { a.unlock() }

func (a adapter) TryLock(*locks.Node) bool    { a.lock(); return true }
func (a adapter) TryRLock(*locks.Node) bool   { a.lock(); return true }
func (a adapter) TryUpgrade(*locks.Node) bool { return true }
func (a adapter) Downgrade(*locks.Node)       {}

// testThenSet sets the word in a step of its own.
type testThenSet struct{ word atomic.Uint32 }

func (l *testThenSet) lock() {
	for probe.Load(&l.word); l.word.Load() != 0; probe.Load(&l.word) {
		probe.Pause()
	}
	probe.Store(&l.word)
	l.word.Store(1)
}

func (l *testThenSet) unlock() {
	probe.Store(&l.word)
	l.word.Store(0)
}

// losesWakeup registers its waiter after it has seen the word locked, not in the same step.
type losesWakeup struct {
	word, waiters atomic.Uint32
	sema          uint32
}

func (l *losesWakeup) lock() {
	for {
		probe.RMW(&l.word)
		if l.word.CompareAndSwap(0, 1) {
			return
		}
		probe.RMW(&l.waiters)
		l.waiters.Add(1)
		probe.Park(&l.sema)
	}
}

func (l *losesWakeup) unlock() {
	probe.Store(&l.word)
	l.word.Store(0)
	probe.RMW(&l.waiters)
	if n := l.waiters.Swap(0); n > 0 {
		for range n {
			probe.Unpark(&l.sema)
		}
	}
}

// upgradesBlindly takes any shared hold for the only one.
type upgradesBlindly struct {
	locks.RW
	upgraded bool
}

func (l *upgradesBlindly) TryUpgrade(*locks.Node) bool {
	l.upgraded = true
	return true
}

func (l *upgradesBlindly) Unlock(n *locks.Node) {
	if l.upgraded {
		l.upgraded = false
		l.RUnlock(n)
		return
	}
	l.RW.Unlock(n)
}

// A gusFault is what a gus does wrong.
type gusFault int

const (
	gusSound gusFault = iota
	skipsFirst
	writeAfterScan
	goalShort
	neverAnnounces
)

// gus is smr's gus in short, with a fault.
type gus struct {
	fault gusFault
	wr    atomic.Uint64
	rd    atomic.Uint64 // goals up to here are passed
	cpus  []atomic.Uint64
}

func newGUS(f gusFault) func(int) smr.Domain {
	return func(cpus int) smr.Domain {
		g := &gus{fault: f, cpus: make([]atomic.Uint64, cpus)}
		g.wr.Store(1)
		return g
	}
}

func (g *gus) Enter(cpu int) {
	probe.Load(&g.wr)
	seq := g.wr.Load()
	probe.Store(&g.cpus[cpu])
	if g.fault != neverAnnounces {
		g.cpus[cpu].Store(seq)
	}
}

func (g *gus) Exit(cpu int) {
	probe.Store(&g.cpus[cpu])
	g.cpus[cpu].Store(0)
}

func (g *gus) Offline(int) {}

func (g *gus) Advance() smr.Seq {
	probe.RMW(&g.wr)
	return smr.Seq(g.wr.Add(1))
}

func (g *gus) Poll(goal smr.Seq) bool {
	if g.fault == goalShort {
		goal--
	}
	probe.Load(&g.rd)
	rd := g.rd.Load()
	if uint64(goal) <= rd {
		return true
	}
	probe.Load(&g.wr)
	oldest := g.wr.Load()
	if g.fault == writeAfterScan {
		oldest = 1<<64 - 1
	}
	for i := range g.cpus {
		if i == 0 && g.fault == skipsFirst {
			continue
		}
		probe.Load(&g.cpus[i])
		if seq := g.cpus[i].Load(); seq != 0 {
			oldest = min(oldest, seq)
		}
	}
	if g.fault == writeAfterScan {
		probe.Load(&g.wr)
		oldest = min(oldest, g.wr.Load())
	}
	for rd < oldest {
		probe.RMW(&g.rd)
		if g.rd.CompareAndSwap(rd, oldest) {
			break
		}
		rd = g.rd.Load()
	}
	return uint64(goal) <= oldest
}

func (g *gus) Wait(goal smr.Seq) {
	for !g.Poll(goal) {
		probe.Pause()
	}
}

func (g *gus) Recycles() bool   { return true }
func (g *gus) Stats() smr.Stats { return smr.Stats{} }

// ebr is epoch-based reclamation whose memory is free lag epochs later; 2 is sound. rechecks says that a reader announces again until
// the epoch it announced is the current one, which lag 2 makes unnecessary.
type ebr struct {
	lag      uint64
	rechecks bool
	epoch    atomic.Uint64
	cpus     []atomic.Uint64
}

func newEBR(lag uint64, rechecks bool) func(int) smr.Domain {
	return func(cpus int) smr.Domain {
		e := &ebr{lag: lag, rechecks: rechecks, cpus: make([]atomic.Uint64, cpus)}
		e.epoch.Store(1)
		return e
	}
}

func (e *ebr) Enter(cpu int) {
	for {
		probe.Load(&e.epoch)
		now := e.epoch.Load()
		probe.Store(&e.cpus[cpu])
		e.cpus[cpu].Store(now)
		if !e.rechecks {
			return
		}
		probe.Load(&e.epoch)
		if e.epoch.Load() == now {
			return
		}
	}
}

func (e *ebr) Exit(cpu int) {
	probe.Store(&e.cpus[cpu])
	e.cpus[cpu].Store(0)
}

func (e *ebr) Offline(int) {}

func (e *ebr) Advance() smr.Seq {
	probe.Load(&e.epoch)
	return smr.Seq(e.epoch.Load() + e.lag)
}

func (e *ebr) Poll(goal smr.Seq) bool {
	for {
		probe.Load(&e.epoch)
		now := e.epoch.Load()
		if now >= uint64(goal) {
			return true
		}
		for i := range e.cpus {
			probe.Load(&e.cpus[i])
			if at := e.cpus[i].Load(); at != 0 && at != now {
				return false
			}
		}
		probe.RMW(&e.epoch)
		e.epoch.CompareAndSwap(now, now+1)
	}
}

func (e *ebr) Wait(goal smr.Seq) {
	for !e.Poll(goal) {
		probe.Pause()
	}
}

func (e *ebr) Recycles() bool   { return true }
func (e *ebr) Stats() smr.Stats { return smr.Stats{} }

// A queueFault is what a queue does wrong.
type queueFault int

const (
	soundQueue queueFault = iota
	leavesEarly
	comesBeside
	overtakes
	takesLate
	stopsAtOnce
)

// queue is a dispatch model in short, with one queue, one worker and a fault: Dispatch handles in place if the queue is idle and empty, Queue does not.
type queue struct {
	netisr.Isr
	fault    queueFault
	c        netisr.Config
	lock     locks.Mtx
	sema     locks.Sema
	packets  []*pcbinfo.Segment // under lock, as is what follows
	busy     bool               // somebody handles packets
	signal   bool               // the worker has been signalled and has not looked yet
	stopping bool
	work     netisr.Work
}

func newQueue(f queueFault) func(netisr.Config) netisr.Isr {
	return func(c netisr.Config) netisr.Isr { return &queue{fault: f, c: c} }
}

func (q *queue) Context(int) netisr.Dispatcher { return q }
func (q *queue) User(int) pcbinfo.CPU          { return nil }
func (q *queue) Workers() []netisr.Worker      { return []netisr.Worker{q} }
func (q *queue) Run() int                      { return 0 }
func (q *queue) Idle()                         {}

func (q *queue) Stats() netisr.Stats {
	return netisr.Stats{Streams: []netisr.StreamStats{{Works: []netisr.Work{q.work}, Len: []int{len(q.packets)}}}}
}

func (q *queue) handle(segs []*pcbinfo.Segment) {
	q.work.Handled += uint64(len(segs))
	q.c.Protocols[0].Handler(&netisr.At{Handle: q.c.Streams[0]}, segs)
}

func (q *queue) Dispatch(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	q.lock.Lock(nil)
	idle := !q.busy || q.fault == comesBeside
	if empty := len(q.packets) == 0 && !q.signal; !idle || !empty && q.fault != overtakes {
		q.lock.Unlock(nil)
		return q.Queue(segs)
	}
	q.busy = true
	q.lock.Unlock(nil)
	q.work.HDispatched += uint64(len(segs))
	q.handle(segs)
	q.lock.Lock(nil)
	q.busy = false
	q.unlock(len(q.packets) > 0 || q.stopping)
	return nil
}

func (q *queue) Queue(segs []*pcbinfo.Segment) []*pcbinfo.Segment {
	q.lock.Lock(nil)
	n := min(len(segs), q.c.QLimit-len(q.packets))
	q.packets = append(q.packets, segs[:n]...)
	q.work.Queued += uint64(n)
	q.work.QDrops += uint64(len(segs) - n)
	q.unlock(n > 0)
	return segs[n:]
}

// unlock lets go and wakes the worker if there is need and nobody will look.
func (q *queue) unlock(need bool) {
	wake := need && !q.busy && !q.signal
	if wake {
		q.signal = true
	}
	q.lock.Unlock(nil)
	if wake {
		q.sema.Post()
	}
}

func (q *queue) Serve() {
	for stop := false; !stop; {
		q.sema.Wait()
		stop = q.serve()
	}
}

func (q *queue) serve() (stop bool) {
	q.lock.Lock(nil)
	q.signal = false
	if q.busy {
		q.lock.Unlock(nil)
		return false // a context is there, which signals again
	}
	q.busy = true
	for len(q.packets) > 0 && !(q.fault == stopsAtOnce && q.stopping) {
		packets := q.packets
		if q.fault != takesLate {
			q.packets = nil
		}
		q.lock.Unlock(nil)
		q.handle(packets)
		q.lock.Lock(nil)
		if q.fault == takesLate {
			q.packets = nil
		}
		if q.fault == leavesEarly {
			break
		}
	}
	q.busy = false
	stop = q.stopping
	q.lock.Unlock(nil)
	return stop
}

func (q *queue) Stop() {
	q.lock.Lock(nil)
	q.stopping = true
	q.unlock(true)
}

// looksFirst does not look again when it has said that it sleeps.
type looksFirst struct {
	sleeping atomic.Uint32
	sema     locks.Sema
}

func (b *looksFirst) Sleep(ready func() bool) bool {
	if ready() {
		return false
	}
	probe.Store(&b.sleeping)
	b.sleeping.Store(1)
	b.sema.Wait()
	return true
}

func (b *looksFirst) Ring() bool {
	probe.RMW(&b.sleeping)
	if !b.sleeping.CompareAndSwap(1, 0) {
		return false
	}
	b.sema.Post()
	return true
}
