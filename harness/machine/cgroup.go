package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ReadQuota returns how many CPUs' worth of time the control groups of this
// process grant it, the least over all ancestors; +Inf when none limits it. A
// quota below the number of busy workers stops all of them for part of every
// period. root has the layout of Linux's /, with cgroup v2 mounted on
// /sys/fs/cgroup, v1's cpu controller on /sys/fs/cgroup/cpu.
func ReadQuota(root fs.FS) (cpus float64, err error) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, fmt.Errorf("machine: cgroup of this process: %w", err)
	}
	quota := math.Inf(1)
	for line := range strings.Lines(string(groups)) {
		// hierarchy-ID:controller-list:cgroup-path; v2 has no controllers.
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(field) != 3 {
			return 0, fmt.Errorf("machine: proc/self/cgroup: %q is not hierarchy:controllers:path", line)
		}
		var limit float64
		switch {
		case field[1] == "":
			limit, err = leastQuota(root, "sys/fs/cgroup", field[2], quotaV2)
		case slices.Contains(strings.Split(field[1], ","), "cpu"):
			limit, err = leastQuota(root, "sys/fs/cgroup/cpu", field[2], quotaV1)
		default:
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("machine: cgroup quota: %w", err)
		}
		quota = min(quota, limit)
	}
	return quota, nil
}

// leastQuota asks group and its ancestors up to the mount. A container often
// sees the host's path without the directories, then only the mount answers.
func leastQuota(root fs.FS, mount, group string, read func(fs.FS, string) (float64, error)) (float64, error) {
	least := math.Inf(1)
	for group = path.Join("/", group); ; group = path.Dir(group) {
		quota, err := read(root, path.Join(mount, group))
		switch {
		case err == nil:
			least = min(least, quota)
		case !errors.Is(err, fs.ErrNotExist):
			return 0, err
		}
		if group == "/" {
			return least, nil
		}
	}
}

// quotaV2 reads cpu.max, "150000 100000" or "max 100000".
func quotaV2(root fs.FS, dir string) (float64, error) {
	name := path.Join(dir, "cpu.max")
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, err
	}
	quota, period, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	if quota == "max" {
		return math.Inf(1), nil
	}
	return ratio(name, quota, period)
}

// quotaV1 reads cpu.cfs_quota_us, -1 for no limit, and cpu.cfs_period_us.
func quotaV1(root fs.FS, dir string) (float64, error) {
	name := path.Join(dir, "cpu.cfs_quota_us")
	quota, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, err
	}
	if strings.HasPrefix(string(quota), "-") {
		return math.Inf(1), nil
	}
	period, err := fs.ReadFile(root, path.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return 0, err
	}
	return ratio(name, strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

func ratio(name, quota, period string) (float64, error) {
	q, errQuota := strconv.ParseUint(quota, 10, 63)
	p, errPeriod := strconv.ParseUint(period, 10, 63)
	if errQuota != nil || errPeriod != nil || p == 0 {
		return 0, fmt.Errorf("%s: quota %q of period %q is no ratio", name, quota, period)
	}
	return float64(q) / float64(p), nil
}
