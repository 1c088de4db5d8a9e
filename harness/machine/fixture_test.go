package machine

import (
	"fmt"
	"testing/fstest"
)

// A cpuSpec is one CPU of a made-up machine. Lists are in the kernel's format.
type cpuSpec struct {
	id, pkg, core, capacity int
	siblings, l2, l3        string
	l1d                     string // size
}

// sysfsOf writes the files of /sys/devices/system for a made-up machine.
func sysfsOf(online, isolated string, cpus []cpuSpec, nodes []string) fstest.MapFS {
	files := fstest.MapFS{}
	put := func(name, content string) { files[name] = &fstest.MapFile{Data: []byte(content + "\n")} }
	put("cpu/online", online)
	put("cpu/isolated", isolated)
	for _, c := range cpus {
		dir := fmt.Sprintf("cpu/cpu%d/", c.id)
		put(dir+"topology/physical_package_id", fmt.Sprint(c.pkg))
		put(dir+"topology/die_id", "0")
		put(dir+"topology/cluster_id", "-1")
		put(dir+"topology/core_id", fmt.Sprint(c.core))
		put(dir+"topology/thread_siblings_list", c.siblings)
		if c.capacity > 0 {
			put(dir+"cpu_capacity", fmt.Sprint(c.capacity))
		}
		for index, cache := range []struct{ level, kind, size, shared string }{
			{"1", "Data", c.l1d, c.siblings},
			{"1", "Instruction", "32K", c.siblings},
			{"2", "Unified", "2048K", c.l2},
			{"3", "Unified", "32768K", c.l3},
		} {
			at := fmt.Sprintf("%scache/index%d/", dir, index)
			put(at+"level", cache.level)
			put(at+"type", cache.kind)
			put(at+"size", cache.size)
			put(at+"coherency_line_size", "64")
			put(at+"shared_cpu_list", cache.shared)
		}
	}
	for i, list := range nodes {
		put(fmt.Sprintf("node/node%d/cpulist", i), list)
	}
	return files
}

// smtServer has two sockets of two cores with two threads each, numbered as
// Linux on x86 does: all first threads, then all second ones.
func smtServer() fstest.MapFS {
	var cpus []cpuSpec
	for id := range 8 {
		core, l3 := id%4, "0-1,4-5"
		if core >= 2 {
			l3 = "2-3,6-7"
		}
		siblings := fmt.Sprintf("%d,%d", core, core+4)
		cpus = append(cpus, cpuSpec{id: id, pkg: core / 2, core: core % 2, l1d: "48K", siblings: siblings, l2: siblings, l3: l3})
	}
	return sysfsOf("0-7", "7", cpus, []string{"0-1,4-5", "2-3,6-7", ""})
}

// hybrid has two fast cores of two threads, CPUs 2-5, and two slow cores, CPUs
// 0-1, one cache over all.
func hybrid() fstest.MapFS {
	slow := cpuSpec{capacity: 600, l1d: "32K", l2: "0-1", l3: "0-5"}
	fast := cpuSpec{capacity: 1024, l1d: "48K", l3: "0-5"}
	var cpus []cpuSpec
	for id := range 6 {
		c := slow
		if id >= 2 {
			c = fast
			c.l2 = fmt.Sprintf("%d-%d", id&^1, id|1)
			c.siblings = c.l2
		} else {
			c.siblings = fmt.Sprint(id)
		}
		c.id, c.core = id, id
		cpus = append(cpus, c)
	}
	return sysfsOf("0-5", "", cpus, []string{"0-5"})
}

// guest has two CPUs that claim a core each.
func guest() fstest.MapFS {
	return sysfsOf("0-1", "", []cpuSpec{
		{id: 0, core: 0, l1d: "48K", siblings: "0", l2: "0", l3: "0-1"},
		{id: 1, core: 1, l1d: "48K", siblings: "1", l2: "1", l3: "0-1"},
	}, []string{"0-1"})
}

// under moves a file system into a folder of another.
func under(dir string, files fstest.MapFS) fstest.MapFS {
	moved := fstest.MapFS{}
	for name, f := range files {
		moved[dir+"/"+name] = f
	}
	return moved
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }
