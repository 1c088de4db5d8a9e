package pcbtest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// linRounds runs Linears with new seeds until enough says so, or there is an error.
func linRounds(sp pcbinfo.Spec, cpus int, places func(team int) []linPlace, enough func(*Linearity) bool) (sum Linearity, err error) {
	for err == nil && !enough(&sum) {
		seed := time.Now().UnixNano()
		probe.Seed(seed)
		c := Config{Table: pcbinfo.Config{CPUs: cpus, Buckets: int(seed % 2)}, Steps: 120, Seed: uint64(seed), Linearity: &sum}
		err = linear(sp, c, places)
	}
	return sum, err
}

// lasting is enough after d, and not before there is something.
func lasting(d time.Duration) func(*Linearity) bool {
	start := time.Now()
	return func(l *Linearity) bool { return l.Histories > 0 && time.Since(start) > d }
}

// TestLinear checks every table, with one team of workers and with two.
func TestLinear(t *testing.T) {
	for _, sp := range variants(t) {
		t.Run(sp.String(), func(t *testing.T) {
			for _, cpus := range []int{4, 6} {
				if sp.Workers == 1 {
					cpus = 1
				}
				start := time.Now()
				sum, err := linRounds(sp, cpus, linPlaces, lasting(60*time.Millisecond))
				if err != nil || sum.Missed > 0 && !sp.Misses {
					t.Errorf("%d CPUs: %+v, error %v", cpus, sum, err)
				}
				t.Logf("%d CPUs: %+v, %.0f histories a second", cpus, sum, float64(sum.Histories)/time.Since(start).Seconds())
			}
		})
	}
}

// linContended is linPlaces with one place at which lookups lose more races, and something is left that they should have found.
func linContended(team int) []linPlace {
	places := linPlaces(team)
	p := &places[2]
	p.tuples = p.tuples[:1]
	p.acts = []linAct{linListen, linListen, linShut, linConnect, linConnect, linAbort, linAbort, linLookup, linLookup, linLookup, linLookup}
	return places
}

// TestLinearIsStrict checks that smr's lookups miss as they are documented to, and that the check sees it: some history is in order only
// with that allowance, one in some hundreds. Without delays between any two accesses it takes too long to wait for one.
func TestLinearIsStrict(t *testing.T) {
	if !probe.Enabled || probe.Simulating {
		t.Skip("needs the tag torture")
	}
	sp := linSpec(t, "smr")
	sum, err := linRounds(sp, 4, linContended, func(l *Linearity) bool { return l.Missed > 0 || l.Histories > 100_000 })
	if err != nil || sum.Missed == 0 {
		t.Errorf("no miss: %+v, error %v", sum, err)
	}
	t.Logf("%+v", sum)
}

// TestLinearRetries checks that with lost=retry lookups lose races under the same conditions, and miss nothing.
func TestLinearRetries(t *testing.T) {
	for _, text := range []string{"smr:lost=retry", "smr:smr=gc:lost=retry"} {
		sp := linSpec(t, text)
		sum, err := linRounds(sp, 4, linContended, lasting(300*time.Millisecond))
		if err != nil || sum.Missed > 0 {
			t.Errorf("%s: %+v, error %v", text, sum, err)
		}
		t.Logf("%s: %+v", text, sum)
	}
}

func linSpec(t *testing.T, text string) pcbinfo.Spec {
	t.Helper()
	sp, err := pcbinfo.ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

// linFaulty is the table of text with its CPUs wrapped.
func linFaulty(t *testing.T, text string, wrap func(pcbinfo.CPU) pcbinfo.CPU) pcbinfo.Spec {
	t.Helper()
	sp := linSpec(t, text)
	sound := sp.Scheme.New
	sp.Scheme.New = func(cfg pcbinfo.Config) (pcbinfo.Info, error) {
		in, err := sound(cfg)
		return &busted{Info: in, cpus: wrap}, err
	}
	return sp
}

// tells counts answers. It may be shared.
type tells struct {
	pcbinfo.CPU
	errs map[error]*atomic.Int64
	outs *[pcbinfo.NumOutcomes]atomic.Int64
}

func (c tells) tell(err error) error {
	c.errs[err].Add(1)
	return err
}

func (c tells) Input(segs []*pcbinfo.Segment) {
	before := c.Stats().Outcomes
	c.CPU.Input(segs)
	for o, n := range c.Stats().Outcomes {
		c.outs[o].Add(int64(n - before[o]))
	}
}

func (c tells) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	iss, err := c.CPU.Connect(inc)
	return iss, c.tell(err)
}

