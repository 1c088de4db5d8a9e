package locktest

import "pcbbench/locks"

// A promise is what the doc comments of package locks say of a kind. It is said here again so that the torture does not believe
// what the code under torture says of itself.
type promise struct {
	shared     bool // several readers are inside at a time, and a writer that waits keeps new ones out
	fifo       bool // first come, first served
	barges     bool // a try takes it even past a waiter, if nobody holds it
	upgrades   bool // TryUpgrade of the only reader succeeds
	overtakes  bool // and past a writer that waits
	downgrades bool // Downgrade lets readers in
	optimistic bool // readers may do without it, see locks.Optimist
	workers    int  // how many it excludes at most; 0 is any number
	clean      bool // nothing is left in its memory while nobody holds it or waits
}

// fifo is the Fairness of kinds that promise it.
const fifo = "first come, first served"

var promises = map[string]promise{
	"mutex":         {upgrades: true},
	"rwmutex":       {shared: true},
	"mtx":           {barges: true, upgrades: true, clean: true},
	"ttas":          {upgrades: true, clean: true},
	"ticket":        {upgrades: true, fifo: true},
	"mcs":           {upgrades: true, fifo: true, clean: true},
	"reciprocating": {upgrades: true, clean: true},
	"malthusian":    {upgrades: true, clean: true},
	"cna":           {upgrades: true, clean: true},
	"combiner":      {upgrades: true},
	"phasefair":     {shared: true, upgrades: true, downgrades: true},
	"bravo":         {shared: true, upgrades: true, downgrades: true},
	"brlock":        {shared: true, upgrades: true, downgrades: true, clean: true},
	"seqlock":       {upgrades: true, optimistic: true},
	"rw":            {shared: true, barges: true, upgrades: true, overtakes: true, downgrades: true, clean: true},
	"null":          {upgrades: true, clean: true, workers: 1},
	"tas":           {upgrades: true, clean: true},
	"partitioned":   {upgrades: true, fifo: true},
	"twa":           {upgrades: true, fifo: true},
	"clh":           {upgrades: true, fifo: true},
	"hemlock":       {upgrades: true, fifo: true, clean: true},
}

// promised is what a kind promises. One that is not in the list yet is held to what package locks asks of every lock, and to what the kind says of itself.
func promised(k *locks.Kind) promise {
	if p, ok := promises[k.Name]; ok {
		return p
	}
	return promise{shared: k.Shared, fifo: k.Fairness == fifo, upgrades: true, downgrades: k.Shared, workers: k.Workers}
}
