package pcbinfo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pcbbench/locks/smr"
)

// A Scheme is one way to lock the table.
type Scheme struct {
	Name    string
	Doc     string   // one line
	Source  string   // where it comes from
	Lock    string   // the kind of table lock it takes by default; "" if it has none
	Shared  bool     // it takes that lock shared as well
	Options []string // the options it knows: "groups", "smr", "lost", "chain", "shards"
	// Variants are options under which it works differently, as in "smr=gc": what is checked of it is checked of each of them, too.
	Variants []string
	Main     bool // in the default matrix; the others are measured by name, and by "all"
	Workers  int  // the most workers it is correct for by itself; 0: any number
	Owned    bool // its tables are Owned: behind a dispatch model that keeps them to their owners they are correct for any number
	Table    bool // it keeps connections at all
	// Misses says that a segment's lookup may answer none though there was somebody all the time (hazard H5): if meanwhile two
	// that fit it went, or a listener that fits went and another that fits came. All other answers are right for some instant.
	Misses bool
	// Once says that with lost=none it does not look again: one that fits need go while its lookup waits for it, and the answer is none,
	// whoever else fits.
	Once bool
	// Lockless says that no lock keeps insertions out of a lookup: what it found may be history when it is used. A SYN may so enter the
	// syncache just after its connection was made, and the ACK that takes it out again finds the connection there (hazard H9). And a connection on its way from the one to
	// the other is in neither: an Abort may find nobody.
	Lockless bool
	Heap     bool // inpcbs come from the heap, and the collector has them back
	New      func(Config) (Info, error)
}

// Schemes are all of them, in the order in which a newcomer should read them.
var Schemes = []Scheme{
	{Name: "null", New: newNull, Main: true,
		Doc:    "no table: what the driver itself weighs",
		Source: "the empty lock of lock benchmarks"},
	{Name: "unsync", New: newUnsync, Workers: 1, Table: true, Main: true,
		Doc:    "no lock: the floor on one CPU, and the checks' negative control",
		Source: "perfbook's sequential twins"},
	{Name: "global", New: newGlobal, Lock: "mtx", Table: true, Main: true,
		Doc:    "one exclusive lock over lookup and input, let go early by header prediction",
		Source: "FreeBSD 5.3-7.0, tcp_input.c 2006"},
	{Name: "refcount", New: newRefcount, Lock: "rw", Shared: true, Table: true, Main: true,
		Doc:    "references on the inpcb; tcbinfo dropped, and re-acquired for what changes the table",
		Source: "Watson 2007; FreeBSD r185773, r185775 (2008)"},
	{Name: "rwlock", New: newRWLock, Lock: "rw", Shared: true, Table: true,
		Doc:    "tcbinfo shared unless SYN, FIN or RST, the inpcb locked under it; upgraded, else re-acquired, where the state asks for it",
		Source: "FreeBSD 7.1-8, tcp_input.c; r178285, r185775 (2008)"},
	{Name: "hashlock", New: newHashlock, Lock: "rw", Shared: true, Options: []string{"lost"}, Variants: []string{"lost=none"},
		Table: true, Once: true,
		Doc:    "lookup under hashLock shared, with a reference; tcbinfo only for what opens and closes",
		Source: "FreeBSD 9, in_pcb.c; r222488 (2011)"},
	{Name: "threelock", New: newThreelock, Lock: "rw", Shared: true, Options: []string{"lost"}, Variants: []string{"lost=none"},
		Table: true, Once: true,
		Doc:    "hashlock with tcbinfo shared by what opens and closes, exclusive for walks; listLock over the list",
		Source: "FreeBSD 10.4 and 11, in_pcb.c; r286227 (2015)"},
	{Name: "connp", New: newConnp, Lock: "mtx", Options: []string{"groups"}, Variants: []string{"groups=1", "groups=2"}, Table: true, Main: true,
		Doc:    "one lock a connection group, no inpcb locks (ConnP-L)",
		Source: "Willmann, Rixner, Cox, USENIX ATC 2006"},
	{Name: "pcbgroup", New: newPcbgroup, Lock: "mtx", Options: []string{"groups", "lost"}, Variants: []string{"groups=1", "groups=2", "groups=2:lost=none"},
		Table: true, Once: true,
		Doc:    "lookup under one connection group's lock, inpcb locks, a reservation table beside; by default a group a CPU",
		Source: "FreeBSD 9-13, in_pcbgroup.c (r222748, 2011)"},
	{Name: "owned", New: newOwned, Workers: 1, Owned: true, Table: true, Main: true,
		Doc:    "no lock: a part of the connections an owner, listeners with the first, messages between them (ConnP-T)",
		Source: "Willmann, Rixner, Cox, USENIX ATC 2006"},
	{Name: "epoch", New: newEpoch, Lock: "mtx", Options: []string{"smr", "lost"}, Variants: []string{"smr=qsbr", "smr=gc", "lost=none", "lost=retry"},
		Table: true, Misses: true, Once: true, Lockless: true,
		Doc:    "lookup in an epoch's section; writers share listLock and, in it, hashLock",
		Source: "FreeBSD 12-13 in_pcb.c (r335356, 2018), epoch(9)"},
	{Name: "smr", New: newSMR, Lock: "mtx", Options: []string{"smr", "lost"}, Variants: []string{"smr=epoch", "smr=qsbr", "smr=hazard", "smr=refcount", "smr=gc", "lost=retry"},
		Table: true, Main: true, Misses: true, Lockless: true,
		Doc:    "lookup in a read section; writers share a hash lock",
		Source: "FreeBSD 14 in_pcb.c, smr(9)"},
	{Name: "bucket", New: newBucket, Options: []string{"smr", "chain"}, Variants: []string{"smr=epoch", "smr=gc", "chain=nulls"},
		Table: true, Main: true,
		Doc:    "lookup in a read section; writers lock one bucket each (chain=nulls: no section, memory reused under the reader)",
		Source: "FreeBSD main in_pcb_var.h (struct inpbucket); Linux inet_hashtables.c (nulls)"},
	{Name: "gvisor", New: newGvisor, Lock: "rwmutex", Shared: true, Table: true,
		Doc:    "a Go map under a sync.RWMutex, and a queue an endpoint: whoever holds it works off what comes (socket backlog)",
		Source: "netstack: google/gvisor, pkg/tcpip, 2024"},
	{Name: "shardmap", New: newShardmap, Lock: "rwmutex", Shared: true, Options: []string{"shards"}, Variants: []string{"shards=1"}, Table: true,
		Doc:    "Go maps under a sync.RWMutex each",
		Source: "orcaman/concurrent-map and other sharded maps of Go programs"},
	{Name: "syncmap", New: newSyncmap, Heap: true, Table: true,
		Doc:    "sync.Map: lookups without a lock, memory by the collector",
		Source: "Go, sync.Map; internal/sync/hashtriemap.go"},
	{Name: "xsync", New: newXsync, Heap: true, Table: true,
		Doc:    "xsync.Map: the same on a hash table of cache-line buckets",
		Source: "github.com/puzpuzpuz/xsync v4; David et al., ASPLOS 2015 (CLHT)"},
}

