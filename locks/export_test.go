package locks

// SetBrSlots sets how many slots of a brlock are used, of locks that nobody has yet, and returns how many were.
func SetBrSlots(n uint32) uint32 {
	old := brSlots
	brSlots = n
	return old
}
