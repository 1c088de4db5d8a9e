package harness

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
)

// An account is a table that keeps its own account of a sample: what each of its handles was used for, in which phase, and when. It may be slow, large,
// and at fault, all of it by known amounts. It lets in one thread at a time: any scheme does.
type account struct {
	pcbinfo.Info
	cfg     pcbinfo.Config // what the table was asked to be
	table   sync.Mutex     // of Info
	base    time.Time
	beat    func(worker int)
	run     atomic.Pointer[run] // nil: nobody tells
	cpus    []*ledger
	opening [][]byte // what each connection of the opening table costs beside
	own     []byte   // what it costs itself
	fault   fault
	opened  atomic.Bool // Open ends by asking for Stats
	done    atomic.Bool // the fault
	begun   atomic.Bool // the first call
	held    atomic.Bool // worker 0, once
	walkers int32
	inside  atomic.Int32 // walkers
	all     atomic.Bool  // that all walkers were inside at once
	many    atomic.Bool  // that more were
	walking sync.Mutex   // walkers come at once
	walks   []span
	ended   []int32 // the phase after each walk
}

// A ledger is one handle's: a worker's, who may do everything, a netisr worker's or a user's.
type ledger struct {
	_ [128]byte
	pcbinfo.CPU
	a     *account
	id    int
	calls []call
	parts []part        // of calls, one after the other
	pins  []int         // the CPUs that the handle's thread may use; nil: unknown
	came  atomic.Uint64 // calls that have begun; worker 0 reads it
	sure  time.Duration // that it waited for worker 0, at least; worker 0 writes it
	opens int           // segments while the table was opened
	slow  time.Duration // what every call takes beside
	long  time.Duration // what every eighth call takes instead
	litter
	_ [128]byte
}

// A litter is what a call leaves to the collector.
type litter struct {
	allocs int // a segment
	sink   *[16]byte
}

// A span is a time from its base.
type span struct{ in, out time.Duration }

// A call is one Input.
type call struct {
	span
	segs  int
	phase int32 // read after in
	parts int   // how many
}

// A part of a call is neighbouring segments of one source and batch.
type part struct {
	source uint16
	slot   uint8
	segs   int
}

// A fault is done once, when a worker is in that phase and has made so many calls in it.
type fault struct {
	what  string
	phase int32
	after int
}

// The faults of an account.
const (
	noFault   = ""
	loses     = "loses a batch"
	doubles   = "takes a segment twice"
	panics    = "panics"
	closesBad = "finds something left when it is closed"
)

// What an account adds to the heap for itself and for each connection of the opening table.
const (
	accountBytes = 8 << 20
	connBytes    = 64 << 10
)

// now is the time since the account's base.
func (a *account) now() time.Duration { return time.Since(a.base) }

// phase is the run's; warming if nobody tells.
func (a *account) phase() int32 {
	if r := a.run.Load(); r != nil {
		return r.phase.Load()
	}
	return warming
}

// Stats is the last that Open asks for.
func (a *account) Stats() pcbinfo.Stats {
	a.opened.Store(true)
	return a.Info.Stats()
}

func (a *account) CPU(cpu int) pcbinfo.CPU { return a.cpus[cpu] }

// patience is how long an account holds a worker for others to come: no scheduler keeps who is ready from running for so long.
const patience = 10 * time.Second

// until gives way until cond holds, or for that long.
func (a *account) until(id int, limit time.Duration, cond func() bool) {
	for end := a.now() + limit; !cond() && a.now() < end; runtime.Gosched() {
		a.beat(id)
	}
}

