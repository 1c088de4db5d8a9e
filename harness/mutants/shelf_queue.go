//go:build mutants

package mutants

// queueMutants are faults in the locks that reorder their queues, and in the one whose waiters are served by the holder.
var queueMutants = []Mutant{
	{Name: "Rec1", File: "locks/reciprocating.go", Kind: Live, Subject: "lock reciprocating", What: "the segment's end is taken for a waiter",
		Old: "	if before != n.end {\n", New: "	if before != noArrivals {\n"},
	{Name: "Rec2", File: "locks/reciprocating.go", Kind: Live, Subject: "lock reciprocating", What: "the segment's last looks for its own node in the word",
		Old: "	n.end = noArrivals // we are", New: "	n.end = n // we are"},
	{Name: "Rec3", File: "locks/reciprocating.go", Kind: Safety, Subject: "lock reciprocating", What: "who takes the arrivals over leaves the word as if nobody held the lock",
		Old: "		after = l.arrivals.Swap(noArrivals) // pairs", New: "		after = l.arrivals.Swap(nil) // pairs"},
	{Name: "Rec4", File: "locks/reciprocating.go", Kind: Live, Subject: "lock reciprocating", What: "the end is not handed on",
		Old: "	after.end = n.end\n", New: ""},
	{Name: "Rec5", File: "locks/reciprocating.go", Kind: Live, Subject: "lock reciprocating", What: "a node keeps its neighbour of the last time",
		Old: "	n.prev = nil // for the next use\n", New: ""},

	{Name: "Mal1", File: "locks/malthusian.go", Kind: Live, Subject: "lock malthusian", What: "the lock becomes free while somebody is passive",
		Old: "	case after == nil && l.newest != nil:\n", New: "	case after == nil && l.newest != l.eldest:\n"},
	{Name: "Mal2", File: "locks/malthusian.go", Kind: Live, Subject: "lock malthusian", What: "who is made passive keeps its place in the queue",
		Old: "		after.next.Store(nil)\n		l.retire(after)\n", New: "		l.retire(after)\n"},
	{Name: "Mal3", File: "locks/malthusian.go", Kind: Live, Subject: "lock malthusian", What: "who comes back takes the queue's end without looking whether it has moved",
		Old: "		if l.tail.CompareAndSwap(n, p) { // publishes p, whose next is nil\n", New: "		if l.tail.Store(p); true {\n"},
	{Name: "Mal4", File: "locks/malthusian.go", Kind: Live, Subject: "lock malthusian", What: "the list of the passive loses those between the ends",
		Old: "		n.newer.older = n.older\n", New: "		l.newest = n.newer\n"},
	{Name: "Mal5", File: "locks/malthusian.go", Kind: Live, Subject: "lock malthusian", What: "the last of the queue is made passive with its end",
		Old: "	if third := after.next.Load(); third != nil { // more", New: "	if third := after.next.Load(); third != nil || l.newest != nil { // more"},

	{Name: "Cna1", File: "locks/cna.go", Kind: Live, Subject: "lock cna", What: "the far ones are forgotten when nobody near waits",
		Old: "		after = far\n", New: ""},
	{Name: "Cna2", File: "locks/cna.go", Kind: Live, Subject: "lock cna", What: "the far ones are not handed over with the lock",
		Old: "			near.far = far\n", New: "			_ = far\n"},
	{Name: "Cna3", File: "locks/cna.go", Kind: Live, Subject: "lock cna", What: "those before the near one take it with them",
		Old: "	skipped.next.Store(nil)\n", New: ""},
	{Name: "Cna4", File: "locks/cna.go", Kind: Live, Subject: "lock cna", What: "the far ones become the queue without its end",
		Old: "	if !l.tail.CompareAndSwap(n, far.last) { // pairs", New: "	if !l.tail.CompareAndSwap(n, far) { // pairs"},
	{Name: "Cna5", File: "locks/cna.go", Kind: Safety, Subject: "lock cna", What: "the lock is freed while far ones wait",
		Old: "	if far == nil {\n		return l.tail", New: "	if far == nil || far.last == far {\n		return l.tail"},

	{Name: "Com1", File: "locks/combiner.go", Kind: Safety, Subject: "lock combiner", What: "a request is done by two combiners",
		Old: "		if l.TryLock(n) {\n			l.combine() // does", New: "		if l.combine(); l.TryLock(n) {\n			l.combine() // does"},
	{Name: "Com2", File: "locks/combiner.go", Kind: Safety, Subject: "lock combiner", What: "said to be done before it is",
		Old: "			r.do()\n			probe.Store(&r.pending)\n			r.pending.Store(0)\n", New: "			probe.Store(&r.pending)\n			r.pending.Store(0)\n			r.do()\n"},
	{Name: "Com3", File: "locks/combiner.go", Kind: Safety, Subject: "lock combiner", What: "published before it is written",
		Old: "	r.do = f\n	probe.Store(&r.pending)\n	r.pending.Store(1)\n", New: "	r.pending.Store(1)\n	probe.Store(&r.pending)\n	r.do = f\n"},
	{Name: "Com4", File: "locks/combiner.go", Kind: Safety, Subject: "lock combiner", What: "the record of another lock is taken for this one's",
		Old: "	if r := n.record; r != nil && r.of == l {\n", New: "	if r := n.record; r != nil {\n"},
	{Name: "Com5", File: "locks/combiner.go", Kind: Live, Subject: "lock combiner", What: "a new record takes the place of one that came meanwhile",
		Old: "		if l.records.CompareAndSwap(r.next, r) { // pairs", New: "		if l.records.Store(r); true { // pairs"},
}
