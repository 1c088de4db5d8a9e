//go:build mutants

package mutants

import "slices"

// controls are what the code as it is is tortured with, in turn.
var controls = []string{"scheme global/", "scheme refcount/", "scheme connp/", "scheme connp:groups=1/", "scheme smr/", "scheme smr:smr=epoch/",
	"scheme smr:smr=qsbr/", "scheme smr:smr=hazard/", "scheme smr:smr=refcount/", "scheme smr:smr=gc/", "scheme smr:lost=retry/",
	"dispatch direct/", "dispatch deferred/", "dispatch netisr2/", "dispatch hybrid/", "dispatch feedback/", "dispatch connp-t/", "dispatch squeue/"}

// List is every mutant.
var List = slices.Concat(schemeMutants, reclaimMutants, objectMutants, lockMutants, tableMutants, tcpMutants, dispatchMutants, harnessMutants)
