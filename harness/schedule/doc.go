// Package schedule runs small configurations of the locks, reclamations, tables and dispatch models under schedules that it chooses, and says which
// schedule breaks a promise. It needs a build with the tag sim (package locks/probe).
//
// A Subject is two to four workers with a few operations each on a fresh lock, table or model. A simulation runs them one at a time; at each
// point where shared memory is touched a strategy says who goes on:
//
//   - exhaustive: every schedule with at most two preemptions, fewest first (Musuvathi and Qadeer, "Iterative Context Bounding", PLDI 2007).
//     A switch where the worker waits, pauses or ends is no preemption. When it is exhausted, that is a proof within its bound.
//   - pct: priorities, lowered at two random points, which finds any fault of depth 3 with a probability of at least 1/(n·k²) for n
//     workers and k points (Burckhardt et al., ASPLOS 2010).
//   - random: a random walk, which stays with a worker more or less long.
//
// A schedule is written as its switches away from what would happen anyway: a worker goes on as long as it can, then the next in
// turn. The failing one is reduced to the switches that it needs, and replays to the same failure.
package schedule
