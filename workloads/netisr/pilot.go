package netisr

import "slices"

// A pilot chooses the arm to be used in the next window. It compares what a packet cost in each window of a trial with each of the windows just before,
// under the arm at home: a rank-sum test (Mann and Whitney 1947), since under contention costs have two humps and mean little on average. An arm that
// is first in the list needs less to win than one that comes later, so that what costs the same is done the simpler way. Two wins in a row are needed.
type pilot struct {
	arms   []arm
	trials []trial // by arm
	home   int
	arm    int           // at work: home, or the one on trial
	began  int           // windows since arm changed
	costs  []float64     // of the last windows, but for those that began under another arm
	usual  [look]float64 // home's before the trial, in ascending order
}

// A trial is what is known of an arm that is not at home.
type trial struct {
	rest    int // windows at home until it is tried again
	losses  int // in a row, but for those that were close
	wins    int // in a row
	windows uint64
}

const (
	look     = 5   // windows are compared with as many
	settling = 1   // windows are left out after a change: what is on its way was sent under the other arm
	hopeless = 1.5 // a trial's window that costs so many times home's dearest ends it
	// Of the 25 pairs of windows, those that the trial's has to win. Without a difference chance gives it so many in 7 and 50 of 100 trials.
	laterNeeds, earlierNeeds = 20, 13
	// An arm that lost rests for restPer windows for each that its trial cost, and with each loss for twice as long.
	restPer          = 32
	minRest, maxRest = 64, 4096
	maxMore          = 2 // what costs still more may be no fault of the arm's
)

func newPilot(arms []arm) pilot {
	return pilot{arms: arms, trials: make([]trial, len(arms)), costs: make([]float64, 0, look+1)}
}

// window takes a window's length in time and packets, and whether CPUs got uneven shares of these: where they did not, none has time for others'
// packets, and spreading is not tried. Nothing can be said of a window without packets.
func (p *pilot) window(took int64, packets uint64, uneven bool) (arm int) {
	p.trials[p.arm].windows++
	if packets == 0 {
		return p.arm
	}
	cost := float64(took) / float64(packets)
	if p.began++; p.began > settling {
		p.costs = append(p.costs, cost)
	}
	if p.arm == p.home {
		p.stay(uneven)
	} else {
		p.judge(cost)
	}
	return p.arm
}

// stay lets time pass at home, and starts a trial.
func (p *pilot) stay(uneven bool) {
	next := p.home
	for i := range p.trials {
		if i == p.home || p.arms[i].group == 0 && !uneven {
			continue
		}
		t := &p.trials[i]
		if t.rest--; t.rest < 0 && (next == p.home || t.rest < p.trials[next].rest) {
			next = i
		}
	}
	if len(p.costs) > look {
		p.costs = append(p.costs[:0], p.costs[1:]...)
	}
	if len(p.costs) == look && next != p.home {
		copy(p.usual[:], p.costs)
		slices.Sort(p.usual[:])
		p.use(next)
	}
}

func (p *pilot) use(arm int) { p.arm, p.began, p.costs = arm, 0, p.costs[:0] }

// judge ends the trial when it is won, or can be won no more.
func (p *pilot) judge(cost float64) {
	needs := laterNeeds
	if p.arm < p.home {
		needs = earlierNeeds
	}
	t := &p.trials[p.arm]
	switch best := p.won() + look*(look-len(p.costs)); {
	case best < needs || cost > hopeless*p.usual[look-1]:
		p.lost(t, cost/p.usual[look/2]-1)
	case len(p.costs) < look:
		return
	case t.wins == 0:
		t.wins, t.rest = 1, 0
	default:
		p.moveIn()
	}
	p.use(p.home)
}

// won counts the pairs of windows in which the trial's was the cheaper one, or cost the same and its arm is the earlier one.
func (p *pilot) won() (n int) {
	for _, c := range p.costs {
		for _, u := range p.usual {
			if c < u || c == u && p.arm < p.home {
				n++
			}
		}
	}
	return n
}

// lost sends an arm away that cost that much more.
func (p *pilot) lost(t *trial, more float64) {
	rest := max(minRest, int(float64(restPer*p.began)*min(more, maxMore)))
	t.rest = min(rest<<min(t.losses, 8), maxRest)
	t.wins = 0
	if p.won() < look*len(p.costs)/2 || len(p.costs) == 0 {
		t.losses++
	}
}

// moveIn makes the arm on trial the one at home.
func (p *pilot) moveIn() {
	p.home = p.arm
	for i := range p.trials {
		t := &p.trials[i]
		t.rest, t.losses, t.wins = minRest, 0, 0
	}
}
