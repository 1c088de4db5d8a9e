package verdict

import (
	"cmp"
	"slices"
)

// Holm corrects for the number of comparisons (Scandinavian Journal of Statistics 6, 1979): that any of those that do not differ comes out below alpha has a probability of at most
// alpha, however they depend on each other. The adjusted values stand in p's order.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	adjusted := make([]float64, len(p))
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, float64(len(p)-k)*p[i]))
		adjusted[i] = least
	}
	return adjusted
}

// Spend is what each of several looks at growing data may take of alpha, each twice as much as the one before: who stops at the first look that shows a
// difference at its share errs with a probability of at most alpha in all, by Bonferroni's inequality.
func Spend(alpha float64, looks int) []float64 {
	shares := make([]float64, looks)
	whole := float64(uint64(1)<<looks - 1)
	for i := range shares {
		shares[i] = alpha * float64(uint64(1)<<i) / whole
	}
	return shares
}
