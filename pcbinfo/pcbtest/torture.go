package pcbtest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"pcbbench/pcbinfo"
)

// Torture lets workers use the same listeners, four-tuples, ephemeral ports and inpcbs at once, beside a walker and the clock. Most
// answers then depend on the schedule. Checked is what does not:
//
//   - a connection that stays open takes every segment in order, and is in every walk once;
//   - a connection whose Abort has returned takes nothing more, however many were on their way to it;
//   - two handshake ACKs make one connection, and the second is not answered as a stranger's;
//   - no ephemeral port is given to two connects towards the same peer;
//   - every segment has one outcome, no inpcb leaks, and retired memory comes back.
//
// The error tells what each worker found broken first. A scheme that is tortured by more workers than it is for may also panic, or not return.
func Torture(sp pcbinfo.Spec, c Config) error {
	in, _, err := c.open(sp)
	if err != nil {
		return err
	}
	a := &arena{in: in}
	if err := a.open(c); err != nil {
		return fmt.Errorf("%v: seed %d: %w", sp, c.Seed, err)
	}
	var walker error
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		walker = a.walk()
	}()
	err = parallel(len(a.workers), func(i int) error {
		w := a.workers[i]
		for step := range c.Steps {
			if err := w.step(); err != nil {
				return fmt.Errorf("worker %d, step %d: %w", i, step, err)
			}
		}
		return nil
	})
	a.over.Store(true)
	<-stopped
	if err = errors.Join(err, walker, a.check()); err != nil {
		return fmt.Errorf("%v: seed %d: %w", sp, c.Seed, err)
	}
	return nil
}

// An arena is where a Torture takes place.
type arena struct {
	in      pcbinfo.Info
	workers []*worker
	hub     peer                                   // a connection that all workers use and none ends
	asked   atomic.Int64                           // bytes that our users sent on it
	over    atomic.Bool                            // the workers are done
	owners  [lastPort - firstPort + 1]atomic.Int32 // of the ephemeral ports towards one peer: 1 + the worker that has it
}

// open makes the listener that stays, the workers, and the connections that stay open.
func (a *arena) open(c Config) error {
	if err := a.in.CPU(0).Listen(&pcbinfo.ConnInfo{Lport: sharedPort}); err != nil {
		return err
	}
	for i := range c.Table.CPUs {
		w := newWorker(a, i, c.Seed)
		a.workers = append(a.workers, w)
		if err := w.stays.open(w); err != nil {
			return err
		}
	}
	n := newNames(everybody)
	a.hub.irs = peerIRS
	a.hub.inc = pcbinfo.ConnInfo{Laddr: n.local[0], Faddr: n.foreign[0], Fport: stayPort + 4, Lport: sharedPort}
	return a.hub.open(a.workers[0])
}

// walk walks until the workers are done: each walk must meet every connection that stays open, and none twice.
func (a *arena) walk() error {
	for last := false; !last; {
		last = a.over.Load()
		if n := a.in.Len(); n < 1+len(a.workers) {
			return fmt.Errorf("the table's count is %d, below what is open throughout", n)
		}
		table, err := walk(a.in)
		if err != nil {
			return err
		}
		for i, w := range a.workers {
			if x, here := table[w.stays.inc]; !here || x.State != pcbinfo.Established {
				return fmt.Errorf("walk: worker %d's open connection %v: in the table %v, state %v", i, w.stays.inc, here, x.State)
			}
		}
	}
	return nil
}

// check is called at rest and ends the table.
func (a *arena) check() (err error) {
	table, err := walk(a.in)
	if n := a.in.Len(); n != len(table) {
		err = errors.Join(err, fmt.Errorf("the table's count is %d, a walk meets %d", n, len(table)))
	}
	var sent uint64
	for i, w := range a.workers {
		sent += w.sent
		if x := table[w.stays.inc]; x.Rcvd != w.stays.bytes || x.Sent != uint64(w.asked.Load()) {
			err = errors.Join(err, fmt.Errorf("worker %d's open connection: %d bytes delivered of %d, %d sent of %d",
				i, x.Rcvd, w.stays.bytes, x.Sent, w.asked.Load()))
		}
	}
	if x := table[a.hub.inc]; x.Rcvd != 0 || x.Sent != uint64(a.asked.Load()) {
		err = errors.Join(err, fmt.Errorf("the shared connection: %d bytes delivered of 0, %d sent of %d", x.Rcvd, x.Sent, a.asked.Load()))
	}
	if s := a.in.Stats(); s.Segments() != sent {
		err = errors.Join(err, fmt.Errorf("%d segments sent, %d have an outcome", sent, s.Segments()))
	}
	z := a.in.Zone()
	err = errors.Join(err, a.in.Close())
	if end := a.in.Zone(); end.Retired != 0 || end.Reclaimed < z.Reclaimed+uint64(z.Retired) {
		err = errors.Join(err, fmt.Errorf("of %d retired inpcbs %d are still waiting after Close, %d came back", z.Retired, end.Retired, end.Reclaimed-z.Reclaimed))
	}
	return err
}
