//go:build profile && !amd64

package witness

import "runtime"

// frames fills at with the return addresses of the caller's caller and so on, by the runtime's own walk, which is dearer.
func frames(at *stack) { runtime.Callers(3, at[:]) }
