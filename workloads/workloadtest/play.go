package workloadtest

import (
	"math/rand/v2"
	"reflect"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// laps is how often a workload is replayed on the record: a second time to see what the first one left behind.
const laps = 2

// A show is one workload with its record.
type show struct {
	p   workloads.Params // as they were asked for
	w   *workloads.Workload
	rec *record
	tr  *workloads.Traffic
	ds  []*workloads.Driver

	protocols []netisr.Protocol // as they were registered
	perLap    []int             // batches, by worker
}

// perform builds p's workload and replays it on a record: one goroutine steps the workers in an order drawn from rng, each as far ahead of
// the others as Ready lets it.
func perform(p workloads.Params, rng *rand.Rand, beat func(int)) (*show, error) {
	w, err := workloads.Build(p)
	if err != nil {
		return nil, oracle.Violated(oracle.Answer, "%+v: %w", p, err)
	}
	s := &show{p: p, w: w, rec: newRecord(w.Workers, p.Trace != "")}
	s.rec.loop = p.Mix == "loopback"
	if err := w.Open(s.rec); err != nil {
		return s, oracle.Violated(oracle.Answer, "opening: %w", err)
	}
	if got := s.rec.Stats(); w.Opened() != got {
		return s, oracle.Violated(oracle.Conservation, "Opened is %+v, the table has counted %+v", w.Opened(), got)
	}
	w.Forget()
	s.rec.traffic = 0
	s.tr = w.Start(s.rec, tap(way(p.Mix), func(c *netisr.Config) { s.protocols = c.Protocols }))
	s.ds = s.tr.Drivers
	for _, c := range s.rec.cpus {
		c.begin()
	}
	if err := s.run(rng, beat); err != nil {
		return s, err
	}
	if s.rec.err != nil {
		return s, s.rec.err
	}
	if err := w.Check(s.rec, s.ds); err != nil {
		return s, oracle.Violated(oracle.Answer, "Check on the reference: %w", err)
	}
	return s, nil
}

// run steps the drivers. In most runs one of them, the same for some time, may do one batch only when all others wait for it or are done: then they are as far
// ahead as they may be.
func (s *show) run(rng *rand.Rand, beat func(int)) error {
	steps, next := make([]int, len(s.ds)), make([]int, len(s.ds))
	s.perLap = next
	starve, starved, moved := len(s.ds) > 1 && rng.IntN(3) > 0, 0, true
	for idle, turns := 0, 0; ; turns++ {
		beat(0)
		if turns%256 == 0 {
			starved = rng.IntN(len(s.ds))
		}
		hungry, over := !moved, true
		moved = false
		first := rng.IntN(len(s.ds))
		for i := range s.ds {
			i = (first + i) % len(s.ds)
			d, c := s.ds[i], s.rec.cpus[i]
			if !d.Before(laps) {
				continue
			}
			over = false
			burst := rng.IntN(64)
			if starve && i == starved {
				if burst = 0; !hungry {
					continue
				}
			}
			for ; burst >= 0 && d.Before(laps) && d.Ready(); burst-- {
				moved = true
				before := s.rec.traffic + s.apart()
				n := s.tr.Next(i, laps)
				if steps[i]++; uint64(n) != s.rec.traffic+s.apart()-before {
					return oracle.Violated(oracle.Conservation, "Next sent %d segments and says %d", s.rec.traffic+s.apart()-before, n)
				}
				if s.rec.err != nil {
					return s.rec.err
				}
				if c.lap == 0 && !d.Before(1) {
					next[i] = steps[i] // batches of a lap, from here on
				}
				if err := s.counts(i, steps[i], next[i]); err != nil {
					return err
				}
				if n := next[i]; n > 0 && steps[i]%n == 0 && c.lap+1 < laps {
					c.begin()
				}
			}
		}
		if over {
			return nil
		}
		if idle++; moved {
			idle = 0
		}
		if idle > 2 { // once each has told the others where it is, one of them is the last, or the starved one
			return oracle.Violated(oracle.Progress, "no worker may send its next batch")
		}
	}
}

// counts holds Begun and Before to the number of batches done, once it is known how many a lap has.
func (s *show) counts(i, steps, perLap int) error {
	d := s.ds[i]
	begun, done := uint64(1), uint64(0)
	if perLap > 0 {
		begun, done = uint64((steps+perLap-1)/perLap), uint64(steps/perLap)
	}
	if got := d.Begun(); got != begun || d.Before(done) || !d.Before(done+1) {
		return oracle.Violated(oracle.Conservation, "worker %d after %d batches of %d a lap: %d laps begun, want %d; before the end of lap %d: %v, of %d: %v",
			i, steps, perLap, got, begun, done, d.Before(done), done+1, d.Before(done+1))
	}
	return nil
}

// twice checks that a second building of s's workload gives the same, and that another seed gives another.
func (s *show) twice() error {
	same, err := workloads.Build(s.p)
	if err != nil {
		return oracle.Violated(oracle.Answer, "building a second time: %w", err)
	}
	a, b := trace(same), s.trace()
	if !reflect.DeepEqual(a, b) {
		return oracle.Violated(oracle.Distribution, "two workloads of seed %d differ", s.p.Seed)
	}
	if s.rec.replay { // the capture decides
		return nil
	}
	p := s.p
	p.Seed++
	other, err := workloads.Build(p)
	if err != nil {
		return oracle.Violated(oracle.Answer, "building with another seed: %w", err)
	}
	if reflect.DeepEqual(trace(other), b) {
		return oracle.Violated(oracle.Distribution, "seeds %d and %d give the same workload", s.p.Seed, p.Seed)
	}
	return nil
}

// A print is what of a segment does not depend on the table.
type print struct {
	faddr pcbinfo.Addr
	fport uint16
	seq   uint32
	len   uint16
	flags uint8
}

// printOf leaves out numbers of our own, which the other end of a connection to ourselves has.
func printOf(mix string, seg *pcbinfo.Segment) print {
	p := print{seg.Inc.Faddr, seg.Inc.Fport, seg.Seq, seg.Len, seg.Flags}
	if mix == "loopback" {
		p.seq = 0
	}
	return p
}

// prints is a table without connections that keeps the prints of its segments.
type prints struct {
	pcbinfo.Info
	cpus []printer
}

type printer struct {
	pcbinfo.CPU
	mix  string
	segs []print
}

func (p *prints) CPU(cpu int) pcbinfo.CPU { return &p.cpus[cpu] }

func (p *printer) Input(segs []*pcbinfo.Segment) {
	for _, seg := range segs {
		p.segs = append(p.segs, printOf(p.mix, seg))
	}
}

// trace is the first lap of w, by worker.
func trace(w *workloads.Workload) (all [][]print) {
	sp, err := pcbinfo.ParseSpec("null")
	if err != nil {
		panic("workloadtest: " + err.Error())
	}
	in, err := sp.New(pcbinfo.Config{CPUs: w.Workers})
	if err != nil {
		panic("workloadtest: " + err.Error())
	}
	p := &prints{Info: in, cpus: make([]printer, w.Workers)}
	for i := range p.cpus {
		p.cpus[i].CPU, p.cpus[i].mix = in.CPU(i), w.Mix
	}
	if w.Open(p) != nil {
		return nil
	}
	for i := range p.cpus {
		p.cpus[i].segs = nil
	}
	tr := w.Start(p, way(w.Mix))
	for left := true; left; {
		left = false
		for i, d := range tr.Drivers {
			if d.Before(1) {
				left = true
				tr.Next(i, 1)
			}
		}
	}
	for i := range p.cpus {
		all = append(all, p.cpus[i].segs)
	}
	return all
}

// trace is the first lap of what was recorded.
func (s *show) trace() (all [][]print) {
	for _, c := range s.rec.cpus {
		var one []print
		for i := range c.segs[0] {
			one = append(one, printOf(s.w.Mix, &c.segs[0][i]))
		}
		all = append(all, one)
	}
	return all
}

// live replays p's workload on a table of a real scheme, by way of y, with a goroutine a worker, and has it checked.
func live(sp pcbinfo.Spec, y workloads.Way, p workloads.Params, beat func(int)) error {
	w, err := workloads.Build(p)
	if err != nil {
		return oracle.Violated(oracle.Answer, "%+v: %w", p, err)
	}
	in, err := sp.New(pcbinfo.Config{CPUs: y.Handles(w.Workers), Owners: y.Model.Streams(w.Workers), Conns: max(w.Conns, w.Flows()), Seed: p.Seed})
	if err != nil {
		return oracle.Violated(oracle.Answer, "%v: %w", sp, err)
	}
	if sp.Owned {
		return replay(w, in, y, sp.Table, 1+p.Seed%laps, beat)
	}
	a := attend(in, y.Handles(w.Workers))
	if in = a; p.Seed/laps%2 == 0 {
		in = drowsy{a}
	}
	return replay(w, in, y, sp.Table, 1+p.Seed%laps, beat, a.check)
}

// replay runs w on in for that many laps and has it checked, first by what is given, and in closed.
func replay(w *workloads.Workload, in pcbinfo.Info, y workloads.Way, table bool, times uint64, beat func(int), stopped ...func() error) error {
	if err := w.Open(in); err != nil {
		return err
	}
	w.Forget()
	tr := w.Start(in, y)
	if err := race(tr, times, beat); err != nil {
		return err
	}
	for _, f := range stopped {
		if err := f(); err != nil {
			return err
		}
	}
	ds := tr.Drivers
	check := w.Check
	if !table {
		check = w.CheckCount
	}
	if err := check(in, ds); err != nil {
		return oracle.Violated(oracle.Conservation, "%w", err)
	}
	if err := in.Close(); err != nil {
		return oracle.Violated(oracle.Conservation, "%w", err)
	}
	return nil
}

// race runs all drivers at once to the end of that many laps.
func race(tr *workloads.Traffic, times uint64, beat func(int)) error {
	if tr.Roles.Netisr || tr.Roles.Users {
		t := threads{tr: tr, times: times, beat: beat}
		return t.run()
	}
	var c crew.Crew
	for i := range tr.Drivers {
		c.Go(func() error {
			tr.Play(i, times, func() bool { beat(i); return !c.Failed() })
			return nil
		})
	}
	return c.Join()
}
