package harness

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"pcbbench/harness/handoff"
	"pcbbench/harness/machine"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// TestWays measures every dispatch model with every set of roles, and with threads that sleep for four workers a CPU, some of whom have no connection at all,
// and on one processor.
func TestWays(t *testing.T) {
	before := runtime.NumGoroutine()
	few := fewProcs(t)
	for _, c := range []struct{ procs, workers int }{{few, 1}, {few, 4 * few}, {1, 2}} {
		runtime.GOMAXPROCS(c.procs)
		for _, m := range netisr.Models {
			for _, r := range workloads.RoleSets {
				if c.workers > c.procs && (r.Name != "split" || m.Owns) {
					continue // who polls, or has users to wait for, takes others' turns: laps take seconds
				}
				e := tiny("global", c.workers)
				e.Dispatch, e.Roles = m.Name, r.Name
				b, s := sampled(t, e, brief)
				plausible(t, e, b, s)
				metrics(t, b, s, m, r)
			}
		}
	}
	noneLeft(t, before)
}

// metrics checks that a sample tells of what there is, and of nothing else: hand-offs and batches where there are queues, wake-ups of threads that sleep.
func metrics(t *testing.T, b *bench, s *Sample, m netisr.Model, r workloads.Roles) {
	t.Helper()
	value := map[string]float64{}
	for _, v := range s.values(b.clock) {
		value[v.Unit] = v.Value
	}
	there := func(unit string, possible bool) {
		t.Helper()
		if _, ok := value[unit]; ok && !possible {
			t.Errorf("dispatch %s, roles %s: %s is %v", m.Name, r.Name, unit, value[unit])
		}
	}
	for _, unit := range []string{"handoffs/seg", "segs/queue-batch", "qdrops/seg"} {
		there(unit, !m.Inline)
	}
	for _, unit := range []string{"wakeups/seg", "wake-p50-ns", "wake-p99-ns"} {
		there(unit, r.Netisr && !m.Inline)
		there("user-"+unit, r.Users)
	}
	if value["segs/queue-batch"] != 0 && value["segs/queue-batch"] < 1 || value["wake-p50-ns"] > value["wake-p99-ns"] {
		t.Errorf("dispatch %s, roles %s: %v", m.Name, r.Name, value)
	}
	if all, sent := s.Isr.Total(), s.Sent; all.Handled != sent || sent < s.Segs {
		t.Errorf("dispatch %s, roles %s: %d segments were sent, %d of them measured; netisr handled %d", m.Name, r.Name, sent, s.Segs, all.Handled)
	}
}

// TestDispatchMetrics checks each metric of a made-up sample against its definition.
func TestDispatchMetrics(t *testing.T) {
	wake := hdrhistogram.New(1, 1<<36, 2)
	for _, v := range []int64{100, 100, 100, 10000} {
		_ = wake.RecordValue(v)
	}
	known := func(n int64) machine.Count { return machine.Count{N: n, Known: true} }
	s := &Sample{Segs: 50, Sent: 200, Latency: hdrhistogram.New(1, 10, 2), NSPerSeg: 1,
		Noise: machine.Delta{VoluntarySwitches: known(10), InvoluntarySwitches: known(5)},
		Isr: netisr.Stats{Handoffs: 20, Wakes: netisr.Wakes{N: 4, Latency: wake},
			Streams: []netisr.StreamStats{{Works: []netisr.Work{{QDrops: 2, Queued: 100, Handled: 100, Batches: 40}}}, {Works: []netisr.Work{{HDispatched: 100, Handled: 100}}}}},
		UserWakes: netisr.Wakes{N: 8}}
	s.Stats.Outcomes[pcbinfo.DropOrder], s.Stats.Outcomes[pcbinfo.GotData] = 1, 99
	clock := machine.NewClock()
	got := map[string]float64{}
	for _, v := range s.values(clock) {
		got[v.Unit] = v.Value
	}
	for unit, want := range map[string]float64{"handoffs/seg": 0.1, "segs/queue-batch": 2.5, "qdrops/seg": 0.01, "wakeups/seg": 0.02, "user-wakeups/seg": 0.04,
		"ctxsw/seg": 0.3, "ctxsw-voluntary/seg": 0.2, "ctxsw-involuntary/seg": 0.1, "reordered/seg": 0.01} {
		if v, ok := got[unit]; !ok || v < want*0.999 || v > want*1.001 {
			t.Errorf("%s is %v, want %v", unit, v, want)
		}
	}
	if p50, p99 := got["wake-p50-ns"], got["wake-p99-ns"]; p50 < clock.NS(98) || p50 > clock.NS(102) || p99 < clock.NS(9900) || p99 > clock.NS(10100) {
		t.Errorf("wake-ups of 100 and 10000 ticks have the quantiles %v, %v", p50, p99)
	}
	if _, ok := got["user-wake-p50-ns"]; ok {
		t.Error("a latency that was not measured is told")
	}
	s.Noise.InvoluntarySwitches.Known = false
	for _, v := range s.values(clock) {
		if strings.HasPrefix(v.Unit, "ctxsw") {
			t.Errorf("%s of an unknown count is %v", v.Unit, v.Value)
		}
	}
}

