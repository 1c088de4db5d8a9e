// Package mutants measures what the torture is worth: it plants bugs from one list into copies of the source, one at a time, builds the
// command from each, and counts how often, how soon and by which oracle the torture sees it. Beside it stands what the race detector and
// the conformance check see alone. The planted code exists in no other binary: the list is behind the build tag mutants, and each
// entry is text that go build lays over its file.
package mutants

// A Mutant is one bug. Old stands once in File and is replaced by New.
type Mutant struct {
	Name     string
	File     string // of the module
	What     string // the fault, in a line
	Subject  string // what to torture, as torture -only takes it
	Kind     Kind
	Old, New string
	// Equal says why nobody can see a difference. Such a mutant is run like others and not counted.
	Equal string
}

// A Kind is what sort of promise a mutant breaks.
type Kind string

const (
	Safety  Kind = "safety"  // something wrong is done or said
	Live    Kind = "live"    // something is never done: seen when nothing gets on for as long as the watchdog allows
	Account Kind = "account" // a figure is wrong
)
