//go:build !profile

package witness

// Profiling reports whether this build keeps a profile of its locks.
const Profiling = false

// Busy says that the caller has found l taken, and gives up or is about to wait.
func Busy(l any) {}

// StartProfile records from now on. It does nothing in this flavour.
func StartProfile(now func() int64) {}

// StopProfile ends what StartProfile began. It does nothing in this flavour.
func StopProfile() {}

// Profile returns what was recorded: nil in this flavour.
func Profile() []Site { return nil }
