package workloadtest

import (
	"runtime"

	"pcbbench/locks/crew"
	"pcbbench/locks/oracle"
	"pcbbench/workloads"
)

// threads are what replays tr to the end of times laps, as its roles say: a goroutine for each part. Only what gets on beats.
type threads struct {
	crew  crew.Crew
	tr    *workloads.Traffic
	times uint64
	beat  func(int)
}

func (t *threads) run() error {
	tr := t.tr
	for i, d := range tr.Drivers {
		t.start(func() { t.input(i, d) })
		if tr.Roles.Users {
			t.start(func() { t.users(i, d) })
		}
	}
	if tr.Roles.Netisr {
		for _, w := range tr.Isr.Workers() {
			t.start(w.Serve)
		}
	}
	if tr.Roles.Users {
		t.start(tr.Timer)
	}
	return t.crew.Join()
}

// start runs one of them. When one fails, none sleeps any more.
func (t *threads) start(f func()) {
	t.crew.Go(func() error {
		err := oracle.Guard(func() error { f(); return nil })
		if err != nil {
			t.tr.Stop()
		}
		return err
	})
}

// input sends d's batches, and does what nobody else does.
func (t *threads) input(i int, d *workloads.Driver) {
	users := t.tr.Roles.Users
	for (d.Before(t.times) || !users && !d.Rest()) && !t.crew.Failed() {
		did := false
		if d.Before(t.times) && d.Ready() {
			did = d.Send(0) > 0 // a full queue is emptied by others
		}
		if t.tr.Poll(i) > 0 {
			did = true
		}
		if !users {
			_, _, ok := d.Serve()
			did = did || ok
		}
		switch {
		case did:
			t.beat(i)
		case d.Before(t.times):
			d.Await()
		default:
			runtime.Gosched()
		}
	}
	if d.Finish(); !users {
		t.tr.End()
	}
	for !t.tr.Over() && !t.crew.Failed() {
		if t.tr.Poll(i) == 0 {
			runtime.Gosched()
		}
	}
	t.tr.Poll(i) // requests that nobody waited for
	d.Idle()
}

// users make the requests of d's batches.
func (t *threads) users(i int, d *workloads.Driver) {
	for !d.Finished() && !t.crew.Failed() {
		if _, _, ok := d.Serve(); ok {
			t.beat(i)
		} else {
			d.AwaitHandled()
		}
	}
	d.IdleUsers()
	t.tr.End()
}
