package compare

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteText writes c as tables for people, one a table and unit.
func (c *Comparison) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "old: %s\nnew: %s\n", c.Old, c.New)
	for _, s := range c.warnings() {
		fmt.Fprintf(b, "Warning: %s\n", s)
	}
	common := c.common()
	if len(common) > 0 {
		fmt.Fprintf(b, "every row: %s\n", strings.Join(common, " "))
	}
	table := ""
	for _, bl := range c.blocks(common) {
		fmt.Fprintln(b)
		if bl.table != table {
			table = bl.table
			fmt.Fprintln(b, table)
		}
		align(b, append([][]string{c.columns(bl)}, append(bl.lines, bl.means...)...))
		for _, s := range bl.missing {
			fmt.Fprintln(b, s)
		}
	}
	fmt.Fprintln(b)
	for _, s := range c.notes() {
		fmt.Fprintln(b, s)
	}
	return b.Flush()
}

// align writes lines with columns below each other: the first and the last to the left, the others to the right.
func align(w io.Writer, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, s := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	for _, cells := range lines {
		var b strings.Builder
		for i, s := range cells {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(s))
			switch i {
			case 0:
				b.WriteString(s + pad)
			case len(cells) - 1:
				b.WriteString("  " + s)
			default:
				b.WriteString("  " + pad + s)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
