package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// A section is one list of what can be chosen.
type section struct {
	title  string
	flag   string   // that chooses from it
	header []string // of the columns
	rows   [][]string
}

// sections are everything that can be chosen, from the code's own lists.
func sections() []section {
	return []section{schemeSection(), lockSection(), reclamationSection(), mixSection(), modelSection(), roleSection(), arrivalSection()}
}

func schemeSection() section {
	s := section{"Schemes", "-schemes", []string{"scheme", "idea", "models"}, nil}
	for _, v := range pcbinfo.Schemes {
		s.rows = append(s.rows, []string{withOptions(v.Name, v.Options), v.Doc, v.Source})
	}
	return s
}

func lockSection() section {
	s := section{"Table locks", "-locks", []string{"lock", "idea", "fairness", "waiters", "bytes", "source"}, nil}
	for _, k := range locks.Kinds {
		var policies []string
		for _, p := range k.Policies {
			policies = append(policies, p.String())
		}
		s.rows = append(s.rows, []string{k.Name, k.Doc, k.Fairness, strings.Join(policies, ", "), fmt.Sprint(k.Bytes), k.Source})
	}
	return s
}

func reclamationSection() section {
	s := section{"Reclamation", "-schemes smr:smr=…", []string{"kind", "idea", "readers pay", "bound of the garbage", "source"}, nil}
	for _, k := range smr.Kinds {
		s.rows = append(s.rows, []string{k.Name, k.Doc, k.Cost, k.Bound, k.Source})
	}
	return s
}

func mixSection() section {
	s := section{"Mixes", "-mixes", []string{"mix", "what happens", "source"}, nil}
	for _, m := range workloads.Mixes {
		s.rows = append(s.rows, []string{m.Name, m.Doc, m.Source})
	}
	return s
}

func modelSection() section {
	s := section{"Dispatch models", "-dispatch", []string{"model", "a packet", "models"}, nil}
	for _, m := range netisr.Models {
		s.rows = append(s.rows, []string{withOptions(m.Name, m.Options), m.Doc, m.Source})
	}
	return s
}

func roleSection() section {
	s := section{"Roles", "-roles", []string{"roles", "who does what"}, nil}
	for _, r := range workloads.RoleSets {
		s.rows = append(s.rows, []string{r.Name, r.Doc})
	}
	return s
}

func arrivalSection() section {
	s := section{"Arrivals of an open loop", "-arrivals", []string{"process", "when segments come"}, nil}
	for _, p := range workloads.Processes {
		s.rows = append(s.rows, []string{withOptions(p.Name, p.Options), p.Doc})
	}
	return s
}

// list prints everything that can be chosen.
func list(_ context.Context, args []string, std streams) error {
	fs := newFlagSet("list")
	format := fs.String("format", "text", "text, or markdown: the tables of the README")
	if err := parse(fs, std, args); err != nil {
		return err
	}
	switch *format {
	case "text":
		return listText(std.out)
	case "markdown":
		return listMarkdown(std.out)
	}
	return errUsage{errors.New("-format must be text or markdown")}
}

func listText(out io.Writer) error {
	for i, s := range sections() {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s (%s)\n", s.title, s.flag)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, r := range s.rows {
			last := len(r) - 1
			fmt.Fprintf(w, "  %s\t%s", r[0], r[1])
			if last > 1 {
				fmt.Fprintf(w, "\t%s", r[last])
			}
			fmt.Fprintln(w)
			if more := s.more(r); more != "" {
				fmt.Fprintf(w, "\t  %s\n", more)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// more are the columns between the second and the last, which take a line of their own.
func (s *section) more(row []string) string {
	var parts []string
	for i := 2; i < len(row)-1; i++ {
		parts = append(parts, s.header[i]+": "+row[i])
	}
	return strings.Join(parts, "; ")
}

// listMarkdown prints a table for each section; the first column is code.
func listMarkdown(out io.Writer) error {
	var b strings.Builder
	for i, s := range sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "**%s** (`%s`)\n\n", s.title, s.flag)
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.header, " | "), strings.Repeat("---|", len(s.header)))
		for _, r := range s.rows {
			fmt.Fprintf(&b, "| `%s` | %s |\n", r[0], strings.Join(r[1:], " | "))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// withOptions is name with the options that may follow it.
func withOptions(name string, options []string) string {
	for _, o := range options {
		name += "[:" + o + "=…]"
	}
	return name
}
