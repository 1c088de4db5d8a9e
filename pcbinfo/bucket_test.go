package pcbinfo

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pcbbench/locks"
)

// eachBucket runs f on both kinds of chains, with a listener and one connection; walker is a handle for the test's own use.
func eachBucket(t *testing.T, f func(t *testing.T, in *bucketInfo, walker *bucketCPU, p *peer, inp *Inpcb)) {
	for _, text := range []string{"bucket", "bucket:chain=nulls"} {
		t.Run(text, func(t *testing.T) {
			p := newPeer(tuple(1))
			in := openBoth(t, text, p).(*bucketInfo)
			f(t, in, &in.handles[2], p, in.connection(&p.inc))
			closeInfo(t, in)
		})
	}
}

// connection and listener look without locks or references, for tests that know who else does something.
func (in *bucketInfo) connection(inc *ConnInfo) *Inpcb {
	return in.bs.scan(in.bs.exactAt(in.bs.hash(inc)), inc)
}

func (in *bucketInfo) listener(inc *ConnInfo) *Inpcb {
	return in.bs.scan(in.bs.wildAt(inc.Lport), inc)
}

// TestBucketGuards lets each change meet the locks that guard it.
func TestBucketGuards(t *testing.T) {
	for _, text := range []string{"bucket", "bucket:chain=nulls"} {
		t.Run(text, func(t *testing.T) {
			testGuards(t, func(t *testing.T, p *peer) (Info, []guard) {
				in := openBoth(t, text, p).(*bucketInfo)
				inp, walker := in.connection(&p.inc), &in.handles[2]
				hold := func(i int) (func(), func()) { return func() { walker.lock(i) }, func() { walker.unlock(i) } }
				var guards []guard
				add := func(name string, i int, look func() any, changes ...string) {
					lock, unlock := hold(i)
					guards = append(guards, guard{name, lock, unlock, changes, look})
				}
				other := tuple(2)
				conn := func(inc *ConnInfo) func() any { return func() any { return in.connection(inc) } }
				lsn := func(inc *ConnInfo) func() any { return func() any { return in.listener(inc) } }
				add("ebucket", in.bs.at(inp), conn(&p.inc), "rst", "abort", "slowtimo")
				add("other-ebucket", in.bs.exactAt(in.bs.hash(&other)), conn(&other), "connect")
				add("wbucket", in.bs.wildAt(80), lsn(&listen80), "unlisten")
				add("other-wbucket", in.bs.wildAt(81), lsn(&ConnInfo{Lport: 81}), "listen")
				return in, append(guards,
					guard{"inpcb", inp.wlock, inp.wunlock, inpChanges, func() any { return inpLook{0, inp.tp, inp.flags} }},
					guard{"tw", func() { in.handles[0].twLock.Lock(nil) }, func() { in.handles[0].twLock.Unlock(nil) }, []string{"slowtimo"}, conn(&p.inc)})
			})
		})
	}
}

// TestBucketGoneAtLock (H1, H5) ends first the connection for whose lock a segment waits, and then the listener for whose lock it waits instead,
// after another has come: where smr answers none, this one is found.
func TestBucketGoneAtLock(t *testing.T) {
	eachBucket(t, func(t *testing.T, in *bucketInfo, walker *bucketCPU, p *peer, inp *Inpcb) {
		lsn := in.listener(&listen80)
		inp.wlock()
		lsn.wlock()
		locked := func() uint64 { return counter(t, in, "tried") + counter(t, in, "waited") } // who has a reference may find the lock free by then
		before := locked()
		done := make(chan Outcome)
		go func() { done <- outcome(in.CPU(0), p.segment(ACK, 10)) }()
		await(func() bool { return inp.refs.Load() == 2 })
		walker.close(inp)
		await(func() bool { return lsn.refs.Load() == 2 })
		if err := in.CPU(1).Listen(&ConnInfo{Lport: 80, Laddr: p.inc.Laddr}); err != nil {
			t.Fatal(err)
		}
		walker.close(lsn)
		if out := <-done; out != DropListen {
			t.Errorf("outcome %v, want the listener's", out)
		}
		if in.bs.marked { // there the reference comes before the second look at the name, which may be gone by then
			return
		}
		for name, want := range map[string]uint64{"lost-race": 2, "slow": 0} {
			if n := counter(t, in, name); n != want {
				t.Errorf("%s: %d, want %d", name, n, want)
			}
		}
		if n := locked() - before; n != 3 { // the two that went, and the listener that came
			t.Errorf("%d locks of inpcbs, want 3", n)
		}
	})
}

