package harness

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"pcbbench/workloads"
)

// table1.go: the contended share of one global lock and of connection groups.
// Source: Willmann, Rixner and Cox, "An Evaluation of Network Stack Parallelization Strategies in Modern Operating Systems", USENIX ATC 2006, Table 1.
// Idea: the share of acquisitions that were not satisfied at once is defined by counts alone, so it is what two machines can be compared by at all.

// Table1Groups are the paper's numbers of groups, and Table1Conns its numbers of connections.
var (
	Table1Groups = []int{4, 8, 16, 32, 64, 128}
	Table1Conns  = []int{6, 192, 16384}
)

// published are the paper's percentages, by connections as in Table1Conns: MsgP, which is global here, and ConnP-L with as many groups as in Table1Groups.
var published = [][]float64{
	{89, 60, 51, 49, 41, 37, 33},
	{100, 56, 30, 18, 10, 6, 5},
	{100, 52, 26, 14, 7, 4, 2},
}

// table1Schemes are the columns: the scheme, and the class of the lock that is meant.
func table1Schemes() (schemes, classes []string) {
	schemes, classes = []string{"global"}, []string{"tcbinfo"}
	for _, n := range Table1Groups {
		schemes, classes = append(schemes, fmt.Sprintf("connp:groups=%d", n)), append(classes, "group")
	}
	return schemes, classes
}

// Table1Matrix is the load that is nearest to the paper's, for a machine of that many CPUs: what m leaves open. Any thread takes any connection's packets and
// sends for any, so that two may want one group, or one connection.
func Table1Matrix(m *Matrix, cpus int) {
	m.Schemes, _ = table1Schemes()
	orElse(&m.Mixes, "bulk")
	orElse(&m.Conns, Table1Conns...)
	orElse(&m.Works, DefaultWork)
	orElse(&m.Affinities, workloads.Spray)
	orElse(&m.Workers, min(cpus, 4), max(cpus, 4))
	m.Workers = slices.Compact(m.Workers)
}

// Table1Notes say what is not as it was there.
func Table1Notes(cpus, work int) string {
	return fmt.Sprintf("Contended: acquisitions of the global lock, or of a group's, that were not satisfied at once.\n"+
		"Theirs: 4 cores (two dual-core Opterons), FreeBSD 7 of March 2006, six interfaces with a thread each beside the application's, bulk transmission, a whole\n"+
		"stack: checksums, sockets, drivers. Ours: %d CPUs, no stack but the table and %d ns of work under its locks, a closed loop without a network, input and sends of\n"+
		"a CPU in one thread. Fewer CPUs than 4 contend less; more workers than CPUs collide where one was preempted. At 6 connections ours keep a connection's segments\n"+
		"in order, so two threads are never in the same one; theirs received and sent on one at a time. So the digits are not to be compared, their order is.\n",
		cpus, work)
}

// A share is a cell: the contended share of each sample that nothing disturbed, or of all if there is none, in percent, in order of size.
type share []float64

func (s share) median() float64 { return (s[(len(s)-1)/2] + s[len(s)/2]) / 2 }

func (s share) contended() bool { return s.median() > 0 }

func (s share) String() string {
	return fmt.Sprintf("%s (%s–%s)", percent(s.median()), percent(s[0]), percent(s[len(s)-1]))
}

