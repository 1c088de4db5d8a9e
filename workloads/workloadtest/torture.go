package workloadtest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// Torture is one round: a random workload is built and held to what is promised of it, and Check is shown faults. All but the scheduler's choices
// follow from seed, which every error names; seeds in any even distance come by all mixes and faults. beat, which may be nil, is called now and then
// by each worker.
func Torture(seed uint64, beat func(worker int)) error {
	if beat == nil {
		beat = func(int) {}
	}
	rng := newRNG(seed)
	p := draw(rng, seed)
	err := oracle.Guard(func() error {
		for _, check := range []func(*rand.Rand) error{Toeplitz, checkParams} {
			if err := check(rng); err != nil {
				return err
			}
		}
		if turn(seed, 7) == 0 {
			if err := checkCampus(seed); err != nil {
				return err
			}
		}
		return inspect(p, rng, beat)
	})
	if err != nil {
		return fmt.Errorf("workload seed %d, %+v: %w", seed, p, err)
	}
	if err := oracle.Guard(func() error { return checkMisdeed(seed, rng, beat) }); err != nil {
		return fmt.Errorf("workload seed %d: %w", seed, err)
	}
	return nil
}

// Live replays a random workload on a table at full speed, by way of some dispatch model with some roles, and has it checked. seed and beat are Torture's.
func Live(seed uint64, beat func(worker int)) error {
	sp, y, p := drawLive(newRNG(seed), seed)
	err := oracle.Guard(func() error { return live(sp, y, p, beat) })
	if err != nil {
		err = fmt.Errorf("workload seed %d, %+v by %v, roles %s, on %v: %w", seed, p, y.Model, y.Roles.Name, sp, err)
	}
	return err
}

// turn chooses one of n for seed: the sum of its digits to the base n, which goes round with seeds that follow each other, and does so with
// those in a distance of any multiple of n, where the last digit stands still.
func turn(seed uint64, n int) int {
	sum := uint64(0)
	for ; seed > 0; seed /= uint64(n) {
		sum += seed % uint64(n)
	}
	return int(sum % uint64(n))
}

// inspect builds p's workload and checks all that can be seen of it.
func inspect(p workloads.Params, rng *rand.Rand, beat func(int)) error {
	if p.Mix == "forward" || p.Mix == "arp" {
		return inspectPackets(p, rng, beat)
	}
	s, err := perform(p, rng, beat)
	if err != nil {
		return err
	}
	for _, check := range []func() error{s.checkScripts, s.checkRings, s.checkNames, s.checkMix, s.checkSpray, func() error { return s.checkCheck(rng) }} {
		if err := check(); err != nil {
			return err
		}
	}
	if rng.IntN(3) > 0 {
		return nil
	}
	return s.twice()
}

// checkSpray: where a connection's pieces lie far apart, each goes to a worker of its own choice.
func (s *show) checkSpray() error {
	w := s.w
	if w.Affinity != workloads.Spray || w.Mix != "tpca" && w.Mix != "rpc" || w.Skew > 0 || w.Conns < 1000 || w.Batch*w.Workers > 32 {
		return nil
	}
	if most := 1 - 1/float64(w.Workers); w.Sprayed < 0.7*most || w.Sprayed > 1.05*most {
		return oracle.Violated(oracle.Distribution, "Sprayed is %.2f of %d connections in batches of %d over %d workers", w.Sprayed, w.Conns, w.Batch, w.Workers)
	}
	return nil
}

// sizes are how many connections of each mix a round may have.
var sizes = map[string]int{"bulk": 1500, "churn": 2500, "rpc": 3000, "tpca": 2000, "synflood": 1000, "idle-heavy": 6000, "walk": 2500,
	"loopback": 1500, "encap": 3000, "forward": 3000, "arp": 2000}

// sprayable reports whether a mix comes by a card, and has flows.
func sprayable(mix string) bool { return mix != "loopback" && mix != "arp" }

// draw makes Params of the mix whose turn it is.
func draw(rng *rand.Rand, seed uint64) workloads.Params {
	var mixes []workloads.Mix
	for _, m := range workloads.Mixes {
		if !m.Traced {
			mixes = append(mixes, m)
		}
	}
	m := mixes[turn(seed, len(mixes))]
	p := workloads.Params{Mix: m.Name, Seed: rng.Uint64(), Conns: logUniform(rng, 10, max(100, sizes[m.Name])), Workers: 1 + rng.IntN(5), Batch: logUniform(rng, 1, 130)}
	if rng.IntN(2) == 0 && sprayable(m.Name) {
		p.Affinity = workloads.Spray
	}
	if rng.IntN(4) == 0 {
		p.Batch = 0
	}
	if rng.IntN(2) == 0 {
		p.Listeners, p.Peers = 1+rng.IntN(9), logUniform(rng, 8, 2000)
	}
	if rng.IntN(2) == 0 {
		p.V6 = [...]float64{-1, 1, rng.Float64()}[rng.IntN(3)]
	}
	if rng.IntN(2) == 0 {
		p.Payload = logUniform(rng, 1, 65535)
	}
	if m.Popularity && rng.IntN(4) > 0 {
		p.Skew = 0.5 + rng.Float64()
	}
	if rng.IntN(2) == 0 {
		switch m.Name {
		case "encap":
			p.Tunnels = logUniform(rng, 1, 4096)
		case "forward":
			p.Routes, p.Ifs = logUniform(rng, 1, 5000), 1+rng.IntN(64)
		}
	}
	return p
}

// drawLive makes a scheme, a way to it and Params for it.
func drawLive(rng *rand.Rand, seed uint64) (pcbinfo.Spec, workloads.Way, workloads.Params) {
	sp, err := pcbinfo.ParseSpec(pcbinfo.Schemes[rng.IntN(len(pcbinfo.Schemes))].Name)
	if err != nil {
		panic("workloadtest: " + err.Error())
	}
	model := netisr.Models[rng.IntN(len(netisr.Models))].Name
	if rng.IntN(3) > 0 {
		model += fmt.Sprintf(":qlimit=%d", logUniform(rng, 1, 300))
	}
	y := workloads.Way{Model: mustParse(model), Roles: workloads.RoleSets[turn(seed, len(workloads.RoleSets))]}
	p := draw(rng, seed/7)
	p.Conns, p.Workers = logUniform(rng, 10, 400), 1+rng.IntN(4)
	if sp.Workers > 0 && !(sp.Owned && y.Model.Owns) { // one goroutine does everything
		p.Workers, y.Roles = min(p.Workers, sp.Workers), workloads.RoleSets[0]
	}
	return sp, y, p
}

// logUniform draws a number from lo to hi, each magnitude as often.
func logUniform(rng *rand.Rand, lo, hi int) int {
	return int(float64(lo) * math.Pow(float64(hi+1)/float64(lo), rng.Float64()))
}

func newRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x776f726b)) }
