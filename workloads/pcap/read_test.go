package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A record is one record of a capture file.
type record struct {
	data []byte
	info gopacket.CaptureInfo
}

// shippedRecords returns the first n records of the shipped capture, raw IP.
func shippedRecords(t testing.TB, n int) []record {
	f, err := os.Open(shipped)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != layers.LinkTypeRaw {
		t.Fatalf("link type of %s is %v", shipped, r.LinkType())
	}
	var all []record
	for len(all) < n {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record{data, info})
	}
	return all
}

// links are the link types, each with the header that it puts before an IP packet of the ethertype.
var links = []struct {
	name   string
	link   layers.LinkType
	header func(ethertype uint16) []byte
}{
	{"ethernet", layers.LinkTypeEthernet, func(e uint16) []byte { return be(make([]byte, 12), e) }},
	{"vlan", layers.LinkTypeEthernet, func(e uint16) []byte { return be(make([]byte, 12), 0x8100, 5, e) }},
	{"qinq", layers.LinkTypeEthernet, func(e uint16) []byte { return be(make([]byte, 12), 0x88a8, 5, 0x8100, 6, e) }},
	{"sll", layers.LinkTypeLinuxSLL, func(e uint16) []byte { return be(nil, 4, 1, 6, 1, 2, 3, 0, e) }},
	{"sll2", layers.LinkTypeLinuxSLL2, func(e uint16) []byte { return be(nil, e, 0, 0, 1, 1, 0x0406, 1, 2, 3, 0) }},
	{"null", layers.LinkTypeNull, func(e uint16) []byte { return []byte{family(e), 0, 0, 0} }},
	{"loop", layers.LinkTypeLoop, func(e uint16) []byte { return []byte{0, 0, 0, family(e)} }},
	{"raw", layers.LinkTypeRaw, func(uint16) []byte { return nil }},
	{"raw-bsd", linkTypeRawBSD, func(uint16) []byte { return nil }},
	{"raw-openbsd", linkTypeRawOpenBSD, func(uint16) []byte { return nil }},
}

func be(b []byte, words ...uint16) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func family(ethertype uint16) byte {
	if ethertype == 0x0800 {
		return byte(layers.ProtocolFamilyIPv4)
	}
	return byte(layers.ProtocolFamilyIPv6FreeBSD)
}

// wrap puts a link header before the raw IP packets.
func wrap(raw []record, header func(uint16) []byte) []record {
	out := make([]record, len(raw))
	for i, r := range raw {
		e := uint16(0x0800)
		if r.data[0]>>4 == 6 {
			e = 0x86dd
		}
		h := header(e)
		r.data = append(h, r.data...)
		r.info.CaptureLength += len(h)
		r.info.Length += len(h)
		out[i] = r
	}
	return out
}

// A format writes a capture file.
type format func(t testing.TB, link layers.LinkType, records []record) []byte

var formats = []struct {
	name  string
	write format
}{
	{"pcap", writePcap},
	{"pcap-nanoseconds", func(t testing.TB, link layers.LinkType, records []record) []byte {
		var b bytes.Buffer
		return old(t, &b, pcapgo.NewWriterNanos(&b), link, records)
	}},
	{"pcap-big-endian", writeBigEndian},
	{"pcapng", writeNg},
}

func writePcap(t testing.TB, link layers.LinkType, records []record) []byte {
	var b bytes.Buffer
	return old(t, &b, pcapgo.NewWriter(&b), link, records)
}

