package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A CPU is one hardware thread as the kernel numbers it. A number that the
// kernel does not tell is -1.
type CPU struct {
	ID       int
	Package  int   // physical_package_id, the socket
	Die      int   // die_id, unique within a package
	Cluster  int   // cluster_id, cores that share a mid-level cache or a bus
	Core     int   // core_id, unique within a package at most
	Node     int   // NUMA node
	LLC      int   // lowest numbered CPU that shares this CPU's last-level cache
	Capacity int   // cpu_capacity, 1024 for the fastest cores of a hybrid machine
	Siblings []int // hardware threads of this core, itself included, ascending; nil if unknown
}

// A Cache is one cache instance.
type Cache struct {
	Level  int
	Type   string // Data, Instruction or Unified
	Size   int64  // bytes, 0 if unknown
	Line   int    // bytes, -1 if unknown
	Shared []int  // CPUs that use this instance, ascending
}

// A Node is a NUMA node. Nodes of memory alone have no CPUs.
type Node struct {
	ID   int
	CPUs []int
}

// A Topology is what the kernel says of the machine's CPUs. In a guest it is
// what the hypervisor made up: two CPUs that claim a core each may be the two
// hardware threads of one core ([PingPong] tells).
type Topology struct {
	Online   []int // nil if unknown
	Isolated []int // kept from the scheduler at boot; used only when the affinity mask names them
	Allowed  []int // CPUs this process may run on
	CPUs     []CPU // of Online and Allowed, ascending by ID
	Caches   []Cache
	Nodes    []Node
}

// HostTopology reads the running machine. Allowed is the affinity mask of the
// calling thread: call it before any [Pin]. The topology is usable also when
// the error is not nil; what could not be read is unknown in it.
func HostTopology() (Topology, error) {
	allowed, err := getAffinity()
	t, errRead := ReadTopology(os.DirFS(systemDir), allowed)
	return t, errors.Join(err, errRead)
}

const systemDir = "/sys/devices/system"

// ReadTopology reads the files of sys, which has the layout of Linux's
// /sys/devices/system. A missing file leaves its fact unknown. A malformed one
// does too and adds an error with the file and the position; the rest is read.
func ReadTopology(sys fs.FS, allowed []int) (Topology, error) {
	r := sysfs{fs: sys}
	t := Topology{
		Online:   r.list("cpu/online"),
		Isolated: r.list("cpu/isolated"),
		Allowed:  slices.Clone(allowed),
	}
	slices.Sort(t.Allowed)
	ids := slices.Concat(t.Online, t.Allowed)
	slices.Sort(ids)
	ids = slices.Compact(ids)

	t.Nodes = r.nodes()
	t.Caches = r.caches(ids)
	for _, id := range ids {
		c := r.cpu(id)
		c.Node, c.LLC = t.nodeOf(id), t.lastLevelOf(id)
		t.CPUs = append(t.CPUs, c)
	}
	return t, errors.Join(r.errs...)
}

// Cores is the number of cores that are online, 0 if unknown.
func (t Topology) Cores() int {
	cores := 0
	for _, id := range t.Online {
		c := t.cpu(id)
		if c.Siblings == nil {
			return 0
		}
		if c.Siblings[0] == id {
			cores++
		}
	}
	return cores
}

// cpu finds a CPU; one the topology does not list is unknown but for its ID.
func (t Topology) cpu(id int) CPU {
	i, found := slices.BinarySearchFunc(t.CPUs, id, func(c CPU, id int) int { return c.ID - id })
	if !found {
		return CPU{ID: id, Package: -1, Die: -1, Cluster: -1, Core: -1, Node: -1, LLC: -1, Capacity: -1}
	}
	return t.CPUs[i]
}

func (t Topology) nodeOf(cpu int) int {
	for _, n := range t.Nodes {
		if slices.Contains(n.CPUs, cpu) {
			return n.ID
		}
	}
	return -1
}

func (t Topology) lastLevelOf(cpu int) int {
	level, first := 0, -1
	for _, c := range t.Caches {
		if c.Level > level && c.Type != "Instruction" && slices.Contains(c.Shared, cpu) {
			level, first = c.Level, c.Shared[0]
		}
	}
	return first
}

// sysfs reads small kernel files and gathers what is wrong with them.
type sysfs struct {
	fs   fs.FS
	errs []error
}

