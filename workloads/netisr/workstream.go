package netisr

import (
	"math"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
)

// The flags of a workstream (NWS_*). They say who sees to what is queued: it is signalled only if nobody does.
const (
	running     = 1 << iota // its worker handles what was queued
	dispatching             // a context handles packets in place, and looks at the queue afterwards
	scheduled               // its worker has been signalled and has not looked yet
)

// A workstream is one CPU's queues, with a worker that is bound to it (struct netisr_workstream).
type workstream struct {
	_        [locks.LinePad]byte
	lock     locks.Mtx
	flags    uint8 // under lock
	stopping bool  // under lock
	_        [locks.LinePad]byte
	pending  atomic.Uint32 // the protocols that have packets queued, and requested; written under lock, read without it by who polls
	_        [locks.LinePad]byte
	works    [MaxProtocols]work
	signal   locks.Sema // a post for each time that scheduled is set
	poll     bool
	now      func() int64
	rungAt   int64 // when signal was posted last; written under lock before the post
	wakes    Wakes // the worker's
	at       At
	handlers []Protocol
	table    pcbinfo.CPU // the handle's; nil: there is no table
	// Of models that keep the table to their workstreams, see request.go:
	asked     []*request // under lock
	answering []*request // the worker's, as is what follows: what it took from asked
	cpu       pcbinfo.CPU
	requests  uint64
	failed    uint64 // of those that nobody waited for
	failure   error  // the last one's
	_         [locks.LinePad]byte
}

// A work is one protocol's queue (struct netisr_work).
type work struct {
	queue  []*pcbinfo.Segment // under lock
	local  []*pcbinfo.Segment // the worker's: what it took from queue as a whole
	qlimit int
	done   atomic.Uint64 // Work.Handled, for who may not lock; pairs with the Load in feedbackContext.ahead
	Work
}

func newWorkstream(c *Config, handle int, out Dispatcher) *workstream {
	ws := &workstream{poll: c.Poll, now: c.Now, wakes: NewWakes(c.Now), handlers: c.Protocols, at: At{handle, out}}
	if c.Table != nil {
		ws.table = c.Table.CPU(handle)
	}
	witness.Name(&ws.lock, "workstream")
	for i := range c.Protocols {
		n := c.Protocols[i].QLimit
		ws.works[i].qlimit = n
		ws.works[i].queue = make([]*pcbinfo.Segment, 0, n)
		ws.works[i].local = make([]*pcbinfo.Segment, 0, n)
	}
	return ws
}

// enqueue queues as many of segs as there is room for (netisr_queue_workstream); all of them if they come out of packets that had been let in.
// The last of them is the end-th packet of its protocol that was queued here, and will be the end-th that is handled.
func (ws *workstream) enqueue(proto uint8, segs []*pcbinfo.Segment, inner bool) (accepted int, end uint64) {
	ws.lock.Lock(nil)
	accepted = ws.append(proto, segs, inner)
	end = ws.works[proto].Queued
	ws.unlock(accepted > 0)
	return accepted, end
}

// refuse counts n packets that are not let in because others have been refused before them.
func (ws *workstream) refuse(proto uint8, n int) {
	ws.lock.Lock(nil)
	ws.works[proto].QDrops += uint64(n)
	ws.lock.Unlock(nil)
}

// append is called with lock held.
func (ws *workstream) append(proto uint8, segs []*pcbinfo.Segment, inner bool) (accepted int) {
	w := &ws.works[proto]
	accepted = len(segs)
	if !inner {
		accepted = min(accepted, w.qlimit-len(w.queue))
		accepted = max(accepted, 0) // inner ones may have gone beyond the limit
	}
	w.QDrops += uint64(len(segs) - accepted)
	if accepted == 0 {
		return 0
	}
	w.queue = append(w.queue, segs[:accepted]...)
	w.Queued += uint64(accepted)
	w.WMark = max(w.WMark, len(w.queue))
	probe.Store(&ws.pending)
	ws.pending.Store(ws.pending.Load() | 1<<proto)
	return accepted
}

