package pcbinfo

import (
	"errors"
	"fmt"
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/smr"
)

// The refusals of user requests.
var (
	ErrInUse    = errors.New("address in use")            // EADDRINUSE: the four-tuple, or the listener's end
	ErrNoPort   = errors.New("no ephemeral port free")    // EADDRNOTAVAIL: every port is taken towards this peer
	ErrNotFound = errors.New("no such connection")        // ENOTCONN
	ErrPipe     = errors.New("closed for sending")        // EPIPE: the user closed before
	ErrInvalid  = errors.New("incomplete or bad address") // EINVAL: zero port or foreign address where one is needed
)

// An Info is one protocol's connection table (struct inpcbinfo) and the locks over it.
type Info interface {
	// CPU returns worker cpu's own way in, 0 ≤ cpu < Config.CPUs. It is taken once, before the clock starts, and used by
	// one goroutine at a time.
	CPU(cpu int) CPU
	// Walk calls f for every inpcb, listeners too, that was in the table when the walk began and is not gone when its
	// turn comes, each once: the pcblist sysctl. x is valid until f returns, which must not call the table; false ends the
	// walk. Walks may run beside CPUs; they take turns among themselves.
	Walk(f func(x *Xinpcb) bool)
	// Len is ipi_count: connections and listeners, without the syncache's half-open ones.
	Len() int
	// Counters are the scheme's own counts and those of all CPUs' Stats, in a fixed order. Call it at rest.
	Counters() []Counter
	// Stats sums the CPUs' Stats; Zone counts blocks. Call them at rest.
	Stats() Stats
	Zone() ZoneStats
	// Close empties the table, waits for deferred frees, and says what does not add up. No CPU may be in use.
	Close() error
}

// A CPU is one processor's handle on an Info: its SMR record, queue-lock node, counters and inpcb cache. The methods are called
// by one goroutine at a time. Users name a connection by its ConnInfo rather than by a socket, at the price of a
// lookup that is the same in every scheme.
type CPU interface {
	Input(segs []*Segment)                         // tcp_input for a batch, in order
	Send(inc *ConnInfo, n int) error               // tcp_usr_send: n bytes; ErrNotFound, ErrPipe
	Connect(inc *ConnInfo) (iss uint32, err error) // tcp_usr_connect; picks Lport if it is 0; ErrInUse, ErrNoPort, ErrInvalid
	Listen(inc *ConnInfo) error                    // tcp_usr_listen on Laddr (zero: any) and Lport; ErrInUse, ErrInvalid
	Close(inc *ConnInfo) error                     // tcp_usr_close, of a listener if Fport is 0; ErrNotFound, ErrPipe
	Abort(inc *ConnInfo) error                     // tcp_usr_abort: gone at once, half-open or not; ErrNotFound
	SlowTimo(now uint32)                           // the TIME_WAIT scan at tick now; one CPU calls it, with ticks that do not go back
	Idle()                                         // there is nothing to do for now; who sleeps or stops says so, or others' memory may wait for him
	Stats() *Stats                                 // this CPU's counts; others may read them at rest
}

// A Config sizes a table. The zero value of a field means its default.
type Config struct {
	CPUs    int        // handles, at least 1
	Conns   int        // connections to size the hash for: one a bucket; default 1024
	Buckets int        // overrides Conns' choice; 1 puts every key in one bucket
	Halfs   int        // half-open connections to size the syncache for, at least; default by Conns, see syncacheSize
	Lock    locks.Spec // the table lock; zero: the scheme's own
	Groups  int        // connp, pcbgroup: number of groups, shardmap: of shards; default 64, in pcbgroup CPUs
	Owners  int        // owned: number of parts, see Owned; default CPUs
	// Magazine is how many inpcbs go to and from the zone, and wait for a grace period, together; default 64 (a bucket of uma(9)). Small ones
	// bring memory back sooner.
	Magazine int
	SMR      string // smr, bucket, epoch: the reclamation scheme; default "gus", and "epoch" for epoch
	Work     uint32 // protocol work a segment under the inpcb lock, in units of locks.Delay
	MSL      uint32 // maximum segment lifetime in ticks; default 1
	Seed     uint64 // of the hashes
	// Ephemeral ports are First to Last, by default 49152 to 65535 (IANA, and FreeBSD's portrange.hifirst).
	FirstPort, LastPort uint16

	retry bool // Spec's lost is not none
	sure  bool // it is retry
	nulls bool // bucket: Spec's chain=nulls
}

