package workloadtest

import (
	"pcbbench/locks/oracle"
	"pcbbench/pcbinfo"
	"pcbbench/pcbinfo/pcbtest"
)

// The letters in which a connection's life is told: what came in, in capitals, and what our user asked for.
const (
	syn, handshake, synAck, data, ack, fin, rst = 'S', 'H', 'C', 'D', 'A', 'F', 'R'
	send, userClose, abort, connect             = 's', 'c', 'a', 'o'
)

// due is the only outcome that each letter may have.
var due = map[byte]pcbinfo.Outcome{syn: pcbinfo.GotSyn, handshake: pcbinfo.GotAccept, synAck: pcbinfo.GotConnect,
	data: pcbinfo.GotData, ack: pcbinfo.GotAck, fin: pcbinfo.GotFin, rst: pcbinfo.GotRst}

// opening is the stage before the first lap.
const opening = -1

// A record is a Reference that writes down what it is asked for, and notices at once what no workload may ask. One goroutine uses it.
type record struct {
	pcbinfo.Info
	cpus    []*scribe
	lives   map[pcbinfo.ConnInfo]*life  // by name
	ours    map[*pcbinfo.ConnInfo]*life // those that we open, by where their name is kept
	order   []*life                     // as they were first met
	ports   []uint16                    // listened on
	ticks   []int                       // SlowTimos, by lap
	tick    uint32
	traffic uint64 // segments since the table was open
	replay  bool   // a capture: outcomes are what they are
	loop    bool   // both ends of connections are here
	err     error  // the first violation
}

// A scribe is one worker's handle.
type scribe struct {
	pcbinfo.CPU
	r       *record
	worker  int
	lap     int
	segs    [][]pcbinfo.Segment // by lap
	batches [][]batch           // by lap; a batch without a segment is not seen
	asked   map[*life]bool      // since the last batch
}

// A batch is one Input: how many segments, of which connection the first, and which connections had requests before it.
type batch struct {
	segs  int
	first *life
	asked map[*life]bool
}

// A life is one connection, or one four-tuple that lives again and again, as the record tells it.
type life struct {
	inc      pcbinfo.ConnInfo
	outbound bool
	known    bool // a SYN was seen
	half     bool
	rcv, snd uint32     // what the next segment must begin with, and acknowledge
	open     bool       // before the first lap, for all of it
	text     string     // what it does in a lap, in the order of its script
	letters  [2][]byte  // before the first lap, and in it
	workers  [2][]int32 // who saw each letter
	moment   []int      // of each letter of the first lap: how many segments before it
	sizes    map[int]bool
	sends    map[int]bool
}

// newRecord makes an empty one for that many workers.
func newRecord(workers int, replay bool) *record {
	ref := pcbtest.NewReference(pcbinfo.Config{CPUs: workers, MSL: 1, FirstPort: 49152, LastPort: 65535})
	r := &record{Info: roomy{ref}, lives: map[pcbinfo.ConnInfo]*life{}, ours: map[*pcbinfo.ConnInfo]*life{}, replay: replay}
	for i := range workers {
		r.cpus = append(r.cpus, &scribe{CPU: ref.CPU(i), r: r, worker: i, lap: opening, asked: map[*life]bool{}})
	}
	return r
}

func (r *record) CPU(cpu int) pcbinfo.CPU { return r.cpus[cpu] }

func (r *record) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = oracle.Violated(name, format, args...)
	}
}

// life is the one with that name.
func (r *record) life(inc *pcbinfo.ConnInfo) *life {
	l := r.lives[*inc]
	if l == nil {
		l = &life{inc: *inc, sizes: map[int]bool{}, sends: map[int]bool{}}
		r.lives[*inc] = l
		r.order = append(r.order, l)
	}
	return l
}

// mirror is inc seen from the other end.
func mirror(inc *pcbinfo.ConnInfo) *pcbinfo.ConnInfo {
	return &pcbinfo.ConnInfo{Faddr: inc.Laddr, Laddr: inc.Faddr, Fport: inc.Lport, Lport: inc.Fport}
}

// mate is the other end of l; nil if that is not here.
func (r *record) mate(l *life) *life {
	if !r.loop {
		return nil
	}
	return r.lives[*mirror(&l.inc)]
}

