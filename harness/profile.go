package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"

	"pcbbench"
	"pcbbench/harness/machine"
	"pcbbench/harness/proof"
	"pcbbench/locks/witness"
)

// ProfileOptions are those of a run that says where the time goes.
type ProfileOptions struct {
	Experiments []Experiment // as ValidateProfile wants them
	Rounds      int          // samples of each
	Timing      Timing
	Seed        uint64
	Dir         string                            // results folder; the file goes into <Dir>/<Folder>/
	Folder      string                            // "profile" if empty
	Sort        string                            // a column's name; "": wait_total
	Top         int                               // sites that the tables show; 0: all
	Notes       string                            // lines for the file, as comments
	Summary     func([]*Profiled) (string, error) // lines for its end; nil: none
	Stderr      io.Writer
}

// ValidateProfile says why experiments cannot be profiled.
func ValidateProfile(es []Experiment) error {
	if !witness.Profiling {
		return errors.New("profile needs a build with the tag profile: make profile, or go build -tags profile")
	}
	for _, e := range es {
		if e.Load > 0 {
			return fmt.Errorf("load=%v: a profile does not measure the closed loop's maximum: give a rate", e.Load)
		}
	}
	return Validate(es)
}

// A Profiled is what was recorded of an experiment, over its samples.
type Profiled struct {
	Name    string // the experiment's
	Samples []LockProfile
}

// A LockProfile is what was recorded in the measured time of one sample. Times are in nanoseconds.
type LockProfile struct {
	Sites     []witness.Site
	Segs      uint64
	Disturbed string // why, or ""
}

// Profile records o.Experiments, which are valid, and returns the file with the results and what they are of. Times are those of an instrumented build: what
// an acquisition costs more is measured first and stands in the file. Counts, and which acquisitions were not satisfied at once, are exact.
func Profile(ctx context.Context, o ProfileOptions) (path string, list []*Profiled, err error) {
	variants, most, err := resolveAll(o.Experiments)
	if err != nil {
		return "", nil, err
	}
	b, err := newBench(most)
	if err != nil {
		return "", nil, err
	}
	cost := b.profileCost()
	facts := machine.Gather()
	run := append(facts.Run(), machine.KeyValue{Key: "seed", Value: fmt.Sprint(o.Seed)}, machine.KeyValue{Key: "code", Value: pcbbench.Code()},
		machine.KeyValue{Key: "torture", Value: proof.Of(o.Dir, subjects(o.Experiments))},
		machine.KeyValue{Key: "profile-ns-lock", Value: fmt.Sprintf("%.0f", cost.Lock)}, machine.KeyValue{Key: "profile-ns-held", Value: fmt.Sprintf("%.0f", cost.Held)})
	f, err := create(filepath.Join(o.Dir, cmp.Or(o.Folder, profileFolder)), run)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := &wholeLines{f: f}
	if err := writeHeader(out, append(facts.Stable(), machine.KeyValue{Key: profiledFact, Value: "locks"}), run); err != nil {
		return f.Name(), nil, err
	}
	for _, u := range profileUnits {
		if _, err := io.WriteString(out, u.metadata()); err != nil {
			return f.Name(), nil, err
		}
	}
	if err := comment(out, o.Notes+cost.String()); err != nil {
		return f.Name(), nil, err
	}
	list, err = b.profiles(ctx, variants, o, out)
	if err != nil {
		return f.Name(), list, err
	}
	if o.Summary != nil {
		text, err := o.Summary(list)
		if err := errors.Join(err, comment(out, text)); err != nil {
			return f.Name(), list, err
		}
	}
	return f.Name(), list, out.end(nil)
}

