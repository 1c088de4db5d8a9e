package handoff

import "runtime"

// spinsPerYield is how many looks a thread that polls takes before it offers its processor to others: on CPUs of their own nobody asks for it.
const spinsPerYield = 4096

// A patience is a thread's that polls.
type patience struct {
	spins int
	poll  bool // spin before giving way; else the other side may need this very CPU
}

// wait is called for each look in vain.
func (p *patience) wait() {
	if p.spins++; !p.poll || p.spins%spinsPerYield == 0 {
		runtime.Gosched()
	}
}
