package locks

import "testing"

// TestCalibrateDelay: a loop that the compiler removed would do thousands of units in a nanosecond; no CPU
// multiplies 20 times in one.
func TestCalibrateDelay(t *testing.T) {
	if u := CalibrateDelay(); u <= 0 || u > 20 {
		t.Errorf("%v units per ns", u)
	}
}

func TestPoll(t *testing.T) {
	p := poll()
	t.Logf("%d cycles, %.1f ns", p.cycles, p.ns)
	if p.cycles == 0 || p.ns <= 0 {
		t.Errorf("poll time %+v", p)
	}
}

func BenchmarkDelay(b *testing.B) {
	b.Logf("%.3f units per ns", CalibrateDelay())
	for b.Loop() {
		Delay(1000)
	}
}