// withDefaults fills in what cfg leaves open, for a scheme whose own table lock is of the given kind.
func (cfg Config) withDefaults(lock string) (_ Config, err error) {
	if cfg.CPUs < 1 {
		return cfg, fmt.Errorf("pcbinfo: %d CPUs: need at least 1", cfg.CPUs)
	}
	if cfg.Lock == (locks.Spec{}) && lock != "" {
		if cfg.Lock, err = locks.ParseSpec(lock); err != nil {
			return cfg, err
		}
	}
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&cfg.Conns, 1024)
	def(&cfg.Owners, cfg.CPUs)
	def(&cfg.Magazine, magSize)
	if cfg.Groups < 0 || cfg.Groups > maxGroups {
		return cfg, fmt.Errorf("pcbinfo: groups=%d: need 1 to %d, or 0 for the default", cfg.Groups, maxGroups)
	}
	if cfg.Owners < 1 || cfg.Owners > cfg.CPUs {
		return cfg, fmt.Errorf("pcbinfo: %d owners: need 1 to the number of CPUs, %d", cfg.Owners, cfg.CPUs)
	}
	if cfg.MSL == 0 {
		cfg.MSL = 1
	}
	if cfg.FirstPort == 0 && cfg.LastPort == 0 {
		cfg.FirstPort, cfg.LastPort = 49152, 65535
	}
	if cfg.FirstPort == 0 || cfg.FirstPort > cfg.LastPort {
		return cfg, fmt.Errorf("pcbinfo: ephemeral ports %d to %d: not a range", cfg.FirstPort, cfg.LastPort)
	}
	return cfg, nil
}

// Stats are what one CPU, or all of them, did. Handled and dropped segments together are the segments taken in.
type Stats struct {
	Outcomes [NumOutcomes]uint64
	Acks     uint64 // replies that are pure ACKs
	Rsts     uint64
	SynAcks  uint64
	Evicted  uint64 // half-open connections pushed out of the syncache
	Reused   uint64 // TIME_WAITs taken over by a new SYN
	Expired  uint64 // TIME_WAITs whose 2MSL ended
}

// Segments is how many segments were taken in.
func (s *Stats) Segments() (n uint64) {
	for _, v := range s.Outcomes {
		n += v
	}
	return n
}

// Drops is how many of them were dropped.
func (s *Stats) Drops() (n uint64) {
	for _, v := range s.Outcomes[DropNoPCB:] {
		n += v
	}
	return n
}

// Since is what s counts beyond o, an earlier state of the same counts.
func (s Stats) Since(o Stats) Stats {
	for i, v := range o.Outcomes {
		s.Outcomes[i] -= v
	}
	s.Acks -= o.Acks
	s.Rsts -= o.Rsts
	s.SynAcks -= o.SynAcks
	s.Evicted -= o.Evicted
	s.Reused -= o.Reused
	s.Expired -= o.Expired
	return s
}

func (s *Stats) add(o *Stats) {
	for i, v := range o.Outcomes {
		s.Outcomes[i] += v
	}
	s.Acks += o.Acks
	s.Rsts += o.Rsts
	s.SynAcks += o.SynAcks
	s.Evicted += o.Evicted
	s.Reused += o.Reused
	s.Expired += o.Expired
}

// A Counter is a named count for reports: of events, or how much there is of something.
type Counter struct {
	Name  string
	Value uint64
	Gauge bool // not a count of events: not to be divided by anything
}

// base is what every scheme's Info has: the configuration, the memory, the CPUs' private parts.
type base struct {
	cfg  Config
	zone zone
	now  atomic.Uint32 // the tick of the last SlowTimo
	cpus []*cpu
	x    Xinpcb         // what a walk shows; walkers take turns
	_    [lineSize]byte // what walks show is written, and what follows is read by all
}

// init makes cfg.CPUs handles and one more, the table's own, for Walk and Close.
func (b *base) init(cfg Config, dom smr.Domain) {
	b.cfg = cfg
	b.zone.init(cfg.CPUs+1, cfg.Magazine, dom)
	b.cpus = make([]*cpu, cfg.CPUs+1)
	for i := range b.cpus {
		b.cpus[i] = &cpu{id: i, b: b}
	}
}

func (b *base) Zone() ZoneStats { return b.zone.stats() }

// finish is Close's part that schemes share: an audit of the tables and of the zone, and again when empty has taken out what
// was in them and its grace periods are over.
func (b *base) finish(newest uint64, tables []*table, caches []*syncache, empty func(), maps ...mapped) error {
	live := 0
	for _, m := range maps {
		live += m.count()
	}
	for _, tb := range tables {
		live += tb.count
	}
	err := errors.Join(b.zone.audit(live), b.zone.auditTables(newest, b.cfg.Seed, tables, caches, maps...))
	if err != nil {
		return err // emptying what is broken may not end
	}
	empty()
	b.zone.drain()
	return errors.Join(b.zone.audit(0), b.zone.auditTables(newest, b.cfg.Seed, tables, nil, maps...))
}

func (b *base) Stats() (s Stats) {
	for _, c := range b.cpus {
		s.add(&c.stats)
	}
	return s
}

// A cpu is the part of a CPU handle that schemes share.
type cpu struct {
	_        [lineSize]byte // handles are allocated one by one: keep the neighbour's counters off this line
	id       int
	b        *base
	node     locks.Node // for the table lock
	nextPort uint32     // where the search for an ephemeral port goes on
	stats    Stats
	_        [lineSize]byte
}

func (c *cpu) Stats() *Stats { return &c.stats }

// Idle matters where reclamation waits for CPUs between their sections (qsbr).
func (c *cpu) Idle() {
	if dom := c.b.zone.dom; dom != nil {
		dom.Offline(c.id)
	}
}
