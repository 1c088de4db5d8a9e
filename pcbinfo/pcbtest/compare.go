package pcbtest

import (
	"errors"
	"fmt"
	"strings"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// sameStats compares what two handles, or two tables, have counted.
func sameStats(got, want *pcbinfo.Stats) error {
	if *got == *want {
		return nil
	}
	var diff []string
	compare := func(name string, got, want uint64) {
		if got != want {
			diff = append(diff, fmt.Sprintf("%d %s, want %d", got, name, want))
		}
	}
	for o := range got.Outcomes {
		compare(pcbinfo.Outcome(o).String(), got.Outcomes[o], want.Outcomes[o])
	}
	compare("ACKs sent", got.Acks, want.Acks)
	compare("RSTs sent", got.Rsts, want.Rsts)
	compare("SYN|ACKs sent", got.SynAcks, want.SynAcks)
	compare("evicted", got.Evicted, want.Evicted)
	compare("reused", got.Reused, want.Reused)
	compare("expired", got.Expired, want.Expired)
	return errors.New("counted " + strings.Join(diff, "; "))
}

// sameTable compares two tables at rest: count, connections, and where each stands.
func sameTable(got, want pcbinfo.Info) error {
	table, err := walk(got, nil)
	if err != nil {
		return err
	}
	if got.Len() != len(table) {
		return fmt.Errorf("the table's count is %d, a walk meets %d", got.Len(), len(table))
	}
	want.Walk(func(x *pcbinfo.Xinpcb) bool {
		g, here := table[x.Inc]
		delete(table, x.Inc)
		g.Gencnt, g.Refs = x.Gencnt, x.Refs // not the Reference's business
		switch {
		case !here:
			err = fmt.Errorf("%v in %v is not in the table", x.Inc, x.State)
		case g != *x:
			err = fmt.Errorf("the table holds %+v, want %+v", g, *x)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, x := range table {
		return fmt.Errorf("%v in %v should not be in the table", x.Inc, x.State)
	}
	return nil
}

// walk collects a table. No walk may meet a name twice. begun, if not nil, is called with the first.
func walk(in pcbinfo.Info, begun func(first *pcbinfo.Xinpcb)) (map[pcbinfo.ConnInfo]pcbinfo.Xinpcb, error) {
	table := make(map[pcbinfo.ConnInfo]pcbinfo.Xinpcb)
	var err error
	in.Walk(func(x *pcbinfo.Xinpcb) bool {
		if begun != nil && len(table) == 0 {
			begun(x)
		}
		if old, twice := table[x.Inc]; twice {
			err = oracle.Violated(oracle.Walk, "a walk meets %v twice: %+v and %+v", x.Inc, old, *x)
		}
		table[x.Inc] = *x
		return err == nil
	})
	return table, err
}

// A log keeps the last operations of a history.
type log struct {
	ops [12]*op
	as  [12]answer
	n   int
}

func (l *log) add(o *op, a answer) {
	l.ops[l.n%len(l.ops)], l.as[l.n%len(l.as)] = o, a
	l.n++
}

func (l *log) String() string {
	var b strings.Builder
	for i := max(0, l.n-len(l.ops)); i < l.n; i++ {
		fmt.Fprintf(&b, "  %5d: %v -> %v\n", i, l.ops[i%len(l.ops)], l.as[i%len(l.as)])
	}
	return b.String()
}
