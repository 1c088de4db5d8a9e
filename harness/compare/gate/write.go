package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Formats are the forms in which a verdict can be written.
var Formats = []string{"text", "markdown", "json"}

// Write writes the verdict in one of Formats. As JSON it is an object with code, sentence, advice, findings (kind, table, name, unit, text) and
// accused, all of which are always there.
func (v *Verdict) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		return v.writeText(w)
	case "markdown":
		return v.writeMarkdown(w)
	case "json":
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	return fmt.Errorf("no format %q; there are %s", format, strings.Join(Formats, ", "))
}

// writeText writes a line a finding, then the sentence and what to do.
func (v *Verdict) writeText(w io.Writer) error {
	var b strings.Builder
	for _, f := range v.Findings {
		fmt.Fprintln(&b, f)
	}
	fmt.Fprintf(&b, "%s\n%s\n", v.Sentence, v.Advice)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMarkdown puts the verdict first, since a comment is read from the top.
func (v *Verdict) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** %s\n", v.Sentence, v.Advice)
	if len(v.Findings) > 0 {
		b.WriteString("\n| finding | benchmark | metric | |\n|---|---|---|---|\n")
	}
	for _, f := range v.Findings {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.Kind, cell(f.Name, f.Table), cell(f.Unit), cell(f.Text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell has text stand in a table whatever it holds.
func cell(parts ...string) string {
	text := strings.TrimSpace(strings.Join(parts, " "))
	return strings.ReplaceAll(text, "|", "\\|")
}
