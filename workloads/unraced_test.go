//go:build !race

package workloads

const raced = false
