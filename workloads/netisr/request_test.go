package netisr

import (
	"strings"
	"testing"

	"pcbbench/pcbinfo"
)

func spec(t *testing.T, text string) Spec {
	t.Helper()
	sp, err := ParseSpec(text)
	if err != nil {
		t.Fatal(err)
	}
	return sp
}

func table(t *testing.T, scheme string, cfg pcbinfo.Config) pcbinfo.Info {
	t.Helper()
	sp, err := pcbinfo.ParseSpec(scheme)
	if err != nil {
		t.Fatal(err)
	}
	in, err := sp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestOwnersOptions(t *testing.T) {
	for text, streams := range map[string]int{"connp-t": 4, "connp-t:threads=2:calls=sync": 2, "connp-t:calls=async:threads=9": 9, "squeue:drain=1": 4} {
		if n := spec(t, text).Streams(4); n != streams {
			t.Errorf("%s: %d workstreams on 4 CPUs, want %d", text, n, streams)
		}
	}
	for text, want := range map[string]string{"connp-t:threads=0": "1 to", "connp-t:calls=maybe": "sync or async", "connp-t:drain=1": "known: threads",
		"squeue:drain=x": "1 to", "squeue:threads=2": "known: drain"} {
		if _, err := ParseSpec(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

// TestDrain has packets come to a squeue while it is held: who holds it handles as many as drain= says, and the worker the rest.
func TestDrain(t *testing.T) {
	const drain, others = 3, 10
	var isr Isr
	handled, nested := 0, false
	isr = spec(t, "squeue:drain=3").New(Config{Table: table(t, "owned", pcbinfo.Config{CPUs: 1}), Contexts: []int{0, 0}, Streams: []int{0}, Users: []int{0},
		Poll: true, Protocols: []Protocol{{Name: "ip", Policy: Flow, Handler: func(at *At, segs []*pcbinfo.Segment) {
			if handled += len(segs); !nested {
				nested = true
				for range others {
					isr.Context(1).Dispatch([]*pcbinfo.Segment{new(pcbinfo.Segment)})
				}
			}
		}}}})
	isr.Context(0).Dispatch([]*pcbinfo.Segment{new(pcbinfo.Segment)})
	if handled != 1+drain {
		t.Errorf("%d were handled by who held the squeue, want %d", handled, 1+drain)
	}
	if n := isr.Workers()[0].Run(); n != others-drain || handled != 1+others {
		t.Errorf("the worker says that it handled %d, in all %d were", n, handled)
	}
}

// TestFailed: a request that nobody waits for and that is refused is counted.
func TestFailed(t *testing.T) {
	isr := spec(t, "connp-t:calls=async").New(Config{Table: table(t, "owned", pcbinfo.Config{CPUs: 2}), Contexts: []int{0, 1}, Streams: []int{0, 1},
		Users: []int{0, 1}, Poll: true, Protocols: []Protocol{{Name: "ip", Policy: Flow}}})
	inc := pcbinfo.ConnInfo{Fport: 1, Lport: 2}
	for range 3 * asyncCalls { // more than may be on their way
		if err := isr.User(0).Send(&inc, 1); err != nil {
			t.Fatal(err)
		}
		for _, w := range isr.Workers() {
			w.Run()
		}
	}
	if s := isr.Stats(); s.Failed != 3*asyncCalls || s.Failure != pcbinfo.ErrNotFound || s.Streams[0].Requests+s.Streams[1].Requests != 3*asyncCalls {
		t.Errorf("of %d sends on no connection %d have failed, the last with: %v; requests %d and %d", 3*asyncCalls, s.Failed, s.Failure,
			s.Streams[0].Requests, s.Streams[1].Requests)
	}
}

// TestNoCircle: the owner of listeners waits for nobody, and no other owner for any but that one.
func TestNoCircle(t *testing.T) {
	isr := spec(t, "connp-t").New(Config{Table: table(t, "owned", pcbinfo.Config{CPUs: 3}), Contexts: []int{0, 1, 2}, Streams: []int{0, 1, 2},
		Users: []int{0, 1, 2}, Poll: true, Protocols: []Protocol{{Name: "ip", Policy: Flow}}})
	for _, ask := range [][2]int{{0, 1}, {1, 2}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("owner %d may wait for owner %d", ask[0], ask[1])
				}
			}()
			isr.(*keeper).call(ask[0], ask[1], func() {})
		}()
	}
}

// TestStopped: a worker that found another at its work hears of the end all the same.
func TestStopped(t *testing.T) {
	isr := spec(t, "connp-t").New(Config{Table: table(t, "owned", pcbinfo.Config{CPUs: 1}), Contexts: []int{0}, Streams: []int{0}, Users: []int{0},
		Protocols: []Protocol{{Name: "ip", Policy: Flow}}})
	ws := isr.(*keeper).streams[0]
	ws.flags = running // somebody who waits for an answer
	if n, stop := ws.run(); n != 0 || stop {
		t.Errorf("the worker handled %d while another did, and is to end: %v", n, stop)
	}
	isr.Stop()
	ws.flags = 0
	ws.finish()
	ws.Serve()
}
