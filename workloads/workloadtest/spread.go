package workloadtest

import (
	"encoding/binary"
	"math"
	"strings"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
)

// What Params and the mixes say of defaults.
var defaults = map[string]struct{ conns, payload, walkers int }{
	"bulk": {1024, 1448, 0}, "churn": {1024, 512, 0}, "rpc": {4096, 128, 0}, "tpca": {2000, 100, 0},
	"synflood": {1024, 128, 0}, "idle-heavy": {1_000_000, 128, 0}, "walk": {1024, 512, 1},
	"loopback": {1024, 128, 0}, "encap": {4096, 128, 0}, "forward": {4096, 512, 0}, "arp": {1024, 28, 0},
}

// noAlarm is how many standard deviations a count may be off: a chance of less than 1e-10, and draws follow from seeds.
const noAlarm = 6.5

// near reports whether got is what n draws of probability p may give.
func near(got, n int, p float64) bool {
	return math.Abs(float64(got)-float64(n)*p) <= noAlarm*math.Sqrt(float64(n)*p*(1-p))+2
}

// chiSquare bounds Pearson's statistic of got against want, bins joined until 50 are expected in each. With probability 1 - e^-40 the
// statistic of k bins is below k + 2√(40 k) + 80 (Laurent and Massart, Annals of Statistics 28, 2000, lemma 1).
func chiSquare(got []int, want []float64) (stat, limit float64) {
	var g, w, k float64
	add := func() {
		stat += (g - w) * (g - w) / w
		g, w, k = 0, 0, k+1
	}
	for i := range want {
		g, w = g+float64(got[i]), w+want[i]
		if w >= 50 {
			add()
		}
	}
	if w > 0 {
		w = max(w, 1)
		add()
	}
	return stat, k + 2*math.Sqrt(40*k) + 80
}

// index is which of all four-tuples towards our listeners l is: neighbours differ in listener, then peer, then port.
func (s *show) index(inc *pcbinfo.ConnInfo) (i int, ok bool) {
	listener := int(inc.Lport) - int(s.rec.ports[0])
	peer, ok := peerOf(inc)
	return ((int(inc.Fport)-1024)*s.w.Peers+peer)*s.w.Listeners + listener,
		ok && listener >= 0 && listener < s.w.Listeners && inc.Fport >= 1024 && peer < s.w.Peers
}

// peerOf is the number of inc's foreign address; the local one is of 192.0.2.0/24 (RFC 5737) or 2001:db8::/32 (RFC 3849).
func peerOf(inc *pcbinfo.ConnInfo) (peer int, ok bool) {
	peer, ok = foreign(inc.Faddr)
	l := inc.Laddr.Netip()
	b := l.AsSlice()
	if inc.Faddr.Is4() {
		return peer, ok && l.Is4() && b[0] == 192 && b[1] == 0 && b[2] == 2
	}
	return peer, ok && l.Is6() && string(b[:4]) == "\x20\x01\x0d\xb8"
}

// foreign is the number of an address of 198.18.0.0/15 (RFC 2544) or 2001:2::/48 (RFC 5180).
func foreign(addr pcbinfo.Addr) (peer int, ok bool) {
	f := addr.Netip()
	if f.Is4() {
		a := f.As4()
		n := binary.BigEndian.Uint32(a[:]) - (198<<24 | 18<<16)
		return int(n), n < 1<<17
	}
	a := f.As16()
	return int(binary.BigEndian.Uint32(a[12:])) - 1, f.Is6() && string(a[:6]) == "\x20\x01\x00\x02\x00\x00"
}

