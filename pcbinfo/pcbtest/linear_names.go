package pcbtest

import (
	"math/rand/v2"

	"pcbbench/pcbinfo"
)

// A linPlace is a partition: names whose answers depend on no name outside it, so that a history is linearizable if and only if each
// place's share of it is (Herlihy and Wing's locality). A user's request depends on the name that it names: a four-tuple or a
// listener's end. A segment's lookup depends on its four-tuple and on the listeners of its port that fit the local address. So all names of
// one port and local address are a place, and on ports where nobody listens each four-tuple is one.
//
// A Connect that chooses the port asks several places, at instants of their own in connp, which promises no single one. If it succeeds it is an
// insertion at the place that it got, whatever it saw elsewhere. If not, every place must have been taken at some instant of it, which is
// a lookup at each.
type linPlace struct {
	tuples    []pcbinfo.ConnInfo
	listeners []pcbinfo.ConnInfo
	before    []linAct // what the owner does to all names before a history
	acts      []linAct // what is done in it; what stands twice is twice as likely
	exact     []linAct // and where a lookup's answer is no history when it is used
	ephemeral bool
}

// linNames is the most four-tuples, and the most listeners, that a place has.
const linNames = 2

// The local ports of a team's names. Its listeners on the first two are in one chain of the listeners' hash, which has 128, and those of the
// first team are in that of the ephemeral port.
const (
	linListened  = 10064 // and the team's number
	linPassive   = linListened + 128
	linBare      = linPassive + 128
	linEphemeral = 50000
	linPorts     = 2 // ephemeral ones; fewer than workers, so that they run out
)

// linScenes are the places between which a history's operations are divided: few, so that the workers meet.
var linScenes = [...][]int{{0, 1}, {2}, {3}, {4, 5}}

// linScene draws two of them.
func linScene(rng *rand.Rand) []int {
	first := rng.IntN(len(linScenes))
	second := (first + 1 + rng.IntN(len(linScenes)-1)) % len(linScenes)
	return append(append([]int(nil), linScenes[first]...), linScenes[second]...)
}

// linPlaces are a team's.
func linPlaces(team int) []linPlace {
	n := newNames(team)
	family := team % 2
	listener := func(port int) pcbinfo.ConnInfo {
		return pcbinfo.ConnInfo{Laddr: n.local[family], Lport: uint16(port)}
	}
	tuple := func(port int, fport uint16) pcbinfo.ConnInfo {
		inc := listener(port)
		inc.Faddr, inc.Fport = n.foreign[family], fport
		return inc
	}
	any := func(port int) pcbinfo.ConnInfo { return pcbinfo.ConnInfo{Lport: uint16(port)} }
	bare := func(fport uint16) linPlace {
		return linPlace{tuples: []pcbinfo.ConnInfo{tuple(linBare+team, fport)}, acts: []linAct{
			linConnect, linConnect, linConnect, linAnswer, linAnswer, linAnswer, linClose, linAbort, linAbort, linReset, linSend, linLookup, linLookup, linLookupShared}}
	}
	ephemeral := func(port int) linPlace {
		return linPlace{ephemeral: true, tuples: []pcbinfo.ConnInfo{tuple(port, 443)}, listeners: []pcbinfo.ConnInfo{listener(port)}, acts: []linAct{
			linChoose, linChoose, linChoose, linConnect, linAnswer, linClose, linAbort, linAbort, linReset, linSend, linLookup, linListen, linShut}}
	}
	return []linPlace{
		0: bare(1000),
		1: bare(1001),
		2: {tuples: []pcbinfo.ConnInfo{tuple(linListened+team, 1000), tuple(linListened+team, 1001)},
			listeners: []pcbinfo.ConnInfo{any(linListened + team), listener(linListened + team)},
			before:    []linAct{linListen, linConnect}, // more is lost beside removals than beside insertions
			acts: []linAct{linListen, linListen, linListen, linShut, linShut, linPoke, linConnect, linConnect, linAnswer, linAnswer, linClose, linAbort,
				linAbort, linReset, linSend, linLookup, linLookup, linLookup, linLookup, linLookupShared, linLookupShared}},
		3: {tuples: []pcbinfo.ConnInfo{tuple(linPassive+team, 1000), tuple(linPassive+team, 1001)},
			listeners: []pcbinfo.ConnInfo{any(linPassive + team)},
			before:    []linAct{linListen, linOpen},
			acts: []linAct{linComplete, linComplete, linComplete, linComplete, linReset, linClose, linSend, linLookup, linLookup,
				linLookupShared, linListen, linListen, linShut, linPoke},
			exact: []linAct{linOpen, linOpen, linAbort}}, // else a late SYN makes a second half (pcbinfo.Scheme.Lockless), and an Abort may find none
		4: ephemeral(linEphemeral),
		5: ephemeral(linEphemeral + 1),
	}
}
