//go:build torture

package probe

// Draws seeds the shards and returns the first number that each draws.
func Draws(s int64) (d [shards]uint64) {
	Seed(s)
	for i := range all {
		d[i] = all[i].draw()
	}
	return d
}