// client reports whether l is the end that connects, of two that are here.
func (r *record) client(l *life) bool { return r.loop && l != nil && r.server(&l.inc) != &l.inc }

// server is how the end that was connected to names the connection: inc, unless that is the other end's.
func (r *record) server(inc *pcbinfo.ConnInfo) *pcbinfo.ConnInfo {
	if _, ok := peerOf(inc); r.loop && !ok {
		return mirror(inc)
	}
	return inc
}

func (s *scribe) Input(segs []*pcbinfo.Segment) {
	b := batch{segs: len(segs), asked: s.asked}
	s.asked = map[*life]bool{}
	for i, seg := range segs {
		l := s.r.life(&seg.Inc)
		if i == 0 {
			b.first = l
		}
		s.segment(l, seg, segs[i:i+1])
	}
	if s.lap == opening {
		return
	}
	s.batches[s.lap] = append(s.batches[s.lap], b)
	for _, seg := range segs {
		s.segs[s.lap] = append(s.segs[s.lap], *seg)
	}
}

// begin starts the next lap.
func (s *scribe) begin() {
	s.lap++
	s.segs, s.batches = append(s.segs, nil), append(s.batches, nil)
}

// segment checks seg's numbers, gives it to the table, and checks what became of it.
func (s *scribe) segment(l *life, seg *pcbinfo.Segment, one []*pcbinfo.Segment) {
	letter := l.letter(seg)
	if !s.r.replay {
		s.numbers(l, letter, seg)
	}
	if mate := s.r.mate(l); mate != nil && int32(seg.Seq+uint32(seg.Len)-mate.snd) > 0 {
		s.r.fail(oracle.Order, "%v: after %q its %c ends with %d before the other end has sent that: %d", l.inc, l.tail(), letter, seg.Seq+uint32(seg.Len), mate.snd)
	}
	before, copied := *s.CPU.Stats(), *seg
	s.CPU.Input(one)
	since := s.CPU.Stats().Since(before)
	if !s.r.replay && (since.Outcomes[due[letter]] != 1 || since.Segments() != 1) {
		s.r.fail(oracle.Answer, "%v: after %q its %c %+v came to %v", l.inc, l.tail(), letter, copied, &since.Outcomes)
	}
	l.sizes[int(seg.Len)] = l.sizes[int(seg.Len)] || letter == data
	s.note(l, letter)
	s.r.traffic++
}

// letter tells what seg is at this point of l's life.
func (l *life) letter(seg *pcbinfo.Segment) byte {
	const all = pcbinfo.SYN | pcbinfo.ACK | pcbinfo.FIN | pcbinfo.RST
	switch f := seg.Flags & all; {
	case f == pcbinfo.SYN:
		return syn
	case f == pcbinfo.SYN|pcbinfo.ACK:
		return synAck
	case f&pcbinfo.RST != 0:
		return rst
	case f&pcbinfo.FIN != 0:
		return fin
	case seg.Len > 0:
		return data
	case l.half:
		return handshake
	}
	return ack
}

// leastAhead and mostAhead are how far, at least and at most, a new connection of the same name begins beyond the old one's numbers.
const leastAhead, mostAhead = 1 << 16, 1 << 18

// numbers follows the protocol: a segment begins where the last one ended and acknowledges all that our user sent.
func (s *scribe) numbers(l *life, letter byte, seg *pcbinfo.Segment) {
	if seg.Win != 1<<30-1 {
		s.r.fail(oracle.Order, "%v: window %d, want the largest there is", l.inc, seg.Win)
	}
	if letter == syn {
		if ahead := seg.Seq - l.rcv; l.known && (ahead < leastAhead || ahead > mostAhead) {
			s.r.fail(oracle.Order, "%v: after %q a new life begins %d beyond the old one", l.inc, l.tail(), int32(ahead))
		}
		l.known, l.half = true, true
		l.rcv, l.snd = seg.Seq, pcbinfo.ISN(&seg.Inc, seg.Seq)+1
	}
	l.half = l.half && letter == syn
	if letter == synAck {
		l.rcv = seg.Seq
	}
	if seg.Seq != l.rcv {
		s.r.fail(oracle.Order, "%v: after %q its %c has number %d, want %d: off by %d", l.inc, l.tail(), letter, seg.Seq, l.rcv, int32(seg.Seq-l.rcv))
	}
	if seg.Flags&pcbinfo.ACK != 0 && seg.Ack != l.snd {
		s.r.fail(oracle.Order, "%v: after %q its %c acknowledges %d, want %d: off by %d", l.inc, l.tail(), letter, seg.Ack, l.snd, int32(seg.Ack-l.snd))
	}
	l.rcv = seg.Seq + uint32(seg.Len)
	if letter == syn || letter == synAck || letter == fin {
		l.rcv++
	}
}

