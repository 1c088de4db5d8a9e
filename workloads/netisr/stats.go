package netisr

// A Work counts one protocol's packets on one workstream (struct netisr_work). At rest Handled = Dispatched + HDispatched + Queued.
type Work struct {
	WMark       int    // the most packets queued at a time
	Dispatched  uint64 // handled in place by the context that received them
	HDispatched uint64 // the same, as this workstream's worker would (hybrid)
	QDrops      uint64 // refused by a full queue, or behind what was
	Queued      uint64
	Handled     uint64
	Batches     uint64 // times that some were taken from the queue
}

func (w *Work) add(o *Work) {
	w.WMark = max(w.WMark, o.WMark)
	w.Dispatched += o.Dispatched
	w.HDispatched += o.HDispatched
	w.QDrops += o.QDrops
	w.Queued += o.Queued
	w.Handled += o.Handled
	w.Batches += o.Batches
}

// A StreamStats is what one workstream did, by protocol, and what contexts did in place on its CPU.
type StreamStats struct {
	Works    []Work
	Len      []int  // queued now
	Requests uint64 // of users, and what owners asked of each other, where the model keeps the table to its workstreams
}

// Stats are a model's counts.
type Stats struct {
	Contexts  int // input contexts
	QLimit    int // of protocols that set none
	Protocols []Protocol
	Streams   []StreamStats
	Handoffs  uint64 // packets queued for another CPU than the one they came in on
	Wakes     Wakes  // the workers'
	Calls     Wakes  // of those who slept until a request was answered
	Failed    uint64 // requests that nobody waited for, and that were refused
	Failure   error  // of the last of them, on some workstream
	// Of feedback:
	Moves uint64 // groups of flows that went from one workstream to another
	Arms  []ArmStats
}

// Total adds up all workstreams and protocols.
func (s *Stats) Total() (w Work) {
	for i := range s.Streams {
		for j := range s.Streams[i].Works {
			w.add(&s.Streams[i].Works[j])
		}
	}
	return w
}

func (n *isr) Stats() Stats {
	s := Stats{Contexts: len(n.c.Contexts), QLimit: n.c.QLimit, Protocols: n.c.Protocols, Wakes: NewWakes(n.c.Now), Calls: NewWakes(n.c.Now)}
	for _, ws := range n.streams {
		st := StreamStats{Works: make([]Work, len(n.c.Protocols)), Len: make([]int, len(n.c.Protocols))}
		for i := range n.c.Protocols {
			st.Works[i], st.Len[i] = ws.works[i].Work, len(ws.works[i].queue)
		}
		s.Streams = append(s.Streams, st)
		s.Wakes.Add(&ws.wakes)
	}
	for _, x := range n.all {
		for i := range n.c.Protocols {
			s.Streams[x.cpu].Works[i].add(&x.direct[i])
		}
		s.Handoffs += x.handoff
	}
	return s
}
