package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const httpCapture = "../../../workloads/testdata/http.pcap"

// TestBench runs the smallest real bench, and looks at its file again. On a busy machine a pinned worker may be without its CPU for
// tens of milliseconds, so no sample here is as short as can be.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := pcbbench(t, "bench", "-results", dir, "-measure", "100ms", "-processes", "1", "-rounds", "1",
		"-schemes", "global,refcount", "-mixes", "churn", "-workers", "1", "-work", "0")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{"sec/seg", "global", "refcount", "\nWith 1 worker 1 of 1 had no clear winner.\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("stdout lacks %q:\n%s", want, out)
		}
	}
	for _, want := range []string{"results in " + dir, "go tool benchstat -filter "} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
	rs := results(t, dir)
	if len(rs) != 2 {
		t.Errorf("%d results, want one for each scheme", len(rs))
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	code, again, _ := pcbbench(t, "summary", paths[0])
	if code != exitOK || again != out {
		t.Errorf("summary of the same file: exit code %d\n%s\nwant what bench said:\n%s", code, again, out)
	}
}

// replay benches a capture.
func replay(t *testing.T, capture string) (code int, stderr, dir string) {
	t.Helper()
	dir = t.TempDir()
	code, _, stderr = pcbbench(t, "bench", "-results", dir, "-measure", "100ms", "-processes", "1", "-rounds", "1",
		"-schemes", "global", "-workers", "1", "-work", "0", "-trace", capture)
	return code, stderr, dir
}

// TestReplay checks that a capture is replayed, what is in it told, and that in the file too, whatever it is called.
func TestReplay(t *testing.T) {
	capture, err := os.ReadFile(httpCapture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "some capture-2")
	if err := os.WriteFile(path, capture, 0o666); err != nil {
		t.Fatal(err)
	}
	code, stderr, dir := replay(t, path)
	if code != exitOK || !strings.Contains(stderr, "100 flows") {
		t.Errorf("exit code %d, stderr %s", code, stderr)
	}
	if rs := results(t, dir); len(rs) != 1 || !strings.Contains(string(rs[0].Name), "/mix=pcap/conns=100/") || !strings.HasSuffix(string(rs[0].Name), "/trace=some_capture_2") {
		t.Errorf("results %v", rs)
	}
}

// TestTruncatedReplay checks that a capture which was cut off is replayed as far as it goes, and that this is said.
func TestTruncatedReplay(t *testing.T) {
	capture, err := os.ReadFile(httpCapture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(path, capture[:len(capture)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	code, stderr, dir := replay(t, path)
	if code != exitOK || !strings.Contains(stderr, "cut off by the end of the file") {
		t.Errorf("exit code %d, stderr %s", code, stderr)
	}
	if rs := results(t, dir); len(rs) != 1 {
		t.Errorf("%d results, want 1", len(rs))
	}
}

// TestCaptureWithoutTCP refuses a capture of one UDP packet.
func TestCaptureWithoutTCP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "udp.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frame := udpFrame(t)
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(0, 0), CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
		t.Fatal(err)
	}
	code, stderr, dir := replay(t, path)
	if code != exitUsage || !oneLine(stderr, path, "no TCP in 1 records") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("results were begun: %v", left)
	}
}

func udpFrame(t *testing.T) []byte {
	t.Helper()
	eth := layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4}
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IPv4(192, 0, 2, 1), DstIP: net.IPv4(192, 0, 2, 2)}
	udp := layers.UDP{SrcPort: 53, DstPort: 53}
	if err := udp.SetNetworkLayerForChecksum(&ip); err != nil {
		t.Fatal(err)
	}
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, &eth, &ip, &udp, gopacket.Payload("not TCP")); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestFailedSample checks that a sample without a number makes the command fail, after it has shown what there is.
func TestFailedSample(t *testing.T) {
	for range 5 { // two workers without a lock need not go wrong
		dir := t.TempDir()
		code, _, stderr := pcbbench(t, "bench", "-results", dir, "-measure", "100ms", "-processes", "1", "-rounds", "1",
			"-schemes", "unsync", "-force", "-mixes", "churn", "-workers", "2", "-work", "0")
		if code == exitOK {
			continue
		}
		if code != exitFailed || !strings.Contains(stderr, "Input/scheme=unsync/") { // failed or, for once, stuck
			t.Errorf("exit code %d, stderr %s", code, stderr)
		}
		return
	}
	t.Skip("nothing went wrong in five samples")
}
