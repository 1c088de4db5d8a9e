package schedule

import (
	"slices"

	"pcbbench/pcbinfo"
)

// A scenario is a table's small story: what is there before, what two to four workers do at once, and what is asked when they have
// done. Every answer, and what is in the table in the end, must be what some order of the operations gives on a table without locks, one
// that keeps what came after what.
type scenario struct {
	name    string
	doc     string // the hazard
	before  []op   // by CPU 0
	workers [][]op // worker i on CPU i
	after   []op   // by CPU 0
	buckets int    // of the hash; 0: 1
	ports   int    // ephemeral ones; 0: 2
	// except names the schemes whose answers no order explains here, as inTransit says; all else must hold for them too.
	except []string
}

// inTransit are the schemes in which a connection is nowhere for a moment: out of the syncache under the listener's lock, and not yet in the hash.
// What does not take that lock, or looked before it had to wait for it, may answer as if there never had been a SYN.
var inTransit = []string{"smr", "epoch"}

// cat joins operations and lists of them.
func cat(parts ...any) (ops []op) {
	for _, p := range parts {
		switch p := p.(type) {
		case op:
			ops = append(ops, p)
		case []op:
			ops = append(ops, p...)
		}
	}
	return ops
}

// scenarios are all of them, from the handshake to the end of a connection, and then what goes on beside.
var scenarios = []scenario{
	{name: "two-syns", doc: "a SYN and its copy",
		before:  cat(listen()),
		workers: [][]op{{syn(1)}, {syn(1)}},
		after:   cat(ack(1))},
	{name: "two-acks", doc: "a handshake's ACK and its copy: one connection (H8, H9)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {ack(1)}},
		after:   cat(data(1, 0, 10))},
	{name: "three-acks", doc: "and another copy (H8, H9)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {ack(1)}, {ack(1)}},
		after:   cat(data(1, 0, 10))},
	{name: "ack-data", doc: "text overtakes the handshake's ACK",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {data(1, 0, 10)}, {data(1, 10, 10)}}},
	{name: "syn-ack", doc: "a late copy of the SYN",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1), data(1, 0, 10)}, {syn(1)}}, except: inTransit}, // the SYN opens a second half
	{name: "shared-listener", doc: "SYNs that share a listener, and its end (H7)",
		before:  cat(listen()),
		workers: [][]op{{syn(1)}, {syn(2)}, {unlisten()}},
		after:   cat(ack(1), listen(), ack(1), ack(2))},
	{name: "listener-closed", doc: "the listener goes between SYN and ACK (H7)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {unlisten()}},
		after:   cat(data(1, 0, 10))},
	{name: "listener-reopened", doc: "and another comes (H5, H7)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1), data(1, 0, 10)}, {unlisten(), listen()}},
		after:   cat(ack(1))},
	{name: "two-looks", doc: "a connection comes and its listener goes between a lookup's look for the one and for the other (H5)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1), unlisten()}, {data(1, 0, 10)}}},
	{name: "two-listeners", doc: "two want one port",
		workers: [][]op{{listen()}, {listen()}, {syn(1)}},
		after:   cat(unlisten(), unlisten())},
	{name: "two-connects", doc: "two want one four-tuple (H9)",
		workers: [][]op{{connect(1)}, {connect(1)}},
		after:   cat(synAck(1), answering(data(1, 0, 10), 1))},
	{name: "two-ports", doc: "two choose a port towards one peer (H9)",
		workers: [][]op{{choose(1)}, {choose(1)}},
		after:   cat(choose(1))},
	{name: "last-port", doc: "there is but one port for two (H9)",
		workers: [][]op{{choose(1)}, {choose(1)}}, ports: 1},
	{name: "connect-ack", doc: "a connect and a handshake of one four-tuple (H9)",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {connect(1)}},
		after:   cat(abort(1)), except: inTransit}, // the ACK is refused as a stranger's
	{name: "connect-input", doc: "the answer to a connect beside its end",
		before:  cat(connect(1)),
		workers: [][]op{{synAck(1), answering(data(1, 0, 10), 1)}, {closes(1)}}},
	{name: "connect-stranger", doc: "a connect beside segments for it, and for others on its port (H10, H11)",
		before:  cat(listen(), open(2)),
		workers: [][]op{{connect(1)}, {data(1, 0, 10), data(2, 0, 10)}, {data(3, 0, 10)}},
		after:   cat(synAck(1))},
	{name: "connect-alone", doc: "and where nobody listens",
		before:  cat(listen(), open(2), unlisten()),
		workers: [][]op{{connect(1), abort(1)}, {data(1, 0, 10), data(2, 0, 10)}, {data(3, 0, 10)}}},
	{name: "data-data", doc: "one connection's text on two CPUs",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10), data(1, 20, 10)}, {data(1, 10, 10)}}},
	{name: "data-send", doc: "both directions",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {send(1, 100), send(1, 100)}, {acked(ack(1), 100)}}},
	{name: "close-input", doc: "the user closes beside the peer's text and FIN",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10), fin(1, 10)}, {closes(1)}},
		after:   cat(acked(ack(1), 1))},
	{name: "both-fins", doc: "the last ACK beside its copy",
		before:  cat(listen(), open(1), fin(1, 0), closes(1)),
		workers: [][]op{{ending(acked(segment(pcbinfo.ACK, 1, irs, 1, 0), 1))}, {ending(acked(segment(pcbinfo.ACK, 1, irs, 1, 0), 1))}, {send(1, 1)}}},
	{name: "upgrades", doc: "two that want the table exclusively, having looked shared (H6)",
		before:  cat(listen(), open(1, 2)),
		workers: [][]op{{fin(1, 0)}, {fin(2, 0)}, {data(1, 0, 10)}}},
	{name: "abort-input", doc: "the inpcb goes while input waits for it (H1, H4)",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {abort(1)}}},
	{name: "abort-inputs", doc: "two wait for what goes (H2)",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {send(1, 100)}, {abort(1)}}},
	{name: "two-aborts", doc: "two take out the same (H2, H3)",
		before:  cat(listen(), open(1)),
		workers: [][]op{{abort(1)}, {rst(1, 0)}, {closes(1)}}},
	{name: "reconnect", doc: "the four-tuple goes and comes again, in the same memory (H3, H4, H14)",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {abort(1), connect(1)}},
		after:   cat(abort(1))},
	{name: "successor", doc: "what was found goes, and another is at its place (H5)",
		before:  cat(listen(), open(1)),
		workers: [][]op{{fin(1, 0)}, {abort(1), connect(1), abort(1)}}},
	{name: "other-tuple", doc: "the memory comes again as another connection (H14)",
		before:  cat(listen(), open(1), syn(2)),
		workers: [][]op{{data(1, 0, 10)}, {abort(1), ack(2), data(2, 0, 10)}}},
	{name: "rst-data", doc: "RST beside text",
		before:  cat(listen(), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {rst(1, 0)}, {rst(1, 10)}}},
	{name: "rst-half", doc: "RST beside the handshake's ACK",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {rst(1, 0)}}},
	{name: "abort-half", doc: "and the user's abort",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {abort(1)}}, except: inTransit}, // the abort finds nothing
	{name: "chain", doc: "a lookup passes over what is going (H13)",
		before:  cat(listen(), open(1, 2, 3)),
		workers: [][]op{{data(1, 0, 10), data(1, 10, 10)}, {abort(2)}, {abort(3)}}},
	{name: "chain-moves", doc: "and what it stands on comes again in another chain (H13)",
		before:  cat(listen(), open(1, 2), syn(4)),
		workers: [][]op{{data(1, 0, 10)}, {abort(2), ack(4)}}, buckets: 2},
	{name: "recycled", doc: "memory comes back after its grace period (H13, H14)",
		before:  cat(listen(), on(1, churn()), open(1, 2)),
		workers: [][]op{{batch(data(1, 0, 10), data(2, 0, 10))}, {abort(2), connect(3), connect(4)}}},
	{name: "recycled-same", doc: "as the same connection (H14)",
		before:  cat(listen(), on(1, churn()), open(1)),
		workers: [][]op{{data(1, 0, 10)}, {abort(1), connect(3), connect(1)}}},
	{name: "time-wait", doc: "2MSL ends beside a new SYN (H17)",
		before:  cat(listen(), open(1), timeWait(1)),
		workers: [][]op{{tick(2)}, {synAgain(1), ackAgain(1)}}},
	// Not tick 2 beside the FIN: a tick is two steps, as the clock moves before the scan.
	{name: "time-wait-fin", doc: "a FIN begins 2MSL anew beside the clock and an abort (H17)",
		before:  cat(listen(), open(1), timeWait(1)),
		workers: [][]op{{tick(1)}, {acked(fin(1, 0), 1)}, {abort(1)}},
		after:   cat(tick(2), tick(3))},
	{name: "time-wait-enter", doc: "a scan beside a connection that enters TIME-WAIT (H17)",
		before:  cat(listen(), open(1), closes(1), acked(ack(1), 1)),
		workers: [][]op{{tick(2)}, {acked(fin(1, 0), 1)}},
		after:   cat(tick(3), tick(4))},
	{name: "walk-close", doc: "a walk beside removals (H16)",
		before:  cat(listen(), open(1, 2, 3)),
		workers: [][]op{{walk()}, {abort(2)}, {fin(3, 0)}}},
	{name: "walk-open", doc: "a walk beside an insertion, and memory that comes again (H16, H14)",
		before:  cat(listen(), open(1, 2), syn(3)),
		workers: [][]op{{walk()}, {abort(2), ack(3)}, {connect(4)}}},
	{name: "walk-recycled", doc: "a walk beside memory that comes back after its grace period (H16, H14)",
		before:  cat(listen(), on(1, churn()), open(1, 2)),
		workers: [][]op{{walk()}, {abort(2), connect(3), connect(4)}}},
	{name: "two-walks", doc: "walks take turns",
		before:  cat(listen(), open(1)),
		workers: [][]op{{walk()}, {walk()}, {abort(1), connect(1)}}},
	{name: "four", doc: "four at one connection",
		before:  cat(listen(), syn(1)),
		workers: [][]op{{ack(1)}, {ack(1)}, {closes(1)}, {rst(1, 0)}}},
}

