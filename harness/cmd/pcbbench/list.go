package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"pcbbench/locks"
	"pcbbench/locks/smr"
	"pcbbench/pcbinfo"
	"pcbbench/workloads"
	"pcbbench/workloads/netisr"
)

// list prints everything that can be chosen.
func list(_ context.Context, args []string, std streams) error {
	if err := parse(newFlagSet("list"), std, args); err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Schemes (-schemes)\t\t")
	for _, s := range pcbinfo.Schemes {
		name := s.Name
		for _, o := range s.Options {
			name += "[:" + o + "=…]"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", name, s.Doc, s.Source)
	}
	fmt.Fprintln(w, "\t\t\nTable locks (-locks)\t\t")
	for _, k := range locks.Kinds {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", k.Name, k.Doc, k.Source)
		fmt.Fprintf(w, "\t  waiting: %v; %d bytes; %s\t\n", k.Policies, k.Bytes, k.Fairness)
	}
	fmt.Fprintln(w, "\t\t\nReclamation (-schemes smr:smr=…)\t\t")
	for _, k := range smr.Kinds {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", k.Name, k.Doc, k.Source)
	}
	fmt.Fprintln(w, "\t\t\nMixes (-mixes)\t\t")
	for _, m := range workloads.Mixes {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", m.Name, m.Doc, m.Source)
	}
	fmt.Fprintln(w, "\t\t\nDispatch models (-dispatch)\t\t")
	for _, m := range netisr.Models {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", m.Name, m.Doc, m.Source)
	}
	return w.Flush()
}
