package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pcbbench/locks/smr/smrtest"
	"pcbbench/pcbinfo/pcbtest"
)

// A Report is what a torture did.
type Report struct {
	Subjects []Subject
	Took     time.Duration
	Failure  *Failure // nil: none
	config   Config
	rows     map[string]*row
	most     int // workers in one round
	notes    notes
}

// A row counts one check's rounds.
type row struct {
	rounds int
	took   time.Duration
}

// notes are what checks measured beside passing or not.
type notes struct {
	reclaim map[string]smrtest.Report
	linear  map[string]*pcbtest.Linearity
}

func newReport(c Config) *Report {
	return &Report{config: c, rows: map[string]*row{}, notes: notes{map[string]smrtest.Report{}, map[string]*pcbtest.Linearity{}}}
}

// key is what a check is called among all subjects'.
func key(subject, check string) string { return subject + "/" + check }

func (r *Report) count(s *Subject, check int, round *Round, took time.Duration) {
	key := key(s.Name, s.Checks[check].Name)
	if r.rows[key] == nil {
		r.rows[key] = &row{}
	}
	r.rows[key].rounds++
	r.rows[key].took += took
	r.most = max(r.most, round.Workers)
}

// Write writes the tables: rounds by subject and check, reclamation, histories, probe points.
func (r *Report) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	total := 0
	for _, s := range r.Subjects {
		var parts []string
		var took time.Duration
		for _, c := range s.Checks {
			if row := r.rows[key(s.Name, c.Name)]; row != nil {
				parts = append(parts, fmt.Sprintf("%s %d", c.Name, row.rounds))
				took += row.took
				total += row.rounds
			}
		}
		fmt.Fprintf(tw, "%s\t%s\t%.1f s\n", s.Name, strings.Join(parts, ", "), took.Seconds())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	r.writeReclaim(w)
	r.writeLinear(w)
	if r.Failure == nil && r.config.Only == nil {
		r.writeCoverage(w)
	}
	_, err := fmt.Fprintf(w, "\n%d rounds in %v, up to %d workers, seeds %d to %d, probes %s, witness %s\n",
		total, r.Took.Round(time.Second), r.most, r.config.Seed, r.config.Seed+uint64(max(1, total))-1, flavour(), onOff())
	return err
}

func (r *Report) writeReclaim(w io.Writer) {
	for _, kind := range slices.Sorted(maps.Keys(r.notes.reclaim)) {
		rep := r.notes.reclaim[kind]
		fmt.Fprintf(w, "\n%s: nodes by age at the end of a section that held them: live %d, unlinked %d, older %d (must be none)\n",
			kind, rep.Age[0], rep.Age[1], rep.Age[2:])
		fmt.Fprintf(w, "  sections by grace periods that ended within them: %v\n", rep.Batch)
		if rep.Grace != nil && rep.Grace.TotalCount() > 0 {
			fmt.Fprintf(w, "  grace periods: %d, p50 %v, p99 %v, longest %v; peak backlog, summed over writers and rounds, %d\n", rep.Grace.TotalCount(),
				time.Duration(rep.Grace.ValueAtQuantile(50)), time.Duration(rep.Grace.ValueAtQuantile(99)), time.Duration(rep.Grace.Max()), rep.Backlog)
		}
	}
}

func (r *Report) writeLinear(w io.Writer) {
	if len(r.notes.linear) == 0 {
		return
	}
	fmt.Fprintln(w, "\nlinearizable histories; of these, in order only but for lookups that lost a race (H5); given up undecided:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range slices.Sorted(maps.Keys(r.notes.linear)) {
		l := r.notes.linear[name]
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t\n", name, l.Histories, l.Missed, l.Inconclusive)
	}
	tw.Flush()
}

// linearity is where a scheme's histories are counted.
func (r *Report) linearity(scheme string) *pcbtest.Linearity {
	if r.notes.linear[scheme] == nil {
		r.notes.linear[scheme] = &pcbtest.Linearity{}
	}
	return r.notes.linear[scheme]
}

// writeCoverage names the probe points that were not reached.
func (r *Report) writeCoverage(w io.Writer) {
	reached, missed := coverage()
	if reached == 0 {
		return
	}
	fmt.Fprintf(w, "\nprobe points: %d reached", reached)
	if len(missed) > 0 {
		fmt.Fprintf(w, ", %d never:", len(missed))
		for _, m := range missed {
			fmt.Fprintf(w, "\n  %s", m)
		}
	}
	fmt.Fprintln(w)
}
