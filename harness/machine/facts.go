package machine

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// One function a fact. An empty answer is unknown.

// text is a small file's content, "" if it cannot be read.
func text(root fs.FS, name string) string {
	data, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(data))
}

func subdir(root fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(root, dir)
	if err != nil {
		panic(fmt.Sprintf("machine: %q is no path: %v", dir, err))
	}
	return sub
}

// brandOf is the processor's marketing name. An ARM processor has none; there
// the implementer and part numbers stand for it.
func brandOf(root fs.FS, cpu cpuid.CPUInfo) string {
	if cpu.BrandName != "" {
		return cpu.BrandName
	}
	info := text(root, "proc/cpuinfo")
	if name := cpuinfo(info, "model name"); name != "" {
		return name
	}
	implementer, part := cpuinfo(info, "CPU implementer"), cpuinfo(info, "CPU part")
	if implementer == "" || part == "" {
		return unknown
	}
	return runtime.GOARCH + " implementer " + implementer + " part " + part
}

// cpuinfo is the first value of a key in /proc/cpuinfo.
func cpuinfo(info, key string) string {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// modelOf tells apart the processors that a cloud hides behind one brand.
func modelOf(cpu cpuid.CPUInfo) string {
	if cpu.Family == 0 {
		return unknown
	}
	return fmt.Sprintf("family %d model %d stepping %d", cpu.Family, cpu.Model, cpu.Stepping)
}

func hypervisorOf(cpu cpuid.CPUInfo) string {
	switch {
	case cpu.Family == 0: // not an x86 processor: there is no such flag
		return unknown
	case !cpu.Supports(cpuid.HYPERVISOR):
		return "none"
	case cpu.HypervisorVendorID != cpuid.VendorUnknown:
		return cpu.HypervisorVendorID.String()
	}
	return cpu.HypervisorVendorString
}

func quotaText(cpus float64) string {
	switch {
	case math.IsNaN(cpus):
		return unknown
	case math.IsInf(cpus, 1):
		return "none"
	}
	return strconv.FormatFloat(cpus, 'g', 4, 64)
}

// cacheText counts the instances of a cache by size, largest first:
// "2x48KiB", and "8x48KiB+16x32KiB" on a hybrid machine.
func cacheText(caches []Cache, level int, kind string) string {
	instances := map[int64]int{}
	var sizes []int64
	for _, c := range caches {
		if c.Level != level || c.Type != kind || c.Size == 0 {
			continue
		}
		if instances[c.Size] == 0 {
			sizes = append(sizes, c.Size)
		}
		instances[c.Size]++
	}
	slices.Sort(sizes)
	slices.Reverse(sizes)
	var groups []string
	for _, size := range sizes {
		groups = append(groups, fmt.Sprintf("%dx%s", instances[size], sizeText(size)))
	}
	return strings.Join(groups, "+")
}

func sizeText(bytes int64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%dMiB", bytes>>20)
	}
	return fmt.Sprintf("%dKiB", bytes>>10)
}

// lineSize is the coherency line of the first data cache, 0 if unknown.
func lineSize(caches []Cache) int {
	for _, c := range caches {
		if c.Level == 1 && c.Type == "Data" {
			return c.Line
		}
	}
	return 0
}

// goamd64 is the instruction set level of this build, "-" on other
// architectures.
func goamd64() string {
	if runtime.GOARCH != "amd64" {
		return "-"
	}
	info, _ := debug.ReadBuildInfo()
	return setting(info, "GOAMD64")
}

// setting is a value of the build information, "" if it is not recorded.
func setting(info *debug.BuildInfo, key string) string {
	if info != nil {
		for _, s := range info.Settings {
			if s.Key == key {
				return s.Value
			}
		}
	}
	return ""
}

// governor is the frequency policy of the allowed CPUs, all if they differ.
func governor(root fs.FS, cpus []int) string {
	var names []string
	for _, cpu := range cpus {
		name := text(root, path.Join(systemDir[1:], fmt.Sprintf("cpu/cpu%d/cpufreq/scaling_governor", cpu)))
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// load is the load average over 1, 5 and 15 minutes.
func load(root fs.FS) string {
	averages := strings.Fields(text(root, "proc/loadavg"))
	return strings.Join(averages[:min(3, len(averages))], " ")
}

// stealShare is the part of all CPU time since boot that the host took away.
func stealShare(root fs.FS) string {
	times, isCPU := strings.CutPrefix(text(root, "proc/stat"), "cpu ")
	all, _, _ := strings.Cut(times, "\n")
	t, ok := parseTicks(all)
	if !isCPU || !ok || t.total == 0 {
		return unknown
	}
	return fmt.Sprintf("%.2f%%", 100*float64(t.steal)/float64(t.total))
}