// tableSpecs are the tables that the scenarios run on: every scheme that keeps one and lets workers in beside one another, and the options that
// change how it works. Groups are chosen by the variants: as many as connp has by default tell nothing more.
func tableSpecs() (specs []pcbinfo.Spec) {
	for _, text := range pcbinfo.Tables() {
		sp, err := pcbinfo.ParseSpec(text)
		if err != nil {
			panic("schedule: " + err.Error()) // the list is pcbinfo's
		}
		if sp.Workers == 0 && !(slices.Contains(sp.Options, "groups") && text == sp.Name) {
			specs = append(specs, sp)
		}
	}
	return specs
}

func tableSubjects() (list []Subject) {
	for _, sp := range tableSpecs() {
		for i := range scenarios {
			list = append(list, tableSubject("tables/"+sp.String()+"/"+scenarios[i].name, sp, &scenarios[i]))
		}
	}
	return list
}

func tableSubject(name string, sp pcbinfo.Spec, sc *scenario) Subject {
	ref := newReference(sc, sp)
	return Subject{Name: name, Doc: sc.doc, New: func() (t Trial, err error) {
		w, err := sc.world(sp)
		if err != nil {
			return t, err
		}
		for worker := range sc.workers {
			t.Workers = append(t.Workers, func() error { return w.work(worker) })
		}
		t.Rest = func() error { return w.rest(ref) }
		return t, nil
	}}
}

// config is the smallest table that sc needs.
func (sc *scenario) config() pcbinfo.Config {
	const first = 50000
	ports := sc.ports
	if ports == 0 {
		ports = 2
	}
	return pcbinfo.Config{CPUs: len(sc.workers), Conns: 4, Buckets: max(1, sc.buckets), Halfs: 1, Magazine: 2, Seed: 1,
		FirstPort: first, LastPort: uint16(first + ports - 1)}
}