func (c tells) Listen(inc *pcbinfo.ConnInfo) error      { return c.tell(c.CPU.Listen(inc)) }
func (c tells) Send(inc *pcbinfo.ConnInfo, n int) error { return c.tell(c.CPU.Send(inc, n)) }

// TestLinearReachesEverything checks that histories meet every answer that the model has: what they do not reach is not checked.
func TestLinearReachesEverything(t *testing.T) {
	errs := map[error]*atomic.Int64{nil: {}, pcbinfo.ErrInUse: {}, pcbinfo.ErrNoPort: {}, pcbinfo.ErrNotFound: {}, pcbinfo.ErrPipe: {}}
	var outs [pcbinfo.NumOutcomes]atomic.Int64
	sp := linFaulty(t, "global", func(c pcbinfo.CPU) pcbinfo.CPU { return tells{c, errs, &outs} })
	if err := Linear(sp, Config{Table: pcbinfo.Config{CPUs: 4}, Steps: 2400, Seed: 1}); err != nil {
		t.Error(err)
	}
	for err, n := range errs {
		if n.Load() < 10 {
			t.Errorf("answer %v: %d times", err, n.Load())
		}
	}
	for _, o := range []pcbinfo.Outcome{pcbinfo.GotSyn, pcbinfo.GotAccept, pcbinfo.GotConnect, pcbinfo.GotAck, pcbinfo.GotRst, pcbinfo.DropNoPCB,
		pcbinfo.DropOld, pcbinfo.DropWindow, pcbinfo.DropAck, pcbinfo.DropRst, pcbinfo.DropListen} {
		if n := outs[o].Load(); n < 10 {
			t.Errorf("outcome %v: %d times", o, n)
		}
	}
}

// The faults that a Linear must find.
type (
	staleUser    struct{ pcbinfo.CPU } // finds what it has just aborted
	doubleInsert struct{ pcbinfo.CPU } // connects what is connected
	lostInsert   struct{ pcbinfo.CPU } // loses what it connects
	doubleListen struct{ pcbinfo.CPU } // listens twice
	noPort       struct{ pcbinfo.CPU } // refuses though a port is free
	misser       struct{ pcbinfo.CPU } // misses whoever is there
	dier         struct{ pcbinfo.CPU } // panics
)

var aborted atomic.Pointer[pcbinfo.ConnInfo]

func (c staleUser) Abort(inc *pcbinfo.ConnInfo) error {
	aborted.Store(inc)
	return c.CPU.Abort(inc)
}

func (c staleUser) Send(inc *pcbinfo.ConnInfo, n int) error {
	if old := aborted.Swap(nil); old != nil && *old == *inc {
		return nil
	}
	return c.CPU.Send(inc, n)
}

func (c doubleInsert) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	iss, err := c.CPU.Connect(inc)
	if err == pcbinfo.ErrInUse {
		return pcbinfo.ISN(inc, 0), nil
	}
	return iss, err
}

func (c lostInsert) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	iss, err := c.CPU.Connect(inc)
	if err == nil && inc.Lport >= linEphemeral {
		c.Abort(inc)
	}
	return iss, err
}

func (c doubleListen) Listen(inc *pcbinfo.ConnInfo) error {
	c.CPU.Listen(inc)
	return nil
}

func (c noPort) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	if inc.Lport == 0 && c.Stats().Outcomes[pcbinfo.DropNoPCB]%16 == 0 {
		return 0, pcbinfo.ErrNoPort
	}
	return c.CPU.Connect(inc)
}

