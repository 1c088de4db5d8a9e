package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSignedRankByEnumeration compares with the definition: of all ways to give the sizes signs, how many are at least as clear.
func TestSignedRankByEnumeration(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		d := make([]float64, 1+rng.IntN(9))
		for i := range d {
			d[i] = float64(rng.IntN(9) - 4) // ties and zeros
		}
		if got, want := signedRank(d), enumerate(d); math.Abs(got-want) > 1e-12 {
			t.Fatalf("%v: P %v, want %v", d, got, want)
		}
	}
}

func enumerate(d []float64) float64 {
	d = slices.DeleteFunc(slices.Clone(d), func(x float64) bool { return x == 0 })
	sum := func(up func(i int) bool) (w float64) {
		for i := range d {
			rank := 0.5
			for j := range d {
				switch a, b := math.Abs(d[i]), math.Abs(d[j]); {
				case b < a:
					rank++
				case b == a:
					rank += 0.5
				}
			}
			if up(i) {
				w += rank
			} else {
				w -= rank
			}
		}
		return math.Abs(w)
	}
	seen := sum(func(i int) bool { return d[i] > 0 })
	clear := 0
	for signs := range 1 << len(d) {
		if sum(func(i int) bool { return signs>>i&1 == 1 }) >= seen {
			clear++
		}
	}
	return min(1, float64(clear)/float64(int(1)<<len(d)))
}

func TestNormalJoinsExact(t *testing.T) {
	ranks := make([]int, exactGroups)
	for i := range ranks {
		ranks[i] = 2 * (i + 1)
	}
	for _, w := range []int{15000, 16000, 18000, 20000} {
		if approx, exact := nearly(ranks, w), counted(ranks, w); math.Abs(approx-exact) > 0.1*exact {
			t.Errorf("sum %d: %v, exactly %v", w, approx, exact)
		}
	}
	if more := append(ranks, 2*len(ranks)+2); atMost(more, 16000) != nearly(more, 16000) || atMost(ranks, 16000) != counted(ranks, 16000) {
		t.Error("not counted up to exactGroups, or beyond")
	}
}

// TestPairedHoldsWhatItSays draws pairs with outliers and with a bias of every restart: intervals hold the truth, and tests raise a false alarm, as often as they say.
func TestPairedHoldsWhatItSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const trials, effect = 2000, 0.02
	missed, alarms := 0, 0
	for range trials {
		groups := make([][]float64, 20)
		same := make([][]float64, 20)
		for i := range groups {
			bias := 0.02 * rng.NormFloat64()
			for range 4 {
				x := bias + 0.03*rng.NormFloat64()
				if rng.IntN(10) == 0 {
					x += 0.5 * rng.NormFloat64()
				}
				groups[i], same[i] = append(groups[i], x+effect), append(same[i], x)
			}
		}
		if e := Paired(groups, 0.95); e.Lo > math.Exp(effect) || e.Hi < math.Exp(effect) {
			missed++
		}
		if Paired(same, 0.95).P < 0.05 {
			alarms++
		}
	}
	for what, n := range map[string]int{"intervals miss the truth": missed, "false alarms": alarms} {
		if n < trials*3/100 || n > trials*7/100 {
			t.Errorf("%d of %d %s, want about 5%%", n, trials, what)
		}
	}
}

func TestPairedOfFew(t *testing.T) {
	if e := Paired(nil, 0.95); !math.IsNaN(e.Ratio) || e.P != 1 || e.N != 0 {
		t.Errorf("nothing: %+v", e)
	}
	e := Paired([][]float64{{0.01, 0.03}, nil, {0.02}}, 0.95)
	if math.Abs(e.Ratio-math.Exp(0.02)) > 1e-12 || e.Lo != 0 || !math.IsInf(e.Hi, 1) || e.P != 0.5 || e.N != 3 || e.Groups != 2 {
		t.Errorf("two restarts: %+v", e)
	}
	six := [][]float64{{1}, {2}, {3}, {4}, {5}, {6}}
	if e := Paired(six, 0.95); e.Lo != math.Exp(1) || e.Hi != math.Exp(6) || e.P != 2.0/64 {
		t.Errorf("six: %+v", e)
	}
}

func TestUnpaired(t *testing.T) {
	old := []float64{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}
	new := make([]float64, len(old))
	for i, x := range old {
		new[i] = 1.2 * x
	}
	if e := Unpaired(old, new, 0.95); math.Abs(e.Ratio-1.2) > 0.001 || e.Lo < 1.15 || e.Lo > 1.2 || e.Hi < 1.2 || e.Hi > 1.25 || e.P > 1e-4 || e.N != 10 {
		t.Errorf("a fifth more: %+v", e)
	}
	if e := Unpaired([]float64{0, 0}, []float64{0, 0}, 0.95); e.Ratio != 1 || e.P != 1 {
		t.Errorf("zeros: %+v", e)
	}
	if e := Unpaired([]float64{0, 0, 0, 0}, []float64{1, 1, 1, 1}, 0.95); !math.IsInf(e.Ratio, 1) || e.P > 0.05 {
		t.Errorf("from zero: %+v", e)
	}
	if e := Unpaired(old, nil, 0.95); !math.IsNaN(e.Ratio) || e.P != 1 {
		t.Errorf("nothing new: %+v", e)
	}
}

func TestUnpairedInterval(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	missed := 0
	for range 1000 {
		var x, y []float64
		for range 12 {
			x, y = append(x, math.Exp(0.1*rng.NormFloat64())), append(y, 1.05*math.Exp(0.1*rng.NormFloat64()))
		}
		if e := Unpaired(x, y, 0.95); e.Lo > 1.05 || e.Hi < 1.05 {
			missed++
		}
	}
	if missed < 20 || missed > 80 {
		t.Errorf("%d of 1000 intervals miss the truth, want about 50", missed)
	}
}

func TestHolm(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, 0.06, 0.02} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("%d: %v, want %v", i, got[i], want)
		}
	}
	if len(Holm(nil)) != 0 || Holm([]float64{0.9, 0.8})[0] != 1 {
		t.Error("no values, or values above 1")
	}
}

func TestSpend(t *testing.T) {
	shares := Spend(0.01, 4)
	sum := 0.0
	for i, s := range shares {
		if sum += s; i > 0 && math.Abs(s-2*shares[i-1]) > 1e-15 {
			t.Errorf("share %d of %v is not twice the one before", i, shares)
		}
	}
	if len(shares) != 4 || math.Abs(sum-0.01) > 1e-15 {
		t.Errorf("%v add up to %v", shares, sum)
	}
}
