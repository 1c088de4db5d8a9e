package netisr

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// A Model is one way to dispatch.
type Model struct {
	Name, Doc, Source string
	Options           []string // the options it knows: "policy", "qlimit", …
	// Inline says that packets are handled before Dispatch returns.
	Inline bool
	// Owns says that nobody but the model's workstreams uses the table: Isr.User makes messages of requests.
	Owns bool
	// One says that there is one workstream, whatever the number of CPUs.
	One bool
	New func(c Config, o Options) Isr
}

// Models are all of them, in reading order.
var Models = []Model{
	{Name: "direct", New: newDirect, Inline: true, Options: []string{"qlimit"},
		Doc:    "processed to completion in the context that received it",
		Source: "FreeBSD net.isr.direct, NETISR_DISPATCH_DIRECT"},
	{Name: "deferred", New: newDeferred, One: true, Options: []string{"qlimit"},
		Doc:    "queued for the one software-interrupt thread",
		Source: "FreeBSD 5-7, sys/net/netisr.c 2006 (swi_net)"},
	{Name: "netisr2", New: newNetisr2, Options: []string{"policy", "qlimit"},
		Doc:    "queued for the workstream that the protocol's policy names",
		Source: "FreeBSD 8-14, sys/net/netisr.c, NETISR_DISPATCH_DEFERRED"},
	{Name: "hybrid", New: newHybrid, Options: []string{"policy", "qlimit"},
		Doc:    "in place if the packet's workstream is this CPU's and nothing is ahead of it, else queued",
		Source: "FreeBSD 8-14, NETISR_DISPATCH_HYBRID"},
	{Name: "feedback", New: newFeedback, Options: []string{"policy", "qlimit", "window"},
		Doc:    "in place, spread or gathered, whichever is measured to handle packets fastest",
		Source: "Watson 2007, future work: feedback from the scheduler; Linux RFS (net/core/dev.c, 2010) for moving flows"},
	{Name: "connp-t", New: newConnpT, Owns: true, Options: []string{"threads", "calls", "qlimit"},
		Doc:    "queued for the thread that owns the connection, users' requests too; threads=, calls=sync or async",
		Source: "Willmann, Rixner, Cox, USENIX ATC 2006, ConnP-T; DragonFly"},
	{Name: "squeue", New: newSqueue, Owns: true, Options: []string{"drain", "qlimit"},
		Doc:    "in place if the connection's squeue is idle, users' requests too, and then what others queued, up to drain=",
		Source: "Solaris 10, squeue.c"},
}

// Options are what a Spec sets beside the model.
type Options struct {
	Policy  Policy // of protocols that have flows; 0: their own
	QLimit  int    // of all protocols; 0: their own
	Window  int    // feedback: packets at one context that make a window; 0: windowPackets
	Threads int    // connp-t: workstreams; 0: one a CPU
	Async   bool   // connp-t: users do not wait where they need no answer
	Drain   int    // squeue: packets that who leaves handles for others; 0: defaultDrain
}

// A Spec is a model with its options, as in "netisr2:policy=source:qlimit=64".
type Spec struct {
	Model
	text    string
	options Options
}

// ParseSpec reads a Spec; the error lists what is known.
func ParseSpec(text string) (Spec, error) {
	name, opts, _ := strings.Cut(text, ":")
	i := slices.IndexFunc(Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		var known []string
		for _, m := range Models {
			known = append(known, m.Name)
		}
		return Spec{}, fmt.Errorf("unknown dispatch model %q; known: %s", name, strings.Join(known, ", "))
	}
	sp := Spec{Model: Models[i], text: text}
	for opt := range strings.SplitSeq(opts, ":") {
		if opt == "" {
			continue
		}
		if err := sp.option(opt); err != nil {
			return Spec{}, fmt.Errorf("dispatch %s: %w", name, err)
		}
	}
	return sp, nil
}

// maxQLimit is net.isr.maxqlimit.
const maxQLimit = 10240

// maxWindow is far more packets than are worth waiting for before another arm is tried.
const maxWindow = 1 << 24

// maxThreads is more than there are CPUs.
const maxThreads = 1024

func (sp *Spec) option(opt string) error {
	key, val, _ := strings.Cut(opt, "=")
	if !slices.Contains(sp.Model.Options, key) {
		return fmt.Errorf("unknown option %q; known: %s", key, strings.Join(sp.Model.Options, ", "))
	}
	o := &sp.options
	switch key {
	case "policy":
		if i := slices.Index(policyNames[:], val); i > 0 {
			o.Policy = Policy(i)
			return nil
		}
		return fmt.Errorf("policy=%q: want one of %s", val, strings.Join(policyNames[1:], ", "))
	case "qlimit":
		return number(&o.QLimit, key, val, maxQLimit)
	case "window":
		return number(&o.Window, key, val, maxWindow)
	case "threads":
		return number(&o.Threads, key, val, maxThreads)
	case "drain":
		return number(&o.Drain, key, val, maxQLimit)
	case "calls":
		if o.Async = val == "async"; !o.Async && val != "sync" {
			return fmt.Errorf("calls=%q: want sync or async", val)
		}
		return nil
	}
	panic("netisr: option " + key + " has no reader")
}

func number(p *int, key, val string, most int) (err error) {
	if *p, err = strconv.Atoi(val); err != nil || *p < 1 || *p > most {
		return fmt.Errorf("%s=%q: want a number from 1 to %d", key, val, most)
	}
	return nil
}

func (sp Spec) String() string { return sp.text }

// Streams is how many workstreams the model has on that many CPUs.
func (sp Spec) Streams(cpus int) int {
	if sp.One {
		return 1
	}
	if n := sp.options.Threads; n != 0 {
		return n
	}
	return cpus
}

// New sets the model to work.
func (sp Spec) New(c Config) Isr {
	if len(c.Protocols) > MaxProtocols {
		panic(fmt.Sprintf("netisr: %d protocols, at most %d", len(c.Protocols), MaxProtocols))
	}
	if c.QLimit == 0 {
		c.QLimit = DefaultQLimit
	}
	if c.Yield == nil {
		c.Yield = runtime.Gosched
	}
	protocols := slices.Clone(c.Protocols)
	for i := range protocols {
		p := &protocols[i]
		if p.QLimit == 0 {
			p.QLimit = c.QLimit
		}
		if sp.options.QLimit != 0 {
			p.QLimit = sp.options.QLimit
		}
		if sp.options.Policy != 0 && p.Policy != Source {
			p.Policy = sp.options.Policy
		}
	}
	c.Protocols = protocols
	return sp.Model.New(c, sp.options)
}
