// Package file reads results files whole and strictly: what is not a complete, well-formed result is an error with its file and line, never left out.
package file

import "golang.org/x/perf/benchfmt"

// A File is a results file as it was read.
type File struct {
	Path    string
	Runs    []*Run
	Results []*Result
	Units   benchfmt.UnitMetadataMap
}

// A Run is what a file says of one run: a file of several, one after another, has several.
type Run struct {
	Line  int               // its first
	Facts map[string]string // of the machine and of the run, those too that the header unsets again
	Ended bool              // it says how many results it has; or it is older than that, or not pcbbench's
}

// A Result is one sample.
type Result struct {
	*benchfmt.Result      // a copy of its own; results share Name and Config, which must not be changed
	Line             int  // where it stands
	Run              *Run // whose it is
	Disturbed        bool // marked so: kept in the file, left out of verdicts
}

// ToolchainKey is the configuration key that says which arm of a comparison the results after it are of. It is no fact of a run.
const ToolchainKey = "toolchain"

// Toolchain is the arm of a comparison that r is of; "" in files that are no comparison.
func (r *Result) Toolchain() string {
	for _, kv := range r.Config {
		if kv.Key == ToolchainKey {
			return string(kv.Value)
		}
	}
	return ""
}
