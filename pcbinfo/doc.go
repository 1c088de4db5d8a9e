// Package pcbinfo holds the connection table of a TCP stack, once for each answer to the question how to lock it.
//
// Robert Watson asked it of FreeBSD's tcbinfo in 2007: one lock over all TCP input, held until the segment is
// done (global); dropped and taken again under reference counts on the inpcb (refcount); shared, with the inpcb locked under it (rwlock);
// kept for what opens and closes, beside a lock over the hash (hashlock) and one over the list (threelock); split by connection groups
// (connp), or kept beside such groups (pcbgroup); none, as each connection has an owner (owned); or taken out of the lookup altogether (epoch,
// smr, and of what writers share: bucket). Beside them stand what a Go program would do, maps under a lock each (shardmap) and maps without one in
// the lookup (syncmap, xsync), and what the TCP stack in Go does, a backlog an endpoint (gvisor). Each answer is one file, and the files are in
// the same order, so that two of them side by side differ where their locking differs:
//
//	type, constructor, CPU · Input, input · Send · Connect · Listen · Close, Abort · SlowTimo · Walk, Len, Counters, Close
//
// What they share is lock-free code that is called with the scheme's locks held: the TCP machine (tcpcb.go), the two hashes
// and the list (table.go), names in maps (maps.go), the half-open connections (syncache.go), type-stable memory (zone.go), and the steps that
// tie them together (steps.go).
//
// # Lock order
//
// A lock further in may be taken while one further out is held, never the other way round but by a try:
//
//	walk (walkers take turns)
//	├── tcbinfo (global, refcount, rwlock, hashlock, threelock, pcbgroup; epoch: only walks)
//	│   └── inpcb
//	│       ├── syncache bucket
//	│       └── zone.mu
//	├── group (connp)
//	│   ├── group (all of them, in index order, only for listeners and walkers)
//	│   └── zone.mu
//	├── zone.mu (owned: an owner holds nothing else; when owners have stopped a walker does their work)
//	└── inpcb (smr, epoch, bucket; hashlock, threelock and pcbgroup have tcbinfo outside)
//	    ├── inpcb (only for a walker, in list order, and for a listener with a child that nobody knows yet)
//	    ├── hashLock
//	    │   ├── syncache bucket (hashlock, threelock: for what a listener does)
//	    │   ├── zone.mu
//	    │   └── pcbgroup (pcbgroup)
//	    │       └── pcbgroup (all of them, in index order, only for what is bound and not connected)
//	    ├── listLock
//	    │   └── hashLock (threelock, epoch)
//	    ├── twLock
//	    ├── ebucket (bucket: a connection's)
//	    │   ├── wbucket (a listener's)
//	    │   ├── syncache bucket
//	    │   └── zone.mu
//	    ├── syncache bucket
//	    ├── zone.mu
//	    ├── ports (shardmap, syncmap, xsync, gvisor)
//	    │   ├── syncache bucket (held until the syncache has answered and the child is in the table)
//	    │   │   ├── shard (shardmap)
//	    │   │   │   └── listeners
//	    │   │   ├── demux (gvisor)
//	    │   │   └── zone.mu
//	    │   ├── listeners
//	    │   └── demux
//	    └── segment queue (gvisor)
//
// No lock may be waited for inside an SMR section; hashLock → inpcb, ebucket → inpcb and inpcb → tcbinfo happen by try only. Builds with the tag witness (package
// locks/witness) check all that: LockOrder is this tree.
//
// # Sources
//
// FreeBSD's sys/netinet/{in_pcb,tcp_input,tcp_syncache,tcp_timewait,tcp_usrreq,tcp_subr}.c as of 2006 (global), r185773 and
// r185775 of December 2008 (refcount), 8 (rwlock), 9 (hashlock) with in_pcbgroup.c (pcbgroup), 10.4 and 11 (threelock), 12 and 13 (epoch), 14 of 2023 (smr) and main of 2025 (bucket); P. Willmann, S. Rixner and A. L. Cox, "An Evaluation of Network Stack
// Parallelization Strategies in Modern Operating Systems", USENIX ATC 2006 (connp, owned); google/gvisor, pkg/tcpip
// as of 2024 (gvisor); RFC 9293, 5961, 6056, 6528.
package pcbinfo
