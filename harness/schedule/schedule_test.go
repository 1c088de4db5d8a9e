package schedule

import (
	"slices"
	"testing"
)

func TestScheduleText(t *testing.T) {
	for _, text := range []string{"none", "0.1", "3.2,10.0,11.2"} {
		s, err := parseSchedule(text)
		if err != nil || s.String() != text {
			t.Errorf("%q was read as %q, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "1", "1.x", "x.1", "-1.0", "5.1,5.2", "5.1,4.2", "1.2;3.4"} {
		if s, err := parseSchedule(text); err == nil {
			t.Errorf("%q was read as %q", text, s)
		}
	}
}

// TestInterleave counts the ways to merge 2, 2 and 1 operations: 5!/(2!·2!·1!).
func TestInterleave(t *testing.T) {
	var all [][]step
	interleave([][]step{{{0, 0, none}, {0, 1, none}}, {{1, 0, none}, {1, 1, none}}, {{2, 0, none}}}, nil, func(s []step) {
		all = append(all, slices.Clone(s))
	})
	for i, a := range all {
		for _, b := range all[:i] {
			if slices.Equal(a, b) {
				t.Errorf("%v comes twice", a)
			}
		}
		if slices.Index(a, step{0, 0, none}) > slices.Index(a, step{0, 1, none}) {
			t.Errorf("%v is not in a worker's order", a)
		}
	}
	if len(all) != 30 {
		t.Errorf("%d ways, want 30", len(all))
	}
}

// TestSubjectNames: a name is one subject's, as replays go by it.
func TestSubjectNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Subjects() {
		if seen[s.Name] {
			t.Errorf("two subjects are called %s", s.Name)
		}
		seen[s.Name] = true
	}
}