func old(t testing.TB, b *bytes.Buffer, w *pcapgo.Writer, link layers.LinkType, records []record) []byte {
	if err := w.WriteFileHeader(1000, link); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.WritePacket(r.info, r.data); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// writeBigEndian does what pcapgo cannot.
func writeBigEndian(t testing.TB, link layers.LinkType, records []record) []byte {
	b := be(nil, 0xa1b2, 0xc3d4, 2, 4, 0, 0, 0, 0, 0, 1000, 0, uint16(link))
	for _, r := range records {
		at := r.info.Timestamp
		for _, v := range []int64{at.Unix(), int64(at.Nanosecond() / 1000), int64(r.info.CaptureLength), int64(r.info.Length)} {
			b = binary.BigEndian.AppendUint32(b, uint32(v))
		}
		b = append(b, r.data...)
	}
	return b
}

func writeNg(t testing.TB, link layers.LinkType, records []record) []byte {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, link)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		r.info.InterfaceIndex = 0
		if err := w.WritePacket(r.info, r.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every link type in every format tells the same packets.
func TestReadFormats(t *testing.T) {
	raw := shippedRecords(t, 1<<20)
	want, err := Open(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Packets)+skipped(want.Skipped) != len(raw) || want.Records != len(raw) {
		t.Fatalf("%d packets and %d skipped of %d records", len(want.Packets), skipped(want.Skipped), len(raw))
	}
	for _, l := range links {
		for _, f := range formats {
			t.Run(l.name+"/"+f.name, func(t *testing.T) {
				got, err := Read(bytes.NewReader(f.write(t, l.link, wrap(raw, l.header))), "test")
				if err != nil {
					t.Fatal(err)
				}
				if got.LinkType != l.link.String() {
					t.Errorf("link type is %s, want %v", got.LinkType, l.link)
				}
				if !slices.Equal(got.Packets, want.Packets) {
					t.Error("packets differ")
				}
				if list("", got.Skipped) != list("", want.Skipped) {
					t.Errorf("skipped %s, want %s", list("", got.Skipped), list("", want.Skipped))
				}
			})
		}
	}
}

// The snap length takes payload and options away, never the length on the wire; without a whole TCP
// header there is no packet.
func TestReadSnapLength(t *testing.T) {
	raw := shippedRecords(t, 1<<20)
	want, err := Open(shipped)
	if err != nil {
		t.Fatal(err)
	}
	snap := func(tcp int) []byte {
		short := slices.Clone(raw)
		for i := range short {
			n := 20 + tcp
			if short[i].data[0]>>4 == 6 {
				n = 40 + tcp
			}
			n = min(n, len(short[i].data))
			short[i].data, short[i].info.CaptureLength = short[i].data[:n], n
		}
		return writePcap(t, layers.LinkTypeRaw, short)
	}
	got, err := Read(bytes.NewReader(snap(20)), "test")
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got.Packets {
		w := want.Packets[i]
		if w.Scale = -1; p != w {
			t.Fatalf("record %d is %+v, want %+v", p.Record, p, w)
		}
	}
	_, err = Read(bytes.NewReader(snap(19)), "test")
	if err == nil || !strings.Contains(err.Error(), skipCut) {
		t.Errorf("error is %v, want one of %q", err, skipCut)
	}
}

// serialize makes a frame of the layers and lets edit spoil it.
func serialize(t *testing.T, edit func([]byte), ls ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, ls...); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(b.Bytes())
	}
	return b.Bytes()
}

