package pcbtest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// linear.go: is the table linearizable (Herlihy and Wing, TOPLAS 1990)? That is, has each operation an instant between its call and its
// return, such that all answers are those of a plain table that does one operation at each of these instants?

const (
	teamSize   = 4 // workers that use the same names: what a search for an order costs grows with its power
	historyOps = 6 // of each worker in a history
)

// A Linearity counts what Linear did.
type Linearity struct {
	Histories    int // of one partition each, checked to the end
	Missed       int // of these, those that are in order but for lookups that Scheme.Misses allows to answer none
	Inconclusive int // given up, as the search for an order took too long
}

func (l *Linearity) add(o *Linearity) {
	l.Histories += o.Histories
	l.Missed += o.Missed
	l.Inconclusive += o.Inconclusive
}

// Linear lets teams of workers connect, listen, look up, accept, reset, close and abort on few names at once, and after a few operations
// looks for an order of them that explains every answer. Then all names are asked for and ended, at rest, as a part of the same history, and
// the next one begins. Ports, and four-tuples on ports that have no listener, are histories of their own, see linPlace.
//
// The error is an oracle.Linearizable that shows the history. Lookups that answer none where there was somebody all the time pass only
// under Scheme.Misses, and only as it says. What a table leaves when every name has been ended is an oracle.Conservation.
//
// Left out is what no scheme promises: Abort of a half-open connection beside its last ACK, for smr asks the table first and then the
// syncache; a Connect beside a handshake of the same four-tuple; and a handshake beside a change of listeners that both fit it. Not seen is
// which of two listeners took a segment.
func Linear(sp pcbinfo.Spec, c Config) error { return linear(sp, c, linPlaces) }

func linear(sp pcbinfo.Spec, c Config, places func(team int) []linPlace) error {
	cfg := c.Table
	cfg.Seed, cfg.FirstPort, cfg.LastPort, cfg.MSL, cfg.Halfs = c.Seed, linEphemeral, linEphemeral+linPorts-1, 1, 0
	in, err := sp.New(cfg)
	if err != nil {
		return err
	}
	var all crew.Crew
	workers := newLinWorkers(&all, in, sp, &c, places)
	for _, w := range workers {
		all.Go(func() error { return w.work((c.Steps + historyOps - 1) / historyOps) })
	}
	err = all.Join()
	if err == nil && in.Len() != 0 {
		err = oracle.Violated(oracle.Conservation, "%d inpcbs are left, though every name was aborted or closed", in.Len())
	}
	if err != nil {
		return fmt.Errorf("%v: seed %d: %w", sp, c.Seed, err)
	}
	if c.Linearity != nil {
		for _, w := range workers {
			c.Linearity.add(&w.Linearity)
		}
	}
	return c.end(sp, in)
}

// A linTeam uses the same names.
type linTeam struct {
	places  []linPlace
	workers []*linWorker
	config  *Config
	misses  bool
	once    bool       // see pcbinfo.Scheme.Once
	crew    *crew.Crew // of all teams
	began   time.Time
	gate    gate
}

// A linWorker is one CPU of a Linear.
type linWorker struct {
	*linTeam
	id   int // of all workers
	rank int // in the team
	cpu  pcbinfo.CPU
	rng  *rand.Rand
	plan *rand.Rand // all of a team draw the same from theirs
	logs [][]linEvent
	iss  [][linNames]uint32 // of each place's connections, as this worker's Connect was last told
	line atomic.Uint32      // see now
	_    [120]byte
	Linearity
}

// newLinWorkers makes a worker for each CPU, in as few teams as will do.
func newLinWorkers(all *crew.Crew, in pcbinfo.Info, sp pcbinfo.Spec, c *Config, places func(team int) []linPlace) []*linWorker {
	teams := make([]linTeam, (c.Table.CPUs+teamSize-1)/teamSize)
	for i := range teams {
		teams[i] = linTeam{places: places(i), config: c, misses: sp.Misses, once: sp.Once, crew: all, began: time.Now()}
		for j := range teams[i].places {
			if p := &teams[i].places[j]; !sp.Lockless {
				p.acts = append(p.acts, p.exact...)
			}
		}
	}
	workers := make([]*linWorker, c.Table.CPUs)
	for i := range workers {
		team := i % len(teams)
		t := &teams[team]
		workers[i] = &linWorker{linTeam: t, id: i, rank: len(t.workers), cpu: in.CPU(i),
			rng: rand.New(rand.NewPCG(c.Seed, uint64(i))), plan: rand.New(rand.NewPCG(c.Seed, ^uint64(team))),
			logs: make([][]linEvent, len(t.places)), iss: make([][linNames]uint32, len(t.places))}
		t.workers = append(t.workers, workers[i])
	}
	return workers
}

