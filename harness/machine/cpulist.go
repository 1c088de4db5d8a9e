package machine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseCPUList reads the kernel's list format, such as "0-3,8,10-11": ascending
// numbers and ranges without overlap, one trailing newline allowed. The empty
// list is nil. The error names the byte at which the faulty element starts.
// Numbers above 65535 are refused, so that no list expands without bound.
func ParseCPUList(s string) ([]int, error) {
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil, nil
	}
	var cpus []int
	offset := 0
	for element := range strings.SplitSeq(s, ",") {
		first, last, err := parseRange(element)
		if err == nil && len(cpus) > 0 && first <= cpus[len(cpus)-1] {
			err = errors.New("list does not ascend")
		}
		if err != nil {
			return nil, fmt.Errorf("byte %d: %q: %w", offset, element, err)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
		offset += len(element) + len(",")
	}
	return cpus, nil
}

// parseRange reads "3" or "3-5".
func parseRange(s string) (first, last int, err error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	a, errLow := strconv.ParseUint(low, 10, 16)
	b, errHigh := strconv.ParseUint(high, 10, 16)
	if errLow != nil || errHigh != nil {
		return 0, 0, errors.New("not a CPU number or range")
	}
	if b < a {
		return 0, 0, errors.New("range runs backwards")
	}
	return int(a), int(b), nil
}

// FormatCPUList writes ascending numbers as [ParseCPUList] reads them, in the
// shortest form.
func FormatCPUList(cpus []int) string {
	var b strings.Builder
	for i := 0; i < len(cpus); {
		end := i
		for end+1 < len(cpus) && cpus[end+1] == cpus[end]+1 {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(cpus[i]))
		if end > i {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(cpus[end]))
		}
		i = end + 1
	}
	return b.String()
}
