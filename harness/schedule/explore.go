package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pcbbench/locks/oracle"
)

// Limits say when to stop. A strategy ends with the first failure, when it has nothing left to try, after Schedules runs, or after Time; 0
// means no limit.
type Limits struct {
	Schedules int
	Time      time.Duration
}

// A Report is what a strategy came to on a subject.
type Report struct {
	Subject, Strategy string
	Schedules         int
	Points            int      // in all runs
	Distinct          int      // schedules that differ in who did what in which order
	Exhausted         bool     // all within the strategy's bound were tried
	Failure           *Failure // nil: none
}

// A Failure is a schedule that breaks a promise.
type Failure struct {
	Subject string
	Found   string   // how it was found: "strategy:seed", or the schedule
	Oracle  string   // the promise
	Err     error    // under Schedule, minimised
	Switch  []string // for each switch of it: where it happens
	Schedule
}

// Replay is the text that replays the failure.
func (f *Failure) Replay() string { return f.Subject + "@" + f.Schedule.String() }

// String tells the failure in lines.
func (f *Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v\n", f.Subject, f.Err)
	fmt.Fprintf(&b, "  schedule %v, found as %s\n", f.Schedule, f.Found)
	for i, sw := range f.Schedule {
		fmt.Fprintf(&b, "    step %d: worker %d goes on, while the other stands at %s\n", sw.Step, sw.Worker, f.Switch[i])
	}
	return b.String()
}

// Explore runs s under the strategy. Seeds count up from seed.
func (st *Strategy) Explore(s *Subject, seed uint64, l Limits) Report {
	rep := Report{Subject: s.Name, Strategy: st.Name}
	seen := map[uint64]bool{}
	deadline := time.Now().Add(l.Time)
	search := newSearch()
	plain := s.run(Schedule(nil).follow, false)
	workers := s.workers()
	for l.Schedules == 0 || rep.Schedules < l.Schedules {
		if l.Time > 0 && rep.Schedules > 0 && time.Now().After(deadline) {
			break
		}
		var choose chooser
		found := ""
		if st.seeded == nil {
			p := search.next()
			if p == nil {
				break
			}
			choose = search.chooser(p)
		} else {
			choose = st.seeded(seed, workers, plain.points)
			found = st.Name + ":" + strconv.FormatUint(seed, 10)
			seed++
		}
		r := s.run(choose, false)
		rep.Schedules++
		rep.Points += r.points
		seen[r.trace] = true
		if r.err != nil {
			if found == "" {
				found = r.schedule.String()
			}
			rep.Failure = s.failure(s.minimise(r.schedule, oracle.Of(r.err)), found)
			break
		}
	}
	rep.Distinct = len(seen)
	rep.Exhausted = st.seeded == nil && rep.Failure == nil && search.exhausted()
	return rep
}

// workers is how many s has.
func (s *Subject) workers() int {
	t, err := s.New()
	if err != nil {
		return 0 // which the run says as well
	}
	return len(t.Workers)
}

// failure runs a schedule that fails once more, to tell where its switches are.
func (s *Subject) failure(sched Schedule, found string) *Failure {
	r := s.run(sched.follow, true)
	return &Failure{Subject: s.Name, Found: found, Oracle: oracle.Of(r.err), Err: r.err, Switch: r.sites, Schedule: r.schedule}
}

// Replay runs one schedule of a subject, as text: "subject@strategy:seed" or what Failure.Replay returns. The Failure is
// nil if nothing fails.
func Replay(subjects []Subject, text string) (*Failure, error) {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return nil, fmt.Errorf("replay %q: want subject@schedule", text)
	}
	i := slices.IndexFunc(subjects, func(s Subject) bool { return s.Name == text[:at] })
	if i < 0 {
		return nil, fmt.Errorf("replay %q: there is no subject %q", text, text[:at])
	}
	s := &subjects[i]
	choose, seeded, err := s.parse(text[at+1:])
	if err != nil {
		return nil, err
	}
	r := s.run(choose, false)
	switch {
	case r.err == nil:
		return nil, nil
	case seeded:
		r.schedule = s.minimise(r.schedule, oracle.Of(r.err))
	}
	return s.failure(r.schedule, text[at+1:]), nil
}

// parse reads a schedule of s.
func (s *Subject) parse(text string) (_ chooser, seeded bool, err error) {
	name, number, seeded := strings.Cut(text, ":")
	if !seeded {
		sched, err := parseSchedule(text)
		return sched.follow, false, err
	}
	seed, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil, true, fmt.Errorf("schedule %q: %q is no seed", text, number)
	}
	for _, st := range Strategies {
		if st.Name == name && st.seeded != nil {
			return st.seeded(seed, s.workers(), s.run(Schedule(nil).follow, false).points), true, nil
		}
	}
	return nil, true, fmt.Errorf("schedule %q: there is no seeded strategy %q", text, name)
}
