package workloads

// tpca.go: the on-line transaction benchmark that made PCB lookups a topic.
// Source: McKenney and Dove, "Efficient Demultiplexing of Incoming TCP Packets", SIGCOMM 1992: TPC/A with 2,000 users.
// Idea: every user thinks long and at random, so that successive packets belong to different connections and no cache of
// the last one helps; each transaction is a query, and later the bare ACK of the response.
// What a lap is: at least four transactions a user on average, uniform.

var tpca = Mix{Name: "tpca", Main: true, Conns: 2000, Payload: 100, write: writeTPCA,
	Doc:    "transactions of users who think long: query, response, a bare ACK; no locality at all",
	Source: "McKenney and Dove, SIGCOMM 1992 (TPC/A, 2,000 users)"}

const tpcaRTT = 256

func writeTPCA(b *builder) error {
	n := b.lapOf(2*b.p.Conns, 2*rpcPerConn*b.p.Conns) * b.p.Conns
	rtt := min(tpcaRTT, b.p.Conns/4) // an eighth of a user's mean time between transactions, where few users take turns soon
	for i, times := range b.draw(n, b.p.Conns) {
		p := b.passive(b.p.connInfo(i), true)
		for _, at := range times {
			p.seek(int(at))
			p.data(b.p.Payload)
			p.send(b.p.Payload)
			p.seek(min(p.at+rtt, b.lap-1))
			p.acknowledge()
		}
		p.done()
	}
	return nil
}
