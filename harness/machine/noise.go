package machine

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Count is a number that the system may not tell. Unknown is not zero.
type Count struct {
	N     int64
	Known bool
}

func known(n int64) Count { return Count{N: n, Known: true} }

// sub is unknown, too, when the counter ran backwards, as steal does after a
// guest's migration.
func (c Count) sub(earlier Count) Count {
	if !c.Known || !earlier.Known || c.N < earlier.N {
		return Count{}
	}
	return known(c.N - earlier.N)
}

// Noise reads the scheduler's accounts. A snapshot costs a few system calls for
// each thread of the process, tens of microseconds in all on a small machine.
type Noise struct {
	proc fs.FS
	cpus []int
}

// NewNoise watches the CPUs this process may use, [Topology.Allowed].
func NewNoise(cpus []int) Noise { return Noise{proc: os.DirFS("/proc"), cpus: slices.Clone(cpus)} }

// A Snapshot is the state of the accounts at one time.
type Snapshot struct {
	cpus  int
	delay map[string]int64 // nanoseconds on a run queue, by thread; nil if unknown
	busy  Count            // nanoseconds, of the watched CPUs
	steal Count            // nanoseconds, of the watched CPUs
	usage usage
}

// usage is what the process has consumed.
type usage struct {
	cpu         Count // nanoseconds, user and system
	voluntary   Count // context switches
	involuntary Count
}

// Snapshot reads the accounts. Take one before and one after a sample, with the
// ping-pongs outside of both: their threads count, too.
func (n Noise) Snapshot() Snapshot {
	s := Snapshot{cpus: len(n.cpus), delay: n.runDelays(), usage: readUsage()}
	s.busy, s.steal = n.cpuTime()
	return s
}

// A Delta is what happened between two snapshots.
type Delta struct {
	CPUs     int   // watched
	RunDelay Count // ns that threads of this process were ready but had no CPU
	CPU      Count // ns of CPU time of this process
	Steal    Count // ns that the watched CPUs were ready but the host ran others; 10 ms steps
	// Foreign is ns of CPU time of others on the watched CPUs: all busy time
	// less ours. It comes in steps of 10 ms and is off by two of them for each
	// CPU, so it says little about a short sample.
	Foreign             Count
	VoluntarySwitches   Count // threads of this process that went to sleep
	InvoluntarySwitches Count // threads of this process that were preempted
}

// Sub returns what happened from before to s.
func (s Snapshot) Sub(before Snapshot) Delta {
	d := Delta{
		CPUs:                s.cpus,
		RunDelay:            delaySince(s.delay, before.delay),
		CPU:                 s.usage.cpu.sub(before.usage.cpu),
		Steal:               s.steal.sub(before.steal),
		VoluntarySwitches:   s.usage.voluntary.sub(before.usage.voluntary),
		InvoluntarySwitches: s.usage.involuntary.sub(before.usage.involuntary),
	}
	if busy := s.busy.sub(before.busy); busy.Known && d.CPU.Known {
		d.Foreign = known(max(0, busy.N-d.CPU.N))
	}
	return d
}

// delaySince adds up the threads that still live. A thread that was not there
// before, or whose number another had before, counts from its start.
func delaySince(now, before map[string]int64) Count {
	if now == nil || before == nil {
		return Count{}
	}
	sum := int64(0)
	for thread, delay := range now {
		if earlier := before[thread]; earlier <= delay {
			delay -= earlier
		}
		sum += delay
	}
	return known(sum)
}

// The limits of Disturbed.
const (
	// Waiting for a CPU makes contended locks look faster, because workers take
	// turns instead of colliding: beyond this share of the threads' time the
	// bias is larger than the differences worth finding.
	maxRunDelay = 0.15
	// Steal comes in bursts of 4 to 7 %, against a background below 1.2 %.
	maxSteal = 0.02
	// Others cost cache, memory bandwidth and clock rate even on CPUs that no
	// worker needs. The account's own error comes on top.
	maxForeign   = 0.06
	foreignError = 20 * time.Millisecond // two ticks for each CPU
)

