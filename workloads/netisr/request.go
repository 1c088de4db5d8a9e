package netisr

import (
	"sync/atomic"

	"pcbbench/locks"
	"pcbbench/locks/probe"
	"pcbbench/pcbinfo"
)

// A request is a message to a workstream that something be done there, with its handle. Its sender writes it; from when it is sent until pending is
// false again it belongs to the workstream, and then to the sender with the answer.
type request struct {
	_       [locks.LinePad]byte
	do      func(cpu pcbinfo.CPU, r *request)
	inc     pcbinfo.ConnInfo
	n       int    // bytes, or the tick
	call    func() // of what an owner asks of another
	iss     uint32
	err     error
	silent  bool // nobody waits: an error is counted
	from    *sender
	to      *workstream
	pending atomic.Bool
	_       [locks.LinePad]byte
}

// What users ask for.
func doSend(cpu pcbinfo.CPU, r *request)     { r.err = cpu.Send(&r.inc, r.n) }
func doConnect(cpu pcbinfo.CPU, r *request)  { r.iss, r.err = cpu.Connect(&r.inc) }
func doListen(cpu pcbinfo.CPU, r *request)   { r.err = cpu.Listen(&r.inc) }
func doClose(cpu pcbinfo.CPU, r *request)    { r.err = cpu.Close(&r.inc) }
func doAbort(cpu pcbinfo.CPU, r *request)    { r.err = cpu.Abort(&r.inc) }
func doSlowTimo(cpu pcbinfo.CPU, r *request) { cpu.SlowTimo(uint32(r.n)) }
func doCall(_ pcbinfo.CPU, r *request)       { r.call() }

// perform is called by whoever uses ws's handle. The Store of pending hands the request back; it pairs with the Load in sender.wait.
func (ws *workstream) perform(r *request) {
	r.err = nil
	r.do(ws.cpu, r)
	if r.silent && r.err != nil {
		ws.failed++
		ws.failure = r.err
	}
	ws.requests++
	from := r.from
	probe.Store(&r.pending)
	r.pending.Store(false)
	from.bell.Ring()
}

// requested is the bit of workstream.pending that stands for requests.
const requested = 1 << 31

// request queues r.
func (ws *workstream) request(r *request) {
	ws.lock.Lock(nil)
	ws.asked = append(ws.asked, r)
	probe.Store(&ws.pending)
	ws.pending.Store(ws.pending.Load() | requested)
	ws.unlock(true)
}

// answer performs what was requested, and returns how much that was. It is called with lock held, and returns with it when nothing is requested any
// more: so that a packet that the caller then takes from a queue has not overtaken a request.
func (ws *workstream) answer() (n int) {
	for len(ws.asked) > 0 {
		n += ws.answerSome()
	}
	return n
}

// answerSome performs what has been requested by now: more may be requested when it returns, with lock held as before.
func (ws *workstream) answerSome() (n int) {
	if n = len(ws.asked); n > 0 {
		ws.asked, ws.answering = ws.answering[:0], ws.asked
		probe.Store(&ws.pending)
		ws.pending.Store(ws.pending.Load() &^ requested)
		ws.lock.Unlock(nil)
		for _, r := range ws.answering {
			ws.perform(r)
		}
		ws.lock.Lock(nil)
	}
	return n
}

// finish is the worker's part, done by another when there may be no worker any more. One that was woken meanwhile has left all to us, the end too.
func (ws *workstream) finish() {
	if _, stop := ws.run(); stop {
		ws.stop()
	}
}

// A sender is a goroutine that makes requests, or the goroutines that hold a workstream one after another.
type sender struct {
	_        [locks.LinePad]byte
	keeper   *keeper
	requests []request     // in turn
	next     int           // of requests
	serves   []*workstream // which it runs while it waits, if there are any whose packets are its own thread's to handle
	sleeps   bool          // while it waits
	wakes    Wakes
	bell     locks.Bell
	_        [locks.LinePad]byte
}

