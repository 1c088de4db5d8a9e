package aa

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Score is how the comparisons of one kind came out.
type Score struct {
	Percent   float64 // by how much the second arm was slower than the first, on purpose
	Budget    time.Duration
	Trials    int
	Told      int // the arms were told apart: an alarm, if they are alike
	Right     int // and the one that is slower is named
	Accused   int // by the gate
	Undecided int
	Estimates []float64     // of the difference, in percent, sorted
	Spent     time.Duration // of Budget, on average, by the look at which it was over
}

// Scores adds up trials, which have the same number of looks, by plant and budget; the plants first. A slowdown counts as one in either order.
func Scores(trials []Trial, looks int) (list []*Score) {
	for _, t := range trials {
		percent := t.Arms[1].Percent - t.Arms[0].Percent
		i := slices.IndexFunc(list, func(s *Score) bool { return s.Budget == t.Budget && (s.Percent == percent || s.Percent == -percent) })
		if i < 0 {
			i = len(list)
			list = append(list, &Score{Percent: max(percent, -percent), Budget: t.Budget})
		}
		list[i].add(t, percent, looks)
	}
	for _, s := range list {
		s.Spent /= time.Duration(s.Trials)
		slices.Sort(s.Estimates)
	}
	return list
}

func (s *Score) add(t Trial, percent float64, looks int) {
	s.Trials++
	s.Spent += t.Budget * time.Duration(t.Looks) / time.Duration(looks)
	change := 100 * (t.Ratio - 1)
	if percent < 0 {
		change = 100 * (1/t.Ratio - 1)
	}
	s.Estimates = append(s.Estimates, change)
	if t.Accused {
		s.Accused++
	}
	switch t.Outcome {
	case Slower, Faster:
		s.Told++
		if (t.Outcome == Slower) == (percent > 0) && percent != 0 {
			s.Right++
		}
	case Undecided:
		s.Undecided++
	}
}

// WriteScores writes a line for each score.
func WriteScores(w io.Writer, list []*Score) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "planted\tbudget\tcomparisons\ttold apart\tand rightly\taccused by the gate\tundecided\testimate, percent: lowest, median, highest\tspent on average")
	for _, s := range list {
		planted, right := "none (A/A)", "-"
		if s.Percent != 0 {
			planted, right = fmt.Sprintf("%+.3g%%", s.Percent), fmt.Sprint(s.Right)
		}
		n := len(s.Estimates)
		fmt.Fprintf(tw, "%s\t%v\t%d\t%d\t%s\t%d\t%d\t%+.2f, %+.2f, %+.2f\t%v\n", planted, s.Budget.Round(time.Second), s.Trials, s.Told, right, s.Accused, s.Undecided,
			s.Estimates[0], s.Estimates[n/2], s.Estimates[n-1], s.Spent.Round(time.Second/10))
	}
	return tw.Flush()
}

// WriteTrials writes a line for each trial, so that nothing of the scores has to be believed.
func WriteTrials(w io.Writer, trials []Trial) error {
	var b strings.Builder
	fmt.Fprintln(&b, "arms,budget,block,looks,restarts,outcome,unit,accused,ratio,lo,hi")
	for _, t := range trials {
		fmt.Fprintf(&b, "%s-%s,%v,%d,%d,%d,%s,%s,%v,%.5f,%.5f,%.5f\n", t.Arms[0].Name, t.Arms[1].Name, t.Budget.Round(time.Second), t.Block, t.Looks, t.Restarts, t.Outcome, t.Unit, t.Accused, t.Ratio, t.Lo, t.Hi)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
