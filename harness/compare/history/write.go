package history

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchproc"
)

// Labels name the series: by their full names, or by the keys of the projection row, which must tell them apart. What else makes a series, the placement of
// the CPUs and the setup, is added where there are several.
func (h *History) Labels(row string) (labels []string, err error) {
	var parser benchproc.ProjectionParser
	projection, err := parser.Parse(row, nil)
	if err != nil {
		return nil, fmt.Errorf("row %q: %s", row, firstLine(err))
	}
	names := map[string]string{}
	for _, s := range h.Series {
		label := s.Name
		if row != "" {
			label = projection.Project(s.first.Result).StringValues()
		}
		if other, ok := names[label]; ok && other != s.Name {
			return nil, fmt.Errorf("row %q names two benchmarks alike, %s and %s: add a key that tells them apart, or filter", row, other, s.Name)
		}
		names[label] = s.Name
		if s.Class != "" {
			label += " pingpong-class=" + s.Class
		}
		if len(h.Setups) > 1 {
			label += fmt.Sprintf(" setup=%d", s.Setup+1)
		}
		labels = append(labels, label)
	}
	return labels, nil
}

// WriteText writes the history for people: what was read, the changes, and what could not be tested.
func (h *History) WriteText(w io.Writer, labels []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s of %s, %s\n", h.Folder, plural(h.Runs, "run"), plural(h.Files, "file"), h.Order)
	for _, name := range h.Skipped {
		fmt.Fprintf(&b, "Left out as asked: %s\n", name)
	}
	for i, s := range h.Setups[1:] {
		fmt.Fprintf(&b, "All series start anew at %s with setup %d: %s\n", short(s.Since), i+2, strings.Join(s.Differ, ", "))
	}
	width := 0
	for _, l := range labels {
		width = max(width, len([]rune(l)))
	}
	var found, worse, better, untested, needs int
	fmt.Fprintln(&b)
	for i, s := range h.Series {
		fmt.Fprintf(&b, "%-*s  %s\n", width, labels[i], s.line())
		for _, c := range s.Changes {
			b.WriteString(s.describe(c))
			found++
			switch s.direction(c) {
			case "worse":
				worse++
			case "better":
				better++
			}
		}
		if s.Needs > 0 {
			untested, needs = untested+1, s.Needs
		}
	}
	fmt.Fprintf(&b, "\n%s in %d series: %d worse, %d better (permutation test over runs, alpha %g over all series, changes of %g%% and more)\n",
		plural(found, "change"), len(h.Series), worse, better, Alpha, Least*100)
	if untested > 0 {
		fmt.Fprintf(&b, "%d series have too few runs to be tested: %d of each would do, half of them on each side of a change. "+
			"The largest step that is told instead may be chance alone.\n", untested, needs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line is what is said of a series in any case.
func (s *Series) line() (text string) {
	if len(s.Points) == 0 {
		return s.Unit + ", " + plural(s.Lost, "run") + ", none with an undisturbed sample"
	}
	last := s.Points[len(s.Points)-1]
	text = fmt.Sprintf("%s %s, %s", number(last.Median), s.Unit, plural(len(s.Points), "run"))
	if s.Lost > 0 {
		text += fmt.Sprintf(" (%d more have no undisturbed sample)", s.Lost)
	}
	switch {
	case len(s.Points) == 1:
		return text
	case s.Needs > 0 && s.Step != nil:
		a, b := s.Points[s.Step.At-1], s.Points[s.Step.At]
		return text + fmt.Sprintf(", too few to be tested; largest step, not tested: %s from %s to %s", step(s.Step.Before, s.Step.After), a.at(), b.at())
	case s.Needs > 0:
		return text + ", too few to be tested"
	case len(s.Changes) == 0:
		return text + ", no change found"
	}
	return text
}

// describe says what is known of a change.
func (s *Series) describe(c Change) string {
	var b strings.Builder
	test := fmt.Sprintf("p=%.2g over all series", c.P)
	if s.Exact {
		test = "exact"
	}
	last, first := "last before it", "first after it"
	if s.direction(c) == "worse" {
		last, first = "last good", "first bad"
	}
	fmt.Fprintf(&b, "    %s: %s, %s to %s %s (%s); %s %s, %s %s\n", s.direction(c), step(c.Before, c.After), number(c.Before), number(c.After), s.Unit, test,
		last, s.Points[c.At-1].at(), first, s.Points[c.At].at())
	const most = 10
	for i, commit := range c.Commits {
		if i == most {
			fmt.Fprintf(&b, "        and %d more\n", len(c.Commits)-most)
			break
		}
		fmt.Fprintf(&b, "        %s\n", commit)
	}
	return b.String()
}

// direction is worse or better where the unit says which is which.
func (s *Series) direction(c Change) string {
	switch up := c.After > c.Before; {
	case s.Better == 0:
		return "changed"
	case up == (s.Better > 0):
		return "better"
	}
	return "worse"
}

// at says which code a point is of.
func (p Point) at() string {
	if p.Dirty {
		return short(p.Commit) + "+ (dirty)"
	}
	return short(p.Commit)
}

func short(commit string) string { return commit[:min(12, len(commit))] }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// step is a change in percent, or as it is where there is no percentage.
func step(before, after float64) string {
	percent := 100 * (after - before) / before
	if math.IsNaN(percent) || math.IsInf(percent, 0) {
		return fmt.Sprintf("%+.4g", after-before)
	}
	return fmt.Sprintf("%+.1f%%", percent)
}

// WriteJSON writes everything as JSON.
func (h *History) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(h)
}

// WriteCSV writes a line a point; change is worse, better or changed where one begins with it.
func (h *History) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"setup", "name", "pingpong-class", "unit", "time", "commit", "dirty", "median", "samples", "left-out", "change", "file", "line"})
	for _, s := range h.Series {
		for i, p := range s.Points {
			change := ""
			for _, ch := range s.Changes {
				if ch.At == i {
					change = s.direction(ch)
				}
			}
			c.Write([]string{strconv.Itoa(s.Setup + 1), s.Name, s.Class, s.Unit, p.Date.Format(time.RFC3339), p.Commit, strconv.FormatBool(p.Dirty),
				strconv.FormatFloat(p.Median, 'g', -1, 64), strconv.Itoa(len(p.Samples)), strconv.Itoa(p.Left), change, p.File, strconv.Itoa(p.Line)})
		}
	}
	c.Flush()
	return c.Error()
}
