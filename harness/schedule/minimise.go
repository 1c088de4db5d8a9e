package schedule

import (
	"slices"

	"pcbbench/locks/oracle"
)

// minimise drops switches from a schedule that fails for as long as what is left breaks the same promise: chunks of half of them first,
// single ones last, until no single one can go (after Zeller and Hildebrandt's ddmin, IEEE TSE 28(2), 2002).
func (s *Subject) minimise(sched Schedule, name string) Schedule {
	fails := func(try Schedule) (Schedule, bool) {
		r := s.run(try.follow, false)
		return r.schedule, oracle.Of(r.err) == name // without what did not happen
	}
	for size := max(1, len(sched)/2); ; {
		dropped := false
		for at := 0; at < len(sched); {
			try := slices.Delete(slices.Clone(sched), at, min(at+size, len(sched)))
			if done, ok := fails(try); ok && len(done) < len(sched) {
				sched, dropped = done, true
			} else {
				at += size
			}
		}
		switch {
		case size > 1:
			size /= 2
		case !dropped:
			return sched
		}
	}
}
