package compare

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// longTable is how many rows a table may have that is shown whole at once.
const longTable = 12

// WriteMarkdown writes c for a comment in a pull request: of long tables the rows that differ, and all of them folded away.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "old: %s, new: %s\n", escape(c.Old), escape(c.New))
	for _, s := range c.warnings() {
		fmt.Fprintf(b, "\n**Warning:** %s\n", escape(s))
	}
	common := c.common()
	if len(common) > 0 {
		fmt.Fprintf(b, "\nEvery row: %s\n", escape(strings.Join(common, " ")))
	}
	table := ""
	for _, bl := range c.blocks(common) {
		if bl.table != table {
			table = bl.table
			fmt.Fprintf(b, "\n### %s\n", escape(table))
		}
		fmt.Fprintln(b)
		c.writeBlock(b, bl)
	}
	fmt.Fprintln(b)
	for _, s := range c.notes() {
		fmt.Fprintln(b, escape(s))
	}
	return b.Flush()
}

func (c *Comparison) writeBlock(w io.Writer, b *block) {
	head, shown := c.columns(b), b.lines
	if len(b.rows) > longTable {
		shown = nil
		for i, r := range b.rows {
			if c.Significant(r) {
				shown = append(shown, b.lines[i])
			}
		}
	}
	grid(w, head, append(slices.Clone(shown), b.means...))
	if len(shown) < len(b.lines) {
		fold(w, fmt.Sprintf("all %d rows", len(b.rows)))
		grid(w, head, b.lines)
		fmt.Fprint(w, "\n</details>\n")
	}
	if len(b.missing) > 0 {
		fold(w, fmt.Sprintf("rows missing from one side: %d", len(b.missing)))
		for _, s := range b.missing {
			fmt.Fprintf(w, "- %s\n", escape(s))
		}
		fmt.Fprint(w, "\n</details>\n")
	}
}

func fold(w io.Writer, summary string) {
	fmt.Fprintf(w, "\n<details><summary>%s</summary>\n\n", summary)
}

// grid writes a table whose columns are to the right but for the first and the last.
func grid(w io.Writer, head []string, lines [][]string) {
	for i, cells := range append([][]string{head}, lines...) {
		if i == 1 {
			fmt.Fprintln(w, "|---|"+strings.Repeat("---:|", len(head)-2)+"---|")
		}
		for _, s := range cells {
			fmt.Fprintf(w, "| %s ", escape(s))
		}
		fmt.Fprintln(w, "|")
	}
}

// escape has s stand in a table as it is.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`).Replace(s)
}
