package pcbinfo

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for _, text := range append(Names(), "connp:groups=16", "smr:smr=gc", "smr:smr=gus", "smr:lost=none", "smr:smr=gc:lost=retry", "shardmap:shards=3") {
		sp, err := ParseSpec(text)
		if err != nil || sp.String() != text {
			t.Errorf("%q comes back as %q, error %v", text, sp, err)
			continue
		}
		in, err := sp.New(Config{CPUs: 1})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		closeInfo(t, in)
	}
	if in := newInfo(t, "connp:groups=3", Config{CPUs: 1, Groups: 7}).(*connpInfo); len(in.groups) != 3 {
		t.Errorf("connp:groups=3 made %d groups", len(in.groups))
	}
	if in := newInfo(t, "shardmap:shards=3", Config{CPUs: 1, Groups: 7}).(*shardmapInfo); len(in.shards) != 3 {
		t.Errorf("shardmap:shards=3 made %d shards", len(in.shards))
	}
	if in := newInfo(t, "smr:smr=gc", Config{CPUs: 1}).(*smrInfo); in.zone.dom.Recycles() {
		t.Error("smr:smr=gc recycles")
	}
}

// TestMisses checks who misses, and that all can be told to and not to.
func TestMisses(t *testing.T) {
	for _, s := range Schemes {
		if s.Misses != (s.Name == "smr" || s.Name == "epoch") {
			t.Errorf("%s: misses: %v", s.Name, s.Misses)
		}
	}
	for text, want := range map[string]bool{"smr:smr=gc": true, "smr:lost=none": true, "smr:lost=retry": false, "smr:lost=retry:lost=none": true,
		"hashlock:lost=none": true, "hashlock:lost=retry": false, "threelock:lost=none": true, "pcbgroup:groups=2:lost=none": true, "epoch:smr=gc": true, "epoch:lost=retry": false,
		"epoch:lost=none": true} {
		sp, err := ParseSpec(text)
		if err != nil || sp.Misses != want {
			t.Errorf("%s: misses: %v, error %v", text, sp.Misses, err)
		}
	}
}

// TestParseSpecErrors checks that an error names what is wrong and lists what is known.
func TestParseSpecErrors(t *testing.T) {
	for text, want := range map[string][]string{
		"nosuch":            append(Names(), `"nosuch"`),
		"":                  Names(),
		"connp:group=4":     {"connp", `"group"`, "groups"},
		"smr:groups=4":      {"smr", `"groups"`, "known: smr, lost"},
		"global:smr=gc":     {"global", `"smr"`},
		"connp:groups=0":    {`"0"`, "1 to"},
		"connp:groups=x":    {`"x"`, "1 to"},
		"connp:groups":      {`""`, "1 to"},
		"smr:smr=nosuch":    {`"nosuch"`, "gus", "gc"},
		"smr:smr=gc:what":   {`"what"`},
		"smr:lost=always":   {`"always"`, "none or retry"},
		"global:lost=none":  {`"lost"`},
		"shardmap:shards=0": {`shards="0"`, "1 to"},
		"epoch:smr=hazard":  {"epoch", "hazard", "sections"},
		"syncmap:shards=2":  {"syncmap", `"shards"`},
	} {
		_, err := ParseSpec(text)
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: error %q does not say %s", text, err, part)
			}
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no CPUs":           {},
		"groups":            {CPUs: 1, Groups: maxGroups + 1},
		"reversed ports":    {CPUs: 1, FirstPort: 2, LastPort: 1},
		"no first port":     {CPUs: 1, LastPort: 1},
		"negative groups":   {CPUs: 1, Groups: -1},
		"no such reclaimer": {CPUs: 1, SMR: "nosuch"},
	} {
		sp, err := ParseSpec("smr")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sp.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSchemesAreDescribed checks that a reader of the list learns something of each.
func TestSchemesAreDescribed(t *testing.T) {
	for _, s := range Schemes {
		if s.Doc == "" || s.Source == "" || s.New == nil || strings.Contains(s.Doc, "\n") {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

// TestNull checks the scheme without a table: segments in are segments counted, requests are granted, and nothing is kept.
func TestNull(t *testing.T) {
	in := newInfo(t, "null", Config{CPUs: 2, FirstPort: 50000, LastPort: 50001})
	p := newPeer(tuple(1))
	c := in.CPU(0)
	c.Input([]*Segment{p.segment(SYN, 0), p.segment(ACK, 0), p.segment(ACK, 10)})
	in.CPU(1).Input([]*Segment{p.segment(ACK, 10)})
	if s := in.Stats(); s.Segments() != 4 || s.Drops() != 0 || s.Outcomes[GotData] != 2 {
		t.Errorf("%+v", s)
	}
	for range 3 { // as often as wanted
		inc := ConnInfo{Laddr: p.inc.Laddr, Faddr: p.inc.Faddr, Fport: 443}
		if _, err := c.Connect(&inc); err != nil || inc.Lport != 50000 && inc.Lport != 50001 {
			t.Errorf("connect: port %d, error %v", inc.Lport, err)
		}
	}
	if err := errors.Join(c.Listen(&listen80), c.Send(&p.inc, 1), c.Close(&p.inc), c.Abort(&p.inc)); err != nil {
		t.Error(err)
	}
	c.SlowTimo(1)
	in.Walk(func(x *Xinpcb) bool {
		t.Errorf("a walk meets %v", x.Inc)
		return true
	})
	if n := in.Len(); n != 0 {
		t.Errorf("%d inpcbs", n)
	}
	closeInfo(t, in)
}

// TestStats checks that sums and differences leave no count out.
func TestStats(t *testing.T) {
	var s Stats
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Array {
			for j := range f.Len() {
				f.Index(j).SetUint(uint64(100 + j))
			}
		} else {
			f.SetUint(uint64(1 + i))
		}
	}
	sum := s
	if sum.add(&s); sum.Since(s) != s || s.Since(s) != (Stats{}) {
		t.Errorf("of %+v: twice %+v, less once %+v, less all %+v", s, sum, sum.Since(s), s.Since(s))
	}
	if s.Segments() != uint64(NumOutcomes)*(100+100+uint64(NumOutcomes)-1)/2 || s.Drops() >= s.Segments() {
		t.Errorf("%d segments, %d drops of %v", s.Segments(), s.Drops(), s.Outcomes)
	}
}
