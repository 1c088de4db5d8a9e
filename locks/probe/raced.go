//go:build race

package probe

// Raced says that the race detector watches, which makes everything ten times as slow: tests that repeat themselves do so less often.
const Raced = true
