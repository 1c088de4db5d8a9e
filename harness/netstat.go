package harness

import (
	"context"
	"fmt"
	"io"
)

// Netstat measures each of es once, as a bench does, and writes the tables of netstat -Q after each: the counts of its whole sample.
func Netstat(ctx context.Context, es []Experiment, tm Timing, seed uint64, w io.Writer) error {
	variants, most, err := resolveAll(es)
	if err != nil {
		return err
	}
	b, err := newBench(most)
	if err != nil {
		return err
	}
	for _, v := range variants {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		s, err := b.patient(v, seed, tm)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name(), err)
		}
		if _, err := fmt.Fprintf(w, "%s\n\n", v.name()); err != nil {
			return err
		}
		if err := s.Isr.Write(w, v.Dispatch, b.streamCPUs(v, len(s.Isr.Streams))); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

// streamCPUs are the CPUs of v's workstreams; nil if nothing is bound.
func (b *bench) streamCPUs(v *variant, streams int) (cpus []int) {
	if v.Pin != PinCPU {
		return nil
	}
	for i := range streams {
		cpus = append(cpus, b.cpus[i%v.Workload.Workers])
	}
	return cpus
}
