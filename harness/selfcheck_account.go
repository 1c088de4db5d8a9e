package harness

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"pcbbench/pcbinfo"
)

// An account is a table that keeps its own account of a sample: what each worker brought it, in which phase, and when. It may be slow, large,
// and at fault, all of it by known amounts.
type account struct {
	pcbinfo.Info
	base    time.Time
	beat    func(worker int)
	run     atomic.Pointer[run] // nil: nobody tells
	cpus    []*ledger
	opening [][]byte // what each connection of the opening table costs beside
	own     []byte   // what it costs itself
	fault   fault
	opened  atomic.Bool // Open ends by asking for Stats
	done    atomic.Bool // the fault
	walking sync.Mutex  // walkers come at once
	walks   []span
	ended   []int32 // the phase after each walk
}

// A ledger is one worker's.
type ledger struct {
	_ [128]byte
	pcbinfo.CPU
	a     *account
	id    int
	calls []call
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
}

// A fault is done once, when a worker is in that phase.
type fault struct {
	what  string
	phase int32
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

func (l *ledger) Input(segs []*pcbinfo.Segment) {
	l.a.beat(l.id)
	in := l.a.now()
	phase := l.a.phase()
	if !l.a.opened.Load() {
		l.CPU.Input(segs)
		l.opens += len(segs)
		for len(l.a.opening) < l.a.Len() {
			l.a.opening = append(l.a.opening, make([]byte, connBytes))
		}
		return
	}
	n := len(segs)
	if f := l.a.fault; f.what != noFault && f.phase == phase && n > 0 && l.a.done.CompareAndSwap(false, true) {
		segs = l.a.err(segs, l.CPU)
	}
	l.CPU.Input(segs)
	for range n * l.allocs {
		l.sink = new([16]byte)
	}
	until := in + l.slow
	if len(l.calls)%8 == 7 {
		until = in + l.long
	}
	for l.a.now() < until {
	}
	l.calls = append(l.calls, call{span{in, l.a.now()}, n, phase})
}

// err does the fault and returns what is left to do right.
func (a *account) err(segs []*pcbinfo.Segment, cpu pcbinfo.CPU) []*pcbinfo.Segment {
	switch a.fault.what {
	case loses:
		return nil
	case doubles:
		cpu.Input(segs[:1])
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
	a.walking.Lock()
	defer a.walking.Unlock()
	in := a.now()
	a.Info.Walk(f)
	a.walks = append(a.walks, span{in, a.now()})
	a.ended = append(a.ended, a.phase())
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
		a := &account{Info: in, base: time.Now(), beat: au.beat, own: make([]byte, accountBytes)}
		for i := range cfg.CPUs {
			a.cpus = append(a.cpus, &ledger{CPU: in.CPU(i), a: a, id: i, calls: make([]call, 0, 1<<12)})
		}
		prepare(a)
		au.last = a
		return a, nil
	}
}
