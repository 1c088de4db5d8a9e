//go:build mutants

package mutants

import "slices"

// controls are what the code as it is is tortured with, in turn.
var controls = []string{
	"scheme global/", "scheme refcount/", "scheme rwlock/", "scheme hashlock/", "scheme hashlock:lost=none/", "scheme threelock/",
	"scheme threelock:lost=none/", "scheme connp/", "scheme connp:groups=1/", "scheme smr/", "scheme smr:smr=epoch/", "scheme smr:smr=gc/",
	"scheme smr:lost=retry/", "scheme pcbgroup/", "scheme pcbgroup:groups=2/", "scheme epoch/", "scheme epoch:lost=none/", "scheme bucket/",
	"scheme bucket:chain=nulls/", "scheme shardmap/", "scheme syncmap/", "scheme xsync/", "scheme gvisor/", "scheme smr:smr=qsbr/",
	"scheme smr:smr=hazard/", "scheme smr:smr=refcount/", "dispatch direct/", "dispatch deferred/", "dispatch netisr2/", "dispatch hybrid/",
	"dispatch feedback/", "dispatch connp-t/", "dispatch squeue/",
}

// List is every mutant.
var List = slices.Concat(schemeMutants, reclaimMutants, lockMutants, shelfExclusiveMutants, queueMutants, sharedMutants, freebsdMutants, groupMutants, bucketMutants, mapMutants, lockbenchMutants, objectMutants, tableMutants, tcpMutants, dispatchMutants, harnessMutants)