// A keeper keeps the table to the workstreams: whoever else wants something of it makes a request.
type keeper struct {
	*isr
	// deliver brings a request to its workstream, and may perform it there.
	deliver func(ws *workstream, r *request)
	owned   bool     // the table's parts are those of the workstreams
	users   []*user  // by number
	asks    []sender // by workstream: for what its handlers ask of the first
	walks   sender
	stopped atomic.Bool
}

// newKeeper makes n's table the workstreams' own. serves are the workstreams that the given input context's thread runs while it waits; nil if it runs none.
// calls is how many requests a user may have on their way: more than one of those that nobody waits for.
func newKeeper(n *isr, calls int, deliver func(*workstream, *request), serves func(context int) []*workstream) *keeper {
	k := &keeper{isr: n, deliver: deliver, asks: make([]sender, len(n.streams))}
	table, owned := n.c.Table.(pcbinfo.Owned)
	k.owned = owned
	for i, ws := range n.streams {
		ws.cpu = n.c.Table.CPU(n.c.Streams[i])
		k.asks[i].init(k, 1)
		k.asks[i].sleeps = !n.c.Poll
		if context := i % len(n.c.Contexts); n.c.Poll {
			k.asks[i].serves = first(serves(context), n.streams[0])
		}
	}
	k.walks.init(k, 1)
	k.walks.sleeps = true
	for i, handle := range n.c.Users {
		u := &user{CPU: n.c.Table.CPU(handle), home: i % len(n.streams), async: calls > 1}
		u.init(k, calls)
		context := i % len(n.c.Contexts)
		if u.sleeps = !n.c.Poll || handle != n.c.Contexts[context]; !u.sleeps {
			u.serves = serves(context)
		}
		k.users = append(k.users, u)
	}
	if owned {
		table.Own(n.c.Streams, k.call)
	}
	return k
}

// first is ws alone if it is one of list.
func first(list []*workstream, ws *workstream) []*workstream {
	if len(list) > 0 && list[0] == ws {
		return list[:1]
	}
	return nil
}

func (s *sender) init(k *keeper, calls int) {
	s.keeper, s.wakes, s.bell.Now = k, NewWakes(k.c.Now), k.c.Now
	s.requests = make([]request, calls)
	for i := range s.requests {
		s.requests[i].from = s
	}
}

// claim is the next request, as soon as it is not on its way any more.
func (s *sender) claim() *request {
	r := &s.requests[s.next]
	if s.next++; s.next == len(s.requests) {
		s.next = 0
	}
	s.wait(r)
	return r
}

// send sends r to a workstream.
func (s *sender) send(to int, r *request) {
	r.to = s.keeper.streams[to]
	r.pending.Store(true)
	s.keeper.deliver(r.to, r)
}

// patience is how often who does not sleep looks before he gives way, which takes a few µs: about what it costs to come back.
const patience = 100

// wait returns when r is the sender's again. After Stop nobody looks at the workstream any more, so the sender does.
func (s *sender) wait(r *request) {
	for turn := 0; s.waits(r); turn++ {
		probe.Load(&s.keeper.stopped)
		switch {
		case s.keeper.stopped.Load():
			r.to.finish()
		case s.sleeps:
			if s.bell.Sleep(func() bool { return !r.pending.Load() || s.keeper.stopped.Load() }) {
				s.wakes.Rung(&s.bell)
			}
			continue
		case s.serve() > 0:
			turn = 0
			continue
		}
		if turn < patience && !probe.Simulating {
			locks.Pause(1)
		} else {
			probe.Pause()
			s.keeper.c.Yield()
		}
	}
}

func (s *sender) waits(r *request) bool {
	probe.Load(&r.pending)
	return r.pending.Load()
}

func (s *sender) serve() (n int) {
	for _, ws := range s.serves {
		n += ws.Run()
	}
	return n
}

// call is how owners ask the first, and walkers all: see pcbinfo.Owned.
func (k *keeper) call(from, to int, do func()) {
	if from == to {
		do()
		return
	}
	s := &k.walks
	if from != pcbinfo.Nobody {
		if to != 0 {
			panic("netisr: an owner asks one that may wait for it")
		}
		s = &k.asks[from]
	}
	r := s.claim()
	r.do, r.call = doCall, do
	s.send(to, r)
	s.wait(r)
}