// TestNetstat runs two models and finds their tables, with workers bound and not.
func TestNetstat(t *testing.T) {
	var es []Experiment
	for _, dispatch := range []string{"deferred", "netisr2:qlimit=64"} {
		e := tiny("global", 2)
		e.Dispatch = dispatch
		es = append(es, e)
	}
	if runtime.GOOS == "linux" {
		es[1].Pin = PinCPU
	}
	var out bytes.Buffer
	if err := Netstat(t.Context(), es, brief, 1, &out); err != nil {
		t.Fatal(err)
	}
	tables := strings.Split(out.String(), "Input/")
	if len(tables) != 3 {
		t.Fatalf("%d tables:\n%s", len(tables)-1, out.String())
	}
	for i, streams := range []int{1, 2} {
		text := tables[1+i]
		_, rows, _ := strings.Cut(text, "Handled\n")
		if n := strings.Count(strings.TrimSpace(rows), "\n") + 1; !strings.Contains(text, es[i].Dispatch) || n != streams {
			t.Errorf("%s has %d workstreams, want %d:\n%s", es[i].Dispatch, n, streams, text)
		}
		if bound := strings.Contains(text, " enabled "); bound != (es[i].Pin == PinCPU) {
			t.Errorf("pin=%s: workers are bound: %v", es[i].Pin, bound)
		}
	}
	e := tiny("nothere", 1)
	if err := Netstat(t.Context(), []Experiment{e}, brief, 1, &out); err == nil || !strings.Contains(err.Error(), "nothere") {
		t.Errorf("an unknown scheme is reported as %v", err)
	}
}

// TestHandoffJob measures hand-offs in a process of their own, beside an experiment, and reads their lines.
func TestHandoffJob(t *testing.T) {
	cs := slices.DeleteFunc(handoff.Cases(1), func(c handoff.Case) bool { return c.Pin != "none" })
	tm := Timing{Warm: time.Millisecond, Measure: 2 * time.Millisecond}
	out, errs, err := child(t, Job{Handoffs: cs, Rounds: 2, Timing: tm})
	if err != nil || len(errs) > 0 {
		t.Fatalf("%v\n%s", err, errs)
	}
	results, _ := parsed(t, out)
	seen := map[string]int{}
	for _, r := range results {
		seen[string(r.Name)]++
		for _, unit := range []string{"sec/packet", "rtt-p50-sec", "rtt-p99-sec"} {
			if v, ok := r.Value(unit); !ok || v <= 0 {
				t.Errorf("%s: %s is %v", r.Name, unit, v)
			}
		}
		parts(t, string(r.Name))
	}
	for _, c := range cs {
		if seen[c.Name()] != 2 {
			t.Errorf("%s has %d results, want one a round", c.Name(), seen[c.Name()])
		}
	}
	bad := handoff.Case{Via: "pigeon"}
	if _, _, err := child(t, Job{Handoffs: []handoff.Case{bad}, Rounds: 1, Timing: tm}); err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("an unknown way is reported as %v", err)
	}
}
