package schedule

import "slices"

// Subjects are all of them, from the bottom up.
func Subjects() []Subject {
	return slices.Concat(lockSubjects(), reclaimSubjects(), tableSubjects(), dispatchSubjects())
}