func TestReadRecords(t *testing.T) {
	const ip, seg = 14, 34 // where the headers of v4 frames begin
	src, dst := net.IP{192, 0, 2, 1}, net.IP{192, 0, 2, 2}
	mac := net.HardwareAddr{1, 2, 3, 4, 5, 6}
	tcp := &layers.TCP{SrcPort: 40000, DstPort: 80, Seq: 7, ACK: true}
	data := gopacket.Payload(make([]byte, 100))
	eth := func(e layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: e}
	}
	v4 := func(proto layers.IPProtocol, edit func(b []byte)) []byte {
		h := &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: src, DstIP: dst}
		return serialize(t, edit, eth(layers.EthernetTypeIPv4), h, tcp, data)
	}
	set := func(at int, v ...byte) []byte {
		return v4(layers.IPProtocolTCP, func(b []byte) { copy(b[at:], v) })
	}
	v6 := func(first layers.IPProtocol, extensions ...byte) []byte {
		h := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: first, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
		return serialize(t, nil, eth(layers.EthernetTypeIPv6), h, gopacket.Payload(extensions), tcp, data)
	}
	const hop, route, frag, opts = layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Fragment, layers.IPProtocolIPv6Destination
	tests := []struct {
		name   string
		data   []byte
		wire   int    // 0: as long as data
		reason string // "" if the record is of use
		len    uint32
	}{
		{name: "whole", data: set(0), len: 100},
		{name: "payload cut", data: set(0)[:seg+20], wire: 154, len: 100},
		{name: "longer than the record says", data: set(0)[:seg+20], len: 100},
		{name: "padded", data: append(set(0), 0, 0, 0, 0), len: 100},
		{name: "no total length", data: set(ip+2, 0, 0)[:60], wire: 154, len: 100},
		{name: "no total length and too long", data: set(ip+2, 0, 0), wire: 1 << 30, reason: skipMalformed},
		{name: "options malformed", data: v4(layers.IPProtocolTCP, func(b []byte) { b[seg+12] = 0x60; b[seg+20], b[seg+21] = 3, 99 }), len: 96},
		{name: "options cut", data: set(seg+12, 0xf0)[:seg+21], wire: 154, len: 60},
		{name: "nothing", data: nil, reason: skipEmpty},
		{name: "nothing of much", data: nil, wire: 100, reason: skipEmpty},
		{name: "ARP", data: serialize(t, nil, eth(layers.EthernetTypeARP), data), reason: skipARP},
		{name: "LLC", data: set(12, 0, 50), reason: skipNotIP},
		{name: "LLDP", data: set(12, 0x88, 0xcc), reason: skipNotIP},
		{name: "Ethernet short", data: set(0)[:13], reason: skipMalformed},
		{name: "Ethernet cut", data: set(0)[:13], wire: 154, reason: skipCut},
		{name: "tag short", data: set(12, 0x81, 0)[:16], reason: skipMalformed},
		{name: "tag cut", data: set(12, 0x81, 0)[:16], wire: 154, reason: skipCut},
		{name: "IP short", data: set(0)[:ip+19], reason: skipMalformed},
		{name: "IP cut", data: set(0)[:ip+19], wire: 154, reason: skipCut},
		{name: "IP options cut", data: set(ip, 0x4f)[:ip+30], wire: 154, reason: skipCut},
		{name: "UDP", data: v4(layers.IPProtocolUDP, nil), reason: "UDP"},
		{name: "protocol 253", data: v4(253, nil), reason: "IP protocol 253"},
		{name: "first fragment", data: set(ip+6, 0x20, 0), reason: skipFragment},
		{name: "later fragment", data: set(ip+6, 0, 10), reason: skipFragment},
		{name: "version", data: set(ip, 0x55), reason: skipMalformed},
		{name: "header length", data: set(ip, 0x44), wire: 1000, reason: skipMalformed},
		{name: "total length", data: set(ip+2, 0, 19), reason: skipMalformed},
		{name: "total length ends in TCP header", data: set(ip+2, 0, 39), reason: skipMalformed},
		{name: "TCP cut", data: set(0)[:seg+19], wire: 154, reason: skipCut},
		{name: "TCP offset short", data: set(seg+12, 0x40), reason: skipMalformed},
		{name: "TCP offset long", data: v4(layers.IPProtocolTCP, func(b []byte) { b[ip+3] = 48; b[seg+12] = 0xf0 }), reason: skipMalformed},
		{name: "same ends", data: v4(layers.IPProtocolTCP, func(b []byte) { copy(b[ip+16:], src); copy(b[seg:], []byte{0, 80}) }), reason: skipSameEnds},
		{name: "port zero", data: set(seg, 0, 0), reason: skipNoEnd},
		{name: "address zero", data: set(ip+16, 0, 0, 0, 0), reason: skipNoEnd},
		{name: "v6", data: v6(layers.IPProtocolTCP), len: 100},
		{name: "v6 payload cut", data: v6(layers.IPProtocolTCP)[:14+60], wire: 174, len: 100},
		{name: "v6 ICMP", data: v6(layers.IPProtocolICMPv6), reason: "ICMPv6"},
		{name: "v6 cut", data: v6(layers.IPProtocolTCP)[:14+39], wire: 174, reason: skipCut},
		{name: "v6 version", data: func() []byte { b := v6(layers.IPProtocolTCP); b[ip] = 0x40; return b }(), reason: skipMalformed},
		{name: "v6 no length", data: func() []byte { b := v6(layers.IPProtocolTCP); b[ip+4], b[ip+5] = 0, 0; return b }(), reason: skipMalformed},
		{name: "v6 hop by hop", data: v6(hop, 6, 0, 1, 4, 0, 0, 0, 0), len: 100},
		{name: "v6 jumbogram", data: v6(hop, 6, 0, 0xc2, 4, 0, 0, 0, 128), reason: skipMalformed}, // with a length in the header as well
		{name: "v6 options and routing", data: v6(opts, 43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 4, 0, 0, 0, 0, 0), len: 100},
		{name: "v6 atomic fragment", data: v6(frag, 6, 0, 0, 0, 0, 0, 0, 1), len: 100},
		{name: "v6 first fragment", data: v6(frag, 6, 0, 0, 1, 0, 0, 0, 1), reason: skipFragment},
		{name: "v6 later fragment", data: v6(frag, 6, 0, 0, 8, 0, 0, 0, 1), reason: skipFragment},
		{name: "v6 fragment cut", data: v6(frag, 6, 0, 0, 0, 0, 0, 0, 1)[:14+44], wire: 182, reason: skipCut},
		{name: "v6 options cut", data: v6(opts, 6, 0, 1, 4, 0, 0, 0, 0)[:14+44], wire: 182, reason: skipCut},
		{name: "v6 routing too long", data: v6(route, 6, 200), reason: skipMalformed},
	}
	for _, tt := range tests {
		first := set(0)
		wire := max(tt.wire, len(tt.data))
		file := writePcap(t, layers.LinkTypeEthernet, []record{
			{first, gopacket.CaptureInfo{Length: len(first), CaptureLength: len(first)}},
			{tt.data, gopacket.CaptureInfo{Length: wire, CaptureLength: len(tt.data)}},
		})
		c, err := Read(bytes.NewReader(file), "test")
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if tt.reason != "" {
			if want := []Skip{{tt.reason, 1, []int{2}}}; !reflect.DeepEqual(c.Skipped, want) {
				t.Errorf("%s: skipped %+v, want %+v", tt.name, c.Skipped, want)
			}
			continue
		}
		if len(c.Packets) != 2 {
			t.Errorf("%s: skipped %+v", tt.name, c.Skipped)
		} else if p := c.Packets[1]; p.Len != tt.len || p.Src.Port() != 40000 || p.Seq != 7 || p.Flags != ACK || p.Record != 2 {
			t.Errorf("%s: %+v, want %d bytes", tt.name, p, tt.len)
		}
	}
}