// TestBucketNobody (H5) looks for nobody while listeners on the port are being changed: the answer comes from under the locks.
func TestBucketNobody(t *testing.T) {
	eachBucket(t, func(t *testing.T, in *bucketInfo, walker *bucketCPU, p *peer, inp *Inpcb) {
		stranger := tuple(2)
		stranger.Lport = 81
		w := in.bs.wildAt(81)
		for slow := range uint64(2) {
			if out := outcome(in.CPU(0), newPeer(stranger).segment(ACK, 1)); out != DropNoPCB {
				t.Errorf("outcome %v", out)
			}
			if n := counter(t, in, "slow"); n != slow {
				t.Errorf("%d lookups under the locks, want %d", n, slow)
			}
			in.bs.turn(w)
		}
	})
}

// TestBucketCopy (H8, H9) has the connection come into the table while its handshake's ACK waits for the bucket: the ACK is the connection's then, and the
// half-open one, as nobody completed it, stays.
func TestBucketCopy(t *testing.T) {
	eachBucket(t, func(t *testing.T, in *bucketInfo, walker *bucketCPU, _ *peer, _ *Inpcb) {
		p := newPeer(tuple(2))
		input(t, in.CPU(0), p.segment(SYN, 0), GotSyn)
		lsn := in.listener(&listen80)
		i := in.bs.exactAt(in.bs.hash(&p.inc))
		walker.lock(i)
		done := make(chan Outcome)
		go func() { done <- outcome(in.CPU(0), p.segment(ACK, 0)) }()
		await(func() bool { // it holds the listener, and can get no further
			free := lsn.lock.TryLock(nil)
			if free {
				lsn.wunlock()
			}
			return !free
		})
		other := walker.alloc(p.inc)
		if !walker.connectAt(i, other, &p.inc) {
			t.Fatal("not connected")
		}
		walker.unlock(i)
		if out := <-done; out != DropAck {
			t.Errorf("outcome %v, want that of who sent another number", out)
		}
		if n := counter(t, in, "copies"); n != 1 || in.sc.len() != 1 {
			t.Errorf("%d copies, %d half-open", n, in.sc.len())
		}
	})
}

// TestBucketTimeWait (H17) has a connection enter TIME-WAIT on one CPU, begin 2MSL anew on another, and end on a third: it stays in the first one's queue.
func TestBucketTimeWait(t *testing.T) {
	eachBucket(t, func(t *testing.T, in *bucketInfo, walker *bucketCPU, p *peer, inp *Inpcb) {
		timeWaitNow(t, in.CPU(0), p)
		p.seq--
		input(t, in.CPU(1), p.segment(FIN|ACK, 0), DropOld)
		if !inp.onTw || inp.twCPU != 0 || in.handles[0].tw.head != inp || in.handles[1].tw.head != nil {
			t.Errorf("in TIME-WAIT %v, CPU %d", inp.onTw, inp.twCPU)
		}
		walker.SlowTimo(1000)
		if n := in.Len(); n != 1 || in.Stats().Expired != 1 {
			t.Errorf("%d inpcbs left, %d expired", n, in.Stats().Expired)
		}
	})
}

// TestBucketWalk (H16) ends a connection that a walk has yet to come to, and makes a new one, while it is at another: in another chain, which the
// hash decides, the same every time; or in the same, collected before.
func TestBucketWalk(t *testing.T) {
	for _, text := range []string{"bucket", "bucket:chain=nulls"} {
		for _, chains := range []int{64, 1} {
			t.Run(fmt.Sprint(text, "/", chains), func(t *testing.T) {
				in := newInfo(t, text, Config{CPUs: 2, Buckets: chains})
				if err := in.CPU(0).Listen(&listen80); err != nil {
					t.Fatal(err)
				}
				testWalk(t, in)
			})
		}
	}
}

