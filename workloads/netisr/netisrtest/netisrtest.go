// Package netisrtest tortures dispatch models: input contexts send numbered packets of several protocols into handlers that take notes, users make
// requests of a table that does, and the notes are held against what was sent and what the model promises.
package netisrtest

import (
	"strings"
	"time"

	"pcbbench/locks/oracle"
	"pcbbench/workloads/netisr"
)

// Config sets the size of a torture.
type Config struct {
	Contexts int              // input contexts; ≥ 1
	CPUs     int              // as many workstreams as the model has on so many; ≥ 1
	Segments int              // packets that each context sends, beside those that are inside of others
	Flows    int              // that they belong to, ≥ 1; flows have packets from all contexts
	QLimit   int              // of protocols that set none; 0: the default
	Poll     bool             // contexts poll the workers; else these sleep in Serve
	Clock    bool             // a clock that all share tells what came before what: more is seen, and less of what unsynchronized memory does
	Seed     uint64           // of all choices but the scheduler's
	Beat     func(worker int) // if not nil, called once a batch
	Patience time.Duration    // for packets to be handled, see crew.Crew; 0 means its default
}

// A promise is what a model says of where and in which order packets are handled. Whatever it says, every accepted packet is handled, once and
// as it was; no handle gets two batches at a time; packets of one protocol that meet on one workstream's handle are handled in the order in which they were
// accepted; and those of one protocol and context are handled in the order in which they were dispatched, if they are of one flow (policy flow, cpu) or whatever
// their flows (policy source).
type promise struct {
	inPlace bool // Dispatch handles on the context's own handle and in its goroutine, before it returns; there is no order between these and what is queued
	either  bool // Dispatch may do so, where that keeps the order; and flows may go from one workstream to another
	deep    bool // what handlers dispatch is handled in place; there is no order between these and what they queue
	inline  bool // a context may handle packets on a workstream's handle, as its worker would
	visits  bool // whatever its CPU
	owns    bool // what users ask for is done on workstreams' handles, before packets that are dispatched later
	one     bool // all that is queued goes to one workstream
	own     bool // what may go to any goes to that of the CPU on which it came in; else where its source does
}

// promises are said here again so that the torture does not believe what the code under torture says of itself.
var promises = map[string]promise{
	"direct":   {inPlace: true, deep: true},
	"deferred": {one: true},
	"netisr2":  {},
	"hybrid":   {inline: true, own: true},
	"feedback": {either: true, deep: true},
	"connp-t":  {owns: true},
	"squeue":   {inline: true, visits: true, owns: true},
}

// promised is what m promises. One that promises nothing cannot be tortured.
func promised(name string) promise {
	p, known := promises[name]
	if !known {
		panic("netisrtest: model " + name + " is not in the list of promises")
	}
	return p
}

// A phase is a part of the torture, on a model that is set to work for it.
type phase struct {
	name string
	run  func(*rig) error
}

var phases = []phase{{"one at a time", (*rig).still}, {"stop while full", (*rig).full}, {"all at once", (*rig).live}}

// Torture holds a model to its promises, and returns the first found broken.
func Torture(sp netisr.Spec, c Config) error {
	for _, ph := range phases {
		if err := ph.torture(sp, promised(sp.Name), c); err != nil {
			return err
		}
	}
	return nil
}

func (ph *phase) torture(sp netisr.Spec, p promise, c Config) error {
	err := oracle.Guard(func() error { return ph.run(newRig(sp, p, c, ph.name)) })
	if err != nil {
		err = oracle.Violated(oracle.Of(err), "dispatch %v, %s, seed %d: %w", sp, ph.name, c.Seed, err)
	}
	return err
}

// option is what a Spec says of key; "" if nothing.
func option(sp netisr.Spec, key string) (value string) {
	for opt := range strings.SplitSeq(sp.String(), ":") {
		if k, v, ok := strings.Cut(opt, "="); ok && k == key {
			value = v
		}
	}
	return value
}
