//go:build profile

package witness

// frames fills at with the return addresses of the caller's caller and so on.
//
//go:noescape
func frames(at *stack)
