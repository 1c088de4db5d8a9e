package pcbtest

import (
	"reflect"
	"strings"

	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
)

// checkSizes holds small tables to their exact limits: a range of one ephemeral port, and a syncache of one bucket.
func checkSizes(sp pcbinfo.Spec) error {
	in, err := sp.New(pcbinfo.Config{CPUs: 1, Groups: 1, Halfs: 1, FirstPort: firstPort, LastPort: firstPort})
	if err != nil {
		return oracle.Violated(oracle.Answer, "a table with one ephemeral port: %w", err)
	}
	c, n := in.CPU(0), newNames(0)
	to := pcbinfo.ConnInfo{Laddr: n.local[0], Faddr: n.foreign[0], Fport: 1}
	for _, want := range []error{nil, pcbinfo.ErrNoPort} {
		inc := to
		if _, err := c.Connect(&inc); err != want || err == nil && inc.Lport != firstPort {
			return oracle.Violated(oracle.Answer, "connect from the only port: port %d, error %v, want %v", inc.Lport, err, want)
		}
	}
	if err := c.Listen(&pcbinfo.ConnInfo{Lport: sharedPort}); err != nil {
		return oracle.Violated(oracle.Answer, "listen: %w", err)
	}
	if err := checkNumbers(sp); err != nil {
		return err
	}
	if strings.Contains(sp.String(), "groups=") { // and so a syncache a group, whatever the Config says
		if _, err := sp.New(pcbinfo.Config{CPUs: 1, Groups: 1 << 30}); err != nil {
			return oracle.Violated(oracle.Answer, "a Config that the Spec overrides: %w", err)
		}
		return nil
	}
	for _, over := range []int{0, 1} {
		if err := checkBucket(c, over); err != nil {
			return err
		}
	}
	return in.Close()
}

// checkNumbers connects twice from one block of memory: the second initial number must differ.
func checkNumbers(sp pcbinfo.Spec) error {
	if sp.Collects() {
		return nil // no memory has a second life
	}
	in, err := sp.New(pcbinfo.Config{CPUs: 1, Groups: 1, Magazine: 1})
	if err != nil {
		return err
	}
	c, n := in.CPU(0), newNames(0)
	inc := pcbinfo.ConnInfo{Laddr: n.local[0], Lport: ownPort, Faddr: n.foreign[0], Fport: 1}
	var iss [2]uint32
	for i := range iss {
		if iss[i], err = c.Connect(&inc); err == nil {
			err = c.Abort(&inc)
		}
		if err != nil {
			return oracle.Violated(oracle.Answer, "connect and abort %v: %w", inc, err)
		}
	}
	if iss[0] == iss[1] {
		return oracle.Violated(oracle.Answer, "connect %v twice from the same memory: initial number %d both times", inc, iss[0])
	}
	return in.Close()
}

// bucketLimit is what pcbinfo says of its syncache: TCP_SYNCACHE_BUCKETLIMIT.
const bucketLimit = 30

// checkBucket sends over more SYNs than the bucket holds, and all of their ACKs: the oldest are pushed out, and all others open.
func checkBucket(c pcbinfo.CPU, over int) error {
	before := *c.Stats()
	n := newNames(0)
	var peers []peer
	for i := range bucketLimit + over {
		p := peer{inc: pcbinfo.ConnInfo{Laddr: n.local[0], Faddr: n.foreign[0], Fport: uint16(2000 + 100*over + i), Lport: sharedPort}, irs: peerIRS}
		c.Input([]*pcbinfo.Segment{p.syn(0)})
		peers = append(peers, p)
	}
	for i := range peers {
		c.Input([]*pcbinfo.Segment{peers[i].segment(pcbinfo.ACK)})
		if refused := c.Stats().Since(before).Outcomes[pcbinfo.DropListen]; refused != uint64(min(i+1, over)) {
			return oracle.Violated(oracle.Answer, "%d SYNs too many, and of the first %d handshakes %d are refused", over, i+1, refused)
		}
	}
	s := c.Stats().Since(before)
	if s.Evicted != uint64(over) || s.Outcomes[pcbinfo.GotAccept] != bucketLimit || s.Outcomes[pcbinfo.DropListen] != uint64(over) {
		return oracle.Violated(oracle.Answer, "%d half-open connections in a bucket for %d: %d pushed out, %d accepted, %d refused", bucketLimit+over, bucketLimit,
			s.Evicted, s.Outcomes[pcbinfo.GotAccept], s.Outcomes[pcbinfo.DropListen])
	}
	return nil
}

// checkSum compares a table's Stats with the sum of its CPUs', field by field.
func checkSum(in pcbinfo.Info, cpus int) error {
	var sum pcbinfo.Stats
	for i := range cpus {
		addTo(reflect.ValueOf(&sum).Elem(), reflect.ValueOf(in.CPU(i).Stats()).Elem())
	}
	if got := in.Stats(); got != sum {
		return oracle.Violated(oracle.Conservation, "the table has counted %+v, its CPUs %+v", got, sum)
	}
	return nil
}

func addTo(sum, v reflect.Value) {
	switch v.Kind() {
	case reflect.Uint64:
		sum.SetUint(sum.Uint() + v.Uint())
	case reflect.Array:
		for i := range v.Len() {
			addTo(sum.Index(i), v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			addTo(sum.Field(i), v.Field(i))
		}
	}
}
