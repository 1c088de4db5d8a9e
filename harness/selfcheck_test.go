package harness

import "testing"

// TestSelfCheck runs some rounds.
func TestSelfCheck(t *testing.T) {
	rounds := kinds + len(failures) // each once
	if testing.Short() {
		rounds = 2
	}
	for seed := range uint64(rounds) {
		if err := SelfCheck(seed, nil); err != nil {
			t.Error(err)
		}
	}
}
