package workloadtest

import (
	"math"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
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

// checkBulk: the same number of packets for each connection, and of the long ones the even upload and the odd download.
func (s *show) checkBulk() error {
	packets := s.w.Segments() / s.w.Conns
	for _, l := range s.rec.order {
		in := 0
		for _, letter := range l.text {
			if letter < 'a' {
				in++
			}
		}
		if in != packets || packets < 16 {
			return oracle.Violated(oracle.Distribution, "bulk: %v has %d packets, a share is %d", l.inc, in, packets)
		}
		if i, _ := s.index(&l.inc); l.text[0] != syn && (l.text[0] == data) != (i%2 == 0) {
			return oracle.Violated(oracle.Distribution, "bulk: long connection %d does %.8q", i, l.text)
		}
	}
	return nil
}

// checkCampus draws some workloads from seed and compares all their short flows with what was measured.
func checkCampus(seed uint64) error {
	const builds, conns, packets = 24, 64, 1 << 14 / 64
	short, got := 0, make([]int, packets+1)
	for i := range uint64(builds) {
		w, err := workloads.Build(workloads.Params{Mix: "bulk", Conns: conns, Seed: seed + i})
		if err != nil {
			return oracle.Violated(oracle.Answer, "bulk: %w", err)
		}
		short += shortFlows(trace(w)[0], got)
	}
	share, squares := 0.0, 0.0
	for n := 1; n <= packets; n++ {
		share += float64(n) * lengthShare(n) / campusMean
		squares += float64(n) * float64(n) * lengthShare(n)
	}
	all := float64(builds * conns)
	// The builder may estimate this share from some ten thousand draws.
	spread := math.Sqrt(all*share*(1-share) + all*conns*squares/1e4/campusMean/campusMean)
	if math.Abs(float64(short)-all*share) > noAlarm*spread+2 {
		return oracle.Violated(oracle.Distribution, "bulk: seed %d: %d of %.0f connections are short, want %.0f", seed, short, all, all*share)
	}
	want, sum, flows := shortLengths(packets), 0.0, 0.0
	for n := range want {
		sum, flows = sum+want[n], flows+float64(got[n])
	}
	for n := range want {
		want[n] *= flows / sum
	}
	if stat, limit := chiSquare(got, want); stat > limit {
		return oracle.Violated(oracle.Distribution, "bulk: seed %d: lengths of %.0f short flows are not those measured: χ² is %.0f, limit %.0f", seed, flows, stat, limit)
	}
	return nil
}

// shortFlows adds to lengths how many flows of each length a lap has, and returns the number of connections on which they come one after another.
// The first packets of a lap may be the rest of the last flow.
func shortFlows(lap []print, lengths []int) (conns int) {
	type name struct {
		faddr pcbinfo.Addr
		fport uint16
	}
	type line struct{ rest, now int }
	lines := map[name]*line{}
	for _, p := range lap {
		n := name{p.faddr, p.fport}
		l := lines[n]
		if l == nil {
			l = &line{}
			lines[n] = l
		}
		if p.flags&pcbinfo.SYN != 0 {
			if l.now > 0 {
				lengths[l.now]++
			}
			l.now = 0
		} else if l.now == 0 {
			l.rest++
			continue
		}
		l.now++
	}
	for _, l := range lines {
		if l.now > 0 {
			conns++
			lengths[l.now+l.rest]++
		}
	}
	return conns
}