func (k *keeper) User(i int) pcbinfo.CPU { return k.users[i] }

// Stop ends Serve, and wakes who waits for an answer to give it himself.
func (k *keeper) Stop() {
	probe.Store(&k.stopped)
	k.stopped.Store(true)
	k.isr.Stop()
	k.walks.bell.Ring()
	for i := range k.asks {
		k.asks[i].bell.Ring()
	}
	for _, u := range k.users {
		u.bell.Ring()
	}
}

// Stats adds what became of requests.
func (k *keeper) Stats() Stats {
	s := k.isr.Stats()
	for i, ws := range k.streams {
		s.Streams[i].Requests = ws.requests
		s.Failed += ws.failed
		if ws.failure != nil {
			s.Failure = ws.failure
		}
		s.Calls.Add(&k.asks[i].wakes)
	}
	for _, u := range k.users {
		s.Calls.Add(&u.wakes)
	}
	return s
}

// A user's requests are messages to the workstream that owns the connection.
type user struct {
	pcbinfo.CPU // nobody's: for Stats
	home        int
	async       bool
	sender
}

// ask has do done by workstream to. If nobody waits then a request that fails is counted in Stats.
func (u *user) ask(to int, do func(pcbinfo.CPU, *request), inc *pcbinfo.ConnInfo, n int, silent bool) *request {
	r := u.claim()
	r.do, r.inc, r.n, r.silent = do, *inc, n, silent
	u.send(to, r)
	if !silent {
		u.wait(r)
	}
	return r
}

func (u *user) to(inc *pcbinfo.ConnInfo) int { return inc.Part(len(u.keeper.streams)) }

// Idle has nothing to say: what the user asks for is done with the workstreams' CPUs.
func (u *user) Idle() {}

// Input is not for users.
func (u *user) Input([]*pcbinfo.Segment) { panic("netisr: segments come in at contexts") }

func (u *user) tell(do func(pcbinfo.CPU, *request), inc *pcbinfo.ConnInfo, n int) error {
	r := u.ask(u.to(inc), do, inc, n, u.async)
	if u.async {
		return nil
	}
	return r.err
}

func (u *user) Send(inc *pcbinfo.ConnInfo, n int) error { return u.tell(doSend, inc, n) }
func (u *user) Close(inc *pcbinfo.ConnInfo) error       { return u.tell(doClose, inc, 0) }

func (u *user) Listen(inc *pcbinfo.ConnInfo) error {
	return u.ask(u.to(inc), doListen, inc, 0, false).err
}
func (u *user) Abort(inc *pcbinfo.ConnInfo) error {
	return u.ask(u.to(inc), doAbort, inc, 0, false).err
}

// Connect with a port to be chosen goes to the workstream of the user's CPU. Behind an Owned table each has ports of its own: then others are asked if
// that one has none left.
func (u *user) Connect(inc *pcbinfo.ConnInfo) (iss uint32, err error) {
	if inc.Lport != 0 {
		return u.connect(u.to(inc), inc)
	}
	for i := range u.keeper.streams {
		iss, err = u.connect((u.home+i)%len(u.keeper.streams), inc)
		if err != pcbinfo.ErrNoPort || !u.keeper.owned {
			break
		}
	}
	return iss, err
}

func (u *user) connect(to int, inc *pcbinfo.ConnInfo) (uint32, error) {
	r := u.ask(to, doConnect, inc, 0, false)
	inc.Lport = r.inc.Lport
	return r.iss, r.err
}

// SlowTimo has every owner scan; of another table one workstream scans all.
func (u *user) SlowTimo(now uint32) {
	for i := range u.keeper.streams {
		if i == u.home || u.keeper.owned {
			u.ask(i, doSlowTimo, new(pcbinfo.ConnInfo), int(now), false)
		}
	}
}