// Disturbed says whether a sample should be repeated, and why. wall is the time
// between the two snapshots, during which that many threads wanted to run on
// that many places: the CPUs that they are bound to, or as many as there are
// threads. It is disturbed when, of wall times threads, run-queue delay is more
// than 15 % (on top of what threads must wait that take turns on fewer places
// or CPUs); when, of wall times places, steal is more than 2 %; or when others
// used more than 6 % of wall times CPUs (and 20 ms a CPU, the error of that
// account). What is unknown does not disturb.
//
// Threads that sleep wait on run queues whenever they are woken. Where they are
// more than the places, as much is let pass as if they never slept; elsewhere
// they may pass the first limit on an idle machine. Mark a disturbed sample,
// and repeat it, but do not repeat it forever.
func (d Delta) Disturbed(wall time.Duration, threads, places int) (disturbed bool, reason string) {
	if wall <= 0 || threads < 1 || places < 1 {
		panic(fmt.Sprintf("machine: Disturbed of %d threads on %d places over %v", threads, places, wall))
	}
	places = min(places, threads, max(1, d.CPUs))
	wanted := float64(wall) * float64(threads)
	inevitable := 1 - float64(places)/float64(threads)
	needed := float64(wall) * float64(places)
	granted := float64(wall) * float64(d.CPUs)
	for _, check := range []struct {
		what        string
		used        Count
		share, free float64 // limit: this share of whole, and so many ns
		whole       float64
		of          string
	}{
		{"run-queue delay", d.RunDelay, maxRunDelay + inevitable, 0, wanted, "thread time"},
		{"steal", d.Steal, maxSteal, 0, needed, "CPU time"},
		{"foreign CPU", d.Foreign, maxForeign, float64(foreignError) * float64(d.CPUs), granted, "CPU time"},
	} {
		limit := check.share*check.whole + check.free
		if check.used.Known && float64(check.used.N) > limit {
			return true, fmt.Sprintf("%s %.1f%% of %s, limit %.1f%%", check.what,
				100*float64(check.used.N)/check.whole, check.of, 100*limit/check.whole)
		}
	}
	return false, ""
}

// runDelays reads the second number of the schedstat of every thread but the
// caller's: who only waits for the time to be over may wait for a CPU, too.
// Threads may end while the list is read.
func (n Noise) runDelays() map[string]int64 {
	threads, err := fs.ReadDir(n.proc, "self/task")
	if err != nil {
		return nil
	}
	delays := make(map[string]int64, len(threads))
	self := strconv.Itoa(threadID())
	for _, thread := range threads {
		if thread.Name() == self {
			continue
		}
		data, err := fs.ReadFile(n.proc, path.Join("self/task", thread.Name(), "schedstat"))
		if err != nil {
			continue
		}
		field := strings.Fields(string(data))
		if len(field) != 3 {
			return nil
		}
		delay, err := strconv.ParseInt(field[1], 10, 64)
		if err != nil {
			return nil
		}
		delays[thread.Name()] = delay
	}
	if len(delays) == 0 {
		return nil // a kernel without schedstat
	}
	return delays
}

// cpuTime adds up the watched CPUs' lines of stat; unknown if one is missing.
func (n Noise) cpuTime() (busy, steal Count) {
	data, err := fs.ReadFile(n.proc, "stat")
	if err != nil || len(n.cpus) == 0 {
		return Count{}, Count{}
	}
	var sum cpuTicks
	found := 0
	for line := range bytes.Lines(data) {
		number, isCPU := bytes.CutPrefix(line, []byte("cpu"))
		if !isCPU {
			break // the CPUs come first, the long interrupt line after them
		}
		name, times, _ := strings.Cut(string(number), " ")
		id, err := strconv.Atoi(name)
		if err != nil || !slices.Contains(n.cpus, id) {
			continue // the line of all CPUs has no number
		}
		t, ok := parseTicks(times)
		if !ok {
			return Count{}, Count{}
		}
		sum.busy += t.busy
		sum.steal += t.steal
		found++
	}
	if found != len(n.cpus) {
		return Count{}, Count{}
	}
	return known(sum.busy * int64(tick)), known(sum.steal * int64(tick))
}

// cpuTicks is one line of stat, in its ticks.
type cpuTicks struct{ busy, steal, total int64 }

// tick is the unit of stat: USER_HZ is 100 on every architecture that Go
// supports, whatever the kernel's own rate.
const tick = 10 * time.Millisecond

// parseTicks reads user, nice, system, idle, iowait, irq, softirq and steal.
// What follows them, guest time, is part of user already.
func parseTicks(s string) (t cpuTicks, ok bool) {
	const idle, iowait, steal, fields = 3, 4, 7, 8
	for i, field := range strings.Fields(s) {
		if i == fields {
			break
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return cpuTicks{}, false
		}
		t.total += n
		switch i {
		case idle, iowait:
		case steal:
			t.steal = n
			return t, true
		default:
			t.busy += n
		}
	}
	return cpuTicks{}, false
}
