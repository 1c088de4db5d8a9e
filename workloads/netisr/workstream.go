package netisr

import (
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/locks"
	"pcbbench/locks/probe"
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
	flags    uint8         // under lock
	stopping bool          // under lock
	pending  atomic.Uint32 // the protocols that have packets queued; written under lock, read without it by who polls
	works    [MaxProtocols]work
	signal   locks.Sema // a post for each time that scheduled is set
	poll     bool
	now      func() int64
	rungAt   int64 // when signal was posted last; written under lock before the post
	wakes    wakes // the worker's
	at       At
	handlers []Protocol
	_        [locks.LinePad]byte
}

// A work is one protocol's queue (struct netisr_work).
type work struct {
	queue  []*pcbinfo.Segment // under lock
	local  []*pcbinfo.Segment // the worker's: what it took from queue as a whole
	qlimit int
	Work
}

// wakes are how often a worker was woken, and how long after the signal it ran.
type wakes struct {
	n       uint64
	latency *hdrhistogram.Histogram
}

// maxWake is the longest latency that is told from longer ones, in the clock's units.
const maxWake = 1 << 36

func newWorkstream(c *Config, handle int, out Dispatcher) *workstream {
	ws := &workstream{poll: c.Poll, now: c.Now, handlers: c.Protocols, at: At{handle, out}}
	for i := range c.Protocols {
		n := c.Protocols[i].QLimit
		ws.works[i].qlimit = n
		ws.works[i].queue = make([]*pcbinfo.Segment, 0, n)
		ws.works[i].local = make([]*pcbinfo.Segment, 0, n)
	}
	if c.Now != nil {
		ws.wakes.latency = hdrhistogram.New(1, maxWake, 2)
	}
	return ws
}

// enqueue queues as many of segs as there is room for (netisr_queue_workstream); all of them if they come out of packets that had been let in.
func (ws *workstream) enqueue(proto uint8, segs []*pcbinfo.Segment, inner bool) (accepted int) {
	ws.lock.Lock(nil)
	accepted = ws.append(proto, segs, inner)
	ws.unlock(accepted > 0)
	return accepted
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

func (ws *workstream) woken() {
	ws.wakes.n++
	if ws.now == nil {
		return
	}
	ws.lock.Lock(nil)
	rung := ws.rungAt
	ws.lock.Unlock(nil)
	_ = ws.wakes.latency.RecordValue(min(max(1, ws.now()-rung), maxWake))
}

// run handles what is queued until nothing is.
func (ws *workstream) run() (n int, stop bool) {
	ws.lock.Lock(nil)
	ws.flags &^= scheduled
	if ws.flags&dispatching != 0 {
		ws.lock.Unlock(nil) // the context that dispatches signals again
		return 0, false
	}
	ws.flags |= running
	for ws.pending.Load() != 0 {
		for proto := range ws.handlers {
			n += ws.process(proto)
		}
	}
	ws.flags &^= running
	stop = ws.stopping
	ws.lock.Unlock(nil)
	return n, stop
}

// process takes a protocol's whole queue and handles it without the lock (netisr_process_workstream_proto): the queue may fill up to its limit
// meanwhile, so that twice as many packets may be waiting. It is called, and returns, with lock held.
func (ws *workstream) process(proto int) int {
	w := &ws.works[proto]
	if len(w.queue) == 0 {
		return 0
	}
	w.queue, w.local = w.local[:0], w.queue
	probe.Store(&ws.pending)
	ws.pending.Store(ws.pending.Load() &^ (1 << proto))
	ws.lock.Unlock(nil)
	ws.handlers[proto].Handler(&ws.at, w.local)
	ws.lock.Lock(nil)
	n := len(w.local)
	w.Handled += uint64(n)
	w.Batches++
	return n
}

// stop makes Serve return when nothing is queued.
func (ws *workstream) stop() {
	ws.lock.Lock(nil)
	ws.stopping = true
	ws.unlock(true)
}
