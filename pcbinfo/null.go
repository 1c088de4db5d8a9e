package pcbinfo

// null.go: no table at all.
// Source: the empty lock of every honest lock benchmark (lockhammer's lh_empty).
// Idea: read each segment's header and count it, so that a run shows what the driver itself weighs.
// Cost: none; subtract its row from the others.
// Holds: segments in = segments counted, all of them as ACKs or text.

type nullInfo struct {
	base
	handles []nullCPU
}

type nullCPU struct{ *cpu }

func newNull(cfg Config) (Info, error) {
	in := &nullInfo{}
	in.init(cfg, nil)
	for _, c := range in.cpus {
		in.handles = append(in.handles, nullCPU{c})
	}
	return in, nil
}

func (in *nullInfo) CPU(cpu int) CPU { return in.handles[cpu] }

func (c nullCPU) Input(segs []*Segment) {
	var text uint64
	for _, seg := range segs {
		if seg.Len > 0 {
			text++
		}
	}
	c.stats.Outcomes[GotData] += text
	c.stats.Outcomes[GotAck] += uint64(len(segs)) - text
}

func (c nullCPU) Send(inc *ConnInfo, n int) error { return nil }

// Connect gives out one port after the other and asks nobody.
func (c nullCPU) Connect(inc *ConnInfo) (uint32, error) {
	c.nextPort++
	inc.Lport = c.b.cfg.FirstPort + uint16(c.nextPort%uint32(c.b.cfg.LastPort-c.b.cfg.FirstPort+1))
	return 0, nil
}

func (c nullCPU) Listen(inc *ConnInfo) error { return nil }
func (c nullCPU) Close(inc *ConnInfo) error  { return nil }
func (c nullCPU) Abort(inc *ConnInfo) error  { return nil }
func (c nullCPU) SlowTimo(now uint32)        { c.b.now.Store(now) }

func (in *nullInfo) Walk(f func(*Xinpcb) bool) {}
func (in *nullInfo) Len() int                  { return 0 }
func (in *nullInfo) Counters() []Counter       { return nil }
func (in *nullInfo) Close() error              { return in.zone.audit(0) }
