package pcbinfo

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	switch kind, args := event[0], event[1:]; kind {
	case "accept", "connect":
		h.win = 65535
		nums, err := h.parseNums(args, "irs", "iss", "win")
		h.irs, h.iss, h.win = nums["irs"], nums["iss"], nums["win"]
		if h.tp.accept(h.irs, h.iss, h.win); kind == "connect" {
			h.tp.connect(h.iss)
		}
		return "", err
	case "<":
		return h.segment(args)
	case "send":
		n, err := strconv.Atoi(strings.Join(args, " "))
		return userAnswer(false, h.tp.send(n)), err
	case "close":
		return userAnswer(h.tp.usrClosed()), nil
	case "=":
		return "", h.equal(args)
	default:
		return "", fmt.Errorf("unknown event %q", kind)
	}
}

// parseNums reads arguments such as seq=100 with the given names. win is the last one unless it is given.
func (h *tcpHistory) parseNums(args []string, names ...string) (map[string]uint32, error) {
	nums := map[string]uint32{"win": h.win}
	for _, arg := range args {
		name, val, _ := strings.Cut(arg, "=")
		n, err := strconv.ParseUint(val, 10, 32)
		if err != nil || !slices.Contains(names, name) {
			return nums, fmt.Errorf("%q: want a number for one of %v", arg, names)
		}
		nums[name] = uint32(n)
	}
	return nums, nil
}

// segment lets one in and tells the verdict; determinism and header prediction are checked on the way.
func (h *tcpHistory) segment(args []string) (string, error) {
	var flags uint8
	if len(args) > 0 && !strings.Contains(args[0], "=") {
		for name := range strings.SplitSeq(args[0], "|") {
			bit := slices.Index([]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"}, name)
			if bit < 0 {
				return "", fmt.Errorf("unknown flag %q", name)
			}
			flags |= 1 << bit
		}
		args = args[1:]
	}
	nums, err := h.parseNums(args, "seq", "ack", "len", "win")
	if err != nil {
		return "", err
	}
	h.win = nums["win"]
	seg := Segment{Seq: h.irs + nums["seq"], Ack: h.iss + nums["ack"], Len: uint16(nums["len"]), Win: h.win, Flags: flags}
	v, err := doSegmentTwice(&h.tp, &seg)
	return h.verdict(v), err
}

func (h *tcpHistory) verdict(v verdict) string {
	if v.act == reopen {
		return "reopen"
	}
	text := v.out.String() + map[reply]string{0: "", replyAck: " +ack", replyRst: " +rst", replySynAck: " +syn-ack"}[v.reply]
	switch v.act {
	case remove:
		return text + " removed"
	case timeWait:
		return text + " 2msl " + h.tp.state.String()
	}
	return text + " " + h.tp.state.String()
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

func userAnswer(gone bool, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case gone:
		return "gone"
	}
	return "ok"
}

func (h *tcpHistory) equal(args []string) error {
	tp := &h.tp
	have := map[string]uint32{"una": tp.sndUna - h.iss, "nxt": tp.sndNxt - h.iss, "rcv": tp.rcvNxt - h.irs,
		"unsent": tp.sndBuf, "rcvd": uint32(tp.rcvd), "sent": uint32(tp.sent)}
	names := slices.Collect(maps.Keys(have))
	want, err := h.parseNums(args, names...)
	for _, name := range names {
		if want, given := want[name]; given && have[name] != want {
			return fmt.Errorf("%s is %d", name, have[name])
		}
	}
	return err
}
