package workloads

import (
	"fmt"
	"strings"

	"pcbbench/workloads/netisr"
)

// Roles say which of a host's parts have threads of their own. Every CPU has one thread that takes in what its receive queue gets; it does
// everything else as well, unless others do. Threads of one CPU take turns on it, which is what a context switch costs.
type Roles struct {
	Name, Doc string
	Netisr    bool // the workers of workstreams
	Users     bool // the users, who answer when a batch has been handled, and the timer
}

// RoleSets are all of them, in reading order.
var RoleSets = []Roles{
	{Name: "all", Doc: "one thread a CPU: input, netisr, users and, on the first, the timer take turns in it; nobody sleeps"},
	{Name: "netisr", Netisr: true, Doc: "threads of their own for netisr's workers, which sleep when nothing is queued"},
	{Name: "user", Users: true, Doc: "threads of their own for users and timer, which sleep until something was handled"},
	{Name: "split", Netisr: true, Users: true, Doc: "threads of their own for input, netisr's workers, users and timer, all on the same CPUs"},
}

// FindRoles returns the one of that name; the error lists the known ones.
func FindRoles(name string) (Roles, error) {
	var known []string
	for _, r := range RoleSets {
		if r.Name == name {
			return r, nil
		}
		known = append(known, r.Name)
	}
	return Roles{}, fmt.Errorf("unknown roles %q; known: %s", name, strings.Join(known, ", "))
}

// handles are the CPUs of the table that each thread uses.
type handles struct {
	contexts, streams, users []int // users: the timer's last
	n                        int
}

// assign gives a table's CPUs to the threads of workers CPUs under model. Those that are one thread share one.
func (r Roles) assign(workers int, model netisr.Spec) (h handles) {
	take := func(n int) (list []int) {
		for range n {
			list = append(list, h.n)
			h.n++
		}
		return list
	}
	h.contexts = take(workers)
	if r.Netisr {
		h.streams = take(model.Streams(workers))
	} else {
		for i := range model.Streams(workers) { // the contexts' threads do their work; beyond their number each has one nevertheless
			if i < workers {
				h.streams = append(h.streams, h.contexts[i])
			} else {
				h.streams = append(h.streams, take(1)...)
			}
		}
	}
	if r.Users {
		h.users = take(workers + 1)
	} else {
		h.users = append(h.users, h.contexts...)
		h.users = append(h.users, h.contexts[0])
	}
	return h
}
