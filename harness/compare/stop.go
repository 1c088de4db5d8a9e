package compare

import (
	"math"
	"time"
)

// A Rule says when a comparison that goes on is decided: every row of Unit is either told apart at the comparison's level, or its interval lies
// within Resolution of no difference. The level must be what the look at hand may spend: see verdict.Spend.
type Rule struct {
	Unit       string
	Resolution float64 // as a share
}

// Open are the rows of c that are not decided.
func (u Rule) Open(c *Comparison) (open []Row) {
	for _, r := range c.Rows {
		if r.Unit == u.Unit && r.Missing == "" && !r.Exact && r.PAdj >= c.Alpha && !u.same(r) {
			open = append(open, r)
		}
	}
	return open
}

// same reports whether r shows that there is no difference worth the name.
func (u Rule) same(r Row) bool {
	return r.Effect.Lo > 1/(1+u.Resolution) && r.Effect.Hi < 1+u.Resolution
}

// Needs estimates how long a comparison that has taken so long would have to take in all for r to be decided: intervals shrink with the square root of time, and
// must either keep clear of no difference or stay within Resolution, whichever comes first. 0: there is no interval to judge from.
func (u Rule) Needs(r Row, taken time.Duration) time.Duration {
	half := math.Log(r.Effect.Hi/r.Effect.Lo) / 2
	if math.IsInf(half, 0) || math.IsNaN(half) {
		return 0
	}
	off := math.Abs(math.Log(r.Effect.Ratio))
	room := max(off, math.Log(1+u.Resolution)-off)
	return time.Duration(float64(taken) * max(1, half*half/(room*room)))
}
