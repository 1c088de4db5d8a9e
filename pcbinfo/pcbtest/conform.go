package pcbtest

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// tableEvery is how often, in operations, whole tables are compared.
const tableEvery = 32

// Conform plays one random history on sp and on a Reference, each operation on a handle drawn at random, one after another. The
// error, an oracle.Answer, tells the first answer that differs, and what led to it.
//
// On unsync it is the check of the TCP machine: a million operations a second.
func Conform(sp pcbinfo.Spec, c Config) error {
	in, ref, err := c.open(sp)
	if err != nil {
		return err
	}
	h := &history{rng: rand.New(rand.NewPCG(c.Seed, 0)), names: newNames(0, sharedPort, ownPort, firstPort), at: ref.position}
	if err := errors.Join(checkKeys(h.names.conns()), checkSizes(sp)); err != nil {
		return oracle.Violated(oracle.Answer, "%v: %w", sp, err)
	}
	var l log
	for step := range c.Steps {
		c.beat(0)
		o, cpu := h.next(), h.rng.IntN(c.Table.CPUs)
		if o.kind == opTick {
			cpu = 0 // the clock is one CPU's
		}
		if err = play(o, in.CPU(cpu), ref.cpus[cpu], &l); err == nil && (step%tableEvery == 0 || step == c.Steps-1) {
			err = sameTable(in, ref)
		}
		if err != nil {
			return oracle.Violated(oracle.Answer, "%v: seed %d, step %d: %w\n%v", sp, c.Seed, step, err, &l)
		}
	}
	return errors.Join(checkRaces(in), c.end(sp, in))
}

// checkRaces looks at the scheme's own counters after a run in which nobody raced.
func checkRaces(in pcbinfo.Info) error {
	n := map[string]uint64{}
	for _, c := range in.Counters() {
		n[c.Name] = c.Value
	}
	for _, name := range []string{"gone", "waited", "lost-race", "upgrade-failed", "group-collisions",
		"stale", "changed", "backlogged", "served"} {
		if n[name] != 0 {
			return oracle.Violated(oracle.Conservation, "%d times %s, and nobody raced", n[name], name)
		}
	}
	if n["rematched"] != n["reacquired"] {
		return oracle.Violated(oracle.Conservation, "reacquired %d times and rematched %d times, and nobody raced", n["reacquired"], n["rematched"])
	}
	return nil
}

// ConformParallel lets workers play at once, each a history of its own on connections of its own, of which some share a listener.
// Whatever the schedule, every answer must be the Reference's; the error is as Conform's.
func ConformParallel(sp pcbinfo.Spec, c Config) error {
	const rounds = 4
	in, ref, err := c.open(sp)
	if err != nil {
		return err
	}
	shared := &op{kind: opListen, inc: pcbinfo.ConnInfo{Lport: sharedPort}}
	if err := play(shared, in.CPU(0), ref.cpus[0], new(log)); err != nil {
		return oracle.Violated(oracle.Answer, "%v: seed %d: %w", sp, c.Seed, err)
	}
	hs := make([]*history, c.Table.CPUs)
	for i := range hs {
		hs[i] = &history{rng: rand.New(rand.NewPCG(c.Seed, uint64(i))), names: newNames(i), at: ref.position, tick: -1}
	}
	for round := range rounds {
		if err := c.together(in, ref, hs, c.Steps/rounds); err != nil {
			return fmt.Errorf("%v: seed %d, round %d: %w", sp, c.Seed, round, err)
		}
		tick := &op{kind: opTick, n: round}
		if err := errors.Join(play(tick, in.CPU(0), ref.cpus[0], new(log)), sameTable(in, ref)); err != nil {
			return oracle.Violated(oracle.Answer, "%v: seed %d, after round %d: %w", sp, c.Seed, round, err)
		}
	}
	return c.end(sp, in)
}

// together lets every worker play so many steps of its history.
func (c *Config) together(in pcbinfo.Info, ref *Reference, hs []*history, steps int) error {
	var all crew.Crew
	for i, h := range hs {
		all.Go(func() error {
			defer in.CPU(i).Idle()
			var l log
			for step := 0; step < steps && !all.Failed(); step++ {
				c.beat(i)
				if err := play(h.next(), in.CPU(i), ref.cpus[i], &l); err != nil {
					return oracle.Violated(oracle.Answer, "worker %d, step %d: %w\n%v", i, step, err, &l)
				}
			}
			return nil
		})
	}
	return all.Join()
}

// beat tells who watches that worker i gets on.
func (c *Config) beat(i int) {
	if c.Beat != nil {
		c.Beat(i)
	}
}

// end closes the table, whose memory must add up.
func (c *Config) end(sp pcbinfo.Spec, in pcbinfo.Info) error {
	if err := errors.Join(checkSum(in, c.Table.CPUs), in.Close()); err != nil {
		return oracle.Violated(oracle.Conservation, "%v: seed %d: %w", sp, c.Seed, err)
	}
	return nil
}

// open makes sp's table and a Reference for it, with ephemeral ports and MSL as histories want them.
func (c *Config) open(sp pcbinfo.Spec) (pcbinfo.Info, *Reference, error) {
	cfg := c.Table
	cfg.Seed, cfg.FirstPort, cfg.LastPort, cfg.MSL = c.Seed, firstPort, lastPort, 1
	in, err := sp.New(cfg)
	return in, NewReference(cfg), err
}

// play does o on both and compares the answers and what the handles have counted.
func play(o *op, cpu pcbinfo.CPU, ref *refCPU, l *log) error {
	got := o.do(cpu)
	ref.port, ref.iss = got.port, got.iss
	want := o.do(ref)
	l.add(o, got)
	if got != want {
		return fmt.Errorf("answer %v; want %v", got, want)
	}
	return sameStats(cpu.Stats(), ref.Stats())
}