// unlock lets go of lock and sees to it that somebody looks at the queue, if there is need and nobody will.
func (ws *workstream) unlock(need bool) {
	wake := need && ws.flags == 0
	if wake {
		ws.flags |= scheduled
		if ws.now != nil {
			ws.rungAt = ws.now()
		}
	}
	ws.lock.Unlock(nil)
	if wake && !ws.poll {
		ws.signal.Post()
	}
}

// Run is swi_net.
func (ws *workstream) Run() int {
	probe.Load(&ws.pending)
	if ws.poll && ws.pending.Load() == 0 {
		return 0
	}
	n, _ := ws.run()
	return n
}

// Serve sleeps until it is signalled. A signal that comes before Wait is counted, and whoever queues while flags are set leaves it to the
// one who set them to look again; so nothing stays behind in a queue.
func (ws *workstream) Serve() {
	for stop := false; !stop; {
		ws.signal.Wait()
		ws.woken()
		_, stop = ws.run()
	}
}

// Idle is the polling thread's. Where the table is kept to the workstreams others may run one after Stop, so that who has run it says so.
func (ws *workstream) Idle() {
	if ws.table != nil && ws.cpu == nil {
		ws.table.Idle()
	}
}

// woken counts a signal that was for work, not for the end.
func (ws *workstream) woken() {
	ws.lock.Lock(nil)
	rung, stopping := ws.rungAt, ws.stopping
	ws.lock.Unlock(nil)
	switch {
	case stopping:
	case ws.now == nil:
		ws.wakes.Count(0)
	default:
		ws.wakes.Count(ws.now() - rung)
	}
}

// run handles what is queued until nothing is.
func (ws *workstream) run() (n int, stop bool) {
	ws.lock.Lock(nil)
	ws.flags &^= scheduled
	if ws.flags != 0 { // the context that dispatches signals again; who runs already goes on until nothing is queued
		stop = ws.flags == running && ws.stopping
		ws.lock.Unlock(nil)
		return 0, stop
	}
	ws.flags |= running
	for ws.pending.Load() != 0 {
		for proto := range ws.handlers {
			n += ws.answer() + ws.process(proto, math.MaxInt)
		}
	}
	if ws.table != nil && (!ws.poll || ws.cpu != nil) { // a polling thread goes on to other things, and says so itself
		ws.table.Idle()
	}
	ws.flags &^= running
	stop = ws.stopping
	ws.lock.Unlock(nil)
	return n, stop
}

// process takes a protocol's whole queue, or no more than most, and handles it without the lock (netisr_process_workstream_proto): the queue may fill
// up to its limit meanwhile, so that twice as many packets may be waiting. It is called, and returns, with lock held.
func (ws *workstream) process(proto, most int) int {
	w := &ws.works[proto]
	if len(w.queue) == 0 || most <= 0 {
		return 0
	}
	w.take(most)
	if len(w.queue) == 0 {
		probe.Store(&ws.pending)
		ws.pending.Store(ws.pending.Load() &^ (1 << proto))
	}
	ws.lock.Unlock(nil)
	ws.handlers[proto].Handler(&ws.at, w.local)
	ws.lock.Lock(nil)
	n := len(w.local)
	w.Handled += uint64(n)
	probe.Store(&w.done)
	w.done.Store(w.Handled)
	w.Batches++
	return n
}

// take moves the queue, or the first of it, to local.
func (w *work) take(most int) {
	if len(w.queue) <= most {
		w.queue, w.local = w.local[:0], w.queue
		return
	}
	w.local = append(w.local[:0], w.queue[:most]...)
	w.queue = w.queue[:copy(w.queue, w.queue[most:])]
}

// stop makes Serve return when nothing is queued.
func (ws *workstream) stop() {
	ws.lock.Lock(nil)
	ws.stopping = true
	ws.unlock(true)
}
