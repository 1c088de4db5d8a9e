package netisr

import (
	"fmt"
	"io"
	"strings"
)

// Write writes the tables of FreeBSD's netstat -Q: how netisr was set, its protocols, and what each workstream did, of which
// Handled = Disp'd + HDisp'd + Queued. dispatch is the model, as ParseSpec reads it; cpus are the CPUs that the workstreams' workers were bound to,
// nil if they were not bound. Limits are net.isr.maxthreads, as many as there are input contexts, and net.isr.maxqlimit.
func (s *Stats) Write(w io.Writer, dispatch string, cpus []int) error {
	var b strings.Builder
	s.configuration(&b, dispatch, cpus != nil)
	s.protocols(&b)
	s.workstreams(&b, cpus)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Stats) configuration(b *strings.Builder, dispatch string, bound bool) {
	row := func(setting string, current, limit any) { fmt.Fprintf(b, "%-22s %20v %10v\n", setting, current, limit) }
	b.WriteString("Configuration:\n")
	row("Setting", "Current", "Limit")
	row("Thread count", len(s.Streams), s.Contexts)
	row("Default queue limit", s.QLimit, maxQLimit)
	row("Dispatch policy", dispatch, "n/a")
	threads := "disabled"
	if bound {
		threads = "enabled"
	}
	row("Threads bound to CPUs", threads, "n/a")
}

func (s *Stats) protocols(b *strings.Builder) {
	row := func(name string, proto, qlimit, policy, dispatch, flags any) {
		fmt.Fprintf(b, "%-8s %5v %6v %6v %8v %5v\n", name, proto, qlimit, policy, dispatch, flags)
	}
	b.WriteString("\nProtocols:\n")
	row("Name", "Proto", "QLimit", "Policy", "Dispatch", "Flags")
	for i := range s.Protocols {
		p := &s.Protocols[i]
		row(p.Name, i, p.QLimit, p.Policy, "default", p.flags())
	}
}

// flags says which lookups p brings: C for M2cpuid, F for M2flow. The one between them, D, is for protocols that want to hear of drained CPUs; none does.
func (p *Protocol) flags() string {
	flags := []byte("---")
	if p.M2cpuid != nil {
		flags[0] = 'C'
	}
	if p.M2flow != nil {
		flags[2] = 'F'
	}
	return string(flags)
}

func (s *Stats) workstreams(b *strings.Builder, cpus []int) {
	row := func(id, cpu any, name string, length, wmark, dispatched, hdispatched, qdrops, queued, handled any) {
		fmt.Fprintf(b, "%4v %4v   %-8s %5v %5v %9v %9v %9v %9v %9v\n", id, cpu, name, length, wmark, dispatched, hdispatched, qdrops, queued, handled)
	}
	b.WriteString("\nWorkstreams:\n")
	row("WSID", "CPU", "Name", "Len", "WMark", "Disp'd", "HDisp'd", "QDrops", "Queued", "Handled")
	for i := range s.Streams {
		var cpu any = "-"
		if cpus != nil {
			cpu = cpus[i]
		}
		for j, k := range s.Streams[i].Works {
			row(i, cpu, s.Protocols[j].Name, s.Streams[i].Len[j], k.WMark, k.Dispatched, k.HDispatched, k.QDrops, k.Queued, k.Handled)
		}
	}
}