// checkNames: the right connections, each once, of the right family.
func (s *show) checkNames() error {
	if s.rec.replay {
		return nil
	}
	w := s.w
	if len(s.rec.ports) != w.Listeners {
		return oracle.Violated(oracle.Conservation, "%d listeners, want %d", len(s.rec.ports), w.Listeners)
	}
	for i, port := range s.rec.ports {
		if int(port) != int(s.rec.ports[0])+i {
			return oracle.Violated(oracle.Conservation, "listening ports %v", s.rec.ports)
		}
	}
	n, own := s.tuples()
	seen := make([]bool, n)
	v6, ours := 0, 0
	perWorker := make([]int, w.Workers)
	for _, l := range s.rec.order {
		if s.rec.client(l) {
			continue // its server is in the list
		}
		if !l.inc.Faddr.Is4() {
			v6++
		}
		if l.outbound {
			if peer, ok := peerOf(&l.inc); !ok || peer >= w.Peers || l.inc.Fport != 443 {
				return oracle.Violated(oracle.Answer, "our own connection goes to %v", l.inc)
			}
			ours++
			if _, who, _ := l.script(); len(who) > 0 {
				perWorker[who[0]]++
			}
			continue
		}
		i, ok := s.index(&l.inc)
		if !ok || i >= n || own > 0 && i%own == own-1 || seen[i] {
			return oracle.Violated(oracle.Answer, "%v is none of the %d connections, or there twice", l.inc, n)
		}
		seen[i] = true
	}
	lives := len(s.rec.order)
	switch w.Mix {
	case "loopback":
		lives /= 2
	case "encap":
		if !near(n-lives, n, 1./64) {
			return oracle.Violated(oracle.Distribution, "%d of %d flows are nested too deep, want one in 64", n-lives, n)
		}
		n = lives
	}
	if own > 0 && ours != n/own || lives != n {
		return oracle.Violated(oracle.Conservation, "%d connections, %d of them ours; want %d and one in %d", lives, ours, n, own)
	}
	if w.Affinity == workloads.RSS && own > 0 {
		for i, got := range perWorker {
			if got < ours/w.Workers || got > ours/w.Workers+1 {
				return oracle.Violated(oracle.Distribution, "worker %d opens %d of %d connections", i, got, ours)
			}
		}
	}
	share := s.p.V6
	switch {
	case share == 0:
		share = 0.25
	case share < 0:
		share = 0
	}
	// Multiples of the golden ratio are spread so evenly that the error grows by the logarithm only.
	if off := math.Abs(float64(v6) - share*float64(n)); off > 2+math.Log2(float64(n))/2 || share == 0 && v6 > 0 || share == 1 && v6 < n {
		return oracle.Violated(oracle.Distribution, "%d of %d connections are IPv6, want a share of %v", v6, n, share)
	}
	return nil
}

// tuples is how many connections there are, and every which one is ours.
func (s *show) tuples() (n, own int) {
	switch s.w.Mix {
	case "synflood":
		requests := s.count(data)
		return s.w.Conns + 9*requests, 0
	case "churn", "walk":
		return s.w.Conns, 8
	}
	return s.w.Conns, 0
}

// count is how often letter stands in a lap.
func (s *show) count(letter byte) (n int) {
	for _, l := range s.rec.order {
		n += strings.Count(l.text, string(letter))
	}
	return n
}

// checkMix holds the whole to what the mix's documentation says.
func (s *show) checkMix() error {
	w, n := s.w, s.w.Segments()
	if s.rec.replay {
		return nil
	}
	if least := max(1<<14, 1<<12*w.Workers); n < least*9/10 {
		return oracle.Violated(oracle.Distribution, "a lap of %d segments, want %d", n, least)
	}
	bad := func(format string, args ...any) error {
		return oracle.Violated(oracle.Distribution, w.Mix+": "+format, args...)
	}
	switch w.Mix {
	case "rpc", "encap":
		if n < 4*w.Conns {
			return bad("%d requests on %d connections", n, w.Conns)
		}
	case "loopback":
		if n < 8*w.Conns {
			return bad("%d segments of %d connections", n, w.Conns)
		}
	case "tpca":
		if n < 8*w.Conns {
			return bad("%d segments of %d users", n, w.Conns)
		}
		if err := s.checkThinking(); err != nil {
			return err
		}
	case "synflood":
		if floods := s.count(syn); floods < 1<<15 || floods != 9*s.count(data) {
			return bad("%d SYNs, %d requests", floods, s.count(data))
		}
	case "churn", "walk":
		return s.checkChurn()
	case "bulk":
		return s.checkBulk()
	}
	return s.checkPopularity()
}