func TestReadRefusals(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	raw := shippedRecords(t, 3)
	arp := append(make([]byte, 12), 0x08, 0x06, 0, 0)
	noTCP := []record{{arp, gopacket.CaptureInfo{Length: 16, CaptureLength: 16}}, {arp, gopacket.CaptureInfo{Length: 16, CaptureLength: 16}}}
	tests := []struct{ path, want string }{
		{filepath.Join(dir, "missing"), "no such file"},
		{dir, "is a directory"},
		{file("empty", nil), "empty file"},
		{file("three", []byte("abc")), `not a capture: it is "abc"`},
		{file("text", []byte("GET / HTTP/1.1\r\nHost:")), `not a capture: it begins with "GET / HTTP/1.1\r\n"`},
		{file("gzip", []byte{0x1f, 0x8b, 8, 0}), "gzip"},
		{file("header.pcap", writePcap(t, layers.LinkTypeRaw, nil)), "no TCP in 0 records"},
		{file("header.pcapng", writeNg(t, layers.LinkTypeRaw, nil)), "no TCP in 0 records"},
		{file("half.pcap", writePcap(t, layers.LinkTypeRaw, nil)[:23]), "pcap header: unexpected EOF"},
		{file("half.pcapng", writeNg(t, layers.LinkTypeRaw, nil)[:11]), "pcapng header: unexpected EOF"},
		{file("arp.pcap", writePcap(t, layers.LinkTypeEthernet, noTCP)), "no TCP in 2 records: 2 ARP (at 1 2)"},
		{file("wifi.pcap", writePcap(t, layers.LinkTypeIEEE802_11, raw)), "3 link type 105 (802.11) not supported (at 1 2 3)"},
		{file("unknown.pcapng", writeNg(t, 200, raw)), "3 link type 200"},
	}
	for _, tt := range tests {
		c, err := Open(tt.path)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
			t.Errorf("%s: error is %v, want %q", filepath.Base(tt.path), err, tt.want)
		}
		if c != nil {
			t.Errorf("%s: a capture besides the error", filepath.Base(tt.path))
		}
	}
}