func (l *ledger) Input(segs []*pcbinfo.Segment) {
	a := l.a
	a.beat(l.id)
	in := a.now()
	phase := a.phase()
	if !a.opened.Load() {
		l.CPU.Input(segs)
		l.opens += len(segs)
		for len(a.opening) < a.Len() {
			a.opening = append(a.opening, make([]byte, connBytes))
		}
		return
	}
	l.came.Add(1)
	n, parts := len(segs), l.note(segs)
	if f := a.fault; f.what != noFault && f.phase == phase && n > 0 && l.before(phase) >= f.after && a.done.CompareAndSwap(false, true) {
		segs = a.err(segs, l)
	}
	l.take(segs)
	for range n * l.allocs {
		l.sink = new([16]byte)
	}
	until := in + l.slow
	if len(l.calls)%8 == 7 {
		until = in + l.long
	}
	for a.now() < until {
	}
	l.place()
	switch {
	case a.begun.CompareAndSwap(false, true):
		a.until(l.id, patience, func() bool { return a.walkers == 0 || a.all.Load() })
	case l.id == 0 && l.before(measuring) == 3 && a.held.CompareAndSwap(false, true):
		a.hold()
	}
	l.calls = append(l.calls, call{span{in, a.now()}, n, phase, parts})
}

// note cuts segs into parts, before their headers are others', and returns how many there are.
func (l *ledger) note(segs []*pcbinfo.Segment) (n int) {
	for i, seg := range segs {
		if i == 0 || seg.Source != segs[i-1].Source || seg.Slot != segs[i-1].Slot {
			l.parts = append(l.parts, part{source: seg.Source, slot: seg.Slot})
			n++
		}
		l.parts[len(l.parts)-1].segs++
	}
	return n
}

// place notes where the handle's thread may run.
func (l *ledger) place() {
	if l.pins == nil && l.a.opened.Load() {
		l.pins = threadCPUs()
	}
}

// before is how many calls the worker has made in that phase, without interruption to now.
func (l *ledger) before(phase int32) (n int) {
	for n < len(l.calls) && n < 10 && l.calls[len(l.calls)-1-n].phase == phase {
		n++
	}
	return n
}

// take hands segs to the table.
func (l *ledger) take(segs []*pcbinfo.Segment) {
	l.a.table.Lock()
	defer l.a.table.Unlock()
	l.CPU.Input(segs)
}

// enter lets a user in; it returns the lock to let go of.
func (l *ledger) enter() *sync.Mutex {
	l.place()
	l.a.table.Lock()
	return &l.a.table
}

func (l *ledger) Send(inc *pcbinfo.ConnInfo, n int) error {
	defer l.enter().Unlock()
	return l.CPU.Send(inc, n)
}

func (l *ledger) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	defer l.enter().Unlock()
	return l.CPU.Connect(inc)
}

func (l *ledger) Close(inc *pcbinfo.ConnInfo) error {
	defer l.enter().Unlock()
	return l.CPU.Close(inc)
}

func (l *ledger) Abort(inc *pcbinfo.ConnInfo) error {
	defer l.enter().Unlock()
	return l.CPU.Abort(inc)
}

func (l *ledger) SlowTimo(now uint32) {
	defer l.enter().Unlock()
	l.CPU.SlowTimo(now)
}

// holdFor is how long worker 0 is held, at most.
const holdFor = 3 * time.Millisecond

// hold keeps worker 0 in the table while time is measured, and looks how the others' loops turn without a call: these turns can be nothing but
// waiting, whoever loses his CPU. A beat that is seen to change was told between this look and the last one, and turns before a beat that
// was seen are over when the next one is told. So the time from the look at a first beat to the look before the last but one is less than
// what the worker must have counted.
func (a *account) hold() {
	r := a.run.Load()
	if r.loose() > 0 {
		return // a ledger is not a worker
	}
	type watch struct {
		came, beat uint64
		beats      int
		from, to   time.Duration // of the first beat and the look before the last one
	}
	workers := a.cpus[:len(r.ds)]
	seen, last := make([]watch, len(workers)), a.now()
	for i, l := range workers {
		seen[i] = watch{came: l.came.Load(), beat: r.workers[i].beat.Load()}
	}
	a.until(0, holdFor, func() bool {
		for i, l := range workers[1:] {
			w := &seen[i+1]
			beat, came := r.workers[i+1].beat.Load(), l.came.Load()
			switch {
			case a.phase() != measuring:
				return true
			case came != w.came:
				*w = watch{came: came, beat: beat}
			case beat != w.beat && w.beats == 0:
				w.beat, w.beats, w.from = beat, 1, a.now()
			case beat != w.beat:
				if w.beats > 1 {
					l.sure = max(l.sure, w.to-w.from)
				}
				w.beat, w.beats, w.to = beat, w.beats+1, last
			}
		}
		last = a.now()
		return false
	})
}

