package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/perf/benchfmt"
)

// An Arm is one side of a session: a binary, and what makes it differ.
type Arm struct {
	Name    string   // of the file's key toolchain, as "baseline"
	Command []string // runs Child
	Plant   Plant
}

// A sitting is an arm's process, which measures what it is told to.
type sitting struct {
	arm    Arm
	cancel context.CancelFunc
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errs   errorText
	code   string // the digest of the source it was built from
}

// An errorText is what a process said on its standard error.
type errorText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (e *errorText) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.Write(p)
}

func (e *errorText) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.TrimSpace(e.text.String())
}

// sit starts arm's process with job, which is ready for orders when sit returns.
func sit(ctx context.Context, arm Arm, job Job) (s *sitting, err error) {
	job.Orders, job.Plant = true, arm.Plant
	input, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	s = &sitting{arm: arm}
	ctx, s.cancel = context.WithCancel(ctx)
	s.cmd = exec.CommandContext(ctx, arm.Command[0], arm.Command[1:]...)
	s.cmd.Stderr = &s.errs
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		s.cancel()
		return nil, fmt.Errorf("%s: %w", arm.Name, err)
	}
	said, err := s.say(string(input))
	if err != nil {
		return nil, err
	}
	if err := s.meet(said); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", arm.Name, err), s.rise())
	}
	return s, nil
}

// greets stands before a greeting.
const greets = "# pcbbench takes orders: "

// meet takes an arm's greeting. One that measures another operation, or by another Go, is not compared.
func (s *sitting) meet(said string) error {
	var g greeting
	text, ok := strings.CutPrefix(said, greets)
	if !ok || json.Unmarshal([]byte(text), &g) != nil {
		return errors.New("its pcbbench takes no orders: it is older than pcbbench ab")
	}
	if g.Epoch != Epoch || g.Go != runtime.Version() {
		return fmt.Errorf("it is of epoch %s by %s, this pcbbench of epoch %s by %s: they do not compare", g.Epoch, g.Go, Epoch, runtime.Version())
	}
	s.code = g.Code
	return nil
}

// say sends a line, and returns the answer without the empty line that ends it. A process that ends instead says why on its standard error.
func (s *sitting) say(line string) (answer string, err error) {
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		return "", s.gone(err)
	}
	var b strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		switch {
		case err == io.EOF && b.Len() == 0 && line == "":
			return "", s.gone(err)
		case err != nil:
			return "", s.gone(err)
		case line == "\n":
			return b.String(), nil
		}
		b.WriteString(line)
	}
}

// gone is the error of a process that does not answer any more.
func (s *sitting) gone(err error) error {
	if waited := s.rise(); waited != nil {
		err = waited
	}
	if said := s.errs.String(); said != "" {
		err = errors.New(said)
	}
	if err == io.EOF || errors.Is(err, syscall.EPIPE) {
		err = errors.New("its process ended without a word; it may be older than pcbbench ab")
	}
	return fmt.Errorf("%s: %w", s.arm.Name, err)
}

// measure has experiment i measured once. The result is nil for a sample that failed its check, and then why is the reason.
func (s *sitting) measure(i int) (text string, res *benchfmt.Result, why string, err error) {
	text, err = s.say(fmt.Sprint(i))
	if err != nil {
		return "", nil, "", err
	}
	if why, failed := strings.CutPrefix(text, failedSample); failed {
		return "", nil, why, nil
	}
	r := benchfmt.NewReader(strings.NewReader(text), s.arm.Name)
	for r.Scan() {
		if res, ok := r.Result().(*benchfmt.Result); ok {
			return text, res.Clone(), "", nil
		}
	}
	return "", nil, "", errors.Join(fmt.Errorf("%s: answered with no result: %q", s.arm.Name, text), s.rise())
}

// rise ends the process.
func (s *sitting) rise() error {
	defer s.cancel()
	return errors.Join(s.in.Close(), s.cmd.Wait())
}
