package machine

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/cpuid/v2"
)

var keyFormat = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

func checkFormat(t *testing.T, facts []KeyValue) {
	t.Helper()
	seen := map[string]bool{}
	for _, kv := range facts {
		if !keyFormat.MatchString(kv.Key) || seen[kv.Key] {
			t.Errorf("bad or repeated key %q", kv.Key)
		}
		seen[kv.Key] = true
		if kv.Value == "" || strings.TrimSpace(kv.Value) != kv.Value || strings.ContainsAny(kv.Value, "\n\r\x00") {
			t.Errorf("bad value of %s: %q", kv.Key, kv.Value)
		}
	}
}

func value(t *testing.T, facts []KeyValue, key string) string {
	t.Helper()
	i := slices.IndexFunc(facts, func(kv KeyValue) bool { return kv.Key == key })
	if i < 0 {
		t.Fatalf("no key %s", key)
	}
	return facts[i].Value
}

func TestFactsOfASystemWithoutFiles(t *testing.T) {
	f := gather(fstest.MapFS{}, nil, cpuid.CPUInfo{})
	checkFormat(t, slices.Concat(f.Stable(), f.Run()))
	for _, key := range []string{"cpu", "cpu-model", "cores", "threads", "cpus-allowed", "cpu-quota", "numa-nodes",
		"cache-l1d", "cache-l2", "cache-l3", "cacheline", "hypervisor", "kernel", "governor"} {
		if got := value(t, f.Stable(), key); got != unknown {
			t.Errorf("%s: %q from no files", key, got)
		}
	}
	if !math.IsNaN(f.Quota) || f.Warnings != nil {
		t.Errorf("quota %v, warnings %v: missing files are unknown, not faulty", f.Quota, f.Warnings)
	}
}

func TestFactsOfAServer(t *testing.T) {
	root := under("sys/devices/system", smtServer())
	for name, content := range map[string]string{
		"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
		"sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n",
		"proc/self/cgroup":          "0::/\n",
		"sys/fs/cgroup/cpu.max":     "150000 100000\n",
		"proc/sys/kernel/osrelease": "6.1.0\n",
		"proc/loadavg":              "0.10 0.20 0.30 1/84 3111\n",
		"proc/stat":                 "cpu  10 0 10 970 0 0 0 10 0 0\n",
		"proc/cpuinfo":              "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
	} {
		root[name] = file(content)
	}
	f := gather(root, []int{0, 1, 2}, cpuid.CPUInfo{})
	facts := slices.Concat(f.Stable(), f.Run())
	checkFormat(t, facts)
	for key, want := range map[string]string{
		"cpu":              runtime.GOARCH + " implementer 0x41 part 0xd0c",
		"cores":            "4",
		"threads":          "8",
		"cpus-allowed":     "0-2",
		"cpu-quota":        "1.5",
		"numa-nodes":       "3",
		"cache-l1d":        "4x48KiB",
		"cache-l2":         "4x2MiB",
		"cache-l3":         "2x32MiB",
		"cacheline":        "64",
		"kernel":           "6.1.0",
		"governor":         "performance+powersave",
		"clock":            "nanotime",
		"load":             "0.10 0.20 0.30",
		"steal-since-boot": "1.00%",
	} {
		if got := value(t, facts, key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := cacheText(mustRead(t, hybrid()).Caches, 1, "Data"); got != "2x48KiB+2x32KiB" {
		t.Errorf("caches of a hybrid machine: %q", got)
	}
}

func TestFactsOfMalformedFiles(t *testing.T) {
	root := under("sys/devices/system", guest())
	root["sys/devices/system/cpu/online"] = file("0-\n")
	root["proc/self/cgroup"] = file("::\n:\n")
	root["proc/stat"] = file("cpu x\n")
	root["proc/loadavg"] = file("\x00")
	root["proc/sys/kernel/osrelease"] = file("6.1\ncommit: fake\n")
	f := gather(root, []int{0, 1}, cpuid.CPUInfo{BrandName: "a\nb: c\x00"})
	checkFormat(t, slices.Concat(f.Stable(), f.Run()))
	if len(f.Warnings) != 2 {
		t.Errorf("warnings %v, want one of the topology, one of the quota", f.Warnings)
	}
}

func TestHypervisor(t *testing.T) {
	virtual := cpuid.CPUInfo{Family: 6, HypervisorVendorString: "bhyve bhyve "}
	virtual.Enable(cpuid.HYPERVISOR)
	kvm := virtual
	kvm.HypervisorVendorID = cpuid.KVM
	for _, test := range []struct {
		cpu  cpuid.CPUInfo
		want string
	}{{cpuid.CPUInfo{}, unknown}, {cpuid.CPUInfo{Family: 6}, "none"}, {kvm, "KVM"}, {virtual, "bhyve bhyve "}} {
		if got := hypervisorOf(test.cpu); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestGather(t *testing.T) {
	f := Gather()
	checkFormat(t, slices.Concat(f.Stable(), f.Run()))
	if again := Gather(); f.Slug() != again.Slug() {
		t.Errorf("slug %q, then %q", f.Slug(), again.Slug())
	}
	if got := NewClock().Source(); got != value(t, f.Stable(), "clock") {
		t.Errorf("clock is %s, facts say %s", got, value(t, f.Stable(), "clock"))
	}
}

func TestSlug(t *testing.T) {
	format := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, test := range []struct {
		brand      string
		cpus       int
		hypervisor string
		want       string // "": format only
	}{
		{"Intel(R) Xeon(R) Processor", 2, "KVM", "intel-xeon-processor-2cpu-kvm"},
		{"Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", 56, "none", "intel-xeon-e5-2690-v4-56cpu-none"},
		{"AMD EPYC 7763 64-Core Processor                ", 128, "MSVM", "amd-epyc-7763-64-core-processor-128cpu-msvm"},
		{"Apple M3", 8, unknown, "apple-m3-8cpu-unknown"},
		{"a=b/../c", 1, "x", "a-b-c-1cpu-x"},
		{"", 0, "", "unknown-0cpu-unknown"},
		{"\x00\xff=／", 1, "===", "unknown-1cpu-unknown"},
		{strings.Repeat("Very Long Brand ", 50), 65536, strings.Repeat("hypervisor", 50), ""},
		{"龍芯 3A5000", 4, "", "3a5000-4cpu-unknown"},
	} {
		got := slug(test.brand, test.cpus, test.hypervisor)
		if test.want != "" && got != test.want || !format.MatchString(got) || len(got) > 64 {
			t.Errorf("slug of %q, %d, %q = %q, want %q", test.brand, test.cpus, test.hypervisor, got, test.want)
		}
	}
}

func TestRevisionOfTheBuild(t *testing.T) {
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}}
	if commit, dirty := revision(info); commit != "abc" || dirty != "yes" {
		t.Errorf("commit %q dirty %q", commit, dirty)
	}
}

func TestRevisionOfTheDirectory(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	if commit, dirty := revision(nil); commit != "" || dirty != unknown {
		t.Errorf("outside a repository: commit %q dirty %q", commit, dirty)
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "m"},
	} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	commit, dirty := revision(nil)
	if len(commit) < 40 || dirty != "no" {
		t.Errorf("clean: commit %q dirty %q", commit, dirty)
	}
	if err := os.WriteFile("new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, dirty := revision(nil); dirty != "yes" {
		t.Errorf("with a new file: dirty %q", dirty)
	}
}
