package workloads

import (
	"fmt"
	"testing"
)

// BenchmarkBuild is what a sample pays before it starts.
func BenchmarkBuild(b *testing.B) {
	for _, conns := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("mix=rpc/conns=%d", conns), func(b *testing.B) {
			for b.Loop() {
				if _, err := Build(Params{Mix: "rpc", Conns: conns, Workers: 2, Seed: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
