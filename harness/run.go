package harness

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/machine"
	"pcbbench/locks"
	"pcbbench/locks/oracle"
	"pcbbench/locks/witness"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// The phases of a sample.
const (
	warming  = iota // in a closed loop, whatever comes then
	settling        // an open loop has begun
	measuring
	draining // the clock has stopped; on to the end of the lap
)

// A run is a sample while it runs.
type run struct {
	b       *bench
	v       *variant
	w       *workloads.Workload
	in      pcbinfo.Info
	t       *workloads.Traffic
	ds      []*workloads.Driver // t's
	tm      Timing
	workers []worker
	_       [128]byte
	phase   atomic.Int32 // read by all at each batch, written three times
	failed  atomic.Bool  // a worker has failed: the others stop where they are
	_       [128]byte
	stop    sync.Mutex
	err     error             // under stop: why
	opened  []pcbinfo.Counter // the scheme's counts when the table was open
	// Of an open loop, on the clock; written before the phase that needs it begins:
	start, from, to int64         // when arrivals begin; those from from on and before to are measured
	ended           int64         // under stop: when the measured time was over
	target          atomic.Uint64 // under spray: the lap at whose end all stop
	arrived         atomic.Int32  // workers that know where they stand
}

// A worker is one worker's measurements; nobody else looks before it is done.
type worker struct {
	warm    atomic.Bool
	waiting int64         // ticks
	beat    atomic.Uint64 // now and then the number of rounds of the loop, for who watches
	_       [128]byte
	// The users' threads, which may be the same:
	segs    uint64
	early   uint64 // of segs, in the first half of the measured time
	batches uint64
	hist    hdrhistogram.Histogram // here, since the counts of two on the heap may share a line
	served  atomic.Uint64          // as beat
	_       [128]byte
}

// The range of batch latencies, in ticks: up to some ten seconds, two digits.
const maxTicks = 1 << 36

func newWorkers(n int) []worker {
	ws := make([]worker, n)
	for i := range ws {
		ws[i].hist = *hdrhistogram.New(1, maxTicks, 2)
	}
	return ws
}

