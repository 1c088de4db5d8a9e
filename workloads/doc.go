// Package workloads is what happens to a connection table: one generator for all schemes.
//
// A Mix writes the script of each connection from its peer's point of view: which segments come in, what our users ask
// for in between, and what must become of each segment. The builder lays all scripts over one lap of time, steers every
// piece to a worker as receive-side scaling would (or sprays them), and cuts the workers' shares into batches: a Ring a worker,
// made before the clock starts, deterministic from the seed. A Driver replays its Ring lap after lap. What makes
// that possible is that sequence numbers advance by the same step on every lap, and that the stack's own initial numbers
// follow from the peer's (pcbinfo.ISN).
//
// Since every lap must have the same effect, a run can be checked to the last segment: each kind of outcome must have
// happened exactly laps × planned times, and each connection must be where its script says (Workload.Check).
package workloads
