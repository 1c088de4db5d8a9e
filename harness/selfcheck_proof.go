package harness

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/proof"
	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// checkSubjects: what a torture must have passed is what each experiment needs, in whatever order they stand and whatever needs nothing among them.
func checkSubjects(rng *rand.Rand) error {
	var es []Experiment
	union := map[string]bool{}
	for range 2 + rng.IntN(8) {
		s := pcbinfo.Schemes[rng.IntN(len(pcbinfo.Schemes))]
		m := netisr.Models[rng.IntN(len(netisr.Models))]
		e := Experiment{Scheme: s.Name, Dispatch: m.Name, Force: true, Workload: workloads.Params{Mix: "rpc", Workers: 1 + rng.IntN(4)}}
		if slices.Contains(m.Options, "qlimit") && rng.IntN(2) == 0 {
			e.Dispatch += ":qlimit=9"
		}
		want := []string{"scheme " + s.Name, "dispatch " + m.Name, "workload", "harness"}
		if s.Lock != "" && rng.IntN(2) == 0 {
			e.Lock = [...]string{"mcs", "mcs:spin-park"}[rng.IntN(2)]
			sp, err := locks.ParseSpec(e.Lock)
			if err != nil {
				return wrong("lock %s: %w", e.Lock, err)
			}
			want = append(want, "lock "+sp.String())
		}
		if !s.Table {
			want = nil
		}
		if got := subjects([]Experiment{e}); !sameSet(got, want) {
			return wrong("%+v needs a torture of %q, want %q", e, got, want)
		}
		for _, name := range want {
			union[name] = true
		}
		es = append(es, e)
	}
	control := Experiment{Scheme: "null", Workload: workloads.Params{Mix: "rpc"}}
	es = append(es, control)
	for range 3 {
		rng.Shuffle(len(es), func(i, j int) { es[i], es[j] = es[j], es[i] })
		var want []string
		for name := range union {
			want = append(want, name)
		}
		if got := subjects(es); !sameSet(got, want) {
			return wrong("%+v need a torture of %q, want %q", es, got, want)
		}
	}
	return nil
}

// sameSet compares two lists without order and repetition.
func sameSet(a, b []string) bool {
	sorted := func(list []string) []string {
		list = slices.Clone(list)
		slices.Sort(list)
		return slices.Compact(list)
	}
	return slices.Equal(sorted(a), sorted(b))
}