// Input lets every 16th segment ask for somebody else.
func (c misser) Input(segs []*pcbinfo.Segment) {
	if s := c.Stats(); s.Segments()%16 == 0 && segs[0].Flags == pcbinfo.ACK {
		nobody := *segs[0]
		nobody.Inc.Lport = 1
		segs = []*pcbinfo.Segment{&nobody}
	}
	c.CPU.Input(segs)
}

func (c dier) Abort(inc *pcbinfo.ConnInfo) error {
	if c.Stats().Outcomes[pcbinfo.DropNoPCB] > 100 {
		panic("pcbinfo: test")
	}
	return c.CPU.Abort(inc)
}

// TestLinearFindsFaults is the check's own check. What smr may miss does not excuse a lookup that misses beside no removal.
func TestLinearFindsFaults(t *testing.T) {
	for name, wrap := range map[string]func(pcbinfo.CPU) pcbinfo.CPU{
		"stale lookup":  func(c pcbinfo.CPU) pcbinfo.CPU { return staleUser{c} },
		"double insert": func(c pcbinfo.CPU) pcbinfo.CPU { return doubleInsert{c} },
		"lost insert":   func(c pcbinfo.CPU) pcbinfo.CPU { return lostInsert{c} },
		"lost removal":  func(c pcbinfo.CPU) pcbinfo.CPU { return keeps{c} },
		"double listen": func(c pcbinfo.CPU) pcbinfo.CPU { return doubleListen{c} },
		"no port":       func(c pcbinfo.CPU) pcbinfo.CPU { return noPort{c} },
		"shared port":   func(c pcbinfo.CPU) pcbinfo.CPU { return shares{c} },
		"miss":          func(c pcbinfo.CPU) pcbinfo.CPU { return misser{c} },
		"panic":         func(c pcbinfo.CPU) pcbinfo.CPU { return dier{c} },
	} {
		t.Run(name, func(t *testing.T) {
			want := oracle.Linearizable
			if name == "panic" {
				want = "pcbinfo panic"
			}
			for _, text := range []string{"global", "smr"} {
				if err := Linear(linFaulty(t, text, wrap), Config{Table: pcbinfo.Config{CPUs: 3}, Steps: 1200, Seed: 1}); oracle.Of(err) != want {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
}

// TestLinearJudges gives the check histories made by hand, of the place with two listeners.
func TestLinearJudges(t *testing.T) {
	const ok, none, busy = pcbinfo.NumOutcomes, pcbinfo.DropNoPCB, pcbinfo.NumOutcomes + 1
	type e struct {
		act        linAct
		at         int
		call, back int64
		out        pcbinfo.Outcome // of a segment; of a user's request: ok, or in use
	}
	const sound, misses, broken = "sound", "sound if lookups may miss", "broken"
	for name, c := range map[string]struct {
		events []e
		want   string
	}{
		"none after all went":        {[]e{{linConnect, 0, 1, 2, ok}, {linAbort, 0, 3, 4, ok}, {linLookup, 0, 5, 6, none}}, sound},
		"none beside one that goes":  {[]e{{linConnect, 0, 1, 2, ok}, {linAbort, 0, 3, 6, ok}, {linLookup, 0, 4, 5, none}}, sound},
		"none beside one that comes": {[]e{{linListen, 0, 1, 4, ok}, {linLookup, 0, 2, 3, none}}, sound},
		"none though it came":        {[]e{{linConnect, 0, 1, 2, ok}, {linLookup, 0, 3, 4, none}}, broken},
		"at the same nanosecond":     {[]e{{linConnect, 0, 1, 2, ok}, {linLookup, 0, 2, 3, none}}, sound},
		"the other's":                {[]e{{linConnect, 0, 1, 2, ok}, {linLookup, 1, 3, 4, none}}, sound},
		"found though it went":       {[]e{{linConnect, 0, 1, 2, ok}, {linAbort, 0, 3, 4, ok}, {linLookup, 0, 5, 6, pcbinfo.DropAck}}, broken},
		"connected twice":            {[]e{{linConnect, 0, 1, 4, ok}, {linConnect, 0, 2, 3, ok}}, broken},
		"refused though free":        {[]e{{linConnect, 0, 1, 2, busy}}, broken},
		"refused by one of two":      {[]e{{linConnect, 0, 1, 4, ok}, {linConnect, 0, 2, 3, busy}}, sound},
		"missed between two that go": {[]e{{linConnect, 0, 1, 2, ok}, {linListen, 0, 1, 2, ok}, {linListen, 1, 1, 2, ok},
			{linAbort, 0, 3, 6, ok}, {linShut, 0, 4, 7, ok}, {linLookup, 0, 5, 8, none}}, misses},
		"missed with one that goes": {[]e{{linConnect, 0, 1, 2, ok}, {linListen, 1, 1, 2, ok},
			{linAbort, 0, 3, 6, ok}, {linLookup, 0, 5, 8, none}}, broken},
		"missed after two went": {[]e{{linConnect, 0, 1, 2, ok}, {linListen, 0, 1, 2, ok}, {linListen, 1, 1, 2, ok},
			{linAbort, 0, 3, 4, ok}, {linShut, 0, 3, 4, ok}, {linLookup, 0, 5, 8, none}}, broken},
		"missed with another's that goes": {[]e{{linConnect, 0, 1, 2, ok}, {linConnect, 1, 1, 2, ok}, {linListen, 1, 1, 2, ok},
			{linAbort, 0, 3, 6, ok}, {linAbort, 1, 3, 6, ok}, {linLookup, 0, 5, 8, none}}, broken},
		"missed between listener and successor": {[]e{{linListen, 0, 1, 2, ok}, {linLookup, 0, 3, 8, none},
			{linConnect, 0, 4, 5, ok}, {linShut, 0, 6, 7, ok}}, misses},
		"missed between connection and listener": {[]e{{linConnect, 0, 1, 2, ok}, {linLookup, 0, 3, 8, none},
			{linListen, 0, 4, 5, ok}, {linAbort, 0, 6, 7, ok}}, broken},
		"missed, and found after it went": {[]e{{linConnect, 0, 1, 2, ok}, {linListen, 0, 1, 2, ok}, {linListen, 1, 1, 2, ok},
			{linAbort, 0, 3, 6, ok}, {linShut, 0, 4, 7, ok}, {linLookup, 0, 5, 8, none}, {linLookup, 0, 9, 10, pcbinfo.DropAck}}, broken},
	} {
		for _, may := range []bool{false, true} {
			team := &linTeam{places: linPlaces(0), misses: may}
			w := &linWorker{linTeam: team, logs: make([][]linEvent, len(team.places))}
			team.workers = []*linWorker{w}
			const place = 2
			for i, x := range c.events {
				o := linEvent{act: x.act, at: x.at, worker: i, call: x.call, back: x.back, op: x.act.op(&team.places[place], x.at, 0)}
				switch x.out {
				case ok:
				case busy:
					o.answer.err = pcbinfo.ErrInUse
				default:
					o.outs = []pcbinfo.Outcome{x.out}
				}
				w.logs[place] = append(w.logs[place], o)
			}
			err := w.check(place)
			want := Linearity{}
			switch {
			case c.want == sound:
				want.Histories = 1
			case c.want == misses && may:
				want = Linearity{Histories: 1, Missed: 1}
			}
			if w.Linearity != want || (err == nil) != (want.Histories == 1) || err != nil && oracle.Of(err) != oracle.Linearizable {
				t.Errorf("%s, lookups may miss %v: %+v, error %v", name, may, w.Linearity, err)
			}
		}
	}
}

// TestLinearTells checks what an error shows: the operations with their turns, up to the fault and no further.
func TestLinearTells(t *testing.T) {
	err := Linear(linFaulty(t, "unsync", func(c pcbinfo.CPU) pcbinfo.CPU { return keeps{c} }), Config{Table: pcbinfo.Config{CPUs: 1}, Steps: 600, Seed: 1})
	text := fmt.Sprint(err)
	lines := strings.Split(text, "\n")
	last := len(lines) - 2 // before the state
	if !strings.Contains(lines[last], "but now it were") || !strings.Contains(text, "abort ") || strings.Count(text, "but now") != 1 {
		t.Errorf("an unclear error:\n%s", text)
	}
}
