package pcbinfo

import (
	"strings"
	"testing"
)

func TestParseSpec(t *testing.T) {
	for _, text := range append(Names(), "connp:groups=16", "smr:smr=gc", "smr:smr=gus") {
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
	if in := newInfo(t, "smr:smr=gc", Config{CPUs: 1}).(*smrInfo); in.dom.Recycles() {
		t.Error("smr:smr=gc recycles")
	}
}

// TestParseSpecErrors checks that an error names what is wrong and lists what is known.
func TestParseSpecErrors(t *testing.T) {
	for text, want := range map[string][]string{
		"nosuch":          append(Names(), `"nosuch"`),
		"":                Names(),
		"connp:group=4":   {"connp", `"group"`, "groups"},
		"smr:groups=4":    {"smr", `"groups"`, "known: smr"},
		"global:smr=gc":   {"global", `"smr"`},
		"connp:groups=0":  {`"0"`, "1 to"},
		"connp:groups=x":  {`"x"`, "1 to"},
		"connp:groups":    {`""`, "1 to"},
		"smr:smr=nosuch":  {`"nosuch"`, "gus", "gc"},
		"smr:smr=gc:what": {`"what"`},
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

// TestNullCounts checks the scheme without a table: segments in are segments counted.
func TestNullCounts(t *testing.T) {
	in := newInfo(t, "null", Config{CPUs: 2})
	p := newPeer(tuple(1))
	in.CPU(0).Input([]*Segment{p.segment(SYN, 0), p.segment(ACK, 0), p.segment(ACK, 10)})
	in.CPU(1).Input([]*Segment{p.segment(ACK, 10)})
	if s := in.Stats(); s.Segments() != 4 || s.Drops() != 0 || s.Outcomes[GotData] != 2 {
		t.Errorf("%+v", s)
	}
	closeInfo(t, in)
}
