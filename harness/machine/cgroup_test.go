package machine

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

func TestReadQuota(t *testing.T) {
	for _, test := range []struct {
		name  string
		files fstest.MapFS
		want  float64
	}{
		{"v2, the least of all ancestors", fstest.MapFS{
			"proc/self/cgroup":            file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/cpu.max":   file("max 100000\n"),
			"sys/fs/cgroup/a/cpu.max":     file("150000 100000\n"),
			"sys/fs/cgroup/other/cpu.max": file("1000 100000\n"),
		}, 1.5},
		{"v2, unlimited", fstest.MapFS{
			"proc/self/cgroup":        file("0::/a\n"),
			"sys/fs/cgroup/a/cpu.max": file("max 100000\n"),
		}, math.Inf(1)},
		{"v1, host path seen from inside a container", fstest.MapFS{
			"proc/self/cgroup":                    file("4:cpuset:/\n3:cpu,cpuacct:/docker/1234\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":  file("50000\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": file("100000\n"),
		}, 0.5},
		{"v1, unlimited", fstest.MapFS{
			"proc/self/cgroup":                   file("1:cpu:/\n0::/\n"),
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": file("-1\n"),
		}, math.Inf(1)},
		{"path that leaves the namespace", fstest.MapFS{
			"proc/self/cgroup":      file("0::/../../x\n"),
			"sys/fs/cgroup/cpu.max": file("200000 100000\n"),
		}, 2},
		{"no controller", fstest.MapFS{"proc/self/cgroup": file("0::/\n")}, math.Inf(1)},
	} {
		if got, err := ReadQuota(test.files); err != nil || got != test.want {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

func TestReadQuotaRefuses(t *testing.T) {
	for _, test := range []struct {
		part  string
		files fstest.MapFS
	}{
		{"cgroup of this process", fstest.MapFS{}},
		{"proc/self/cgroup", fstest.MapFS{"proc/self/cgroup": file("nonsense\n")}},
		{"sys/fs/cgroup/cpu.max", fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/cpu.max": file("100000\n")}},
		{"sys/fs/cgroup/cpu.max", fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/cpu.max": file("1 0\n")}},
	} {
		if got, err := ReadQuota(test.files); err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%v, %v, want an error that names %q", got, err, test.part)
		}
	}
}
