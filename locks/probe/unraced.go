//go:build !race

package probe

// Raced says that the race detector does not watch.
const Raced = false
