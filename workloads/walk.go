package workloads

// walk.go: churn with somebody who keeps listing all connections.
// Source: the pcblist sysctl behind netstat and sockstat (tcp_subr.c), and its price for input.
// Idea: one walker beside the workers, at work all the time. Any other mix takes walkers as well, by Params.Walkers.
// What a lap is: churn's.

var walk = Mix{Name: "walk", Conns: 1024, Payload: 512, Walkers: 1, write: writeChurn, tuples: churnTuples,
	Doc:    "churn, with a pcblist walker beside the workers",
	Source: "FreeBSD tcp_pcblist (tcp_subr.c)"}