// work takes part in so many histories. Each place has an owner, who brings it to where its history begins, and ends and checks it.
func (w *linWorker) work(histories int) error {
	defer w.cpu.Idle()
	for range histories {
		scene := linScene(w.plan)
		for _, p := range scene {
			if w.owns(p) {
				w.prepare(p)
			}
		}
		w.cpu.Idle() // the others may take their time
		if !w.gate.pass(len(w.workers), w.crew) {
			return nil
		}
		for range historyOps {
			w.config.beat(w.id)
			w.step(pick(w.rng, scene...))
		}
		w.cpu.Idle()
		if !w.gate.pass(len(w.workers), w.crew) {
			return nil
		}
		for _, p := range scene {
			if w.owns(p) {
				w.sweep(p)
				if err := w.check(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *linWorker) owns(place int) bool { return place%len(w.workers) == w.rank }

// prepare begins place's history.
func (w *linWorker) prepare(place int) {
	for _, act := range w.places[place].before {
		for at := range act.names(&w.places[place]) {
			w.do(place, act, at)
		}
	}
}

// step does something at place.
func (w *linWorker) step(place int) {
	p := &w.places[place]
	act := pick(w.rng, p.acts...)
	w.do(place, act, w.rng.IntN(act.names(p)))
}

// sweep asks for every name, ends it, and does so once more: what came twice, or did not go, is there the second time. The others are at
// rest.
func (w *linWorker) sweep(place int) {
	p := &w.places[place]
	for _, act := range []linAct{linLookup, linSend, linAbort, linAbort, linShut, linShut} {
		for at := range act.names(p) {
			w.do(place, act, at)
		}
	}
}

// do does act and writes it down.
func (w *linWorker) do(place int, act linAct, at int) {
	e := linEvent{act: act, at: at, worker: w.id, acked: w.iss[place][at]}
	e.op = act.op(&w.places[place], at, e.acked)
	before := w.cpu.Stats().Outcomes
	e.call = w.now()
	e.answer = e.op.do(w.cpu)
	e.back = w.now()
	for o, n := range w.cpu.Stats().Outcomes {
		for ; n > before[o]; n-- {
			e.outs = append(e.outs, pcbinfo.Outcome(o))
		}
	}
	if act != linChoose {
		w.write(place, e)
	} else {
		w.chosen(e)
	}
}

// chosen writes down a Connect that chose the port: with the port that it got or, as every port was taken, with all.
func (w *linWorker) chosen(e linEvent) {
	for i := range w.places {
		if p := &w.places[i]; p.ephemeral && (e.answer.err != nil || e.answer.port == p.tuples[0].Lport) {
			w.write(i, e)
		}
	}
}

func (w *linWorker) write(place int, e linEvent) {
	if e.answer.iss != 0 {
		w.iss[place][e.at] = e.answer.iss
	}
	w.logs[place] = append(w.logs[place], e)
}

// now is the time. The clock does not go back between CPUs, but it is no memory access, so that what stands after it in the program might
// come before it: the update of a line that nobody else has keeps the two apart, and orders nothing between workers, from whom the
// race detector would otherwise hide what an operation itself leaves unordered.
func (w *linWorker) now() int64 {
	w.line.Add(1)
	t := time.Since(w.began)
	w.line.Add(1)
	return int64(t)
}

// A gate lets a team through when all are there.
type gate struct {
	_       [120]byte
	arrived atomic.Int32
	turn    atomic.Uint32
	_       [120]byte
}

// gateTurns is how often pass gives way before it naps: longer than a check takes, since who naps starts late and meets nobody. When it takes
// longer still, the missing worker has no CPU, and might get this one.
const gateTurns = 2000

// pass waits for n workers, and reports false if somebody has failed.
func (g *gate) pass(n int, all *crew.Crew) bool {
	turn := g.turn.Load()
	if g.arrived.Add(1) == int32(n) {
		g.arrived.Store(0)
		g.turn.Add(1)
	}
	for i := 0; g.turn.Load() == turn && !all.Failed(); i++ {
		if i < gateTurns {
			runtime.Gosched()
		} else {
			time.Sleep(50 * time.Microsecond)
		}
	}
	return !all.Failed()
}
