//go:build (witness || profile) && !amd64 && !arm64

package witness

import (
	"bytes"
	"runtime"
	"strconv"
)

// goroutine identifies the caller's by its number, which only a traceback tells: some microseconds a call.
func goroutine() uintptr {
	var buf [64]byte
	line := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(line, []byte(" "))
	n, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		panic("witness: a traceback that begins with " + string(buf[:]))
	}
	return uintptr(n)
}