// threadCPUs are those that the calling thread may use; nil where the system does not tell.
func threadCPUs() []int {
	status, _ := os.ReadFile("/proc/thread-self/status")
	_, list, _ := strings.Cut(string(status), "\nCpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	cpus, err := machine.ParseCPUList(strings.TrimSpace(list))
	if err != nil {
		return nil
	}
	return cpus
}

// err does the fault and returns what is left to do right.
func (a *account) err(segs []*pcbinfo.Segment, l *ledger) []*pcbinfo.Segment {
	switch a.fault.what {
	case loses:
		return nil
	case doubles:
		l.take(segs[:1])
	case panics:
		panic("account: pcb 7 is gone")
	}
	return segs
}

func (a *account) Walk(f func(*pcbinfo.Xinpcb) bool) {
	if a.run.Load() == nil || a.phase() == draining { // the check's
		a.Info.Walk(f)
		return
	}
	n := a.inside.Add(1)
	defer a.inside.Add(-1)
	if n == a.walkers {
		a.all.Store(true)
	}
	if n > a.walkers {
		a.many.Store(true)
	}
	a.until(0, patience, a.all.Load)
	a.walking.Lock()
	defer a.walking.Unlock()
	in := a.now()
	a.walk(f)
	time.Sleep(walkPause)
	a.walks = append(a.walks, span{in, a.now()})
	a.ended = append(a.ended, a.phase())
}

// walkPause is part of a walk, and leaves the table to the workers for a while.
const walkPause = 200 * time.Microsecond

func (a *account) walk(f func(*pcbinfo.Xinpcb) bool) {
	a.table.Lock()
	defer a.table.Unlock()
	a.Info.Walk(f)
}

// seen is how many segments have come in.
func (a *account) seen() (n int) {
	for _, l := range a.cpus {
		n += l.opens
		for _, c := range l.calls {
			n += c.segs
		}
	}
	return n
}

// The account's own counters.
const eventName, gaugeName = "seen", "level"

func (a *account) Counters() []pcbinfo.Counter {
	n := uint64(a.seen())
	return append(a.Info.Counters(), pcbinfo.Counter{Name: eventName, Value: n}, pcbinfo.Counter{Name: gaugeName, Value: n, Gauge: true})
}

func (a *account) Close() error {
	err := a.Info.Close()
	if a.fault.what == closesBad {
		a.done.Store(true)
		err = errors.Join(err, errors.New("7 inpcbs leaked"))
	}
	return err
}

// An auditor makes a scheme keep accounts.
type auditor struct {
	beat func(worker int)
	last *account // the account of the table that was made last
}

// audit makes v's tables keep accounts, each prepared by prepare.
func (au *auditor) audit(v *variant, prepare func(*account)) {
	plain := v.spec.Scheme.New
	v.spec.Scheme.New = func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
		in, err := plain(cfg)
		if err != nil {
			return nil, err
		}
		a := &account{Info: in, cfg: cfg, base: time.Now(), beat: au.beat, own: make([]byte, accountBytes), walkers: int32(v.walkers())}
		for i := range cfg.CPUs {
			a.cpus = append(a.cpus, &ledger{CPU: in.CPU(i), a: a, id: i, calls: make([]call, 0, 1<<12), parts: make([]part, 0, 1<<14)})
		}
		prepare(a)
		au.last = a
		return a, nil
	}
}
