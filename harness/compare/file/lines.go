package file

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// longest is how many bytes a line may have: benchfmt takes no longer one.
const longest = bufio.MaxScanTokenSize - 1

// lines hands a file to benchfmt, line by line, and sees on the way what benchfmt does not tell: what is no text, where the file is cut off, and
// facts that a header sets and unsets again.
type lines struct {
	path    string
	in      *bufio.Reader
	n       int    // of the line in hand, from 1
	left    []byte // of it, not handed on yet
	err     error  // what ended the file, if it is not its end
	runs    []*run
	current map[string]string // keys as they are set now
}

// A run is a Run with what was seen of it.
type run struct {
	Run
	set     map[string]bool // keys that its header has set
	results int             // lines that look like one
}

func newLines(f *os.File) *lines {
	l := &lines{path: f.Name(), in: bufio.NewReaderSize(f, longest), current: map[string]string{}}
	l.begin(1)
	return l
}

// Read hands on one line at most.
func (l *lines) Read(p []byte) (int, error) {
	if len(l.left) == 0 {
		if l.err == nil {
			l.left, l.err = l.next()
		}
		if l.err != nil {
			return 0, l.err
		}
	}
	n := copy(p, l.left)
	l.left = l.left[n:]
	return n, nil
}

// next is the next line with its newline.
func (l *lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return nil, io.EOF
	}
	l.n++
	switch {
	case err == bufio.ErrBufferFull:
		return nil, l.errorf("the line is longer than %d bytes: this is no benchmark text", longest)
	case err == io.EOF:
		return nil, l.errorf("the last line does not end in a newline: the file is cut off; use a whole one")
	case err != nil:
		return nil, l.errorf("reading: %w", err)
	}
	return line, l.see(bytes.TrimRight(line, "\r\n"))
}

func (l *lines) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.path, l.n, fmt.Errorf(format, args...))
}

// see takes notes of a line.
func (l *lines) see(line []byte) error {
	switch {
	case bytes.IndexByte(line, 0) >= 0 || !utf8.Valid(line):
		return l.errorf("the line holds bytes that are no text: the file is damaged, or no results file")
	case bytes.HasPrefix(line, []byte("\ufeff")):
		return l.errorf("the file begins with a byte order mark, which hides its first line: save it without")
	case bytes.HasPrefix(line, []byte("Benchmark")):
		return l.seeResult(line)
	}
	if key, val, ok := keyValue(line); ok && key != ToolchainKey {
		l.seeFact(key, val)
	}
	return nil
}

func (l *lines) seeResult(line []byte) error {
	r := l.runs[len(l.runs)-1]
	if bytes.ContainsAny(line, " \t") {
		r.results++
	} else if r.own() { // go test -v prints names alone
		return l.errorf("a benchmark's name without a result")
	}
	return nil
}

// seeFact begins a new run with a fact that follows results, or that the header has set before.
func (l *lines) seeFact(key, val string) {
	if val == "" {
		delete(l.current, key)
		return
	}
	if i := len(l.runs) - 2; i >= 0 && l.runs[i].set[key] {
		l.closing()
	}
	r := l.runs[len(l.runs)-1]
	if r.results > 0 || r.set[key] {
		r = l.begin(l.n)
	}
	r.set[key] = true
	r.Facts[key] = val
	l.current[key] = val
}

// closing gives facts that stand below a run's results to that run: those that have no results of their own, and none of which its header has.
func (l *lines) closing() {
	i := len(l.runs) - 1
	if i == 0 || l.runs[i].results > 0 {
		return
	}
	of, facts := l.runs[i-1], l.runs[i]
	for key := range facts.set {
		if of.set[key] {
			return
		}
	}
	for key := range facts.set {
		of.Facts[key] = facts.Facts[key]
	}
	l.runs = l.runs[:i]
}

func (l *lines) begin(line int) *run {
	r := &run{Run: Run{Line: line, Facts: maps.Clone(l.current)}, set: map[string]bool{}}
	l.runs = append(l.runs, r)
	return r
}

// at is the run that a line belongs to.
func (l *lines) at(line int) *run {
	i := len(l.runs) - 1
	for l.runs[i].Line > line {
		i--
	}
	return l.runs[i]
}

// finish returns the runs that have results. One of pcbbench's own without any was cut off; go test prints a header for a benchmark that fails, too.
func (l *lines) finish() (runs []*Run, err error) {
	l.closing()
	for _, r := range l.runs {
		switch {
		case r.results > 0:
			if err := l.end(r); err != nil {
				return nil, err
			}
			runs = append(runs, &r.Run)
		case r.own():
			return nil, fmt.Errorf("%s:%d: the run that begins here has no result: it is cut off in its header", l.path, r.Line)
		}
	}
	if l.n == 0 {
		return nil, fmt.Errorf("%s: the file is empty", l.path)
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("%s: the file holds no result: want lines that begin with Benchmark", l.path)
	}
	return runs, nil
}

// end holds r to the number of results that it says it has. Runs say so since they say their epoch.
func (l *lines) end(r *run) error {
	said := r.Facts[resultsFact]
	if r.Ended = said != "" || r.Facts["epoch"] == ""; said != "" && said != strconv.Itoa(r.results) {
		return fmt.Errorf("%s:%d: the run that begins here says that it has %s results, and has %d: lines are missing, or were added", l.path, r.Line, said, r.results)
	}
	return nil
}

// resultsFact is the fact that ends a run of pcbbench.
const resultsFact = "results"

// keyValue takes a configuration line apart as benchfmt does: a key begins with a lower-case letter and has no blanks and no capitals, and blanks set its
// value apart.
func keyValue(line []byte) (key, val string, ok bool) {
	k, v, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isKey(k) || len(v) > 0 && v[0] != ' ' && v[0] != '\t' {
		return "", "", false
	}
	return string(k), string(bytes.TrimLeft(v, " \t")), true
}

func isKey(k []byte) bool {
	first, _ := utf8.DecodeRune(k)
	return unicode.IsLower(first) && bytes.IndexFunc(k, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsUpper(r) }) < 0
}
