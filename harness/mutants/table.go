//go:build mutants

package mutants

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Write writes the table, the score, and who survived.
func Write(w io.Writer, rows []Row, controls, alarms int) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "mutant\tkind\tcaught\tmedian\toracle\tschedules\trace alone\tconformance alone\tfault")
	for _, r := range rows {
		note := r.What
		if r.Equal != "" {
			note += " [not to be seen: " + r.Equal + "]"
		}
		fmt.Fprintf(tw, "%s\t%s\t%d/%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Kind, r.Caught, r.Runs, took(r), r.Oracle, cmp.Or(r.Scheduled, "n/a"),
			share(r.Race, r.Races), share(r.Conformed, r.Conformers), note)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return score(w, rows, controls, alarms)
}

func took(r Row) string {
	if r.Caught == 0 {
		return "-"
	}
	return r.Median.Round(time.Millisecond).String()
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d", n, of)
}

func score(w io.Writer, rows []Row, controls, alarms int) error {
	var visible, always, race, conform, schedules, slow int
	for _, r := range rows {
		if r.Equal != "" {
			continue
		}
		visible++
		if r.Caught == r.Runs {
			always++
		} else {
			fmt.Fprintf(w, "NOT ALWAYS CAUGHT: %s, %d of %d: %s (%s)\n", r.Name, r.Caught, r.Runs, r.What, r.File)
		}
		if r.Kind == Safety && r.Median > time.Second {
			slow++
			fmt.Fprintf(w, "SLOW: %s, %v in the median\n", r.Name, r.Median)
		}
		if r.Race == r.Races && r.Races > 0 {
			race++
		}
		if r.Scheduled != "" && r.Scheduled != "-" {
			schedules++
		}
		if r.Conformed == r.Conformers && r.Conformers > 0 {
			conform++
		}
	}
	_, err := fmt.Fprintf(w, "score: %d of %d caught in every run; %d safety mutants slower than 1 s in the median; deterministic schedules alone %d, the race detector alone %d, conformance alone %d\n"+
		"control: %d runs of the code as it is, %d false alarms\n", always, visible, slow, schedules, race, conform, controls, alarms)
	return err
}
