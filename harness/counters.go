package harness

import (
	"fmt"
	"strings"

	"pcbbench/harness/machine"
)

// counters looks for hardware counters, and says on o.Stderr and in the file which there are, or why there are none; without any the run goes on, and its
// results have no such metrics.
func (o *Options) counters() (note string) {
	c, err := machine.NewCounters()
	if err != nil {
		o.Counters = false
		fmt.Fprintln(o.Stderr, err)
		return err.Error() + "\n"
	}
	return fmt.Sprintf("hardware counters: %s, of all threads in user space, from just before the measured time to just after; who had to share a counter is scaled up, and counter-share tells\n",
		strings.Join(c.Names(), ", "))
}

func (b *bench) startCounters() error {
	if b.hw == nil {
		return nil
	}
	return b.hw.Start()
}

func (b *bench) stopCounters() ([]machine.Counted, error) {
	if b.hw == nil {
		return nil, nil
	}
	return b.hw.Stop()
}

// counters are metrics of what was counted, and of how much of the time that was.
func (s *Sample) counters(put func(string, float64)) {
	share := 1.0
	for _, c := range s.Counted {
		put(c.Name+"/seg", c.N/float64(s.Segs))
		share = min(share, c.Share)
	}
	if s.Counted != nil {
		put("counter-share", share)
	}
}
