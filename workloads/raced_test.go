//go:build race

package workloads

// raced says that the race detector watches.
const raced = true
