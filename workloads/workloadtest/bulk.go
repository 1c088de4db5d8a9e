package workloadtest

import (
	"math"
	"strings"

	"pcbbench/locks/oracle"
)

// The mixture of flow lengths of Jurkiewicz, Rzym and Boryło (AGH 2015): mean, and weight with the upper bound of a uniform, or sigma and
// scale of a lognormal distribution. A length is the next integer.
const campusMean = 121.867

var (
	campusUniform = [][2]float64{
		{.058043754929076714, 1}, {.3105249919828018, 2}, {.05509731658732791, 3},
		{.04775404343193455, 4}, {.005882528205165834, 5}, {.12529112884696628, 6},
	}
	campusLognormal = [][3]float64{
		{.20654328341287823, 0.5122381561489622, 7.9543319950074585},
		{.1218958369564864, 0.7507627341686453, 21.74157327774004},
		{.052507436335709035, 1.1085442272126311, 115.96889383386637},
		{.016459679311651095, 1.9932118957877463, 845.9121788017795},
	}
)

// lengthShare is the probability of a flow of n packets.
func lengthShare(n int) (p float64) {
	for _, u := range campusUniform {
		if float64(n) <= u[1] {
			p += u[0] / u[1]
		}
	}
	below := func(x, sigma, scale float64) float64 {
		if x <= 0 {
			return 0
		}
		return math.Erfc(-math.Log(x/scale)/sigma/math.Sqrt2) / 2
	}
	for _, l := range campusLognormal {
		p += l[0] * (below(float64(n), l[1], l[2]) - below(float64(n-1), l[1], l[2]))
	}
	return p
}

// shortLengths is how many flows of each length fill a share of most packets, in the mean, when longer ones are left out and the last one
// is cut.
func shortLengths(most int) (want []float64) {
	p, sum := make([]float64, most+1), 0.0
	for n := 1; n <= most; n++ {
		p[n] = lengthShare(n)
		sum += p[n]
	}
	begins, want := make([]float64, most+1), make([]float64, most+1) // begins[a]: that a flow begins after a packets
	begins[0] = 1
	for a := range most {
		for n := 1; n <= most; n++ {
			took := min(n, most-a)
			share := begins[a] * p[n] / sum
			want[took] += share
			begins[a+took] += share
		}
	}
	return want
}

// checkBulk: the same number of packets for each connection; as many short ones as have short ones' share of all packets; of the long ones
// the even upload and the odd download; short lengths as measured.
func (s *show) checkBulk() error {
	bad := func(format string, args ...any) error {
		return oracle.Violated(oracle.Distribution, "bulk: "+format, args...)
	}
	packets, short, flows := s.w.Segments()/s.w.Conns, 0, 0
	got := make([]int, packets+1)
	for _, l := range s.rec.order {
		in := 0
		for _, letter := range l.text {
			if letter < 'a' {
				in++
			}
		}
		if in != packets || packets < 16 {
			return bad("%v has %d packets, a share is %d", l.inc, in, packets)
		}
		i, _ := s.index(&l.inc)
		switch {
		case strings.HasPrefix(l.text, string(syn)):
			short++
			for _, one := range strings.Split(l.text[1:], string(syn)) {
				got[1+len(strings.ReplaceAll(one, string(userClose), ""))]++
				flows++
			}
		case (l.text[0] == data) != (i%2 == 0):
			return bad("long connection %d does %.8q", i, l.text)
		}
	}
	mean, squares := 0.0, 0.0
	for n := 1; n <= packets; n++ {
		mean += float64(n) * lengthShare(n)
		squares += float64(n) * float64(n) * lengthShare(n)
	}
	// The builder may estimate this share from some ten thousand draws.
	share, conns := mean/campusMean, float64(s.w.Conns)
	spread := math.Sqrt(conns*share*(1-share) + conns*conns*squares/1e4/campusMean/campusMean)
	if math.Abs(float64(short)-conns*share) > noAlarm*spread+2 {
		return bad("%d of %d connections are short, want %.0f", short, s.w.Conns, conns*share)
	}
	if flows < 500 {
		return nil
	}
	want := shortLengths(packets)
	var sum, below float64
	for _, n := range want {
		sum += n
	}
	cum := 0
	for n := 1; n <= packets; n++ {
		below, cum = below+want[n]/sum, cum+got[n]
		have := float64(cum) / float64(flows)
		if math.Abs(have-below) > 0.02+noAlarm*math.Sqrt(below*max(0, 1-below)/float64(flows)) {
			return bad("of %d short flows a share of %.3f has at most %d packets, measured were %.3f", flows, have, n, below)
		}
	}
	return nil
}
