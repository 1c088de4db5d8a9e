//go:build (witness || profile) && (amd64 || arm64)

package witness

// goroutine identifies the caller's among those that run: it is the runtime's pointer to it, which tracebacks print as gp. A later
// goroutine may have the same.
func goroutine() uintptr