// comment writes the lines of text as comments.
func comment(out io.Writer, text string) error {
	for line := range strings.Lines(text) {
		if _, err := fmt.Fprintln(out, strings.TrimRight("# "+line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// profiles records and writes each variant's lines and tables.
func (b *bench) profiles(ctx context.Context, variants []*variant, o ProfileOptions, out io.Writer) (list []*Profiled, err error) {
	told := newProgress(o.Stderr)
	defer told.finishLine()
	for i, v := range variants {
		p := &Profiled{Name: v.name()}
		told.say("%d of %d: %s", i+1, len(variants), p.Name)
		for round := range o.Rounds {
			if ctx.Err() != nil {
				return list, ErrInterrupted
			}
			lp, err := b.profile(v, o.Seed+uint64(round), o.Timing)
			if err != nil {
				return list, fmt.Errorf("%s: %w", p.Name, err)
			}
			if err := lp.write(out, p.Name); err != nil {
				return list, err
			}
			p.Samples = append(p.Samples, lp)
		}
		var table strings.Builder
		if err := p.Write(&table, o.Sort, o.Top); err != nil {
			return list, err
		}
		if err := comment(out, table.String()); err != nil {
			return list, err
		}
		list = append(list, p)
	}
	return list, nil
}

// profile takes a sample.
func (b *bench) profile(v *variant, seed uint64, tm Timing) (lp LockProfile, err error) {
	defer witness.Reset() // or the locks of all tables so far would be kept
	var s *Sample
	if err = patiently(tm.Measure, errStarved, func(d time.Duration) (err error) {
		witness.Reset()
		s, err = b.sample(v, seed, Timing{tm.Warm, d})
		return err
	}); err != nil {
		return lp, err
	}
	lp = b.recorded(s.Segs)
	lp.Disturbed = s.Disturbed
	return lp, nil
}

// recorded is what the witness has.
func (b *bench) recorded(segs uint64) LockProfile {
	lp := LockProfile{Sites: witness.Profile(), Segs: segs}
	for i := range lp.Sites {
		t := &lp.Sites[i].Times
		for _, d := range []*int64{&t.Held, &t.MaxHeld, &t.Wait, &t.MaxWait} {
			*d = int64(b.clock.NS(*d))
		}
	}
	return lp
}

// A Class is the sum of all sites where locks of one class are taken. Count is of acquisitions: what an upgrade or a downgrade began belongs to the
// acquisition before it.
type Class struct {
	Name string
	witness.Times
}

// Contended is the share of acquisitions that were not satisfied at once, as Willmann, Rixner and Cox define it.
func (c *Class) Contended() float64 { return float64(c.Waited) / float64(max(1, c.Count)) }

// sections is the class of SMR sections, which nobody waits to enter.
const sections = "SMR section"

// Classes sums sites up, in alphabetical order.
func Classes(sites []witness.Site) (list []Class) {
	for _, s := range sites {
		name := cmp.Or(s.Class, sections)
		i, ok := slices.BinarySearchFunc(list, name, func(c Class, name string) int { return strings.Compare(c.Name, name) })
		if !ok {
			list = slices.Insert(list, i, Class{Name: name})
		}
		if s.Act == witness.Upgraded || s.Act == witness.Downgraded {
			s.Count = 0
		}
		list[i].Add(s.Times)
	}
	return list
}

// profileUnits are the metrics of a class in one sample.
var profileUnits = []unit{
	{"contended", "lower", "", "share of acquisitions that were not satisfied at once"},
	{"acquired/seg", "lower", "", "acquisitions a segment"},
	{"wait-ns/seg", "lower", "", "time waited for locks of the class, a segment"},
	{"hold-ns/seg", "lower", "", "time held, a segment"},
	{"wait-ns", "lower", "", "time waited, an acquisition"},
	{"hold-ns", "lower", "", "time held, an acquisition"},
	{"max-wait-ns", "lower", "", "the longest wait"},
	{"max-hold-ns", "lower", "", "the longest hold"},
}

// write puts a line for each class.
func (lp *LockProfile) write(w io.Writer, experiment string) error {
	s := &Sample{Disturbed: lp.Disturbed}
	if _, err := io.WriteString(w, s.told("")); err != nil {
		return err
	}
	for _, c := range Classes(lp.Sites) {
		locks, segs := float64(max(1, c.Count)), float64(lp.Segs)
		var values []benchfmt.Value
		for i, v := range []float64{c.Contended(), float64(c.Count) / segs, float64(c.Wait) / segs, float64(c.Held) / segs,
			float64(c.Wait) / locks, float64(c.Held) / locks, float64(c.MaxWait), float64(c.MaxHeld)} {
			values = append(values, benchfmt.Value{Value: v, Unit: profileUnits[i].name})
		}
		s.mark(func(unit string, v float64) { values = append(values, benchfmt.Value{Value: v, Unit: unit}) })
		name := "Profile/" + strings.TrimPrefix(experiment, "Input/") + "/class=" + strings.Map(inName, c.Name)
		if _, err := io.WriteString(w, resultLine(name, max(1, c.Count), values)); err != nil {
			return err
		}
	}
	return nil
}
