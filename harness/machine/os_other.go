//go:build !linux

package machine

import (
	"errors"
	"runtime"
)

// getAffinity: without affinity masks a process may use every CPU.
func getAffinity() ([]int, error) {
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return cpus, nil
}

// Yield lets other goroutines run first: threads have no CPU of their own here.
func Yield() { runtime.Gosched() }

func setAffinity([]int) error { return errors.ErrUnsupported }

func readUsage() usage { return usage{} }

func threadID() int { return 0 }
