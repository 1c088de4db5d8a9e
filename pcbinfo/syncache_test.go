package pcbinfo

import "testing"

// newSyncache makes one of a single bucket.
func newSyncache() *syncache {
	sc := new(syncache)
	sc.init(1, true)
	return sc
}

func syn(i int, irs uint32) *Segment {
	return &Segment{Inc: tuple(i), Seq: irs, Win: 100 + uint32(i), Flags: SYN}
}

// ack is the handshake ACK that follows on syn(i, irs).
func ack(i int, irs uint32) *Segment {
	seg := syn(i, irs)
	return &Segment{Inc: seg.Inc, Seq: irs + 1, Ack: ISN(&seg.Inc, irs) + 1, Win: seg.Win, Flags: ACK}
}

func TestSyncacheHandshake(t *testing.T) {
	sc := newSyncache()
	if dup, evicted := sc.add(syn(1, 7)); dup || evicted {
		t.Errorf("first SYN: duplicate %v, evicted %v", dup, evicted)
	}
	wrongAck, wrongSeq := ack(1, 7), ack(1, 7)
	wrongAck.Ack++
	wrongSeq.Seq--
	for _, seg := range []*Segment{wrongAck, wrongSeq, ack(2, 7)} {
		if _, ok := sc.expand(seg); ok {
			t.Errorf("%v seq %d ack %d completed a handshake", seg.Inc, seg.Seq, seg.Ack)
		}
	}
	e, ok := sc.expand(ack(1, 7))
	if inc := tuple(1); !ok || e.inc != inc || e.irs != 7 || e.iss != ISN(&inc, 7) || e.win != 101 {
		t.Errorf("handshake completed: %v, %+v", ok, e)
	}
	if _, ok := sc.expand(ack(1, 7)); ok || sc.len() != 0 {
		t.Errorf("a second ACK completed the handshake again: %v, %d entries left", ok, sc.len())
	}
}

// TestSyncacheSynAgain sends the SYN again, and then another: the peer has given the first one up.
func TestSyncacheSynAgain(t *testing.T) {
	sc := newSyncache()
	sc.add(syn(1, 7))
	if dup, _ := sc.add(syn(1, 7)); !dup {
		t.Error("the same SYN is not a duplicate")
	}
	if dup, _ := sc.add(syn(1, 8)); dup || sc.len() != 1 {
		t.Errorf("another SYN: duplicate %v, %d entries", dup, sc.len())
	}
	if _, ok := sc.expand(ack(1, 7)); ok {
		t.Error("the ACK of the SYN given up completed a handshake")
	}
	if _, ok := sc.expand(ack(1, 8)); !ok {
		t.Error("the ACK of the new SYN did not complete the handshake")
	}
}

// TestSyncacheEviction fills a bucket: the oldest goes, by arrival of its last SYN, wherever it stands.
func TestSyncacheEviction(t *testing.T) {
	sc := newSyncache()
	sc.buckets[0].clock = 1<<32 - 10 // ages must survive the wrap-around
	for i := range syncacheLimit {
		if _, evicted := sc.add(syn(i, 7)); evicted {
			t.Fatalf("evicted at %d entries", i)
		}
	}
	sc.add(syn(0, 7)) // no longer the oldest
	for i := range 3 {
		if _, evicted := sc.add(syn(100+i, 7)); !evicted {
			t.Fatalf("entry %d over the limit evicted nobody", i)
		}
	}
	for i := range syncacheLimit {
		if _, ok := sc.expand(ack(i, 7)); ok == (1 <= i && i <= 3) {
			t.Errorf("entry %d is here: %v", i, ok)
		}
	}
}

func TestSyncacheReset(t *testing.T) {
	sc := newSyncache()
	sc.add(syn(1, 7))
	sc.add(syn(2, 7))
	rst := Segment{Inc: tuple(1), Seq: 9, Flags: RST}
	if sc.reset(&rst) {
		t.Error("a RST beside the number removed the entry")
	}
	if rst.Seq = 8; !sc.reset(&rst) || sc.reset(&rst) {
		t.Error("the RST did not remove the entry, or removed it twice")
	}
	if inc := tuple(2); !sc.abort(&inc) || sc.abort(&inc) || sc.len() != 0 {
		t.Error("abort did not remove the entry, or removed it twice")
	}
}
