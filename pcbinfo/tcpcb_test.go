package pcbinfo

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestHistories plays testdata/tcp/*.txt; README there tells how they are written.
func TestHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/tcp/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no histories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var h tcpHistory
			for i, line := range strings.Split(string(text), "\n") {
				line, _, _ = strings.Cut(line, "#")
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				event, want, _ := strings.Cut(line, "->")
				if got, err := h.play(strings.Fields(event)); err != nil {
					t.Fatalf("%s:%d: %s: %v", file, i+1, line, err)
				} else if want = strings.TrimSpace(want); got != want {
					t.Fatalf("%s:%d: %s\n\tgot %s\n\tmachine %+v", file, i+1, line, got, h.tp)
				}
			}
		})
	}
}

// A tcpHistory is a machine and what its history's numbers are relative to.
type tcpHistory struct {
	tp            Tcpcb
	irs, iss, win uint32
}

// play lets one event happen and returns what came of it.
func (h *tcpHistory) play(event []string) (string, error) {
	var flags string
	kind, args := event[0], event[1:]
	if kind == "<" && len(args) > 0 && !strings.Contains(args[0], "=") {
		flags, args = args[0], args[1:]
	}
	switch kind {
	case "send":
		n, err := strconv.Atoi(args[0])
		return h.user(false, h.tp.send(n)), err
	case "close":
		return h.user(h.tp.usrClosed()), nil
	}
	nums, err := parseNums(args)
	if err != nil {
		return "", err
	}
	switch kind {
	case "accept", "connect":
		h.irs, h.iss, h.win = nums["irs"], nums["iss"], 65535
		if win, given := nums["win"]; given {
			h.win = win
		}
		if h.tp.accept(h.irs, h.iss, h.win); kind == "connect" {
			h.tp.connect(h.iss)
		}
		return "", nil
	case "<":
		return h.segment(flags, nums)
	case "=":
		return "", h.equal(nums)
	}
	return "", fmt.Errorf("unknown event %q", kind)
}

func parseNums(args []string) (map[string]uint32, error) {
	nums := make(map[string]uint32)
	for _, arg := range args {
		name, val, _ := strings.Cut(arg, "=")
		n, err := strconv.ParseUint(val, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", arg, err)
		}
		nums[name] = uint32(n)
	}
	return nums, nil
}

// segment lets one in and tells the verdict; determinism and header prediction are checked on the way.
func (h *tcpHistory) segment(flags string, nums map[string]uint32) (string, error) {
	if win, given := nums["win"]; given {
		h.win = win
	}
	seg := Segment{Seq: h.irs + nums["seq"], Ack: h.iss + nums["ack"], Len: uint16(nums["len"]), Win: h.win}
	for name := range strings.SplitSeq(flags, "|") {
		bit, known := map[string]uint8{"FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG, "": 0}[name]
		if !known {
			return "", fmt.Errorf("unknown flag %q", name)
		}
		seg.Flags |= bit
	}
	v, err := doSegmentTwice(&h.tp, &seg)
	if v.act == reopen {
		return "reopen", err
	}
	parts := []string{v.out.String()}
	if v.reply != 0 {
		parts = append(parts, map[reply]string{replyAck: "+ack", replyRst: "+rst", replySynAck: "+syn-ack"}[v.reply])
	}
	if v.act == timeWait {
		parts = append(parts, "2msl")
	}
	if v.act == remove {
		return strings.Join(append(parts, "removed"), " "), err
	}
	return strings.Join(append(parts, h.tp.state.String()), " "), err
}

// doSegmentTwice is doSegment, checked against itself: the same state and segment must give the same again, and header prediction
// what the long way gives.
func doSegmentTwice(tp *Tcpcb, seg *Segment) (verdict, error) {
	again, long := *tp, *tp
	fast := tp.predicted(seg)
	v := tp.doSegment(seg)
	if w := again.doSegment(seg); w != v || again != *tp {
		return v, fmt.Errorf("not deterministic: %+v %+v, then %+v %+v", v, *tp, w, again)
	}
	if !fast {
		return v, nil
	}
	if w := long.synchronized(seg); w != v || long != *tp {
		return v, fmt.Errorf("header prediction leads to %+v %+v, the long way to %+v %+v", v, *tp, w, long)
	}
	return v, nil
}

func (h *tcpHistory) user(gone bool, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case gone:
		return "gone"
	}
	return "ok"
}

func (h *tcpHistory) equal(nums map[string]uint32) error {
	tp := &h.tp
	have := map[string]uint32{"una": tp.sndUna - h.iss, "nxt": tp.sndNxt - h.iss, "rcv": tp.rcvNxt - h.irs,
		"unsent": tp.sndBuf, "rcvd": uint32(tp.rcvd), "sent": uint32(tp.sent)}
	for name, want := range nums {
		if got, known := have[name]; !known || got != want {
			return fmt.Errorf("%s is %d", name, got)
		}
	}
	return nil
}
