package main

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"pcbbench/locks"
	"pcbbench/pcbinfo"
	"pcbbench/workloads/netisr"
)

// FuzzFlags gives arbitrary command lines, an argument a line, to what reads them. Nothing is measured.
func FuzzFlags(f *testing.F) {
	for _, line := range []string{"", "-quick", "-schemes\nglobal,connp:groups=16\n-workers\n1,2", "-v6\nNaN", "-locks\nmcs:spin\n-schemes\nsmr:smr=gc", "-budget\n1h\n-skew\n0.9\n-mixes\nrpc",
		"-dispatch\nnetisr2:policy=source:qlimit=64,hybrid\n-roles\nsplit,all", "-dispatch\ndirect:policy=flow\n-roles\n", "-conns\n5", "--\nx", "-h", "-pin=none\n-affinity=spray\n-batch=1", "-arrivals\nburst:frames=3\n-loads\n10,1e2", "-rates\nInf"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "trace") || strings.Count(line, ",") > 12 {
			t.Skip("reads files, or asks for too much")
		}
		args := strings.Split(line, "\n")
		std := streams{strings.NewReader(""), io.Discard, io.Discard}
		r, err := readBench(args, std)
		if err == nil {
			err = r.plan(3)
		}
		refused(t, err)
		r, err = readSweep(args, std)
		if err == nil {
			err = r.plan(3)
		}
		refused(t, err)
		for _, name := range []string{"summary", "list"} {
			if err := parse(newFlagSet(name), std, args, "results file"); err != nil && !errors.Is(err, flag.ErrHelp) {
				refused(t, err)
			}
		}
		for _, arg := range args {
			if sp, err := pcbinfo.ParseSpec(arg); err != nil {
				oneLiner(t, err)
			} else if again, err := pcbinfo.ParseSpec(sp.String()); err != nil || again.String() != sp.String() {
				t.Errorf("scheme %q is read back as %v, %v", sp, again, err)
			}
			if sp, err := netisr.ParseSpec(arg); err != nil {
				oneLiner(t, err)
			} else if again, err := netisr.ParseSpec(sp.String()); err != nil || again.String() != sp.String() {
				t.Errorf("dispatch %q is read back as %v, %v", sp, again, err)
			}
			if sp, err := locks.ParseSpec(arg); err != nil {
				oneLiner(t, err)
			} else if again, err := locks.ParseSpec(sp.String()); err != nil || again != sp {
				t.Errorf("lock %q is read back as %v, %v", sp, again, err)
			}
		}
	})
}

// refused checks that err, if it is one, is said in one line and ends with the exit code of bad usage.
func refused(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	oneLiner(t, err)
	if code := exitCode(err, io.Discard); code != exitUsage {
		t.Errorf("%v ends with exit code %d", err, code)
	}
}

func oneLiner(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("not one line: %q", err)
	}
}
