package machine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/klauspost/cpuid/v2"
)

// A KeyValue is one line of a results file's configuration. Keys are lower case
// without blanks, as Go's benchmark format wants them; values are one line and
// never empty.
type KeyValue struct{ Key, Value string }

// unknown is the value of a fact that the system does not tell.
const unknown = "unknown"

// Facts are what is known of the machine and of this run.
type Facts struct {
	Topology Topology
	Quota    float64 // CPUs' worth of time granted by control groups, +Inf if unlimited, NaN if unknown
	Warnings []error // facts that are unknown because a file of the system could not be read

	slug        string
	stable, run []KeyValue
}

// Gather collects the facts once. Call it before any [Pin]: the CPUs allowed are
// those of the calling thread. It may run git, for a few seconds at most.
func Gather() Facts {
	allowed, err := getAffinity()
	f := gather(os.DirFS("/"), allowed, cpuid.CPU)
	if err != nil {
		f.Warnings = append(f.Warnings, fmt.Errorf("machine: allowed CPUs: %w", err))
	}
	return f
}

// Stable are the facts that the machine, the toolchain and the limits set for
// this process determine: results that differ in one are not comparable.
func (f Facts) Stable() []KeyValue { return slices.Clone(f.stable) }

// Run are the facts of this run. As configuration they would keep benchstat
// from comparing two runs, so they belong into comments. They do not name the
// host.
func (f Facts) Run() []KeyValue { return slices.Clone(f.run) }

// Slug is a folder name for the machine's results, of brand, CPU count and
// hypervisor: [a-z0-9-] only, 64 bytes at most, the same in every run.
func (f Facts) Slug() string { return f.slug }

// gather is Gather on a machine whose / is root.
func gather(root fs.FS, allowed []int, cpu cpuid.CPUInfo) Facts {
	var f Facts
	var err error
	f.Topology, err = ReadTopology(subdir(root, systemDir[1:]), allowed)
	f.warn(err)
	f.Quota, err = ReadQuota(root)
	if err != nil {
		f.Quota = math.NaN()
		if !errors.Is(err, fs.ErrNotExist) {
			f.warn(err)
		}
	}

	t := f.Topology
	brand, hypervisor := brandOf(root, cpu), hypervisorOf(cpu)
	f.slug = slug(brand, cmp.Or(len(t.Online), len(t.Allowed)), hypervisor)
	f.stable = keyValues(
		"goos", runtime.GOOS,
		"goarch", runtime.GOARCH,
		"cpu", brand,
		"cpu-model", modelOf(cpu),
		"cores", count(t.Cores()),
		"threads", count(len(t.Online)),
		"cpus-allowed", FormatCPUList(t.Allowed),
		"cpu-quota", quotaText(f.Quota),
		"numa-nodes", count(len(t.Nodes)),
		"cache-l1d", cacheText(t.Caches, 1, "Data"),
		"cache-l2", cacheText(t.Caches, 2, "Unified"),
		"cache-l3", cacheText(t.Caches, 3, "Unified"),
		"cacheline", count(lineSize(t.Caches)),
		"hypervisor", hypervisor,
		"kernel", text(root, "proc/sys/kernel/osrelease"),
		"go", runtime.Version(),
		"goamd64", goamd64(),
		"gomaxprocs", strconv.Itoa(runtime.GOMAXPROCS(0)),
		"governor", governor(root, t.Allowed),
		"clock", clockSource(root),
	)
	info, _ := debug.ReadBuildInfo()
	commit, dirty := revision(info)
	f.run = keyValues(
		"date", time.Now().UTC().Format(time.RFC3339),
		"commit", commit,
		"dirty", dirty,
		"load", load(root),
		"steal-since-boot", stealShare(root),
	)
	return f
}

func (f *Facts) warn(err error) {
	if err != nil {
		f.Warnings = append(f.Warnings, err)
	}
}

// keyValues pairs its arguments and makes every value fit for the format.
func keyValues(s ...string) []KeyValue {
	var list []KeyValue
	for pair := range slices.Chunk(s, 2) {
		list = append(list, KeyValue{Key: pair[0], Value: oneLine(pair[1])})
	}
	return list
}

// oneLine replaces what would end or garble a line; nothing left is unknown.
func oneLine(s string) string {
	printable := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return cmp.Or(strings.Join(strings.Fields(printable), " "), unknown)
}

func count(n int) string {
	if n <= 0 {
		return unknown
	}
	return strconv.Itoa(n)
}
