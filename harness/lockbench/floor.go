package lockbench

import "pcbbench/locks"

// floorLock is no lock at all, for any number of workers: what every other one is compared with.
func floorLock() locks.Lock { return noLock{} }

type noLock struct{}

func (noLock) Lock(*locks.Node)         {}
func (noLock) TryLock(*locks.Node) bool { return true }
func (noLock) Unlock(*locks.Node)       {}
