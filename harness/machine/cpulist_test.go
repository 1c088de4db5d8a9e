package machine

import (
	"slices"
	"strings"
	"testing"
)

func TestParseCPUList(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []int
	}{
		{"", nil},
		{"\n", nil},
		{"0", []int{0}},
		{"0-3,8,10-11\n", []int{0, 1, 2, 3, 8, 10, 11}},
		{"65535", []int{65535}},
	} {
		if got, err := ParseCPUList(test.in); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("ParseCPUList(%q) = %v, %v, want %v", test.in, got, err, test.want)
		}
	}
}

func TestParseCPUListErrorsNameTheByte(t *testing.T) {
	for _, test := range []struct{ in, position, fact string }{
		{"x", "byte 0", "not a CPU"},
		{"0-1,", "byte 4", "not a CPU"},
		{"0-1,5-3", "byte 4", "backwards"},
		{"0-3,2", "byte 4", "ascend"},
		{"1,1", "byte 2", "ascend"},
		{"-1", "byte 0", "not a CPU"},
		{"1--2", "byte 0", "not a CPU"},
		{"0 1", "byte 0", "not a CPU"},
		{"0,0-99999999999", "byte 2", "not a CPU"},
		{"65536", "byte 0", "not a CPU"},
	} {
		got, err := ParseCPUList(test.in)
		if err == nil || !strings.Contains(err.Error(), test.position) || !strings.Contains(err.Error(), test.fact) {
			t.Errorf("ParseCPUList(%q) = %v, %v, want an error with %q and %q", test.in, got, err, test.position, test.fact)
		}
	}
}

// What is parsed ascends, and formats to what parses to the same.
func FuzzParseCPUList(f *testing.F) {
	for _, seed := range []string{"", "0", "0-3,8", "1,2,4-4", "3-1", ",", "0-\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cpus, err := ParseCPUList(s)
		if err != nil {
			return
		}
		if !slices.IsSorted(cpus) {
			t.Fatalf("ParseCPUList(%q) = %v does not ascend", s, cpus)
		}
		text := FormatCPUList(cpus)
		again, err := ParseCPUList(text)
		if err != nil || !slices.Equal(again, cpus) {
			t.Fatalf("ParseCPUList(%q) = %v, formatted %q, which parses to %v, %v", s, cpus, text, again, err)
		}
	})
}

func TestFormatCPUListIsShortest(t *testing.T) {
	if got := FormatCPUList([]int{0, 1, 2, 5, 7, 8}); got != "0-2,5,7-8" {
		t.Errorf("got %q", got)
	}
}
