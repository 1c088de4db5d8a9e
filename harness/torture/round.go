package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/locks/probe"
	"pcbbench/locks/witness"
)

// A Round is the conditions of one round, all drawn from its seed, and what watches over its progress.
type Round struct {
	Seed    uint64
	Rand    *rand.Rand // for what else the check draws
	Workers int
	Procs   int // GOMAXPROCS
	Hard    bool
	Watched bool // lock order
	Rates   probe.Rates
	beats   [maxWorkers + 64]beat
}

// maxWorkers bounds what a round draws: more would spend the round on starting them.
const maxWorkers = 128

// A beat is one worker's steps.
type beat struct {
	n atomic.Uint64
	_ [120]byte
}

// newRound draws the conditions; workers, if not 0, are given.
func newRound(seed uint64, workers int) *Round {
	rng := rand.New(rand.NewPCG(seed, 0x746f7274757265))
	cpus := runtime.NumCPU()
	r := &Round{Seed: seed, Rand: rng}
	r.Workers = min(maxWorkers, [...]int{2, max(2, cpus), 2 * cpus, 4 * cpus}[rng.IntN(4)])
	r.Procs = [...]int{cpus, cpus, 4 * cpus, 1}[rng.IntN(4)] // with more threads than CPUs the system preempts holders anywhere
	r.Hard = rng.IntN(4) == 0
	r.Watched = rng.IntN(2) == 0 && witness.Checking
	r.Rates = [...]probe.Rates{{Yield: 16, Delay: 16, Sleep: 1 << 12}, {Yield: 4, Delay: 8, Sleep: 1 << 12}, {Yield: 64, Delay: 8}, {Sleep: 1 << 10}}[rng.IntN(4)]
	if workers != 0 {
		r.Workers = workers
	}
	return r
}

func (r *Round) String() string {
	s := fmt.Sprintf("seed %d: %d workers, GOMAXPROCS %d", r.Seed, r.Workers, r.Procs)
	if r.Hard {
		s += ", collector running hard"
	}
	if r.Watched {
		s += ", witness on"
	}
	if probe.Enabled {
		s += fmt.Sprintf(", one in %d points yields, one in %d delays, one in %d sleeps", r.Rates.Yield, r.Rates.Delay, r.Rates.Sleep)
	}
	return s
}

// Beat notes a step of a worker.
func (r *Round) Beat(worker int) { r.beats[uint(worker)%uint(len(r.beats))].n.Add(1) }

func (r *Round) progress() (sum uint64) {
	for i := range r.beats {
		sum += r.beats[i].n.Load()
	}
	return sum
}

// roundLimit is how many times stuck a round may take although it gets on: no round is long.
const roundLimit = 3

// run runs check under the round's conditions, and gives it up when ctx ends, when it has not got on for as long as stuck, or when it does
// not end.
func (r *Round) run(ctx context.Context, check func(*Round) error, stuck time.Duration) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(r.Procs))
	defer probe.SetRates(probe.SetRates(r.Rates))
	probe.Seed(int64(r.Seed))
	defer witness.Enable(witness.Enable(r.Watched))
	if r.Hard {
		defer collect()()
	}
	done := make(chan error, 1)
	go func() { done <- oracle.Guard(func() error { return check(r) }) }()
	began := time.Now()
	last, since := r.progress(), began
	tick := time.NewTicker(stuck / 20)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ErrInterrupted
		case <-tick.C:
		}
		if time.Since(began) >= roundLimit*stuck {
			return oracle.Violated(oracle.Progress, "a round does not end, after %d steps in %v\n%s", r.progress(), time.Since(began), whoHoldsWhat())
		}
		if now := r.progress(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) >= stuck {
			return oracle.Violated(oracle.Progress, "no step in %v, %d steps before\n%s", stuck, now, whoHoldsWhat())
		}
	}
}

// collect runs the collector hard until the returned function is called.
func collect() (stop func()) {
	old := debug.SetGCPercent(10)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
				runtime.GC()
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
		debug.SetGCPercent(old)
	}
}

// whoHoldsWhat is what witness knows of holders and waiters, and where the goroutines stand that are in our code, alike ones once.
func whoHoldsWhat() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	seen := map[string]int{}
	var order []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		head, stack, _ := strings.Cut(g, "\n")
		if !strings.Contains(stack, "pcbbench/") || strings.Contains(head, "running") {
			continue
		}
		key := calls(stack)
		if seen[key] == 0 {
			order = append(order, key)
		}
		seen[key]++
	}
	var b strings.Builder
	if held := witness.Held(); held != "" {
		fmt.Fprintf(&b, "held and wanted:\n%s\n", held)
	}
	for _, key := range order {
		fmt.Fprintf(&b, "%d waiting at %s\n", seen[key], key)
	}
	return b.String()
}

// calls are a stack's innermost functions of ours, with their lines.
func calls(stack string) string {
	lines := strings.Split(stack, "\n")
	var sites []string
	for i := 0; i+1 < len(lines) && len(sites) < 6; i += 2 {
		if strings.HasPrefix(lines[i], "pcbbench/") {
			name, _, _ := strings.Cut(strings.TrimPrefix(lines[i], "pcbbench/"), "(0x")
			at, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
			sites = append(sites, name+" "+at[strings.LastIndexByte(at, '/')+1:])
		}
	}
	return strings.Join(sites, "\n   ")
}

func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("heap %d MB, %d goroutines", m.HeapAlloc>>20, runtime.NumGoroutine())
}