// TestBucketReader (H13, H14) stands on an inpcb in a section while it and hundreds more go: it stays as it was until the section is over.
func TestBucketReader(t *testing.T) {
	p := newPeer(tuple(1))
	in := openBoth(t, "bucket", p).(*bucketInfo)
	walker, inp := &in.handles[2], in.connection(&p.inc)
	walker.enter()
	if err := in.CPU(1).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	churnBuckets(t, in)
	if z := in.Zone(); inp.inc != p.inc || z.Reclaimed != 0 {
		t.Errorf("under a reader the inpcb became %v, and %d came back", inp.inc, z.Reclaimed)
	}
	walker.exit()
	in.zone.reclaim(&in.zone.cpus[1])
	if in.Zone().Reclaimed == 0 {
		t.Error("after the reader no inpcb came back")
	}
	closeInfo(t, in)
}

func churnBuckets(t *testing.T, in *bucketInfo) {
	t.Helper()
	for i := range 4 * magSize {
		inc := tuple(100 + i)
		if _, err := in.CPU(1).Connect(&inc); err != nil {
			t.Fatal(err)
		}
		if err := in.CPU(1).Abort(&inc); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNullsReusesAtOnce: the block that is freed is the next one taken, and no block waits for anything.
func TestNullsReusesAtOnce(t *testing.T) {
	p := newPeer(tuple(1))
	in := openBoth(t, "bucket:chain=nulls", p).(*bucketInfo)
	inp := in.connection(&p.inc)
	made := in.zone.made
	if err := in.CPU(0).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	inc := tuple(2)
	if _, err := in.CPU(0).Connect(&inc); err != nil || in.connection(&inc) != inp {
		t.Errorf("error %v; the next connection has other memory than the last", err)
	}
	churnBuckets(t, in)
	if z := in.Zone(); in.zone.made > made+magSize || z.Retired != 0 || z.PeakRetired != 0 {
		t.Errorf("%d inpcbs made, %+v", in.zone.made, z)
	}
	closeInfo(t, in)
}

// TestNullsHold (H14, H15) takes references by names: of what is there, of what is gone, and of what came to the same memory.
func TestNullsHold(t *testing.T) {
	p := newPeer(tuple(1))
	in := openBoth(t, "bucket:chain=nulls", p).(*bucketInfo)
	walker, inp := &in.handles[2], in.connection(&p.inc)
	name := inp.name.Load()
	try := func(when string, want bool, refs int32) {
		t.Helper()
		got := walker.hold(inp, name)
		if got {
			walker.rele(inp)
		}
		if got != want || inp.refs.Load() != refs {
			t.Errorf("%s: held %v, and %d references afterwards", when, got, inp.refs.Load())
		}
	}
	try("while it is there", true, 1)
	if err := in.CPU(0).Abort(&p.inc); err != nil {
		t.Fatal(err)
	}
	try("when it is gone", false, 0)
	next := in.handles[0].alloc(p.inc) // the same memory and the same tuple, in no table
	if next != inp {
		t.Fatal("other memory")
	}
	try("when its memory is taken and has no name yet", false, 1)
	in.handles[0].discard(next)
	if _, err := in.CPU(0).Connect(&p.inc); err != nil || in.connection(&p.inc) != inp {
		t.Fatalf("error %v, or other memory", err)
	}
	try("when it is there once more", true, 1)
	closeInfo(t, in)
}

// TestNullsDiscard gives back an inpcb that never was in the table while a reader, who found it by an old name, has a reference: the
// reader's is the last.
func TestNullsDiscard(t *testing.T) {
	in := newInfo(t, "bucket:chain=nulls", Config{CPUs: 1}).(*bucketInfo)
	c := &in.handles[0]
	inp := c.alloc(tuple(1))
	if !inp.refIfAlive() {
		t.Fatal("no reference")
	}
	c.discard(inp)
	if z := in.Zone(); z.Frees != 0 {
		t.Error("freed under a reference")
	}
	in.handles[1].rele(inp)
	if z := in.Zone(); z.Frees != 1 {
		t.Errorf("freed %d times", z.Frees)
	}
	closeInfo(t, in)
}

// TestNullsChains (H13) sends a reader from one chain into another, and past a stranger whose name begins the same.
func TestNullsChains(t *testing.T) {
	in := newInfo(t, "bucket:chain=nulls", Config{CPUs: 1, Buckets: 2}).(*bucketInfo)
	c := &in.handles[0]
	var chain [2][]*Inpcb // newest last
	for i := 0; len(chain[0]) < 2 || len(chain[1]) < 2; i++ {
		inc := tuple(i)
		if _, err := c.Connect(&inc); err != nil {
			t.Fatal(err)
		}
		at := in.bs.at(in.connection(&inc)) >> in.bs.spread
		chain[at] = append(chain[at], in.connection(&inc))
	}
	want, first := chain[0][0], chain[0][len(chain[0])-1]
	look := func(when string, sure bool) {
		t.Helper()
		inp, got := c.lookOnce(in.bs.at(want), &want.inc, want.hash, false)
		if got != sure || sure && inp != want {
			t.Errorf("%s: found %p of %p, sure %v", when, inp, want, got)
		}
		if inp != nil {
			c.rele(inp)
		}
	}
	look("as it is", true)
	was := first.hashNext.Load()
	first.hashNext.Store(chain[1][0])
	look("when the reader comes into the other chain", false)
	first.hashNext.Store(was)
	name := first.name.Load()
	first.name.Store(want.name.Load())
	look("past another of that name", true)
	first.name.Store(name)
	if first.refs.Load() != 1 || want.refs.Load() != 1 {
		t.Errorf("%d and %d references", first.refs.Load(), want.refs.Load())
	}
	closeInfo(t, in)
}

// TestBucketSharesNothing has one CPU connect, take in text, send, close, come into TIME-WAIT and be aborted, while every lock is held that another
// CPU's writers take for another bucket, and looks what it has written: its own bucket, its own parts, and nothing else.
func TestBucketSharesNothing(t *testing.T) {
	for _, text := range []string{"bucket", "bucket:chain=nulls"} {
		t.Run(text, func(t *testing.T) {
			in := newInfo(t, text, Config{CPUs: 2, Conns: 64}).(*bucketInfo)
			c := in.CPU(0)
			warm := tuple(2) // the CPU has free inpcbs then
			if _, err := c.Connect(&warm); err != nil {
				t.Fatal(err)
			}
			p := newPeer(tuple(1))
			ours := in.bs.exactAt(in.bs.hash(&p.inc))
			release := holdAll(in, ours)
			// The others' counters and what readers have in common.
			watched := [][]byte{bytesOf(in), bytesOf(&in.handles[1]), bytesOf(in.cpus[1]), bytesOf(&in.zone.cpus[1])}
			var before [][]byte
			for _, b := range watched {
				before = append(before, bytes.Clone(b))
			}
			heads := chainHeads(in)
			done := make(chan error, 1)
			go func() { done <- useConnection(c, p) }()
			if err := <-done; err != nil {
				t.Error(err)
			}
			for i, b := range watched {
				if !bytes.Equal(b, before[i]) {
					t.Errorf("part %d of what is others' or everybody's was written", i)
				}
			}
			for i, head := range chainHeads(in) {
				if changed := head != heads[i]; changed != (i == ours) {
					t.Errorf("chain %d, where %d is ours: changed %v", i, ours, changed)
				}
			}
			release()
			closeInfo(t, in)
		})
	}
}

// useConnection leaves p's connection in TIME-WAIT.
func useConnection(c CPU, p *peer) error {
	for range 2 {
		iss, err := c.Connect(&p.inc)
		if err != nil {
			return err
		}
		p.ack = iss + 1
		if out := outcome(c, p.segment(SYN|ACK, 0)); out != GotConnect {
			return fmt.Errorf("SYN|ACK: %v", out)
		}
		if out := outcome(c, p.segment(ACK, 10)); out != GotData {
			return fmt.Errorf("text: %v", out)
		}
		if err := c.Send(&p.inc, 1); err != nil {
			return err
		}
		if err := c.Abort(&p.inc); err != nil {
			return err
		}
	}
	iss, err := c.Connect(&p.inc)
	if err != nil {
		return err
	}
	p.ack = iss + 1
	c.Input([]*Segment{p.segment(SYN|ACK, 0)})
	if err := c.Close(&p.inc); err != nil {
		return err
	}
	p.ack++
	c.Input([]*Segment{p.segment(FIN|ACK, 0)})
	return nil
}

// holdAll takes every lock of the table but those of chain ours and of CPU 0's TIME_WAIT queue.
func holdAll(in *bucketInfo, ours int) (release func()) {
	var all []locks.Lock
	all = append(all, &in.walk, &in.zone.mu)
	for i := 0; i < in.bs.all(); i = in.bs.next(i) {
		if i != ours {
			all = append(all, &in.bs.chains[i].lock)
		}
	}
	for i := range in.sc.buckets {
		all = append(all, &in.sc.buckets[i].lock)
	}
	for i := range in.handles[1:] {
		all = append(all, &in.handles[1+i].twLock)
	}
	for _, l := range all {
		l.Lock(nil)
	}
	return func() {
		for _, l := range slices.Backward(all) {
			l.Unlock(nil)
		}
	}
}

func bytesOf[T any](p *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p)) }

