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
		fmt.Fprintf(w, "  %s\t%s\t%s\n", withOptions(s.Name, s.Options), s.Doc, s.Source)
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
		fmt.Fprintf(w, "  %s\t%s\t%s\n", withOptions(m.Name, m.Options), m.Doc, m.Source)
	}
	fmt.Fprintln(w, "\t\t\nRoles (-roles)\t\t")
	for _, r := range workloads.RoleSets {
		fmt.Fprintf(w, "  %s\t%s\t\n", r.Name, r.Doc)
	}
	fmt.Fprintln(w, "\t\t\nArrivals of an open loop (-arrivals)\t\t")
	for _, p := range workloads.Processes {
		fmt.Fprintf(w, "  %s\t%s\t\n", withOptions(p.Name, p.Options), p.Doc)
	}
	return w.Flush()
}

// withOptions is name with the options that may follow it.
func withOptions(name string, options []string) string {
	for _, o := range options {
		name += "[:" + o + "=…]"
	}
	return name
}