// checkProof writes records of tortures and asks what they are good for.
func checkProof(rng *rand.Rand) error {
	dir, err := os.MkdirTemp("", "selfcheck")
	if err != nil {
		return nil // the machine's trouble
	}
	defer os.RemoveAll(dir)
	var names []string
	for i := range 2 + rng.IntN(5) {
		names = append(names, fmt.Sprintf("subject %d", i))
	}
	some := names[rng.IntN(len(names)):]
	ask := func(what, want string, subjects ...string) error {
		if got := proof.Of(dir, subjects); got != want && (want != "" || !strings.HasPrefix(got, proof.NotRun)) {
			return wrong("proof of %q by a record of %q %s is %q, want %q", subjects, names, what, got, want)
		}
		return nil
	}
	write := func(subjects []string, at time.Time) (path, passed string, err error) {
		rec := proof.Record{Subjects: subjects, Seed: rng.Uint64(), Duration: time.Duration(rng.IntN(1e5)) * time.Second, Flavour: "torture", Report: "subjects: more\n"}
		if path, err = rec.Write(dir, at); err != nil {
			return "", "", err
		}
		data, err := os.ReadFile(path)
		return path, fmt.Sprintf("passed, sha256 %x (%s, %v, seed %d)", sha256.Sum256(data), path[strings.LastIndexAny(path, `/\`)+1:], rec.Duration, rec.Seed), err
	}
	if err := ask("that is not there", proof.NotRun, names...); err != nil {
		return err
	}
	now := time.Now()
	path, passed, err := write(names, now)
	if err != nil {
		return wrong("a record: %v", err)
	}
	_, later, err := write(some[:1], now.Add(time.Minute)) // newer, and of less
	if err != nil {
		return wrong("a record: %v", err)
	}
	for _, q := range []struct {
		want     string
		subjects []string
	}{
		{passed, names},
		{later, some[:1]},
		{proof.NotRun + " for more", append(slices.Clone(names), "more")},
		{proof.NotRun + " for subject", append(slices.Clone(names), "subject")}, // a name within a name
		{proof.NotRun, []string{"more", "subject"}},
	} {
		if err := ask("and a newer one of "+some[0], q.want, q.subjects...); err != nil {
			return err
		}
	}
	return spoil(path, func() error { return ask("of other code", "", names...) })
}

// spoil runs check with the code, and then the verdict, of the record at path changed.
func spoil(path string, check func() error) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return wrong("a record is gone: %v", err)
	}
	for _, key := range []string{"\ncode: ", "torture: "} {
		before, after, found := strings.Cut(string(data), key)
		if !found || after == "" {
			return wrong("a record does not say %q: %q", key, data)
		}
		if err := os.WriteFile(path, []byte(before+key+string(after[0]^1)+after[1:]), 0o666); err != nil {
			return nil // the machine's trouble
		}
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkValues: the quantiles of a made-up sample, whose latencies lie far apart, under their names.
func (b *bench) checkValues(rng *rand.Rand) error {
	var ticks []float64
	s := &Sample{Latency: hdrhistogram.New(1, maxTicks, 2), NSPerSeg: 1}
	for v := 1000 + 1000*rng.Float64(); len(ticks) < 1500; v *= 1.01 {
		ticks = append(ticks, v)
		s.Latency.RecordValue(int64(v))
	}
	got := map[string]float64{}
	for _, v := range s.values(b.clock) {
		got[v.Unit] = v.Value
	}
	for unit, share := range map[string]float64{"p50-ns": 0.5, "p99-ns": 0.99, "p99.9-ns": 0.999, "max-ns": 1} {
		want := b.clock.NS(1) * ticks[int(math.Ceil(share*float64(len(ticks))))-1]
		if math.Abs(got[unit]-want) > 0.025*want { // two digits, and the next one
			return wrong("%s of %d latencies is %v, should be %v", unit, len(ticks), got[unit], want)
		}
	}
	return nil
}

// checkConfig: the table is made for the experiment.
func (b *bench) checkConfig(rng *rand.Rand, au *auditor) error {
	e := Experiment{Scheme: "global", Lock: [...]string{"", "mcs", "ticket"}[rng.IntN(3)], Work: rng.IntN(2) * rng.IntN(2000), Pin: PinNone,
		Dispatch: netisr.Models[rng.IntN(len(netisr.Models))].Name, Roles: workloads.RoleSets[rng.IntN(len(workloads.RoleSets))].Name,
		Workload: workloads.Params{Mix: "rpc", Conns: 10 + rng.IntN(300), Workers: 1 + rng.IntN(4)}}
	v, err := e.resolve()
	if err != nil {
		return wrong("%+v is refused: %v", e, err)
	}
	au.audit(&v, func(*account) {})
	seed := rng.Uint64()
	r, _, err := b.open(&v, seed, Timing{})
	if err != nil {
		return wrong("%s: a good table does not open: %w", v.name(), err)
	}
	cfg, lock, handles := au.last.cfg, v.spec.Lock, e.Workload.Workers // a handle for each thread that may use the table
	if v.way.Roles.Netisr {
		handles += v.way.Model.Streams(e.Workload.Workers)
	}
	if v.way.Roles.Users {
		handles += e.Workload.Workers + 1
	}
	if e.Lock != "" {
		lock = e.Lock
	}
	want, err := locks.ParseSpec(lock)
	if err != nil {
		return wrong("lock %s: %w", lock, err)
	}
	if cfg.CPUs != handles || cfg.Conns < e.Workload.Conns || cfg.Conns > 2*e.Workload.Conns || cfg.Seed != seed ||
		cfg.Lock.String() != want.String() || math.Abs(float64(cfg.Work)-float64(e.Work)*b.perNS) > 1 {
		return wrong("%s, seed %d: the table is made for %+v; want lock %v, a nanosecond is %v units of work", v.name(), seed, cfg, want, b.perNS)
	}
	return r.in.Close()
}