// A file may end anywhere: what is before the cut counts, and the cut is named.
func TestReadTruncated(t *testing.T) {
	const n = 6
	raw := shippedRecords(t, n)
	for _, f := range formats {
		whole := f.write(t, layers.LinkTypeRaw, raw)
		var ends []int // of the header, then of each record
		for i := range n + 1 {
			ends = append(ends, len(f.write(t, layers.LinkTypeRaw, raw[:i])))
		}
		want, err := Read(bytes.NewReader(whole), f.name)
		if err != nil {
			t.Fatal(err)
		}
		for size := range whole {
			c, err := Read(bytes.NewReader(whole[:size]), f.name)
			done, boundary := slices.BinarySearch(ends, size)
			if !boundary {
				done--
			}
			if done < 1 {
				if err == nil {
					t.Fatalf("%s cut at %d: no error", f.name, size)
				}
				continue
			}
			if err != nil || !slices.Equal(c.Packets, want.Packets[:done]) {
				t.Fatalf("%s cut at %d: error %v, want the first %d packets", f.name, size, err, done)
			}
			if cut := list("", c.Skipped); (cut == "") != boundary || !boundary && (len(c.Skipped) != 1 || c.Skipped[0].First[0] != done+1) {
				t.Fatalf("%s cut at %d, behind record %d: skipped %q", f.name, size, done, cut)
			}
		}
	}
}

func TestReadFails(t *testing.T) {
	whole := writePcap(t, layers.LinkTypeRaw, shippedRecords(t, 5))
	broken := errors.New("cable pulled")
	for _, size := range []int{0, 10, len(whole) - 10} {
		_, err := Read(io.MultiReader(bytes.NewReader(whole[:size]), iotest.ErrReader(broken)), "test")
		if !errors.Is(err, broken) {
			t.Errorf("reader fails after %d bytes: error is %v", size, err)
		}
	}
}

// A record may claim any length; it gets no memory for it.
func TestReadHugeRecord(t *testing.T) {
	raw := shippedRecords(t, 2)
	for _, f := range formats {
		file := f.write(t, layers.LinkTypeRaw, raw)
		at := len(f.write(t, layers.LinkTypeRaw, raw[:1])) + 8 // lengths of the second record of a pcap
		if f.name == "pcapng" {
			at += 12
		}
		for i := range 8 {
			file[at+i] = 0x7f
		}
		if f.name != "pcapng" {
			for i := range 4 {
				file[16+i] = 0xff // the snap length allows it
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := Read(bytes.NewReader(file), f.name)
		runtime.ReadMemStats(&after)
		if err != nil || len(c.Packets) != 1 || len(c.Skipped) != 1 || c.Skipped[0].First[0] != 2 {
			t.Errorf("%s: error %v, %+v", f.name, err, c)
		} else if reason := c.Skipped[0].Reason; f.name != "pcapng" && !strings.Contains(reason, "exceeds snap length") {
			t.Errorf("%s: skipped for %q", f.name, reason)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", f.name, n, len(file))
		}
	}
}

// In pcapng every interface has a link type of its own; those that are not understood cost their
// records only.
func TestReadInterfaces(t *testing.T) {
	raw := shippedRecords(t, 6)
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeIEEE802_11)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []layers.LinkType{layers.LinkTypeRaw, layers.LinkTypeEthernet} {
		if _, err := w.AddInterface(pcapgo.NgInterface{LinkType: l, SnapLength: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	framed := wrap(raw, links[0].header)
	for i := range raw {
		r := []record{raw[i], raw[i], framed[i]}[i%3]
		r.info.InterfaceIndex = i % 3
		if err := w.WritePacket(r.info, r.data); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	c, err := Read(&b, "test")
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, p := range c.Packets {
		got = append(got, p.Record)
	}
	if !slices.Equal(got, []int{2, 3, 5, 6}) || list("", c.Skipped) != "2 link type 105 (802.11) not supported (at 1 4)" {
		t.Errorf("packets are records %v, skipped %s", got, list("", c.Skipped))
	}
}

func TestReadTime(t *testing.T) {
	raw := shippedRecords(t, 4)
	epoch := time.Unix(1e9, 0)
	for i, s := range []int{5, 7, 3, 8} {
		raw[i].info.Timestamp = epoch.Add(time.Duration(s) * time.Second)
	}
	c, err := Read(bytes.NewReader(writePcap(t, layers.LinkTypeRaw, raw)), "test")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{0, 2, 2, 3} {
		if got := c.Packets[i].Time; got != want*time.Second {
			t.Errorf("packet %d is at %v, want %v s", i, got, want)
		}
	}
}
