//go:build linux

// Command relay carries IP packets between two TUN devices, each in a network namespace of its own,
// and treats them on the way as a bad path would: it delays, loses and reorders them. It stands in
// for netem, which many kernels are built without. Every decision comes from one seeded generator a
// direction, so the n-th packet of a direction meets the same fate in every run.
//
// SIGUSR1 makes it deaf: from then on it drops everything, and what is in flight stays in flight.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A path is what every packet of either direction goes through.
type path struct {
	delay, jitter, late time.Duration
	loss, reorder       float64
	half                uint16
	deaf                atomic.Bool
}

func main() {
	var p path
	client := flag.String("client", "", "network namespace of the client's device")
	server := flag.String("server", "", "network namespace of the server's device")
	seed := flag.Uint64("seed", 1, "seed of loss, jitter and reordering")
	half := flag.Uint("half", 0, "server port whose handshakes never complete: of the client's packets only SYNs pass")
	flag.DurationVar(&p.delay, "delay", 4*time.Millisecond, "delay of every packet, one way")
	flag.DurationVar(&p.jitter, "jitter", time.Millisecond, "further delay, uniform from zero")
	flag.DurationVar(&p.late, "late", 6*time.Millisecond, "further delay of a reordered packet")
	flag.Float64Var(&p.loss, "loss", 0.02, "probability that a packet is lost")
	flag.Float64Var(&p.reorder, "reorder", 0.04, "probability that a packet is late, so that later ones overtake it")
	flag.Parse()
	p.half = uint16(*half)

	a, b := open(*client), open(*server)
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	go func() {
		<-usr1
		p.deaf.Store(true)
	}()
	go p.carry(a, b, rand.New(rand.NewPCG(*seed, 1)), p.half)
	p.carry(b, a, rand.New(rand.NewPCG(*seed, 2)), 0)
}

// open attaches to the TUN device tun0 of a network namespace made by ip-netns(8).
func open(netns string) *os.File {
	// A namespace belongs to a thread, so the goroutine must stay on this one from setns to the
	// attach. Afterwards it does not matter where anything runs: an open device keeps its namespace.
	runtime.LockOSThread()
	ns, err := unix.Open("/var/run/netns/"+netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	check(err, "namespace "+netns)
	check(unix.Setns(ns, unix.CLONE_NEWNET), "setns "+netns)
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	check(err, "/dev/net/tun")
	ifr, err := unix.NewIfreq("tun0")
	check(err, "ifreq")
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	check(unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr), "attach tun0 of "+netns)
	return os.NewFile(uintptr(fd), netns+"/tun0")
}

// carry moves packets one way until the device is gone. Each waits for its own timer, so a packet
// that is given a shorter delay than the one before it overtakes it.
func (p *path) carry(from, to *os.File, r *rand.Rand, half uint16) {
	buf := make([]byte, 65536)
	for {
		n, err := from.Read(buf)
		check(err, from.Name())
		lost, late, jitter := r.Float64() < p.loss, r.Float64() < p.reorder, r.Float64()
		if lost || p.deaf.Load() || completes(buf[:n], half) {
			continue
		}
		wait := p.delay + time.Duration(jitter*float64(p.jitter))
		if late {
			wait += p.late
		}
		pkt := append([]byte(nil), buf[:n]...)
		time.AfterFunc(wait, func() {
			if !p.deaf.Load() {
				to.Write(pkt) // a device that is going away loses packets, as a cable would
			}
		})
	}
}

// completes reports whether pkt is TCP to port and not a SYN.
func completes(pkt []byte, port uint16) bool {
	var tcp []byte
	switch {
	case port == 0 || len(pkt) < 40:
	case pkt[0]>>4 == 4 && pkt[9] == unix.IPPROTO_TCP:
		tcp = pkt[min(4*int(pkt[0]&15), len(pkt)):]
	case pkt[0]>>4 == 6 && pkt[6] == unix.IPPROTO_TCP:
		tcp = pkt[40:]
	}
	return len(tcp) >= 20 && uint16(tcp[2])<<8|uint16(tcp[3]) == port && tcp[13]&2 == 0
}

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "relay: %s: %v\n", what, err)
		os.Exit(1)
	}
}
