package workloads

import "errors"

var pcapReplay = Mix{Name: "pcap", Payload: 1, Conns: 1, Traced: true, write: writePcap,
	Doc:    "replay of a capture of real TCP",
	Source: "the capture named by -trace"}

func writePcap(b *builder) error { return errors.New("not yet") }