// checkPopularity: connection i has weight 1/(i+1)^Skew.
func (s *show) checkPopularity() error {
	apart := 1
	active := s.w.Conns
	if s.w.Mix == "idle-heavy" {
		apart, active = 1000, max(1, s.w.Conns/1000)
	}
	got, total := make([]int, active), 0
	for _, l := range s.rec.order {
		i, _ := s.index(&l.inc)
		if n := strings.Count(l.text, string(data)); n > 0 && !s.rec.client(l) {
			if i%apart != 0 || i/apart >= active {
				return oracle.Violated(oracle.Distribution, "%s: connection %d of %d is active", s.w.Mix, i, s.w.Conns)
			}
			got[i/apart] += n
			total += n
		}
	}
	if s.w.Mix == "encap" {
		return nil // not all are seen
	}
	return popularity(&s.p, got, total)
}

// popularity holds how often each connection had a turn against its weight.
func popularity(p *workloads.Params, got []int, total int) error {
	want, sum := make([]float64, len(got)), 0.0
	for i := range want {
		want[i] = math.Exp(-p.Skew * math.Log(float64(i+1)))
		sum += want[i]
	}
	for i := range want {
		want[i] *= float64(total) / sum
	}
	if stat, limit := chiSquare(got, want); stat > limit {
		return oracle.Violated(oracle.Distribution, "%s: popularity of %d connections by skew %v: χ² is %.0f, limit %.0f", p.Mix, len(got), p.Skew, stat, limit)
	}
	return nil
}

// checkThinking: hardly ever do two segments of one user follow each other.
func (s *show) checkThinking() error {
	if s.w.Workers > 1 || s.w.Conns < 50 {
		return nil
	}
	segs, same := s.rec.cpus[0].segs[0], 0
	for i := 1; i < len(segs); i++ {
		if segs[i].Inc == segs[i-1].Inc {
			same++
		}
	}
	// Two may meet where a user's next query comes when his last response is not acknowledged yet: then it follows the acknowledgement.
	conns := float64(s.w.Conns)
	soon := 1 - math.Exp(-min(256, conns/4)/(2*conns))
	if limit := 0.02 + 1.3*(soon/2+1/conns); float64(same) > limit*float64(len(segs)) {
		return oracle.Violated(oracle.Distribution, "tpca: %d of %d segments follow one of the same of %d users", same, len(segs), s.w.Conns)
	}
	return nil
}

// checkChurn: each connection lives as often as the others, half of the clients close first, and a life takes 60 to 95 % of its share.
func (s *show) checkChurn() error {
	lives, first, passive := -1, 0, 0
	var spans, complete float64
	for _, l := range s.rec.order {
		n := strings.Count(l.text, string(syn)) + strings.Count(l.text, string(connect))
		if lives < 0 {
			lives = n
		}
		if n != lives || n < 1 {
			return oracle.Violated(oracle.Distribution, "%s: %v lives %d times a lap, another %d times", s.w.Mix, l.inc, n, lives)
		}
		if !l.outbound {
			passive += n
			first += strings.Count(l.text, "Fc")
		}
		start := -1
		for i, letter := range l.letters[1] {
			switch {
			case letter == syn:
				start = l.moment[i]
			case start >= 0 && (i+1 == len(l.letters[1]) || l.letters[1][i+1] == syn):
				if last := l.letters[1][i]; last == fin || last == ack && l.letters[1][i-1] == userClose {
					spans, complete = spans+float64(l.moment[i]-start), complete+1
				}
				start = -1
			}
		}
	}
	if !near(first, passive, 0.5) {
		return oracle.Violated(oracle.Distribution, "%s: the client closes %d of %d connections first, want half", s.w.Mix, first, passive)
	}
	share := float64(s.w.Segments()) / float64(lives)
	if mean := spans / complete / share; s.w.Workers == 1 && lives > 1 && share > 50 && complete > 100 && (mean < 0.6 || mean > 0.95) {
		return oracle.Violated(oracle.Distribution, "%s: a life takes %.2f of its share in the mean, want 0.6 to 0.95", s.w.Mix, mean)
	}
	return nil
}
