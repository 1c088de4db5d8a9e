package schedule

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// A Campaign explores subjects.
type Campaign struct {
	Subjects   []Subject
	Strategies []Strategy
	Seed       uint64
	Schedules  int           // of each strategy on each subject, at most; 0: what the budget allows
	Budget     time.Duration // of all of it, spread over what is left to do; 0: no limit
	First      bool          // begin no subject after one has failed
}

// Run explores subject after subject, as many at a time as there are CPUs, and hands over each one's reports in the order of the
// strategies. A subject ends with its first failure. report is called by one goroutine at a time.
func (c *Campaign) Run(report func([]Report)) {
	procs := runtime.GOMAXPROCS(0)
	deadline := time.Now().Add(c.Budget)
	var mu sync.Mutex // guards next, and report
	next, failed := 0, false
	var wg sync.WaitGroup
	for range procs {
		wg.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for next < len(c.Subjects) && !(c.First && failed) {
				s := &c.Subjects[next]
				share := time.Duration(0)
				if c.Budget > 0 {
					share = max(1, time.Until(deadline)*time.Duration(procs)/time.Duration(len(c.Subjects)-next))
				}
				next++
				mu.Unlock()
				reports := c.subject(s, share)
				mu.Lock()
				report(reports)
				failed = failed || slices.ContainsFunc(reports, func(r Report) bool { return r.Failure != nil })
			}
		})
	}
	wg.Wait()
}

// subject explores one; half of what is left of its share goes to each strategy, all of it to the last.
func (c *Campaign) subject(s *Subject, share time.Duration) (reports []Report) {
	end := time.Now().Add(share)
	for i := range c.Strategies {
		l := Limits{Schedules: c.Schedules}
		if share > 0 {
			l.Time = max(1, time.Until(end))
			if i < len(c.Strategies)-1 {
				l.Time = max(1, l.Time/2)
			}
		}
		rep := c.Strategies[i].Explore(s, c.Seed, l)
		reports = append(reports, rep)
		if rep.Failure != nil {
			break
		}
	}
	return reports
}