func chainHeads(in *bucketInfo) map[int]*Inpcb {
	heads := map[int]*Inpcb{}
	for i := 0; i < in.bs.all(); i = in.bs.next(i) {
		heads[i] = in.bs.chains[i].head.Load()
	}
	return heads
}

// TestBucketLayout checks where chains lie: with their lock on one line; a pair of lines apart, in a table of thousands; and 16 bytes for a connection,
// in one of a million.
func TestBucketLayout(t *testing.T) {
	const line = 64
	if unsafe.Sizeof(chain{}) != chainBytes || unsafe.Sizeof(Inpcb{}) != inpcbBytes {
		t.Errorf("a chain has %d bytes, an inpcb %d", unsafe.Sizeof(chain{}), unsafe.Sizeof(Inpcb{}))
	}
	for _, c := range []struct{ conns, apart int }{{1, 128}, {64, 128}, {8192, 128}, {16384, 64}, {32768, 32}, {1 << 16, 16}, {1000_000, 16}} {
		var bs buckets
		bs.init(&Config{Conns: c.conns, Seed: 1})
		at := func(i int) uintptr { return uintptr(unsafe.Pointer(&bs.chains[i])) }
		for i := 0; i < bs.all(); i = bs.next(i) {
			ch := &bs.chains[i]
			if uintptr(unsafe.Pointer(&ch.head))/line != (uintptr(unsafe.Pointer(&ch.lock))+7)/line {
				t.Fatalf("%d connections: chain %d is on two lines", c.conns, i)
			}
			want := uintptr(c.apart)
			if i >= bs.wild {
				want = lineSize
			}
			if next := bs.next(i); next < bs.all() && at(next)-at(i) != want {
				t.Fatalf("%d connections: chain %d is %d bytes before the next, want %d", c.conns, i, at(next)-at(i), want)
			}
		}
	}
	// What all lookups read is not on a line with what somebody writes.
	var in bucketInfo
	first, last := unsafe.Offsetof(in.bs)+unsafe.Offsetof(in.bs.chains), unsafe.Offsetof(in.bs)+unsafe.Offsetof(in.bs.seqs)
	for what, at := range map[string]uintptr{
		"what a walk shows":  unsafe.Offsetof(in.base) + unsafe.Offsetof(in.x) + unsafe.Sizeof(in.x),
		"the clock":          unsafe.Offsetof(in.base) + unsafe.Offsetof(in.now),
		"the generation":     unsafe.Offsetof(in.bs) + unsafe.Offsetof(in.bs.gen),
		"the walkers' lock":  unsafe.Offsetof(in.walk),
		"what walkers found": unsafe.Offsetof(in.snap),
	} {
		if at+lineSize > first && at < last+lineSize {
			t.Errorf("%s is at %d, too near to what lookups read, from %d to %d", what, at, first, last)
		}
	}
	var h bucketCPU
	if gap := unsafe.Offsetof(h.twLock) - unsafe.Offsetof(h.collisions); gap < lineSize || unsafe.Sizeof(h)-unsafe.Offsetof(h.tw) < lineSize {
		t.Errorf("%d bytes between a CPU's counts and its queue, which others write", gap)
	}
}

// TestBucketSpecs: nothing is reclaimed after a grace period where there is none.
func TestBucketSpecs(t *testing.T) {
	if in := newInfo(t, "bucket:chain=plain:smr=gc", Config{CPUs: 1}).(*bucketInfo); in.bs.marked || in.dom.Recycles() {
		t.Error("chain=plain:smr=gc is something else")
	}
	for text, want := range map[string]string{
		"bucket:chain=null":         "plain or nulls",
		"bucket:chain=nulls:smr=gc": "at once",
		"bucket:smr=gc:chain=nulls": "at once",
	} {
		if _, err := ParseSpec(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
