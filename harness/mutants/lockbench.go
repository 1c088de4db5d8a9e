//go:build mutants

package mutants

// lockbenchMutants are faults in the benchmark of locks.
var lockbenchMutants = []Mutant{
	{Name: "Q1", File: "harness/lockbench/worker.go", Kind: Account, Subject: "harness", What: "warm-up is counted",
		Old: "	if w.ours > 0 {\n		w.skip(w.now.room, w.ours)\n	}\n", New: "	w.count++\n	if w.ours > 0 {\n		w.write++\n		w.skip(w.now.room, w.ours)\n	}\n"},
	{Name: "Q2", File: "harness/lockbench/part.go", Kind: Account, Subject: "harness", What: "lines are not compared with the sections that wrote them",
		Old: "		for j := range rooms[i].lines {\n", New: "		for j := range rooms[i].lines[:1] {\n"},
	{Name: "Q3", File: "harness/lockbench/part.go", Kind: Account, Subject: "harness", What: "sections that were not alone are not told",
		Old: "		clashes += w.clash\n", New: "		clashes += 0\n"},
	{Name: "Q4", File: "harness/lockbench/measure.go", Kind: Account, Subject: "harness", What: "an acquisition's time is wall time, whatever the CPUs",
		Old: "return c.wall * float64(r.Places) / float64(c.sections)", New: "return c.wall / float64(c.sections)"},
	{Name: "Q5", File: "harness/lockbench/capture.go", Kind: Account, Subject: "harness", What: "a worker's own sections count as starvation",
		Old: "	delta := ours - c.prev[room] - 1\n	c.prev[room] = ours\n	if delta == 0 {\n		c.streak[room]++\n		return\n	}\n	c.streaks.note(c.streak[room])\n	c.starves.note(delta)\n",
		New: "	delta := ours - c.prev[room]\n	c.prev[room] = ours\n	if delta == 1 {\n		c.streak[room]++\n		return\n	}\n	c.streaks.note(c.streak[room])\n	c.starves.note(delta)\n"},
	{Name: "Q6", File: "harness/lockbench/capture.go", Kind: Account, Subject: "harness", What: "percentiles by number instead of by length",
		Old: "		if part += bound * float64(n); sum-part < sum*p {\n", New: "		if part += sum / 64 * float64(min(n, 1)); sum-part < sum*p {\n"},
	{Name: "Q7", File: "harness/lockbench/fairness.go", Kind: Account, Subject: "harness", What: "shares of one window leak into the next",
		Old: "	for ; len(entries) >= size; entries = entries[size:] {\n		clear(shares)\n", New: "	for ; len(entries) >= size; entries = entries[size:] {\n"},
	{Name: "Q8", File: "harness/lockbench/fairness.go", Kind: Account, Subject: "harness", What: "a window of time begins with the first section in it",
		Old: "		if entries = entries[n:]; n > 0 {\n", New: "		if entries = entries[n:]; n > 0 && len(entries) > 0 {\n			end = entries[0].at\n"},
	{Name: "Q9", File: "harness/lockbench/fairness.go", Kind: Account, Subject: "harness", What: "all run together from the first one's first section",
		Old: "		began, end = max(began, first[i]), min(end, last[i])\n", New: "		began, end = min(began, first[i]), min(end, last[i])\n"},
	{Name: "Q10", File: "harness/lockbench/trace.go", Kind: Account, Subject: "harness", What: "the last chunk of a worker is taken for full",
		Old: "		p.chunk.used = chunkEvents - len(p.page)\n", New: "		p.chunk.used = chunkEvents\n"},
	{Name: "Q11", File: "harness/lockbench/load.go", Kind: Account, Subject: "harness", What: "thinking times up to the average",
		Old: "	most := 2 * float64(c.Think) * perNS\n", New: "	most := float64(c.Think) * perNS\n"},
	{Name: "Q12", File: "harness/lockbench/values.go", Kind: Account, Subject: "harness", What: "over is beyond the section's nominal length",
		Old: "max(leastOver, r.cpu(plain)-r.Floor)", New: "max(leastOver, r.cpu(plain)-float64(r.Critical+r.Think))"},
	{Name: "Q13", File: "harness/lockbench/worker.go", Kind: Account, Subject: "harness", What: "a hand-off is one's own, too, and one that nobody waited for",
		Old: "		if !w.now.read && w.part.Reads == 0 && head.holder != int64(w.id) && head.released >= w.arrived {\n", New: "		if !w.now.read {\n"},
}
