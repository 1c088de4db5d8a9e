package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"

	"pcbbench/harness/machine"
)

// profileFolder is where results go that tell where the time goes: what records that takes time of its own, so they are no measurements.
const profileFolder = "profile"

// profiledFact is stable, so that such a file compares with no other.
const profiledFact = "profiled"

// Profiles are the files that Go's own profilers write, a part for each process: the file's name, a dot and the process's number. go tool pprof takes
// any number of parts at once. An empty name is a profile that nobody wants.
type Profiles struct {
	CPU   string
	Mutex string // who let go of what others waited for
	Block string // who waited
}

// A profileFile is one of them.
type profileFile struct {
	kind string
	file *string
}

func (p *Profiles) each() []profileFile {
	return []profileFile{{"cpu", &p.CPU}, {"mutex", &p.Mutex}, {"block", &p.Block}}
}

// fact says which there are.
func (p Profiles) fact() machine.KeyValue {
	var kinds []string
	for _, e := range p.each() {
		if *e.file != "" {
			kinds = append(kinds, e.kind)
		}
	}
	return machine.KeyValue{Key: profiledFact, Value: strings.Join(kinds, ",")}
}

// part are process n's.
func (p Profiles) part(n int) Profiles {
	for _, e := range p.each() {
		if *e.file != "" {
			*e.file += "." + strconv.Itoa(n)
		}
	}
	return p
}

// Commands look at the profiles of a run of that many processes of binary bin, as far as they were written. Only CPU profiles have labels.
func (p Profiles) Commands(bin string, processes int) (list []string) {
	for i, e := range p.each() {
		if *e.file == "" {
			continue
		}
		text := "go tool pprof "
		if e.kind == "cpu" {
			text += "-tagroot scheme,mix "
		}
		text += bin
		var parts string
		for n := range processes {
			part := p.part(n + 1)
			name := *part.each()[i].file
			if info, err := os.Stat(name); err == nil && info.Size() > 0 {
				parts += " " + name
			}
		}
		if parts != "" {
			list = append(list, text+parts)
		}
	}
	return list
}

// start begins what p names, and returns what ends it and writes it down. Every wait counts, not a share of them: the run is none to be compared anyway.
func (p Profiles) start() (stop func() error, err error) {
	cpu, err := p.startCPU()
	if err != nil {
		return nil, err
	}
	if p.Mutex != "" {
		runtime.SetMutexProfileFraction(1)
	}
	if p.Block != "" {
		runtime.SetBlockProfileRate(1)
	}
	return func() error {
		runtime.SetMutexProfileFraction(0)
		runtime.SetBlockProfileRate(0)
		return errors.Join(cpu(), writeProfile("mutex", p.Mutex), writeProfile("block", p.Block))
	}, nil
}

func (p Profiles) startCPU() (stop func() error, err error) {
	if p.CPU == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(p.CPU)
	if err != nil {
		return nil, fmt.Errorf("CPU profile: %w", err)
	}
	var buf bytes.Buffer // pprof does not tell that a disk is full
	if err := pprof.StartCPUProfile(&buf); err != nil {
		return nil, errors.Join(fmt.Errorf("CPU profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		_, err := f.Write(buf.Bytes())
		return errors.Join(err, f.Close())
	}, nil
}

func writeProfile(kind, path string) error {
	if path == "" {
		return nil
	}
	var buf bytes.Buffer // as in startCPU
	if err := errors.Join(pprof.Lookup(kind).WriteTo(&buf, 0), os.WriteFile(path, buf.Bytes(), 0o666)); err != nil {
		return fmt.Errorf("%s profile: %w", kind, err)
	}
	return nil
}

// labelled runs f, and all goroutines that it starts, under v's labels, if anybody asks: only CPU profiles have labels.
func (b *bench) labelled(v *variant, f func() error) (err error) {
	if !b.label {
		return f()
	}
	labels := pprof.Labels("scheme", v.Scheme, "lock", v.Lock, "dispatch", v.Dispatch, "roles", v.Roles, "mix", v.Workload.Mix,
		"workers", strconv.Itoa(v.Workload.Workers), "work", strconv.Itoa(v.Work))
	pprof.Do(context.Background(), labels, func(context.Context) { err = f() })
	return err
}