// measure runs the workers through the sample's phases.
func (r *run) measure(s *Sample) error {
	runtime.LockOSThread() // which takes the snapshots, and does not count
	defer runtime.UnlockOSThread()
	r.workers = newWorkers(len(r.ds))
	if v := r.v; !v.spec.Collects() { // else the collector is the scheme's grace period
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	s.OneWay[0] = r.b.pingPong(len(r.ds))
	s.NSMul = 1 / locks.CalibrateDelay()
	var wg sync.WaitGroup
	threads := r.threads()
	if n := len(threads) + r.v.walkers(); n > runtime.GOMAXPROCS(0) && r.v.Pin == PinCPU {
		// Each may run whenever its CPU is free: with fewer, Go might run two of one CPU's and leave another CPU idle.
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	}
	for _, th := range threads {
		wg.Go(func() { r.guarded(th.name, func() error { return r.pinned(th) }) })
	}
	for range r.v.walkers() {
		wg.Go(func() { r.guarded("walker", func() error { r.walk(s); return nil }) })
	}
	if err := r.awaitWarm(); err != nil {
		return r.why(err)
	}
	r.settle()
	snap, watched := r.b.noise.Snapshot(), time.Now()
	mem := mallocs()
	if err := r.b.startCounters(); err != nil { // last, and stopped first, so that what we look with does not count
		r.fail(err)
		return r.await(&wg)
	}
	r.from = r.b.clock.Now()
	r.to = r.from + r.ticks(r.tm.Measure)
	witness.StartProfile(r.b.clock.Now)
	r.phase.Store(measuring)
	time.Sleep(r.tm.Measure)
	r.end()
	counted, failed := r.b.stopCounters()
	s.Counted = counted
	s.Wall = time.Duration(r.b.clock.NS(r.ended - r.from))
	mem = mallocs() - mem
	s.Noise, s.Watched = r.b.noise.Snapshot().Sub(snap), time.Since(watched)
	if err := errors.Join(failed, r.await(&wg)); err != nil {
		return err
	}
	s.OneWay[1] = r.b.pingPong(len(r.ds))
	s.judge(r.crowd())
	return r.sum(s, mem)
}

// end stops the clock, unless it has been. A worker does so too when he sees that the time is over: where all CPUs work, who sleeps may get none for some
// milliseconds. The Store of phase pairs with the Loads in loop, and lies within the measured time as the one in measure does.
func (r *run) end() {
	r.stop.Lock()
	defer r.stop.Unlock()
	if r.phase.Load() == measuring {
		witness.StopProfile()
		r.phase.Store(draining)
		r.ended = r.b.clock.Now()
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// pingPong classifies where the first two workers' CPUs are; 0 if there is only one.
func (b *bench) pingPong(workers int) float64 {
	if workers < 2 || len(b.cpus) < 2 || b.cpus[0] == b.cpus[1] {
		return 0
	}
	oneWay, ok := machine.PingPong(b.cpus[0], b.cpus[1])
	if !ok {
		return 0
	}
	return oneWay
}

// awaitWarm returns when every worker is warm, or has failed.
func (r *run) awaitWarm() error {
	time.Sleep(r.tm.Warm)
	return bounded(stuckAfter, "warming up", r.progress, func() error {
		for i := range r.workers {
			for !r.workers[i].warm.Load() && !r.failed.Load() {
				time.Sleep(100 * time.Microsecond)
			}
		}
		return nil
	})
}

// await waits for the workers as long as they make progress. Once one has failed the others may wait for ever for what it left behind: they are not waited for
// as long.
func (r *run) await(wg *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	err := bounded(stuckAfter, r.describe(), r.progress, func() error {
		for !r.failed.Load() {
			select {
			case <-done:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
		return bounded(stuckAfter/10, r.describe(), r.progress, func() error { <-done; return nil })
	})
	return r.why(err)
}

// why joins err and what made workers fail: one that is stuck may wait for a lock that one that panicked left behind.
func (r *run) why(err error) error {
	r.stop.Lock()
	defer r.stop.Unlock()
	return errors.Join(r.err, err)
}

// fail stops all workers for err.
func (r *run) fail(err error) {
	r.stop.Lock()
	r.err = errors.Join(r.err, err)
	r.stop.Unlock()
	r.failed.Store(true)
	r.t.Stop()
}

// progress grows while any worker gets on.
func (r *run) progress() (sum uint64) {
	for i := range r.workers {
		sum += r.workers[i].beat.Load() + r.workers[i].served.Load()
	}
	return sum
}

// describe says how far the workers were when the clock stopped.
func (r *run) describe() string {
	var where []string
	for i := range r.ds {
		where = append(where, fmt.Sprintf("worker %d in round %d", i, r.workers[i].beat.Load()))
	}
	return strings.Join(where, ", ")
}

// guarded runs f and turns its error or panic into the run's: a broken scheme ends its sample, not the process.
func (r *run) guarded(who string, f func() error) {
	if err := oracle.Guard(f); err != nil {
		r.fail(fmt.Errorf("%s: %w", who, err))
	}
}

// A thread is one of those that a sample has, bound to a CPU.
type thread struct {
	name string
	cpu  int // in the order in which workers are placed
	run  func()
}

// threads are those that the experiment's roles ask for.
func (r *run) threads() (list []thread) {
	roles := r.v.way.Roles
	for i, d := range r.ds {
		w := &r.workers[i]
		list = append(list, thread{fmt.Sprintf("worker %d", i), i, func() { r.loop(i, d, w); r.drain(i, d, w) }})
		if roles.Users {
			list = append(list, thread{fmt.Sprintf("users %d", i), i, func() { r.users(d, w) }})
		}
	}
	if roles.Netisr {
		for i, w := range r.t.Isr.Workers() {
			list = append(list, thread{fmt.Sprintf("netisr %d", i), i % len(r.ds), w.Serve})
		}
	}
	if roles.Users {
		list = append(list, thread{"timer", 0, r.t.Timer})
	}
	return list
}

// crowd is how many threads want to run, and on how many CPUs they may, if there are so many.
func (r *run) crowd() (threads, places int) {
	threads = len(r.threads()) + r.v.walkers()
	if r.v.Pin == PinCPU {
		return threads, len(r.ds) + r.v.walkers()
	}
	return threads, threads
}

// pinned runs th on its CPU.
func (r *run) pinned(th thread) error {
	if r.v.Pin == PinCPU {
		unpin, err := machine.Pin(r.b.cpus[th.cpu])
		if err != nil {
			return fmt.Errorf("%w (pin=%s needs no rights)", err, PinNone)
		}
		defer unpin()
	}
	th.run()
	return nil
}

// beatEvery is how many rounds of the loop a worker goes without telling.
const beatEvery = 64

// loop replays laps until the phase is over, one clock reading a turn.
func (r *run) loop(i int, d *workloads.Driver, w *worker) {
	clock, warmed := r.b.clock, time.Now().Add(r.tm.Warm)
	last, phase := clock.Now(), int32(warming)
	for rounds := uint64(0); !r.failed.Load(); rounds++ {
		if rounds%beatEvery == 0 {
			w.beat.Store(rounds)
		}
		if now := r.phase.Load(); now != phase {
			phase = now
			r.arrivals(d, phase)
			last = clock.Now()
		}
		if phase == draining && d.Backlog() == 0 {
			return
		}
		d.Arrive(last)
		did := r.turn(i, d, w, last, phase, true)
		at := clock.Now()
		if !did {
			r.rest(d)
			at = clock.Now()
			if phase == measuring && !d.Arriving() && d.Before(math.MaxUint64) && r.phase.Load() == measuring { // who was off its CPU may come back long after the clock stopped
				w.waiting += at - last
			}
		}
		if phase != measuring {
			w.idle(d, warmed)
		} else if at >= r.to {
			r.end()
		}
		last = at
	}
}

// settle begins the open loop, if there is one: what the closed loop had on its way is done with, and queues fill as far as they will, before
// anything is measured.
func (r *run) settle() {
	if !r.v.open() {
		return
	}
	r.start = r.b.clock.Now()
	r.phase.Store(settling)
	time.Sleep(r.tm.Warm)
}

// ticks is how many of the clock's ticks d lasts, rounded up.
func (r *run) ticks(d time.Duration) int64 { return int64(math.Ceil(float64(d) / r.b.clock.NS(1))) }

// arrivals tells d what phase an open loop is in. A worker that was off its CPU may have missed some.
func (r *run) arrivals(d *workloads.Driver, phase int32) {
	if !r.v.open() {
		return
	}
	d.Open(r.start)
	if phase >= measuring {
		d.Window(r.from, r.to)
	}
	if phase == draining {
		d.Shut()
	}
}

// rest is what a worker does that has nothing to do. One that waits for an arrival polls, since nobody rings when that comes.
func (r *run) rest(d *workloads.Driver) {
	if d.Arriving() {
		d.Idle()
		r.t.Yield()
	} else {
		d.Await()
	}
}

// turn sends a batch, polls and serves, as far as that is the worker's to do, and reports whether there was anything.
func (r *run) turn(i int, d *workloads.Driver, w *worker, now int64, phase int32, send bool) (did bool) {
	if send && d.Ready() {
		did = d.Send(now) > 0 // where a queue is full others have to run
	}
	if r.t.Poll(i) > 0 {
		did = true
	}
	if !r.v.way.Roles.Users && r.serve(d, w, phase) {
		did = true
	}
	return did
}

// serve has the users answer one batch, and measures how long ago it was sent. One of nothing but requests is none of the table's latencies.
func (r *run) serve(d *workloads.Driver, w *worker, phase int32) bool {
	n, began, ok := d.Serve()
	if ok && n > 0 && phase == measuring {
		now := r.b.clock.Now()
		w.segs += uint64(n)
		w.batches++
		w.hist.RecordValue(now - began)
		if now < r.from+(r.to-r.from)/2 {
			w.early += uint64(n)
		}
	}
	return ok
}

// users is the thread of users that have one of their own.
func (r *run) users(d *workloads.Driver, w *worker) {
	for rounds := uint64(0); !r.failed.Load() && !d.Finished(); rounds++ {
		if rounds%beatEvery == 0 {
			w.served.Store(rounds)
		}
		if !r.serve(d, w, r.phase.Load()) {
			d.AwaitHandled()
		}
	}
	d.IdleUsers()
	r.t.End()
}

// idle notes that the worker is warm: it has been through a lap, or has nothing to do, and its time is over.
func (w *worker) idle(d *workloads.Driver, warmed time.Time) {
	if !w.warm.Load() && (d.Begun() > 1 || !d.Before(1)) && time.Now().After(warmed) {
		w.warm.Store(true)
	}
}

// drain goes on to the end of a lap: its own, or under spray the furthest that any worker has begun. Then it works for others until all are there.
func (r *run) drain(i int, d *workloads.Driver, w *worker) {
	target := d.Begun()
	if r.v.Workload.Affinity == workloads.Spray {
		for old := r.target.Load(); old < target && !r.target.CompareAndSwap(old, target); old = r.target.Load() {
		}
		r.arrived.Add(1)
		r.until(i, d, w, 0, func() bool { return int(r.arrived.Load()) == len(r.ds) })
		target = r.target.Load()
	}
	users := r.v.way.Roles.Users
	r.until(i, d, w, target, func() bool { return !d.Before(target) && (users || d.Rest()) })
	if d.Finish(); !users {
		r.t.End()
	}
	r.until(i, d, w, 0, r.t.Over)
	if !r.failed.Load() {
		r.t.Poll(i) // requests that their users did not wait for
	}
	d.Idle()
}

// until takes turns until done, sending batches of the laps before target.
func (r *run) until(i int, d *workloads.Driver, w *worker, target uint64, done func() bool) {
	for !done() && !r.failed.Load() {
		if r.turn(i, d, w, 0, draining, d.Before(target)) {
			w.beat.Add(1)
		} else {
			d.Idle()
			r.t.Yield()
		}
	}
}

// walk lists all connections again and again until the clock stops.
func (r *run) walk(s *Sample) {
	for r.phase.Load() != draining && !r.failed.Load() {
		start := time.Now()
		r.in.Walk(func(*pcbinfo.Xinpcb) bool { return true })
		if r.phase.Load() == measuring {
			atomic.AddUint64(&s.Walks, 1)
			atomic.AddInt64((*int64)(&s.WalkTime), int64(time.Since(start)))
		}
	}
}

// errStarved says that no worker finished a batch in the measured time, as happens on a busy machine.
var errStarved = errors.New("no segment in the measured time: it is too short, or the load too low")

// sum makes one Sample of the workers' measurements. A worker is late by up to a batch at both ends of the measured time, which
// evens out. The time is not each worker's own: those that take turns on a CPU would each claim its full rate.
func (r *run) sum(s *Sample, mallocs uint64) error {
	if err := r.b.clock.Recalibrate(); err != nil {
		return err
	}
	s.Latency = hdrhistogram.New(1, maxTicks, 2)
	var squares, waiting float64
	var batches, early uint64
	for i := range r.workers {
		w := &r.workers[i]
		s.Segs += w.segs
		batches += w.batches
		early += w.early
		squares += float64(w.segs) * float64(w.segs)
		waiting += r.b.clock.NS(w.waiting)
		s.Latency.Merge(&w.hist)
	}
	if s.Segs == 0 {
		return errStarved
	}
	s.NSPerSeg = float64(s.Wall) / float64(s.Segs)
	s.Late = float64(s.Segs-early) / float64(s.Segs)
	s.Fairness = float64(s.Segs) * float64(s.Segs) / squares / float64(len(r.workers))
	s.Allocs = math.Floor(100*float64(mallocs)/float64(s.Segs)) / 100
	s.SegsBatch = float64(s.Segs) / float64(batches)
	s.Waiting = waiting / (float64(s.Wall) * float64(len(r.workers)))
	return nil
}
