package machine

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

func withProcs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestPingPongNeedsTwo(t *testing.T) {
	withProcs(t, 1)
	if ns, ok := PingPong(0, 1); ok {
		t.Errorf("%v ns with one processor", ns)
	}
	withProcs(t, 2)
	if ns, ok := PingPong(0, 0); ok {
		t.Errorf("%v ns from a CPU to itself", ns)
	}
}

// Pinned, half pinned or not at all, it returns, and leaves the thread as it was.
func TestPingPongReturns(t *testing.T) {
	withProcs(t, 2)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := getAffinity()
	if err != nil {
		t.Fatal(err)
	}
	for _, cpus := range [][2]int{{before[0], before[len(before)-1]}, {before[0], -1}, {-1, -1}, {60000, 60001}} {
		ns, ok := PingPong(cpus[0], cpus[1])
		t.Logf("CPUs %v: %v ns, ok %v", cpus, ns, ok)
		if ok && (ns <= 0 || ns >= farthest) {
			t.Errorf("CPUs %v: %v ns one way", cpus, ns)
		}
	}
	if after, _ := getAffinity(); !slices.Equal(before, after) {
		t.Errorf("thread may use %v, %v before", after, before)
	}
}

func TestServeGivesUpWithoutOpponent(t *testing.T) {
	if ns, ok := new(table).serve(); ok {
		t.Errorf("%v ns from nobody", ns)
	}
}

func TestOpponentLeavesWhenTheGameIsOver(t *testing.T) {
	for _, ball := range []uint64{0, 1} { // before the first stroke and after it
		game := new(table)
		game.ball.Store(ball)
		game.over.Store(true)
		game.returnBalls() // the test's timeout says that it did not
		if got := game.ball.Load(); got != ball*2 {
			t.Errorf("ball at %d, want %d", got, ball*2)
		}
	}
}

func TestAwaitPrefersTheBallToTheDeadline(t *testing.T) {
	game := new(table)
	game.ball.Store(7)
	if !game.await(7, time.Now().Add(-time.Hour)) {
		t.Error("a ball that is there was not taken")
	}
}

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		before, after float64
		want          Class
	}{
		{25, 26, Near},
		{80, 52, Far},
		{120, 41, Far},
		{25, 80, Moved},
		{80, 25, Moved},
		{38, 38, Moved}, // between the limits
		{25, 37, Moved},
	} {
		if got := Classify(test.before, test.after); got != test.want {
			t.Errorf("Classify(%v, %v) = %s, want %s", test.before, test.after, got, test.want)
		}
	}
}
