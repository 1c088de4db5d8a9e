package pcap

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Open reads the capture file at path. See Read.
func Open(path string) (*Capture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pcap: %w", err)
	}
	defer f.Close()
	return Read(f, path)
}

// Read reads a capture from r, once and without holding more of it than one record. The name appears
// in errors. Ethernet, BSD loopback, Linux cooked (SLL and SLL2) and raw IP link types are
// understood, with VLAN tags, IPv4 and IPv6.
//
// A record that is no use is skipped and counted. A record that cannot be read at all, such as the
// last one of a file that was cut off, ends the capture there and is counted as well. It is an error
// if r fails, if it is no capture, or if no TCP is in it; the error then says what is.
func Read(r io.Reader, name string) (*Capture, error) {
	c := &Capture{Name: name}
	if err := c.read(&source{r: r}); err != nil {
		return nil, fmt.Errorf("pcap: %s: %w", name, err)
	}
	return c, nil
}

func (c *Capture) read(src *source) error {
	records, err := newRecords(src)
	if err != nil {
		return err
	}
	var d decoder
	var clock clock
	for {
		frame, info, err := records.ZeroCopyReadPacketData()
		// A record whose header is whole and whose data is missing ends in io.EOF as well.
		if err == io.EOF && info.CaptureLength == 0 {
			break
		}
		c.Records++
		if src.err != nil {
			return fmt.Errorf("record %d: %w", c.Records, src.err)
		}
		if err != nil {
			c.skip(c.Records, unreadable(err))
			break
		}
		link := records.link(info)
		if c.LinkType == "" {
			c.LinkType = link.String()
		}
		p, reason := d.decode(link, frame, info.Length)
		if reason != "" {
			c.skip(c.Records, reason)
			continue
		}
		p.Record, p.Time = c.Records, clock.since(info.Timestamp)
		c.Packets = append(c.Packets, p)
	}
	if len(c.Packets) == 0 {
		return fmt.Errorf("no TCP in %d records%s", c.Records, list(": ", c.Skipped))
	}
	return nil
}

// unreadable is the reason for which a file is not read beyond a record.
func unreadable(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "cut off by the end of the file"
	}
	return fmt.Sprintf("unreadable, with all that follows (%v)", err)
}

// A source remembers when r failed, which pcapgo reports no differently from a bad file.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// records is a capture file of either format, record by record.
type records struct {
	gopacket.ZeroCopyPacketDataSource
	fileLink layers.LinkType
}

// link returns the link type of a record. In pcapng every interface has its own.
func (r *records) link(info gopacket.CaptureInfo) layers.LinkType {
	if len(info.AncillaryData) > 0 {
		return info.AncillaryData[0].(layers.LinkType)
	}
	return r.fileLink
}

// The first four bytes of the formats, read as big-endian.
const (
	magicNg     = 0x0a0d0d0a
	magicMicros = 0xa1b2c3d4
	magicNanos  = 0xa1b23c4d
	magicGzip   = 0x1f8b // the first two
)

// maxSnapLen is libpcap's MAXIMUM_SNAPLEN. A file may claim more, to make a reader allocate it.
const maxSnapLen = 262144

// newRecords looks at the first bytes of src and reads the header of the format that they name.
func newRecords(src *source) (*records, error) {
	buf := bufio.NewReaderSize(src, 1<<18)
	head, err := buf.Peek(16)
	if src.err != nil {
		return nil, src.err
	}
	if len(head) == 0 {
		return nil, errors.New("empty file")
	}
	if err != nil && len(head) < 4 {
		return nil, fmt.Errorf("not a capture: it is %q", head)
	}
	magic := binary.BigEndian.Uint32(head)
	switch {
	case magic == magicNg:
		// Versions and link types are the business of each section and interface.
		ng, err := pcapgo.NewNgReader(buf, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, fmt.Errorf("pcapng header: %w", err)
		}
		return &records{ng, 0}, nil
	case magic == magicMicros, magic == magicNanos, binary.LittleEndian.Uint32(head) == magicMicros, binary.LittleEndian.Uint32(head) == magicNanos:
		old, err := pcapgo.NewReader(buf)
		if err != nil {
			return nil, fmt.Errorf("pcap header: %w", err)
		}
		old.SetSnaplen(min(old.Snaplen(), maxSnapLen))
		return &records{old, old.LinkType()}, nil
	case magic>>16 == magicGzip:
		return nil, errors.New("compressed by gzip: unpack it first")
	}
	return nil, fmt.Errorf("not a capture: it begins with %q", head)
}

// A clock makes times relative and holds still when they step back, as they do where a capture takes
// packets from several CPUs. The order of the file is the better witness.
type clock struct {
	epoch time.Time
	last  time.Duration
}

// since returns the time of t. A zero t, in a pcapng record that has no time, is now.
func (c *clock) since(t time.Time) time.Duration {
	if t.IsZero() {
		return c.last
	}
	if c.epoch.IsZero() {
		c.epoch = t
	}
	c.last = max(c.last, t.Sub(c.epoch))
	return c.last
}
