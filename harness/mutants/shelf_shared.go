//go:build mutants

package mutants

// sharedMutants are faults in the locks that readers share, or do without.
var sharedMutants = []Mutant{
	{Name: "Pf1", File: "locks/phasefair.go", Kind: Live, Subject: "lock phasefair", What: "two writers in a row have the same phase: a reader waits for both, and the second for it",
		Old: "	l.bits = pfWriter | ^l.bits&pfPhase\n	probe.RMW(&l.in)\n	before", New: "	l.bits = pfWriter\n	probe.RMW(&l.in)\n	before"},
	{Name: "Pf2", File: "locks/phasefair.go", Kind: Live, Subject: "lock phasefair", What: "a try that fails keeps its turn",
		Old: "		l.owner.Add(1) // a turn", New: "		// a turn"},
	{Name: "Pf3", File: "locks/phasefair.go", Kind: Safety, Subject: "lock phasefair", What: "an upgrade counts on two readers",
		Old: "	if !l.tryWrite(pfReader) {\n", New: "	if !l.tryWrite(pfReader) && !l.tryWrite(2*pfReader) {\n"},
	{Name: "Pf4", File: "locks/phasefair.go", Kind: Safety, Subject: "lock phasefair", What: "the writer waits for those who came after it, too few of them",
		Old: "l.out.Load() != before; probe", New: "before-l.out.Load() > pfReader; probe"},
	{Name: "Pf5", File: "locks/phasefair.go", Kind: Safety, Subject: "lock phasefair", What: "a reader goes on when any phase but the first is over",
		Old: "l.in.Load()&pfBits == bits; probe", New: "l.in.Load()&pfBits == pfWriter; probe"},

	{Name: "Br1", File: "locks/bravo.go", Kind: Safety, Subject: "lock bravo", What: "no second look at the bias",
		Old: "	if l.state.Load() == bravoFast {\n		n.slot = s\n", New: "	if true {\n		n.slot = s\n"},
	{Name: "Br2", File: "locks/bravo.go", Kind: Safety, Subject: "lock bravo", What: "a writer does not wait for the readers in the table",
		Old: "		for table[i].Load() == l { // nobody", New: "		for false && table[i].Load() == l { // nobody"},
	{Name: "Br3", File: "locks/bravo.go", Kind: Safety, Subject: "lock bravo", What: "a writer looks at the table before it ends the bias",
		Old: "	probe.Store(&l.state)\n	l.state.Store(bravoEnded)\n	start := bravoClock()\n", New: "	start := bravoClock()\n	defer l.state.Store(bravoEnded)\n"},
	{Name: "Br4", File: "locks/bravo.go", Kind: Safety, Subject: "lock bravo", What: "an upgrade overlooks the readers in the table",
		Old: "	if !l.tryRevoke(own) {\n", New: "	if l.state.Store(bravoNone); false {\n"},
	{Name: "Br5", File: "locks/bravo.go", Kind: Safety, Subject: "lock bravo", What: "the bias begins after the hold below has ended",
		Old: "		l.below.RUnlock(n)\n		return\n	}\n	n.slot = nil\n", New: "		l.below.RUnlock(n)\n		l.bias(n)\n		return\n	}\n	n.slot = nil\n"},

	{Name: "Brl1", File: "locks/brlock.go", Kind: Safety, Subject: "lock brlock", What: "a reader looks for a writer before it counts",
		Old: "	s := l.slot(n)\n	probe.RMW(&s.readers)\n	s.readers.Add(1)\n	probe.Load(&l.writer)\n	if l.writer.Load() == 0 {\n		return true\n	}\n	probe.RMW(&s.readers)\n	s.readers.Add(-1)\n	return false\n",
		New: "	s := l.slot(n)\n	probe.Load(&l.writer)\n	if l.writer.Load() == 0 {\n		probe.RMW(&s.readers)\n		s.readers.Add(1)\n		return true\n	}\n	return false\n"},
	{Name: "Brl2", File: "locks/brlock.go", Kind: Safety, Subject: "lock brlock", What: "a writer overlooks the last slot",
		Old: "	for i := range brSlots {\n		r := ", New: "	for i := range brSlots - 1 {\n		r := "},
	{Name: "Brl3", File: "locks/brlock.go", Kind: Safety, Subject: "lock brlock", What: "an upgrade overlooks readers in its own slot",
		Old: "		if s == own {\n			want = 1\n		}\n", New: "		if s == own {\n			continue\n		}\n"},
	{Name: "Brl4", File: "locks/brlock.go", Kind: Safety, Subject: "lock brlock", What: "a writer gets between exclusive hold and downgrade",
		Old: "	s.readers.Add(1) // before hide: no writer comes between\n	l.hide()\n", New: "	l.hide()\n	probe.RMW(&s.readers)\n	s.readers.Add(1)\n"},

	{Name: "Seq1", File: "locks/seqlock.go", Kind: Safety, Subject: "lock seqlock", What: "a reader begins while a writer is inside",
		Old: "		if seq := l.seq.Load(); seq%2 == 0 {\n", New: "		if seq := l.seq.Load(); true {\n"},
	{Name: "Seq2", File: "locks/seqlock.go", Kind: Safety, Subject: "lock seqlock", What: "a writer leaves the sequence as it found it",
		Old: "	if l.seq.Add(1)%2 != 0 { // what", New: "	if l.seq.Add(^uint64(0))%2 != 0 { // what"},
	{Name: "Seq3", File: "locks/seqlock.go", Kind: Safety, Subject: "lock seqlock", What: "a reader does not see a writer that is inside still",
		Old: "	return l.seq.Load() != seq\n", New: "	return l.seq.Load() > seq+1\n"},
}
