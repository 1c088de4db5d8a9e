// Package harness is the experiment: it runs every variant under the same workload and writes what it measured as Go benchmark
// text.
//
// A Sample is one variant, measured once: a fresh table and workload, warm until every worker is warm, a fixed time with all of
// them at work, then on to the end of a lap and a check to the last segment. A round is a sample of every
// variant, in random order, so that drift of the machine meets all alike. A process is a few rounds; there are several,
// since a process's memory layout biases all its figures (Run). What the machine did meanwhile is written beside each
// sample: the cache-line ping-pong before and after, the time threads waited for a CPU, steal.
//
// The file begins with the machine's facts as configuration lines, which every result inherits, and the run's (date, commit,
// load …), which are unset again before the first result: benchstat puts only results of equal configuration side by side, and
// two runs are there to be compared.
package harness
