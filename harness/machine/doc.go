// Package machine says what the machine is and measures on it without fooling
// itself.
//
//   - topology.go, order.go, cgroup.go, affinity.go: which CPUs there are, which
//     of them this process may use, and in which order workers are put on them.
//   - machine.go: the facts that go into a results file, and the folder it
//     belongs to.
//   - clock.go: time stamps cheap enough to take around a batch.
//   - pingpong.go, noise.go: what surrounds a sample. A guest cannot see where
//     its host runs its CPUs, nor a process who else runs on them, yet both
//     change contended figures several-fold: so the distance of two CPUs is
//     measured before and after each sample, and the scheduler's own accounts
//     are read.
//
// Only [Clock.Now] belongs inside a timed loop. Linux answers everything; other
// systems compile, and answer "unknown" where they have no answer.
package machine
