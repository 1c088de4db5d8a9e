package oracle

import (
	"fmt"
	"slices"
)

// hunts is how often Hunt looks. A fault that is seen in half of the looks escapes all of them once in a million.
const hunts = 20

// Hunt says whether a check sees a fault that it is known to be given: it calls the check with seeds from first on until one of the oracles in want
// reports the fault, and returns an error if none does. What another oracle reports before is no answer and no failure: on a busy machine a worker
// that gets no CPU may be missed before the fault is met.
func Hunt(want []string, first uint64, check func(seed uint64) error) error {
	var others []error
	for seed := first; seed < first+hunts; seed++ {
		err := check(seed)
		if err == nil {
			continue
		}
		if slices.Contains(want, Of(err)) {
			return nil
		}
		others = append(others, fmt.Errorf("seed %d: %w", seed, err))
	}
	return fmt.Errorf("not found by %v with %d seeds from %d, but %d faults of others: %v", want, hunts, first, len(others), others)
}
