package pcap

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// Whatever the bytes are, Read accounts for every record, and the flows of what it made of them can
// be replayed.
func FuzzRead(f *testing.F) {
	raw := shippedRecords(f, 1<<20)
	for _, l := range links {
		f.Add(writePcap(f, l.link, wrap(raw[:4], l.header)))
		f.Add(writeNg(f, l.link, wrap(raw[:4], l.header)))
	}
	for at := 0; at+20 < len(raw); at += 100 {
		f.Add(writePcap(f, layers.LinkTypeRaw, raw[at:at+20]))
	}
	f.Add(writeBigEndian(f, layers.LinkTypeRaw, raw[:4]))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := Read(bytes.NewReader(file), "fuzz")
		if err != nil {
			return
		}
		if len(c.Packets) == 0 || len(c.Packets)+skipped(c.Skipped) != c.Records {
			t.Fatalf("%d packets and %d skipped of %d records", len(c.Packets), skipped(c.Skipped), c.Records)
		}
		flows, s := c.Flows()
		if s.Segments+s.Stale != len(c.Packets) {
			t.Fatalf("%d packets, but %d segments and %d stale", len(c.Packets), s.Segments, s.Stale)
		}
		checkReplay(t, flows)
	})
}