// note writes letter into l's story.
func (s *scribe) note(l *life, letter byte) {
	if s.lap > 0 {
		return
	}
	stage := s.lap + 1
	l.letters[stage] = append(l.letters[stage], letter)
	l.workers[stage] = append(l.workers[stage], int32(s.worker))
	if stage == 1 {
		l.moment = append(l.moment, int(s.r.traffic))
	}
}

// tail is how l's story ends so far.
func (l *life) tail() string {
	all := append(append([]byte{}, l.letters[0]...), l.letters[1]...)
	return string(all[max(0, len(all)-12):])
}

// request notes what our user asked for, and that the table refused it.
func (s *scribe) request(l *life, letter byte, err error) {
	if err != nil && !s.r.replay {
		s.r.fail(oracle.Answer, "%v: after %q our user's %c is refused: %v", l.inc, l.tail(), letter, err)
	}
	s.asked[l] = true
	s.note(l, letter)
}

func (s *scribe) Send(inc *pcbinfo.ConnInfo, n int) error {
	l, err := s.r.life(inc), s.CPU.Send(inc, n)
	s.request(l, send, err)
	l.sends[n] = true
	l.snd += uint32(n)
	return err
}

func (s *scribe) Close(inc *pcbinfo.ConnInfo) error {
	l, err := s.r.life(inc), s.CPU.Close(inc)
	s.request(l, userClose, err)
	l.snd++
	return err
}

func (s *scribe) Abort(inc *pcbinfo.ConnInfo) error {
	l, err := s.r.life(inc), s.CPU.Abort(inc)
	s.request(l, abort, nil) // of what may be gone
	return err
}

// Connect follows a connection of our own, whose name is new each time, but where the other end is ours too.
func (s *scribe) Connect(inc *pcbinfo.ConnInfo) (uint32, error) {
	if s.r.loop {
		l := s.r.life(inc)
		iss, err := s.CPU.Connect(inc)
		s.request(l, connect, err)
		l.snd = iss + 1
		return iss, err
	}
	l := s.r.ours[inc]
	if l == nil {
		l = &life{inc: *inc, outbound: true, sizes: map[int]bool{}, sends: map[int]bool{}}
		s.r.ours[inc] = l
		s.r.order = append(s.r.order, l)
	}
	if inc.Lport != 0 {
		s.r.fail(oracle.Answer, "%v: our user connects from a port of his own", *inc)
	}
	iss, err := s.CPU.Connect(inc)
	s.request(l, connect, err)
	s.r.lives[*inc] = l
	l.inc, l.snd = *inc, iss+1
	return iss, err
}

func (s *scribe) Listen(inc *pcbinfo.ConnInfo) error {
	s.r.ports = append(s.r.ports, inc.Lport)
	return s.CPU.Listen(inc)
}

// SlowTimo is one worker's, and its ticks are counted from 1.
func (s *scribe) SlowTimo(now uint32) {
	if s.worker != 0 {
		s.r.fail(oracle.Answer, "worker %d runs the clock", s.worker)
	}
	if s.lap != opening && now != s.r.tick+1 && now < checkTick {
		s.r.fail(oracle.Answer, "tick %d comes after %d", now, s.r.tick)
	}
	s.r.tick = now
	for len(s.r.ticks) <= max(0, s.lap) {
		s.r.ticks = append(s.r.ticks, 0)
	}
	s.r.ticks[max(0, s.lap)]++
	s.CPU.SlowTimo(now)
}

// checkTick is beyond the ticks of any lap here: Check lets TIME-WAITs expire by one like that.
const checkTick = 1 << 16