func percent(v float64) string {
	if v >= 9.95 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// A table1 is one load's: shares by row and column, whatever else was the same for all.
type table1 struct {
	conns     []int
	rows      map[int][]share // by connections: columns as table1Schemes
	samples   int
	disturbed int // of these
}

// WriteTable1 writes the table of what was recorded of Table1Matrix, one for each number of workers, beside the published one, and what is left of its
// claims.
func WriteTable1(w io.Writer, es []Experiment, list []*Profiled) error {
	if len(es) != len(list) {
		return fmt.Errorf("table 1: %d experiments, %d profiles", len(es), len(list))
	}
	var workers []int
	tables := map[int]*table1{}
	for i := range es {
		n := es[i].Workload.Workers
		if tables[n] == nil {
			workers = append(workers, n)
			tables[n] = &table1{rows: map[int][]share{}}
		}
		if err := tables[n].add(&es[i], list[i]); err != nil {
			return err
		}
	}
	for _, n := range workers {
		if _, err := fmt.Fprintf(w, "\n%d workers: percent of acquisitions that were not satisfied at once; median (least–most)\n", n); err != nil {
			return err
		}
		if err := tables[n].write(w); err != nil {
			return err
		}
	}
	return nil
}

func (t *table1) add(e *Experiment, p *Profiled) error {
	schemes, classes := table1Schemes()
	col := slices.Index(schemes, e.Scheme)
	if t.rows[e.Workload.Conns] == nil {
		t.conns = append(t.conns, e.Workload.Conns)
		t.rows[e.Workload.Conns] = make([]share, len(schemes))
	}
	samples := p.calm()
	t.samples += len(p.Samples)
	t.disturbed += len(p.Samples) - len(samples)
	if len(samples) == 0 {
		samples = p.Samples
	}
	var s share
	for i := range samples {
		list := Classes(samples[i].Sites)
		at := slices.IndexFunc(list, func(c Class) bool { return c.Name == classes[col] })
		if at < 0 {
			return fmt.Errorf("table 1: nobody took a lock of class %s in a sample of %s", classes[col], p.Name)
		}
		s = append(s, 100*list[at].Contended())
	}
	slices.Sort(s)
	t.rows[e.Workload.Conns][col] = s
	return nil
}

func (t *table1) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "connections\t\tMsgP, global")
	for _, n := range Table1Groups {
		fmt.Fprintf(tw, "\tL(%d)", n)
	}
	fmt.Fprintln(tw)
	for _, conns := range t.conns {
		if i := slices.Index(Table1Conns, conns); i >= 0 {
			fmt.Fprintf(tw, "%d\t2006", conns)
			for _, v := range published[i] {
				fmt.Fprintf(tw, "\t%.0f", v)
			}
			fmt.Fprintln(tw)
		}
		fmt.Fprintf(tw, "%d\tours", conns)
		for _, s := range t.rows[conns] {
			fmt.Fprintf(tw, "\t%v", s)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	said := t.claims()
	if t.disturbed > 0 {
		said = append(said, fmt.Sprintf("  %d of %d samples were disturbed, and count only where there are no others\n", t.disturbed, t.samples))
	}
	_, err := io.WriteString(w, strings.Join(said, ""))
	return err
}

// claims are the shape of the published table, and whether ours has it, by medians. Where nothing was contended there is none.
func (t *table1) claims() (said []string) {
	claim := func(text string, held, of int) {
		if of > 0 {
			said = append(said, fmt.Sprintf("  %s: %d of %d\n", text, held, of))
		}
	}
	falls, steps, most, rows := 0, 0, 0, 0
	for _, conns := range t.conns {
		row := t.rows[conns]
		if !slices.ContainsFunc(row, share.contended) {
			continue
		}
		rows++
		over := true
		for i := 1; i < len(row); i++ {
			over = over && row[0].median() > row[i].median()
			if !row[i-1].contended() && !row[i].contended() {
				continue
			}
			steps++
			if row[i].median() < row[i-1].median() {
				falls++
			}
		}
		if over {
			most++
		}
	}
	if rows == 0 {
		return []string{"  nothing was contended: there is no order\n"}
	}
	claim("one global lock is more contended than any number of groups", most, rows)
	claim("the share falls from one column to the next", falls, steps)
	few := t.rows[Table1Conns[0]]
	if few == nil || !few[1].contended() {
		return said
	}
	least, others := 0, 0
	for _, conns := range t.conns {
		row := t.rows[conns]
		if conns == Table1Conns[0] || !row[1].contended() {
			continue
		}
		others++
		if help(few) < help(row) {
			least++
		}
	}
	claim(fmt.Sprintf("at %d connections more groups help less than at other numbers", Table1Conns[0]), least, others)
	return said
}

// help is how much less the most groups are contended than the fewest, as a factor. The fewest are contended.
func help(row []share) float64 {
	return row[1].median() / row[len(row)-1].median()
}
