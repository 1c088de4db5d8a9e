// Package netisr holds the models of how a segment reaches a CPU, after FreeBSD's netisr(9): one model a file.
package netisr

import (
	"fmt"
	"strings"

	"pcbbench/pcbinfo"
)

// A Handler processes a batch in order (nh_handler): the table's Input on one CPU.
type Handler func(segs []*pcbinfo.Segment)

// A Dispatcher takes the batches that one input context received. It is used by one goroutine.
type Dispatcher interface {
	// Dispatch sees to it that segs are processed, in order; whether before it returns is the model's choice.
	Dispatch(segs []*pcbinfo.Segment)
}

// A Model is one way to dispatch.
type Model struct {
	Name, Doc, Source string
	// New makes the dispatchers of all input contexts; handlers[i] processes on CPU i.
	New func(handlers []Handler) []Dispatcher
}

// Models are all of them, in reading order.
var Models = []Model{
	{Name: "direct", New: newDirect,
		Doc:    "processed to completion in the context that received it",
		Source: "FreeBSD net.isr.direct, NETISR_DISPATCH_DIRECT"},
}

// Find returns the model of that name; the error lists the known ones.
func Find(name string) (Model, error) {
	var known []string
	for _, m := range Models {
		if m.Name == name {
			return m, nil
		}
		known = append(known, m.Name)
	}
	return Model{}, fmt.Errorf("unknown dispatch model %q; known: %s", name, strings.Join(known, ", "))
}
