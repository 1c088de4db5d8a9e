package machine

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPinAndRestore(t *testing.T) {
	runtime.LockOSThread() // so that all reads are of one thread
	defer runtime.UnlockOSThread()
	before, err := getAffinity()
	if err != nil {
		t.Fatal(err)
	}
	unpin, err := Pin(before[len(before)-1])
	if err != nil {
		t.Skip(err)
	}
	if got, _ := getAffinity(); !slices.Equal(got, before[len(before)-1:]) {
		t.Errorf("pinned to %v, may use %v", before[len(before)-1:], got)
	}
	unpin()
	if got, _ := getAffinity(); !slices.Equal(got, before) {
		t.Errorf("may use %v after unpin, %v before Pin", got, before)
	}
}

func TestPinErrorSaysWhatToDo(t *testing.T) {
	for _, cpu := range []int{-1, 60000, 1 << 30} {
		unpin, err := Pin(cpu)
		if err == nil {
			unpin()
			t.Fatalf("pinned to CPU %d", cpu)
		}
		if !strings.Contains(err.Error(), "without pinning") {
			t.Errorf("no advice in %q", err)
		}
	}
}