func (r *sysfs) fail(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("machine: %s: %w", name, err))
}

// text is the file's content without the newline, "" if there is none.
func (r *sysfs) text(name string) string {
	data, err := fs.ReadFile(r.fs, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.fail(name, err)
	}
	return strings.TrimSuffix(string(data), "\n")
}

func (r *sysfs) list(name string) []int {
	cpus, err := ParseCPUList(r.text(name))
	if err != nil {
		r.fail(name, err)
	}
	return cpus
}

// number is -1 for a missing file, a malformed one, and for the kernel's own
// ways of saying "none", which are all negative.
func (r *sysfs) number(name string) int {
	text := r.text(name)
	if text == "" {
		return -1
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.fail(name, fmt.Errorf("byte 0: %q is not a number", text))
		return -1
	}
	return max(n, -1)
}

// size reads "48K" or "2M" as bytes, 0 if unknown.
func (r *sysfs) size(name string) int64 {
	text := r.text(name)
	if text == "" {
		return 0
	}
	digits, shift := text, 0
	switch text[len(text)-1] {
	case 'K':
		digits, shift = text[:len(text)-1], 10
	case 'M':
		digits, shift = text[:len(text)-1], 20
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		r.fail(name, fmt.Errorf("byte 0: %q is not a size", text))
		return 0
	}
	return int64(n) << shift
}

// numbered lists dir's entries that are prefix and a number, as numbers.
func (r *sysfs) numbered(dir, prefix string) []int {
	entries, err := fs.ReadDir(r.fs, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.fail(dir, err)
	}
	var numbers []int
	for _, e := range entries {
		rest, found := strings.CutPrefix(e.Name(), prefix)
		if n, err := strconv.ParseUint(rest, 10, 16); found && err == nil {
			numbers = append(numbers, int(n))
		}
	}
	slices.Sort(numbers)
	return numbers
}

func (r *sysfs) cpu(id int) CPU {
	dir := fmt.Sprintf("cpu/cpu%d", id)
	return CPU{
		ID:       id,
		Package:  r.number(path.Join(dir, "topology/physical_package_id")),
		Die:      r.number(path.Join(dir, "topology/die_id")),
		Cluster:  r.number(path.Join(dir, "topology/cluster_id")),
		Core:     r.number(path.Join(dir, "topology/core_id")),
		Capacity: r.number(path.Join(dir, "cpu_capacity")),
		Siblings: r.sharers(path.Join(dir, "topology/thread_siblings_list"), id),
	}
}

// sharers reads the CPUs with which cpu shares something, nil if unknown.
func (r *sysfs) sharers(name string, cpu int) []int {
	cpus := r.list(name)
	if cpus != nil && !slices.Contains(cpus, cpu) {
		r.fail(name, fmt.Errorf("CPU %d is missing in its own list %q", cpu, FormatCPUList(cpus)))
		return nil
	}
	return cpus
}

func (r *sysfs) nodes() []Node {
	var nodes []Node
	for _, id := range r.numbered("node", "node") {
		nodes = append(nodes, Node{ID: id, CPUs: r.list(fmt.Sprintf("node/node%d/cpulist", id))})
	}
	return nodes
}

// caches reads every CPU's caches; an instance appears once, not once for each
// CPU that shares it.
func (r *sysfs) caches(cpus []int) []Cache {
	type instance struct {
		level  int
		kind   string
		shared int // its lowest numbered CPU
	}
	seen := map[instance]bool{}
	var caches []Cache
	for _, id := range cpus {
		dir := fmt.Sprintf("cpu/cpu%d/cache", id)
		for _, index := range r.numbered(dir, "index") {
			c := r.cache(path.Join(dir, fmt.Sprintf("index%d", index)), id)
			if key := (instance{c.Level, c.Type, c.Shared[0]}); !seen[key] {
				seen[key] = true
				caches = append(caches, c)
			}
		}
	}
	return caches
}

func (r *sysfs) cache(dir string, cpu int) Cache {
	shared := r.sharers(path.Join(dir, "shared_cpu_list"), cpu)
	if shared == nil {
		shared = []int{cpu}
	}
	return Cache{
		Level:  r.number(path.Join(dir, "level")),
		Type:   r.text(path.Join(dir, "type")),
		Size:   r.size(path.Join(dir, "size")),
		Line:   r.number(path.Join(dir, "coherency_line_size")),
		Shared: shared,
	}
}
