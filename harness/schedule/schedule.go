package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// A Switch lets a worker go on at a step at which another would have (probe.Choice.Next).
type Switch struct{ Step, Worker int }

// A Schedule is the switches of a run in order of their steps. What it asks for and cannot be, since that worker is not ready or the
// run over, does not happen.
type Schedule []Switch

// undisturbed is the text of the schedule without switches.
const undisturbed = "none"

// String writes "step.worker,step.worker"; "none" if there is no switch.
func (s Schedule) String() string {
	if len(s) == 0 {
		return undisturbed
	}
	var b strings.Builder
	for i, sw := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d.%d", sw.Step, sw.Worker)
	}
	return b.String()
}

// parseSchedule reads what String writes.
func parseSchedule(text string) (s Schedule, err error) {
	if text == undisturbed {
		return nil, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		step, worker, _ := strings.Cut(word, ".")
		var sw Switch
		if sw.Step, err = strconv.Atoi(step); err == nil {
			sw.Worker, err = strconv.Atoi(worker)
		}
		if err != nil || sw.Step < 0 || len(s) > 0 && s[len(s)-1].Step >= sw.Step {
			return nil, fmt.Errorf("schedule %q: %q is no step.worker after the one before", text, word)
		}
		s = append(s, sw)
	}
	return s, nil
}