// Names lists the schemes' names in order.
func Names() (names []string) {
	for _, s := range Schemes {
		names = append(names, s.Name)
	}
	return names
}

// Tables are the schemes that keep connections, each followed by its variants, as ParseSpec reads them.
func Tables() (texts []string) {
	for _, s := range Schemes {
		if s.Table {
			texts = append(texts, s.Name)
			for _, v := range s.Variants {
				texts = append(texts, s.Name+":"+v)
			}
		}
	}
	return texts
}

// A Spec is a scheme with its options, as in "connp:groups=16" or "smr:smr=gc:lost=retry". The Scheme is as the options make it.
type Spec struct {
	Scheme
	text   string
	groups int
	smr    string
	retry  bool
	sure   bool
	nulls  bool
}

// ParseSpec reads a Spec; the error lists what is known.
func ParseSpec(text string) (Spec, error) {
	name, opts, _ := strings.Cut(text, ":")
	i := slices.IndexFunc(Schemes, func(s Scheme) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, fmt.Errorf("unknown scheme %q; known: %s", name, strings.Join(Names(), ", "))
	}
	sp := Spec{Scheme: Schemes[i], text: text, retry: !Schemes[i].Misses || Schemes[i].Once}
	for opt := range strings.SplitSeq(opts, ":") {
		if opt == "" {
			continue
		}
		if err := sp.option(opt); err != nil {
			return Spec{}, fmt.Errorf("scheme %s: %w", name, err)
		}
	}
	sp.Once = sp.Once && !sp.retry
	if sp.nulls && sp.smr != "" {
		return Spec{}, fmt.Errorf("scheme %s: smr=%s: with chain=nulls memory is reused at once", name, sp.smr)
	}
	return sp, nil
}

func (sp *Spec) option(opt string) (err error) {
	key, val, _ := strings.Cut(opt, "=")
	if !slices.Contains(sp.Options, key) {
		return fmt.Errorf("unknown option %q; known: %s", key, strings.Join(sp.Options, ", "))
	}
	switch key {
	case "groups", "shards":
		if sp.groups, err = strconv.Atoi(val); err != nil || sp.groups < 1 || sp.groups > maxGroups {
			return fmt.Errorf("%s=%q: want a number from 1 to %d", key, val, maxGroups)
		}
	case "smr":
		sp.smr = val
		kind, err := smr.Find(val)
		if err != nil {
			return err
		}
		if kind.NewObjects != nil && sp.Name != "smr" {
			return fmt.Errorf("smr=%s protects single blocks, and lookups here are sections: scheme smr only", val)
		}
	case "lost":
		if val != "none" && val != "retry" {
			return fmt.Errorf("lost=%q: want none or retry", val)
		}
		sp.retry = val == "retry"
		sp.sure = sp.retry
		sp.Misses = !sp.retry
	case "chain":
		if val != "plain" && val != "nulls" {
			return fmt.Errorf("chain=%q: want plain or nulls", val)
		}
		sp.nulls = val == "nulls"
	}
	return err
}

func (sp Spec) String() string { return sp.text }

// Collects reports whether reclamation is left to Go's collector, which must then be allowed to run.
func (sp Spec) Collects() bool { return sp.Heap || sp.smr == "gc" }

// New makes a table by the Spec's options over cfg's.
func (sp Spec) New(cfg Config) (Info, error) {
	if sp.groups != 0 {
		cfg.Groups = sp.groups
	}
	if sp.smr != "" {
		cfg.SMR = sp.smr
	}
	cfg.retry, cfg.sure, cfg.nulls = sp.retry, sp.sure, sp.nulls
	cfg, err := cfg.withDefaults(sp.Lock)
	if err != nil {
		return nil, err
	}
	return sp.Scheme.New(cfg)
}
